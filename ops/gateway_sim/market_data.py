"""The data clients have subscribed to at the simulated gateway, and what each step tells them.

Ticks, 5-second bars and historical bars that are kept up to date, by client and request id.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from ops.gateway_sim import history
from ops.gateway_sim.contracts import Contracts, Error, venue
from ops.gateway_sim.hours import Hours
from ops.gateway_sim.prices import Market, Quote, Step
from ops.gateway_sim.reports import (
    History,
    HistoryUpdate,
    MarketDataKind,
    Notice,
    RealTimeBar,
    Report,
    SnapshotEnd,
    TickGeneric,
    TickPrice,
    TickRequestParameters,
    TickSize,
    TickString,
    To,
)
from ops.gateway_sim.terms import (
    Bar,
    Contract,
    HistoryRequest,
)

LIVE: Final = 1
DELAYED: Final = 3
DUPLICATE_TICKER: Final = (102, "Duplicate ticker id")
TOO_MANY_TICKERS: Final = (101, "Max number of tickers has been reached")
NOT_SUBSCRIBED: Final = 10089
DELAYED_SHOWN: Final = (
    10167,
    "Requested market data is not subscribed. Displaying delayed market data.",
)
NO_SUCH_TICKER: Final = (300, "Can't find EId with tickerId:{}")
BID, ASK, LAST, HIGH, LOW, CLOSE, OPEN = 1, 2, 4, 6, 7, 9, 14
BID_SIZE, ASK_SIZE, LAST_SIZE, VOLUME, LAST_TIME = 0, 3, 5, 8, 45
SHORTABLE, HALTED, SHORTABLE_SHARES = 46, 49, 89
BORROWING: Final = "236"
"""The generic tick that asks how much can be borrowed."""
PLENTY: Final = Decimal(10_000_000)
EASY, NONE_LEFT = Decimal(3), Decimal(1)

_DELAYED_KINDS: Final = {
    BID: 66,
    ASK: 67,
    LAST: 68,
    BID_SIZE: 69,
    ASK_SIZE: 70,
    LAST_SIZE: 71,
    HIGH: 72,
    LOW: 73,
    VOLUME: 74,
    CLOSE: 75,
    OPEN: 76,
    LAST_TIME: 88,
}
DELAY: Final = timedelta(minutes=15)
BAR_S: Final = 5
_BBO: Final = "9c0001"
_SNAPSHOT_PERMISSIONS: Final = 3

Key = tuple[int, int]
"""A client's id and its request's."""


class _Ticks(msgspec.Struct):
    con_id: int
    is_delayed: bool
    wants_borrowing: bool


class _RealTimeBars(msgspec.Struct):
    con_id: int
    what: str
    regular_hours: bool
    is_delayed: bool = False
    withheld: list[Bar] = []


class _KeptHistory(msgspec.Struct):
    con_id: int
    wanted: HistoryRequest
    newest: Bar | None


_Subscription = _Ticks | _RealTimeBars | _KeptHistory


class DataRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the account may see: `forbidden` symbols have no live data."""

    lines: int = 100
    forbidden: frozenset[str] = frozenset()
    paces_history: bool = True


