"""How long things take in the trading process: counted in buckets, for the heartbeat.

A measurement costs two looks at the clock for each commit and each order, nothing for a bar.
"""

from bisect import bisect_left
from typing import Final

from daemon.clock import monotonic_s
from daemon.heartbeat import Histogram
from events import (
    ClientOrderId,
    OrderAcknowledged,
    OrderFilled,
    OrderRejected,
    OrderWorking,
)
from events.codec import Input

BOUNDS_S: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
UNANSWERED_MAX: Final = 1_000
"""So many orders that wait for the broker's first word are timed; of more, the newest."""
_FIRST_WORDS: Final = (OrderAcknowledged, OrderWorking, OrderRejected, OrderFilled)


class Buckets:
    """Durations, counted by how long they were."""

    def __init__(self) -> None:
        """Begin with none."""
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1
        self._sum_s += seconds

    def so_far(self) -> Histogram:
        """Return what was counted."""
        return Histogram(BOUNDS_S, tuple(self._counts), self._sum_s)


class Timing:
    """What the engine's work takes.

    `commit` is how long records take to become durable, `decision` how long from an input to that:
    the oldest input of each turn. `order` is from an order's sending to the broker's first word on
    it, `loop_lag` by how much the loop was late for a task that was due.
    """

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self.loop_lag = Buckets()
        self.commit = Buckets()
        self.decision = Buckets()
        self.order = Buckets()
        self._oldest_input_s = 0.0
        self._sent_s: dict[ClientOrderId, float] = {}

    def input_came(self) -> None:
        """Note that something is there to be decided on."""
        self._oldest_input_s = self._oldest_input_s or monotonic_s()

    def heard(self, report: Input) -> None:
        """Note a report of a broker outside: an input, and perhaps the answer to an order."""
        self.input_came()
        if isinstance(report, _FIRST_WORDS):
            sent_s = self._sent_s.pop(report.client_order_id, None)
            if sent_s is not None:
                self.order.add(monotonic_s() - sent_s)

    def order_leaves(self, order_id: ClientOrderId) -> None:
        """Note that an order goes to a broker outside."""
        if len(self._sent_s) >= UNANSWERED_MAX:
            del self._sent_s[next(iter(self._sent_s))]
        self._sent_s[order_id] = monotonic_s()

    def turn(self) -> float:
        """Return when the oldest input in hand came, 0 for none; the next turn has none yet."""
        oldest_s, self._oldest_input_s = self._oldest_input_s, 0.0
        return oldest_s

    def durable(self, began_s: float, input_s: float) -> None:
        """Note that a commit that `began_s` is durable now, its oldest input came at `input_s`."""
        now_s = monotonic_s()
        self.commit.add(now_s - began_s)
        if input_s:
            self.decision.add(now_s - input_s)
