"""The market: the days it is open, prices that wander, and a bar of each symbol every so often."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random

from daemon.calendar import load_calendar
from daemon.config.options import SessionsConfig
from events import BarClosed, SessionHours, Symbol
from tests.simulation.timeline import Timeline

SYMBOLS = (Symbol("A"), Symbol("B"))
BAR = timedelta(minutes=15)
STEP_CENTS = 40
"""How far a price goes from one bar to the next, at most."""

VOLUME = Decimal(10_000)

Published = Callable[[Sequence[BarClosed]], None]


class Market:
    """Prices move at each bar's end; the bar is heard of a little later, or not at all."""

    def __init__(
        self, timeline: Timeline, chance: Random, days: int, moved: Callable[[], None]
    ) -> None:
        """Open on `days` trading days from now on; `moved` is called after each move of prices."""
        self._timeline = timeline
        self._chance = chance
        self._moved = moved
        self._price = {symbol: chance.randint(5_000, 20_000) for symbol in SYMBOLS}
        self.published: list[BarClosed] = []
        self.listener: Published | None = None
        self.open_session: SessionHours | None = None
        self.sessions = [each for each in known_sessions() if each.open > timeline.moment][:days]
        for session in self.sessions:
            self._plan(session)

    def was_open_within(self, seconds: float) -> bool:
        now, grace = self._timeline.moment, timedelta(seconds=seconds)
        return any(each.open <= now <= each.close + grace for each in self.sessions)

    def price(self, symbol: Symbol) -> Decimal:
        return _dollars(self._price[symbol])

    def _plan(self, session: SessionHours) -> None:
        timeline = self._timeline
        timeline.at_moment(session.open, lambda: self._open(session))
        end = session.open + BAR
        while end <= session.close:
            timeline.at_moment(end, self._end_bars)
            end += BAR
        timeline.at_moment(session.close, lambda: self._open(None))

    def _open(self, session: SessionHours | None) -> None:
        self.open_session = session
        self._moved()

    def _end_bars(self) -> None:
        chance, end = self._chance, self._timeline.moment
        on_time: list[BarClosed] = []
        for symbol in SYMBOLS:
            before = self._price[symbol]
            after = max(before + chance.randint(-STEP_CENTS, STEP_CENTS), 500)
            self._price[symbol] = after
            low, high = sorted((before, after))
            low -= chance.randint(0, 10)
            high += chance.randint(0, 10)
            opened, highest, lowest, closed = (_dollars(c) for c in (before, high, low, after))
            bar = BarClosed(symbol, 900, end, opened, highest, lowest, closed, VOLUME)
            fate = chance.random()
            if fate < 0.05:
                self._publish_after(chance.uniform(1, 50), [bar])
            elif fate < 0.98:
                on_time.append(bar)
        self._publish_after(chance.uniform(0.05, 0.5), on_time)
        self._moved()

    def _publish_after(self, seconds: float, bars: Sequence[BarClosed]) -> None:
        self._timeline.after(seconds, lambda: self._publish(bars))

    def _publish(self, bars: Sequence[BarClosed]) -> None:
        self.published += bars
        if bars and self.listener is not None:
            self.listener(bars)


@cache
def known_sessions() -> tuple[SessionHours, ...]:
    """Return every session a world may have."""
    return load_calendar("NYSE", date(2024, 1, 1), date(2026, 12, 31), SessionsConfig()).sessions


def next_session(after: datetime) -> SessionHours:
    return next(each for each in known_sessions() if each.open > after)


def _dollars(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
