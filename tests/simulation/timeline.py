"""Simulated time: what happens outside in its order, and an event loop that lives in it.

Nobody sleeps. When the process has nothing to do, time moves on to what comes next, in the process
or outside it. What is ready runs in the order in which it became ready, one callback a step, and
between any two steps the process may die.
"""

import asyncio
import heapq
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from daemon.clock import Reading
from events import nanoseconds, utc_from_nanoseconds

if TYPE_CHECKING:
    from collections import deque

SECOND = 10**9
STEP_NS = 20_000
"""What one callback of the process costs."""


class Timeline:
    """The time it truly is, ns UTC, and what comes, soonest first."""

    def __init__(self, begins: datetime) -> None:
        self.began = self.now = nanoseconds(begins)
        self._coming: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0

    @property
    def moment(self) -> datetime:
        return utc_from_nanoseconds(self.now)

    def at(self, when: int, happens: Callable[[], None]) -> None:
        """Let it happen at `when`, or now where that is over."""
        self._number += 1
        heapq.heappush(self._coming, (max(when, self.now), self._number, happens))

    def at_moment(self, when: datetime, happens: Callable[[], None]) -> None:
        self.at(nanoseconds(when), happens)

    def after(self, seconds: float, happens: Callable[[], None]) -> None:
        self.at(self.now + int(seconds * SECOND), happens)

    def run_until(self, limit: int | None, is_enough: Callable[[], bool]) -> None:
        """Let time pass up to `limit`, or until something that happened is enough."""
        coming = self._coming
        while coming and (limit is None or coming[0][0] <= limit):
            when, _, happens = heapq.heappop(coming)
            self.now = max(self.now, when)
            happens()
            if is_enough():
                return
        assert limit is not None, "the process waits for what never comes"
        self.now = max(self.now, limit)

    def run_to(self, limit: int) -> None:
        """Let time pass up to `limit` whatever happens."""
        self.run_until(limit, _never)


class MachineClocks:
    """The machine's clocks: the wall clock may be set, and the machine may sleep."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._asleep = 0
        self.wall_is_ahead = 0

    def read(self) -> Reading:
        passed = self._timeline.now - self._timeline.began
        wall = self._timeline.now + self.wall_is_ahead
        return Reading(wall, passed, passed - self._asleep)

    def set_wall(self, by: timedelta) -> None:
        self.wall_is_ahead += int(by.total_seconds() * SECOND)

    def slept(self, seconds: int) -> None:
        self._asleep += seconds * SECOND


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop of one process; `step` is called before each callback, and may end it.

    One second of the loop is `speed` seconds of the simulated machine's.
    """

    _ready: "deque[asyncio.Handle]"
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, timeline: Timeline, speed: float, step: Callable[[], None]) -> None:
        super().__init__()
        self._timeline = timeline
        self._speed = speed
        self._step = step
        self._signals: dict[int, Callable[[], None]] = {}
        self._is_ready = self._has_ready

    def time(self) -> float:
        return (self._timeline.now - self._timeline.began) / SECOND / self._speed

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: object) -> None:
        self._signals[sig] = lambda: callback(*args)

    def send_signal(self, sig: int) -> bool:
        """Send the process a signal; say whether it listens to it yet."""
        if sig not in self._signals:
            return False
        self.call_soon(self._signals[sig])
        return True

    def _write_to_self(self) -> None:
        """Do nothing: nobody waits in a system call."""

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        """Do nothing: cancelled timers go when they come first."""

    def _has_ready(self) -> bool:
        return bool(self._ready)

    def _run_once(self) -> None:
        ready, scheduled, timeline = self._ready, self._scheduled, self._timeline
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)
        if ready:
            timeline.run_until(timeline.now, _never)
        else:
            due = None
            if scheduled:
                due = timeline.began + math.ceil(scheduled[0].when() * self._speed * SECOND)
                due = max(due, timeline.now)
            timeline.run_until(due, self._is_ready)
        now = self.time() + 1e-9
        while scheduled and scheduled[0].when() <= now:
            ready.append(heapq.heappop(scheduled))
        if ready:
            handle = ready.popleft()
            if not handle.cancelled():
                timeline.now += STEP_NS
                self._step()
                handle._run()  # noqa: SLF001 - what a loop is for


def _never() -> bool:
    return False