class MarketData:
    """All data subscriptions; none survives its client or the gateway's restart."""

    def __init__(
        self, market: Market, contracts: Contracts, hours: Hours, rules: DataRules
    ) -> None:
        """Begin without any."""
        self.rules = rules
        self._market = market
        self._contracts = contracts
        self._hours = hours
        self._wanted: dict[Key, _Subscription] = {}
        self._following: dict[int, dict[Key, _Subscription]] = {}
        self._kinds: dict[int, int] = {}
        self._pacing: dict[int, history.HistoryPacing] = {}

    def set_kind(self, client_id: int, kind: int) -> None:
        """Note which market data a client accepts."""
        self._kinds[client_id] = kind

    def ticks(
        self, key: Key, contract: Contract, wanted: frozenset[str], *, snapshot: bool
    ) -> list[To]:
        """Answer reqMktData with the ticks that always come, and those `wanted` besides."""
        client_id, request_id = key
        found = self._admitted(key, contract)
        if not isinstance(found, Contract):
            return [_error(key, found)]
        told: list[Report] = []
        is_delayed = found.symbol in self.rules.forbidden
        if is_delayed:
            if self._kinds.get(client_id, LIVE) < DELAYED:
                return [_error(key, _not_subscribed(found))]
            told.append(Notice(request_id, *DELAYED_SHOWN))
        tick = self._contracts.listing(found.con_id).min_tick
        told.append(TickRequestParameters(request_id, tick, _BBO, _SNAPSHOT_PERMISSIONS))
        told.append(MarketDataKind(request_id, DELAYED if is_delayed else LIVE))
        quote = self._market.quotes.get(found.con_id)
        if quote is not None:
            told += _all_ticks(request_id, quote, is_delayed=is_delayed)
        following = _Ticks(found.con_id, is_delayed, BORROWING in wanted)
        if found.con_id in self._market.halted:
            told += self._halt_tick(request_id, following)
        told += self._borrowing_ticks(request_id, following)
        if snapshot:
            told.append(SnapshotEnd(request_id))
        else:
            self._follow(key, following)
        return [To(client_id, each) for each in told]

    def real_time_bars(
        self, key: Key, contract: Contract, what: str, *, regular_hours: bool
    ) -> list[To]:
        """Answer reqRealTimeBars: with nothing, until the first bar."""
        found = self._admitted(key, contract)
        if not isinstance(found, Contract):
            return [_error(key, found)]
        if what not in history.KEPT_WHATS:
            cause = f"Incorrect what to show:{what}"
            return [_error(key, (321, f"Error validating request.-'bO' : cause - {cause}"))]
        if found.symbol in self.rules.forbidden:
            permission = f"No market data permissions for {found.primary_exchange} STK"
            return [_error(key, (420, f"Invalid Real-time Query:{permission}"))]
        self._follow(key, _RealTimeBars(found.con_id, what, regular_hours))
        return []

    def historical(self, now: datetime, key: Key, wanted: HistoryRequest) -> list[To]:
        """Answer reqHistoricalData."""
        found = self._contracts.resolve(wanted.contract)
        error = history.refusal(wanted) if isinstance(found, Contract) else found
        if error is None and self.rules.paces_history:
            pacing = self._pacing.setdefault(key[0], history.HistoryPacing())
            if pacing.is_violated(now, wanted):
                error = history.PACING_VIOLATION
        if error is not None or not isinstance(found, Contract):
            return [_error(key, error or history.PACING_VIOLATION)]
        service = "Historical Market Data Service error message:"
        if found.symbol in self.rules.forbidden:
            return [_error(key, (162, f"{service}No market data permissions for STK"))]
        end = now if wanted.end is None else min(wanted.end, now)
        bars = history.bars(self._market, found.con_id, wanted, end, self._hours)
        if not bars and not wanted.keep_up_to_date:
            what = f"{found.symbol}@{found.exchange} {wanted.what.title()}"
            return [_error(key, (162, f"{service}HMDS query returned no data: {what}"))]
        if wanted.keep_up_to_date:
            newest = bars[-1] if bars else None
            self._follow(key, _KeptHistory(found.con_id, wanted, newest))
        begins = history.begins(wanted, end, self._hours)
        return [To(key[0], History(key[1], begins, end, bars))]

    def delay_bars(self, now: datetime, key: Key) -> list[To]:
        """Let the 5-second bars of a subscription come late from now on, and say so."""
        wanted = self._wanted.get(key)
        if not isinstance(wanted, _RealTimeBars):
            return []
        wanted.is_delayed = True
        wanted.withheld = list(self._market.history(wanted.con_id, now - DELAY, now, BAR_S))
        client_id, request_id = key
        told = (Notice(request_id, *DELAYED_SHOWN), MarketDataKind(request_id, DELAYED))
        return [To(client_id, each) for each in told]

    def stop(self, key: Key) -> list[To]:
        """End a subscription."""
        wanted = self._wanted.pop(key, None)
        if wanted is not None:
            del self._following[wanted.con_id][key]
            return []
        code, text = NO_SUCH_TICKER
        return [_error(key, (code, text.format(key[1])))]

    def forget_client(self, client_id: int) -> None:
        """End all of a client's subscriptions."""
        for key in [key for key in self._wanted if key[0] == client_id]:
            self.stop(key)
        self._kinds.pop(client_id, None)
        self._pacing.pop(client_id, None)

    def step(self, step: Step) -> Iterator[To]:
        """Yield what five seconds of market tell those who follow the contract."""
        for (client_id, request_id), wanted in self._following.get(step.con_id, {}).items():
            for report in self._of_step(request_id, wanted, step):
                yield To(client_id, report)

    def quote(self, con_id: int) -> Iterator[To]:
        """Yield what a price set by hand tells those who follow the contract's ticks."""
        for (client_id, request_id), wanted in self._following.get(con_id, {}).items():
            if isinstance(wanted, _Ticks):
                for report in self._ticks_of(request_id, wanted):
                    yield To(client_id, report)

    def halt(self, con_id: int) -> Iterator[To]:
        """Yield what a halt, or its end, tells those who follow the contract's ticks."""
        yield from self._to_followers(con_id, self._halt_tick)

    def lend(self, con_id: int) -> Iterator[To]:
        """Yield what there is to borrow to those who follow that."""
        yield from self._to_followers(con_id, self._borrowing_ticks)

    def revise(self, con_id: int, by: Decimal) -> Iterator[To]:
        """Yield what history that is kept up to date says after its newest close moved `by`."""
        for (client_id, request_id), wanted in self._following.get(con_id, {}).items():
            if isinstance(wanted, _KeptHistory) and wanted.newest is not None:
                close = wanted.newest.close + by
                wanted.newest = msgspec.structs.replace(
                    wanted.newest,
                    close=close,
                    high=max(wanted.newest.high, close),
                    low=min(wanted.newest.low, close),
                )
                yield To(client_id, HistoryUpdate(request_id, wanted.newest))

    def _follow(self, key: Key, wanted: _Subscription) -> None:
        self._wanted[key] = wanted
        self._following.setdefault(wanted.con_id, {})[key] = wanted

    def _of_step(self, request_id: int, wanted: _Subscription, step: Step) -> Iterator[Report]:
        match wanted:
            case _Ticks():
                if not step.is_traded:
                    yield from self._ticks_of(request_id, wanted)
            case _RealTimeBars(what=what, regular_hours=regular):
                if not regular or self._hours.is_regular(step.bar.at):
                    for bar in history.shown(_in_time(wanted, step.bar), what):
                        yield RealTimeBar(request_id, bar)
            case _KeptHistory(wanted=asked):
                if not asked.regular_hours or self._hours.is_regular(step.bar.at):
                    piece = next(history.shown([step.bar], asked.what))
                    wanted.newest = history.extended(wanted.newest, piece, asked, self._hours)
                    yield HistoryUpdate(request_id, wanted.newest)

    def _ticks_of(self, request_id: int, wanted: _Ticks) -> list[Report]:
        quote = self._market.quotes[wanted.con_id]
        return _moving_ticks(request_id, quote, is_delayed=wanted.is_delayed)

    def _to_followers(
        self, con_id: int, ticks: Callable[[int, _Ticks], list[Report]]
    ) -> Iterator[To]:
        for (client_id, request_id), wanted in self._following.get(con_id, {}).items():
            if isinstance(wanted, _Ticks):
                for report in ticks(request_id, wanted):
                    yield To(client_id, report)

    def _halt_tick(self, request_id: int, wanted: _Ticks) -> list[Report]:
        kind = self._market.halted.get(wanted.con_id, 0)
        return [TickGeneric(request_id, HALTED, Decimal(kind))]

    def _borrowing_ticks(self, request_id: int, wanted: _Ticks) -> list[Report]:
        shares = self._market.to_borrow.get(wanted.con_id, PLENTY)
        if not wanted.wants_borrowing or shares is None:
            return []
        ease = EASY if shares else NONE_LEFT
        return [
            TickGeneric(request_id, SHORTABLE, ease),
            TickSize(request_id, SHORTABLE_SHARES, shares),
        ]

    def _admitted(self, key: Key, contract: Contract) -> Contract | Error:
        if key in self._wanted:
            return DUPLICATE_TICKER
        lines = sum(not isinstance(each, _KeptHistory) for each in self._wanted.values())
        if lines >= self.rules.lines:
            return TOO_MANY_TICKERS
        return self._contracts.resolve(contract)


