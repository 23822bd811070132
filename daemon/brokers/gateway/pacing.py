"""Our own pace: never more messages a second than the gateway takes, cancels before all else.

Pure. What still waits here when the connection is lost has certainly not left: the orders among it
are withheld, which no queue of a library could say.
"""

from collections import deque
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, Generic, TypeVar

RATE: Final = 40
"""Messages in a second. The gateway takes 50 with the usual market-data lines, counted its way."""
WINDOW_S: Final = 1.0

Item = TypeVar("Item")


class Lane(IntEnum):
    """What goes first."""

    CANCEL = 0
    ORDER = 1
    REQUEST = 2


class Pacer(Generic[Item]):
    """Messages that wait for their turn, lane by lane, each lane in order."""

    def __init__(self, rate: int = RATE) -> None:
        """Let `rate` messages a second pass."""
        self._rate = rate
        self._lanes: tuple[deque[Item], ...] = tuple(deque() for _ in Lane)
        self._sent: deque[float] = deque()

    def __len__(self) -> int:
        """Return how many wait."""
        return sum(len(lane) for lane in self._lanes)

    def put(self, lane: Lane, item: Item) -> None:
        """Let `item` wait for its turn."""
        self._lanes[lane].append(item)

    def due(self, now: float) -> Iterator[Item]:
        """Yield, and count as sent at `now` (seconds), what may go by then."""
        while self._sent and now - self._sent[0] >= WINDOW_S:
            self._sent.popleft()
        while len(self._sent) < self._rate:
            lane = next((lane for lane in self._lanes if lane), None)
            if lane is None:
                return
            self._sent.append(now)
            yield lane.popleft()

    def wait_s(self, now: float) -> float | None:
        """Return in how many seconds the next may go, None when none waits."""
        if not len(self):
            return None
        if len(self._sent) < self._rate:
            return 0.0
        return max(self._sent[0] + WINDOW_S - now, 0.0)

    def drop(self, lane: Lane) -> list[Item]:
        """Empty one lane and return what was in it: none of that has left."""
        dropped = list(self._lanes[lane])
        self._lanes[lane].clear()
        return dropped
