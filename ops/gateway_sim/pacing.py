"""How many requests a client may send, and what happens when it sends more.

The limit is the market-data lines divided by two, 50 a second. Set to reject, the gateway answers
what is too much with code 100, and the third time closes the connection; otherwise it lets the
requests wait, in order, which the client does not notice but by the delay.
"""

from collections import deque
from typing import Final

import msgspec

WINDOW_S: Final = 1.0
STRIKES_MAX: Final = 3


class Pass(msgspec.Struct, frozen=True):
    """The request is answered now."""


class Wait(msgspec.Struct, frozen=True):
    """The request, and all behind it, wait until then (monotonic seconds)."""

    until: float


class Strike(msgspec.Struct, frozen=True):
    """The request is refused; `last` closes the connection."""

    number: int
    received: int
    last: bool


class Pacer:
    """The requests of one client within the last second."""

    def __init__(self, per_second: int, *, reject: bool) -> None:
        """Allow `per_second` requests; 0 allows any number."""
        self._per_second = per_second
        self._reject = reject
        self._passed: deque[float] = deque()
        self._strikes = 0

    def verdict(self, now: float) -> Pass | Wait | Strike:
        """Decide on a request that came at `now`, monotonic seconds."""
        while self._passed and now - self._passed[0] >= WINDOW_S:
            self._passed.popleft()
        if not self._per_second or len(self._passed) < self._per_second:
            self._passed.append(now)
            return Pass()
        if not self._reject:
            return Wait(self._passed[0] + WINDOW_S)
        # A struck request counts too, and a strike is forgiven with the second it happened in.
        self._strikes += 1
        self._passed.clear()
        return Strike(self._strikes, self._per_second + 1, last=self._strikes >= STRIKES_MAX)
