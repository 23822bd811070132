"""A strategy at work: the strategy itself, what it has seen, and what it is shown."""

from datetime import datetime
from decimal import Decimal

import msgspec

from daemon.strategies import NoTrade, Strategy
from events import Symbol
from projections import State
from projections.snapshot import StrategyPart

_ZERO = Decimal(0)


class Tally(msgspec.Struct):
    """The standing answer about one symbol, and how often it was given in a row."""

    given: NoTrade
    evaluations: int = 1


class StrategyMemory(msgspec.Struct):
    """What a strategy run remembers besides the strategy's own fields."""

    bars_seen: dict[Symbol, int] = {}
    tallies: dict[Symbol, Tally] = {}


class StrategyRun:
    """One configured strategy. `failed` runs are asked nothing more; `failure` is why.

    `failed_seq` is the last row of the journal before the failure; 0 where the books know of it.
    """

    def __init__(
        self, name: str, strategy: Strategy, code_hash: str, symbols: frozenset[Symbol]
    ) -> None:
        """Bind the strategy to its name and the symbols it is asked about."""
        self.name = name
        self.strategy = strategy
        self.code_hash = code_hash
        self.symbols = symbols
        self.warmup = strategy.warmup()
        self.schedules = {f"{name}/{each.name}": each for each in strategy.schedules()}
        self.memory = StrategyMemory()
        self.failed = False
        self.failed_seq = 0
        self.failure = ""

    def fields(self) -> bytes:
        """Return everything the run remembers, as JSON; null for a strategy JSON cannot hold."""
        try:
            return msgspec.json.encode((self.strategy, self.memory))
        except Exception:  # noqa: BLE001 - a strategy's fields may hold anything by now
            return msgspec.json.encode((None, self.memory))

    def snapshot_part(self) -> StrategyPart | None:
        """Return what a snapshot keeps of the run, None where it would come back as another.

        JSON has no NaN, say: it is written as null.
        """
        fields = self.fields()
        try:
            if self._read(fields) != (self.strategy, self.memory):
                return None
        except Exception:  # noqa: BLE001 - as above; and the strategy's own code compares it
            return None
        return StrategyPart(self.code_hash, msgspec.Raw(fields))

    def restore(self, fields: bytes) -> None:
        """Take over what `fields` returned.

        Raises:
            msgspec.ValidationError: it does not fit the strategy as it is now.
        """
        self.strategy, self.memory = self._read(fields)

    def _read(self, fields: bytes) -> tuple[Strategy, StrategyMemory]:
        own, memory = msgspec.json.decode(fields, type=tuple[msgspec.Raw, StrategyMemory])
        return msgspec.json.decode(own, type=type(self.strategy)), memory


class StateView:
    """The read-only view one strategy has of the books."""

    __slots__ = ("_state", "_strategy", "now")

    def __init__(self, state: State, strategy: str, now: datetime) -> None:
        """Show `state` as `strategy` may see it."""
        self._state = state
        self._strategy = strategy
        self.now = now

    @property
    def equity(self) -> Decimal:
        """The account's equity in US dollars."""
        return self._state.pnl.equity

    @property
    def cash(self) -> Decimal:
        """The account's cash in US dollars."""
        return self._state.cash.balance

    def quantity(self, symbol: Symbol) -> Decimal:
        """Return this strategy's signed position in `symbol`."""
        book = self._state.positions.by_strategy.get(self._strategy)
        position = book.get(symbol) if book else None
        return _ZERO if position is None else position.quantity

    def account_quantity(self, symbol: Symbol) -> Decimal:
        """Return the account's signed position in `symbol`."""
        return self._state.positions.held(symbol).quantity

    def pending(self, symbol: Symbol) -> Decimal:
        """Return the signed quantity this strategy's open orders in `symbol` may still fill."""
        orders = self._state.orders.open
        if not orders:
            return _ZERO
        return sum(
            (
                order.reserved
                for order in orders.values()
                if order.intent.symbol == symbol and order.intent.strategy == self._strategy
            ),
            _ZERO,
        )

    def price(self, symbol: Symbol) -> Decimal | None:
        """Return the last close of `symbol`, None when there is none."""
        return self._state.market.price(symbol)
