"""What the exchange and the lenders of shares say of each symbol: halts, and what may be shorted.

One subscription a symbol, beside its bars. That a halt is over is often not said: a gateway tells
it only to some. So a trade after the halt is taken for it, too.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.codes import ForLink, meaning
from daemon.brokers.gateway.contracts import Contracts
from daemon.brokers.gateway.session import GatewaySession
from daemon.brokers.gateway.terms import Greeting
from daemon.config.options import SymbolConfig
from events import ShortSaleReported, Symbol, SymbolHalted, SymbolResumed

WANTED: Final = "236"
"""The ticks asked for besides those that always come: what can be borrowed."""
TRADED_AT, SHORTABLE, HALTED, SHORTABLE_SHARES = 45, 46, 49, 89
HALTS: Final = {1: "by the exchange", 2: "for its volatility"}
"""Kinds of halt; 0 is none, and -1 says that nobody knows."""
EASY: Final = Decimal("2.5")
HARD: Final = Decimal("1.5")
"""Above EASY at least 1000 shares can be borrowed, above HARD some if they are found, else none."""
EASY_SHARES: Final = Decimal(1_000)
TELL_EVERY: Final = timedelta(seconds=60)
"""How often the shares that can be borrowed are put on record, unless they have halved."""
CLOCKS_APART: Final = timedelta(seconds=5)
"""A trade counts as one after the halt when it is so much later: clocks differ."""


class _Watched(msgspec.Struct):
    """One symbol: its subscription, since when it is halted, and what of it can be borrowed."""

    request: int | None = None
    halted_at: datetime | None = None
    ease: Decimal | None = None
    shares: Decimal | None = None
    told: ShortSaleReported | None = None
    told_at: datetime | None = None


class SymbolWatch:
    """A listener of the session: halts and what can be borrowed, of the configured symbols."""

    def __init__(
        self,
        session: GatewaySession,
        contracts: Contracts,
        symbols: Mapping[Symbol, SymbolConfig],
    ) -> None:
        """Watch `symbols`, whose contracts are in `contracts`."""
        self._session = session
        self._contracts = contracts
        self._exchanges = {symbol: terms.exchange for symbol, terms in symbols.items()}
        self._watched = {symbol: _Watched() for symbol in symbols}
        self._symbols: dict[int, Symbol] = {}

    # A listener of the session.

    def connected(self, greeting: Greeting) -> None:  # noqa: ARG002 - a listener's
        """Begin anew, with the halts that the books know of."""
        self._forget_subscriptions()
        halted = self._contracts.state.freshness.halted
        for symbol, watched in self._watched.items():
            watched.halted_at = watched.halted_at or halted.get(symbol)

    def lost(self, unsent: Sequence[object]) -> None:  # noqa: ARG002 - as above
        """Forget the subscriptions."""
        self._forget_subscriptions()

    async def verify(self) -> None:
        """Do nothing: a symbol of which nothing is said trades."""

    async def ready(self) -> None:
        """Subscribe what is not."""
        for symbol, watched in self._watched.items():
            if watched.request is None:
                self._subscribe(symbol, watched)

    def heard(self, kind: int, fields: Sequence[str]) -> None:
        """Take the ticks that are about a halt, or about borrowing."""
        match kind:
            case messages.TICK_GENERIC | messages.TICK_SIZE | messages.TICK_STRING:
                self._tick(int(fields[3]), int(fields[2]), fields[4])
            case messages.ERROR:
                self._notice(messages.read_notice(fields))
            case _:
                pass

    def _tick(self, tick: int, request: int, value: str) -> None:
        if tick not in {TRADED_AT, SHORTABLE, HALTED, SHORTABLE_SHARES}:
            return
        symbol, number = self._symbols.get(request), messages.number_or_none(value)
        if symbol is None or number is None:
            return
        self._session.has(_part(symbol), "it is said again")
        watched = self._watched[symbol]
        match tick:
            case _ if tick == HALTED:
                self._halted(symbol, watched, int(number))
            case _ if tick == TRADED_AT:
                self._traded(symbol, watched, datetime.fromtimestamp(int(number), UTC))
            case _ if tick == SHORTABLE:
                watched.ease = number
                self._borrowed(symbol, watched, is_news=False)
            case _:
                is_first, watched.shares = watched.shares is None, number
                self._borrowed(symbol, watched, is_news=is_first)

    # Halts.

    def _halted(self, symbol: Symbol, watched: _Watched, kind: int) -> None:
        if kind in HALTS and watched.halted_at is None:
            watched.halted_at = self._session.now
            self._session.report(SymbolHalted(symbol, HALTS[kind]))
        elif kind == 0:
            self._resume(symbol, watched, "")

    def _traded(self, symbol: Symbol, watched: _Watched, at: datetime) -> None:
        if watched.halted_at is not None and at >= watched.halted_at + CLOCKS_APART:
            self._resume(symbol, watched, f"it traded at {at:%H:%M:%S} UTC")

    def _resume(self, symbol: Symbol, watched: _Watched, why: str) -> None:
        if watched.halted_at is not None:
            watched.halted_at = None
            self._session.report(SymbolResumed(symbol, why))

    # Short sales.

    def _borrowed(self, symbol: Symbol, watched: _Watched, *, is_news: bool) -> None:
        """Put on record what can be borrowed today: the first word, what is much less, news.

        All else in measure: the number moves all day.
        """
        day = self._day(symbol)
        if day is None:
            return  # The gate could not tell for which day it counts either.
        said = ShortSaleReported(symbol, day, _shares(watched), restricted=False)
        if said == watched.told:
            return
        now, before = self._session.now, watched.told
        is_early = watched.told_at is not None and now < watched.told_at + TELL_EVERY
        is_same_day = before is not None and before.day == day
        if is_early and is_same_day and not (is_news or _is_worse(before, said)):
            return
        watched.told, watched.told_at = said, now
        self._session.report(said)

    def _day(self, symbol: Symbol) -> date | None:
        """Return the session in hand, else the next one: what the gate asks about."""
        calendar = self._contracts.state.calendar
        sessions = calendar.exchanges.get(self._exchanges[symbol])
        hours = sessions.at_hand(self._session.now) if sessions else None
        return hours.day if hours else None

    # The connection.

    def _subscribe(self, symbol: Symbol, watched: _Watched) -> None:
        contract, wire = self._contracts.of(symbol), self._session.wire
        watched.request = self._session.subscribe(
            lambda request: wire.ask_ticks(request, contract, WANTED)
        )
        self._symbols[watched.request] = symbol

    def _notice(self, notice: messages.Notice) -> None:
        means = meaning(notice.code)
        if means.link is ForLink.SERVERS_BACK_DATA_LOST:
            self._forget_subscriptions()
            return
        symbol = self._symbols.get(notice.about)
        if symbol is None or means.data is None:
            return
        what = f"nobody says whether {symbol} is halted or can be borrowed"
        self._session.lacks(_part(symbol), f"{what}: {notice.code}: {notice.text}")

    def _forget_subscriptions(self) -> None:
        self._symbols.clear()
        for watched in self._watched.values():
            watched.request = None


def _part(symbol: Symbol) -> str:
    """Return what is missing of a connection that says nothing of a symbol's halts."""
    return f"halts of {symbol}"


def _shares(watched: _Watched) -> Decimal | None:
    """Return how many shares can be borrowed, None where nobody promises any number."""
    if watched.ease is None:
        return watched.shares
    if watched.ease <= HARD:
        return Decimal(0)
    if watched.ease <= EASY:
        return None
    return EASY_SHARES if watched.shares is None else watched.shares


def _is_worse(before: ShortSaleReported | None, now: ShortSaleReported) -> bool:
    """Say whether much less can be borrowed than is on record."""
    if before is None or now.shortable_shares is None or before.shortable_shares is None:
        return now.shortable_shares is None
    return 2 * now.shortable_shares <= before.shortable_shares
