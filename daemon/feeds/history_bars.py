"""Bars of the gateway's history: sizes, how they are asked for and read, and the pace of that."""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from daemon.brokers.gateway.messages import Unreadable
from daemon.brokers.gateway.session import GatewaySession
from events import BarClosed, Symbol

BAR_SIZES: Final = {
    5: "5 secs",
    10: "10 secs",
    15: "15 secs",
    30: "30 secs",
    60: "1 min",
    120: "2 mins",
    180: "3 mins",
    300: "5 mins",
    600: "10 mins",
    900: "15 mins",
    1_200: "20 mins",
    1_800: "30 mins",
    3_600: "1 hour",
}
"""The sizes that the gateway's history has, too."""
HISTORY_EVERY_S: Final = 15.0
HISTORIES_MAX: Final = 50
HISTORIES_IN: Final = timedelta(minutes=10)
PACED_BARS_S: Final = 30
"""Of bars up to so long the gateway takes 60 requests in ten minutes, the same one again only
after 15 seconds."""
DAY_S: Final = 86_400


class HistoryPace:
    """Keeps requests for bars of `bar_seconds` within what the gateway takes."""

    def __init__(self, bar_seconds: int) -> None:
        """Begin with none asked for."""
        self._is_paced = bar_seconds <= PACED_BARS_S
        self._asked: deque[datetime] = deque()

    async def keep(self, session: GatewaySession) -> None:
        """Wait until one more request is within the pace, and count it."""
        while self._is_paced:
            now = session.now
            while self._asked and now - self._asked[0] >= HISTORIES_IN:
                self._asked.popleft()
            if len(self._asked) < HISTORIES_MAX:
                self._asked.append(now)
                return
            await asyncio.sleep(HISTORY_EVERY_S)


def duration_words(seconds: int) -> str:
    """Return so many seconds as the protocol says durations."""
    return f"{seconds} S" if seconds <= DAY_S else f"{-(-seconds // DAY_S)} D"


def read_history(symbol: Symbol, span_s: int, fields: Sequence[str]) -> list[BarClosed]:
    """Return the bars of one historicalData message.

    Raises:
        Unreadable: it is not what the protocol says.
    """
    try:
        return _read_bars(symbol, span_s, fields)
    except (ValueError, IndexError, ArithmeticError) as error:
        raise Unreadable(f"history: {type(error).__name__}") from error


def _read_bars(symbol: Symbol, span_s: int, fields: Sequence[str]) -> list[BarClosed]:
    count, values = int(fields[4]), fields[5:]
    found = []
    for number in range(count):
        date, *numbers = values[number * 8 : number * 8 + 6]
        end = datetime.fromtimestamp(int(date), UTC) + timedelta(seconds=span_s)
        opened, high, low, close, volume = map(Decimal, numbers)
        found.append(BarClosed(symbol, span_s, end, opened, high, low, close, volume, past=True))
    return found
