"""Which contract is meant by each symbol: asked once a run, certain before anything is traded.

A symbol that nobody knows, or that several contracts have, refuses the start with what there is.
What is held and not configured is asked for by its contract's number, so that it can be closed.
When each trades in the coming days is asked again with the first connection of every day.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.asking import RequestFailed
from daemon.brokers.gateway.codes import ForData, meaning
from daemon.brokers.gateway.connection import Part
from daemon.brokers.gateway.hours import hours_report
from daemon.brokers.gateway.session import NOT_THIS_TIME, GatewaySession
from daemon.brokers.gateway.terms import ContractTerms, Greeting, StockContract
from daemon.config.file import ConfigError
from daemon.config.options import Exchange, SymbolConfig
from events import ContractResolved, Symbol
from projections import State

HOURS_EVERY: Final = timedelta(hours=12)
"""The gateway tells the hours of about a week; a connection lasts a day at most."""
_ROWS = frozenset({messages.CONTRACT_DETAILS})


class Contracts:
    """A listener of the session: the contracts of the configured symbols."""

    def __init__(self, session: GatewaySession, symbols: Mapping[Symbol, SymbolConfig]) -> None:
        """Resolve `symbols`; `state` are the books, once they are known."""
        self._session = session
        self._symbols = symbols
        self.state = State()
        self._unknown_since: dict[Symbol, float] = {}
        self._found: dict[Symbol, StockContract] = {}
        self._hours_asked: datetime | None = None
        self._asking_hours: asyncio.Task[None] | None = None
        self._held: dict[int, Symbol] = {}
        self._asking_held: asyncio.Task[None] | None = None
        self.terms: dict[Symbol, ContractTerms] = {}
        self.by_id: dict[int, Symbol] = {}

    def know(self, state: State) -> None:
        """Put nothing on record that the books of `state` have already."""
        self.state = state

    def of(self, symbol: Symbol) -> StockContract:
        """Return the contract of a configured symbol; it is there once the session is verified."""
        return self._found[symbol]

    def is_known(self, symbol: Symbol) -> bool:
        """Say whether the contract of `symbol` is known, configured or held."""
        return symbol in self._found

    def connected(self, greeting: Greeting) -> None:
        """Do nothing: contracts outlast a connection."""

    def heard(self, kind: int, fields: Sequence[str]) -> None:
        """Take note of a position in what is not configured; it is asked for as well.

        What is asked here is answered where it is asked.
        """
        if kind != messages.POSITION or not self._session.connection.sends:
            return
        line = messages.read_position(fields)
        is_new = line.contract_id not in self.by_id and line.quantity
        if is_new and line.security_type == "STK" and self._session.alias.is_ours(line.account):
            self._held[line.contract_id] = Symbol(line.symbol.replace(" ", "."))
            if not self._session.connection.why_not:
                self._ask_held_soon()

    def lost(self, unsent: Sequence[object]) -> None:
        """Do nothing, as `connected`."""

    async def ready(self) -> None:
        """Ask for what is held besides, and for the coming days' hours; nothing waits for it."""
        self._ask_held_soon()
        now = self._session.now
        if self._hours_asked is None:
            self._hours_asked = now  # They came with the contracts.
        elif now - self._hours_asked >= HOURS_EVERY:
            self._hours_asked = now
            self._asking_hours = asyncio.get_running_loop().create_task(
                self._ask_hours(), name="hours of the contracts"
            )

    async def verify(self) -> None:
        """Resolve what is not resolved yet.

        Raises:
            ConfigError: which symbols are not one contract, with the candidates.
        """
        problems = []
        for symbol, terms in self._symbols.items():
            if symbol in self._found:
                continue
            candidates = await self._candidates(symbol, terms)
            if len(candidates) == 1:
                self._take(symbol, candidates[0])
            else:
                problems.append(_problem(symbol, terms, candidates))
        if problems:
            raise ConfigError(problems)

    async def _candidates(self, symbol: Symbol, terms: SymbolConfig) -> list[ContractTerms]:
        try:
            found = await self._asked(StockContract(symbol.replace(".", " "), _home(terms)))
        except RequestFailed as failed:
            is_none = meaning(failed.notice.code).data is ForData.NO_CONTRACT
            if not is_none or not self._is_believed(symbol):
                notice = failed.notice
                named = msgspec.structs.replace(notice, text=f"{symbol}: {notice.text}")
                raise RequestFailed(named) from failed
            return []
        stocks = [each for each in found if (each.security_type, each.currency) == ("STK", "USD")]
        # One contract is listed once an exchange it is routed to.
        return list({each.contract_id: each for each in stocks}.values())

    async def _asked(self, wanted: StockContract) -> list[ContractTerms]:
        wire = self._session.wire
        rows = await self._session.ask(
            lambda request: wire.ask_contract(request, wanted),
            messages.CONTRACT_DETAILS_END,
            _ROWS,
        )
        return [wire.read_contract(fields) for _, fields in rows]

    async def _ask_hours(self) -> None:
        try:
            for symbol in self._symbols:
                contract = self._found[symbol]
                for terms in await self._asked(contract):
                    self._take_hours(symbol, terms)
        except NOT_THIS_TIME as error:
            self._hours_asked = datetime.min.replace(tzinfo=self._session.now.tzinfo)
            self._session.told(f"the hours of the contracts did not come: {error}")

    def _ask_held_soon(self) -> None:
        if self._held and (self._asking_held is None or self._asking_held.done()):
            self._asking_held = asyncio.get_running_loop().create_task(
                self._ask_held(), name="contracts of what is held besides"
            )

    async def _ask_held(self) -> None:
        """Resolve what is held and not configured; what does not come comes with the next lists."""
        while self._held:
            contract_id, symbol = self._held.popitem()
            try:
                found = await self._asked(StockContract(symbol.replace(".", " "), "", contract_id))
            except NOT_THIS_TIME as error:
                self._session.told(
                    f"the contract of {symbol}, which is held, did not come: {error}"
                )
                continue
            # A ticker that is configured is another contract: this one has no name of ours.
            if found and found[0].currency == "USD" and symbol not in self._found:
                self._take(symbol, found[0])

    def _is_believed(self, symbol: Symbol) -> bool:
        """Say whether the gateway may be right that there is no such contract.

        While it has no line to the definitions, it says so of contracts that exist: a contract that
        the books know is there, and of any other the answer counts when it is still the same later.
        """
        if Part.DEFINITIONS in self._session.connection.missing:
            return False
        if symbol in self.state.instruments.contracts:
            return False
        first = self._unknown_since.setdefault(symbol, self._session.seconds())
        return self._session.seconds() - first >= self._session.timing.verify_again

    def _take(self, symbol: Symbol, terms: ContractTerms) -> None:
        self._found[symbol] = StockContract(terms.symbol, terms.primary_exchange, terms.contract_id)
        self.terms[symbol] = terms
        self.by_id[terms.contract_id] = symbol
        configured = self._symbols.get(symbol)
        size_step = Decimal(1) if configured is None else _size_step(terms, configured)
        resolved = ContractResolved(symbol, terms.contract_id, terms.price_increment, size_step)
        if self.state.instruments.contracts.get(symbol) != resolved:
            self._session.report(resolved)
        if configured is not None:
            self._take_hours(symbol, terms)

    def _take_hours(self, symbol: Symbol, terms: ContractTerms) -> None:
        report = hours_report(symbol, terms.liquid_hours, terms.trading_hours, terms.time_zone)
        if self.state.instruments.hours.get(symbol) != report:
            self._session.report(report)


def _size_step(terms: ContractTerms, configured: SymbolConfig) -> Decimal:
    """Return the step of an order's size: the gateway names one for fractions, also for others."""
    return (terms.size_increment if configured.fractions else None) or Decimal(1)


def _home(terms: SymbolConfig) -> str:
    """Return the exchange by which a symbol is one contract, empty where nobody said one."""
    if terms.primary_exchange:
        return terms.primary_exchange
    return "NASDAQ" if terms.exchange is Exchange.NASDAQ else ""


def _problem(symbol: Symbol, terms: SymbolConfig, candidates: Sequence[ContractTerms]) -> str:
    home = _home(terms)
    at = f" at {home}" if home else ""
    if not candidates:
        return f"symbols.{symbol}: the gateway knows no US stock {symbol}{at}"
    there = ", ".join(f"{each.primary_exchange} ({each.long_name})" for each in candidates)
    return f"symbols.{symbol}: is {len(candidates)} stocks; set primary_exchange to one of {there}"