def _in_time(wanted: _RealTimeBars, bar: Bar) -> list[Bar]:
    """Return `bar`, or in its place what is old enough by now where the data is delayed."""
    if not wanted.is_delayed:
        return [bar]
    waiting = [*wanted.withheld, bar]
    wanted.withheld = [each for each in waiting if each.at > bar.at - DELAY]
    return [each for each in waiting if each.at <= bar.at - DELAY]


def _moving_ticks(request_id: int, quote: Quote, *, is_delayed: bool) -> list[Report]:
    kind = _kinds(is_delayed=is_delayed)
    size = quote.last_size
    return [
        TickPrice(request_id, kind(BID), quote.bid, quote.room),
        TickSize(request_id, kind(BID_SIZE), quote.room),
        TickPrice(request_id, kind(ASK), quote.ask, quote.room),
        TickSize(request_id, kind(ASK_SIZE), quote.room),
        TickString(request_id, kind(LAST_TIME), f"{quote.at.timestamp():.0f}"),
        TickPrice(request_id, kind(LAST), quote.last, size),
        TickSize(request_id, kind(LAST_SIZE), size),
        TickSize(request_id, kind(VOLUME), quote.volume),
    ]


def _all_ticks(request_id: int, quote: Quote, *, is_delayed: bool) -> list[Report]:
    kind = _kinds(is_delayed=is_delayed)
    day = [
        TickPrice(request_id, kind(each), price)
        for each, price in (
            (HIGH, quote.high),
            (LOW, quote.low),
            (CLOSE, quote.previous_close),
            (OPEN, quote.open),
        )
        if price is not None
    ]
    return [*_moving_ticks(request_id, quote, is_delayed=is_delayed), *day]


def _kinds(*, is_delayed: bool) -> Callable[[int], int]:
    return lambda kind: _DELAYED_KINDS[kind] if is_delayed else kind


def _not_subscribed(contract: Contract) -> Error:
    what = "Requested market data requires additional subscription for API. See link in 'Market "
    what += "Data Connections' dialog for more details.Delayed market data is available."
    return NOT_SUBSCRIBED, f"{what}{contract.symbol} {venue(contract)}/TOP/ALL"


def _error(key: Key, error: Error) -> To:
    return To(key[0], Notice(key[1], *error))
