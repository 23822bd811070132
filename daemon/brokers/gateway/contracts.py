"""Which contract is meant by each symbol: asked once a run, certain before anything is traded.

A symbol that nobody knows, or that several contracts have, refuses the start with what there is.
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
        self.terms: dict[Symbol, ContractTerms] = {}
        self.by_id: dict[int, Symbol] = {}

    def know(self, state: State) -> None:
        """Put nothing on record that the books of `state` have already."""
        self.state = state

    def of(self, symbol: Symbol) -> StockContract:
        """Return the contract of a configured symbol; it is there once the session is verified."""
        return self._found[symbol]

    def connected(self, greeting: Greeting) -> None:
        """Do nothing: contracts outlast a connection."""

    def heard(self, kind: int, fields: Sequence[str]) -> None:
        """Do nothing: what is asked here is answered where it is asked."""

    def lost(self, unsent: Sequence[object]) -> None:
        """Do nothing, as `connected`."""

    async def ready(self) -> None:
        """Ask for the coming days' hours, where that was long ago; nothing waits for it."""
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
            for symbol, contract in self._found.items():
                for terms in await self._asked(contract):
                    self._take_hours(symbol, terms)
        except NOT_THIS_TIME as error:
            self._hours_asked = datetime.min.replace(tzinfo=self._session.now.tzinfo)
            self._session.told(f"the hours of the contracts did not come: {error}")

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
        size_step = _size_step(terms, self._symbols[symbol])
        resolved = ContractResolved(symbol, terms.contract_id, terms.price_increment, size_step)
        if self.state.instruments.contracts.get(symbol) != resolved:
            self._session.report(resolved)
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
