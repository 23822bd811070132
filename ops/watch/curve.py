"""Equity and drawdown over time, in as few points as a picture needs. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from events import utc_from_nanoseconds
from projections.pnl import Pnl

POINTS_MAX: Final = 2_000
FIRST_STEP_NS: Final = 60 * 10**9


class CurvePoint(msgspec.Struct, frozen=True):
    """Equity at the end of a stretch of time, and the worst drawdown within it (share of peak)."""

    at: datetime
    equity_usd: Decimal
    drawdown: Decimal


class Curve:
    """One point a stretch; the stretches double when there are too many of them."""

    def __init__(self) -> None:
        """Begin with no point, a minute each."""
        self.step_ns = FIRST_STEP_NS
        self._points: dict[int, CurvePoint] = {}

    def note(self, at: int, pnl: Pnl) -> None:
        """Take the result at `at` (ns UTC); before the first money there is nothing to draw."""
        if not pnl.equity and not self._points:
            return
        stretch = at // self.step_ns
        before = self._points.get(stretch)
        drawdown = pnl.drawdown if before is None else max(before.drawdown, pnl.drawdown)
        self._points[stretch] = CurvePoint(utc_from_nanoseconds(at), pnl.equity, drawdown)
        if len(self._points) > POINTS_MAX:
            self._thin_out()

    def points(self) -> list[CurvePoint]:
        """Return the points, oldest first."""
        return [self._points[stretch] for stretch in sorted(self._points)]

    def _thin_out(self) -> None:
        points, self.step_ns = self._points, self.step_ns * 2
        self._points = {}
        for stretch in sorted(points):
            point, before = points[stretch], self._points.get(stretch // 2)
            if before is not None and before.drawdown > point.drawdown:
                point = msgspec.structs.replace(point, drawdown=before.drawdown)
            self._points[stretch // 2] = point
