"""The circuit breaker: limits on the account that, once reached, place holds of their own."""

from daemon.gate.limits import AccountLimits
from daemon.hold_desk import HoldDesk
from events import HoldLevel, HoldLifts, HoldPlaced, HoldScope, Trip, WorkingOrders
from projections import State


class CircuitBreaker:
    """Looks at the books when equity has moved; a trip that stands is not tripped again."""

    def __init__(self, state: State, holds: HoldDesk, limits: AccountLimits) -> None:
        """Watch `state` under `limits`; trips place holds with `holds`."""
        self._state = state
        self._holds = holds
        self.use(limits)

    def use(self, limits: AccountLimits) -> None:
        """Go by `limits` from here on."""
        self._loss_max = limits.max_daily_loss_usd
        self._drawdown_max = limits.max_drawdown
        self._daily_loss_lifts = HoldLifts(limits.daily_loss_lifts.value)

    def look(self) -> None:
        """Trip where a limit is reached: equity has moved."""
        pnl = self._state.pnl
        uncharged = self._state.cash.uncharged_max
        loss = uncharged - pnl.day_pnl
        if self._loss_max is not None and loss >= self._loss_max:
            why = f"the day's loss is {loss:.2f} USD, its limit {self._loss_max}"
            self._trip(Trip.DAILY_LOSS, why, self._daily_loss_lifts)
        if self._drawdown_max is None or pnl.peak_equity <= 0:
            return
        # Compared without dividing: this is looked at with every bar.
        fallen = pnl.peak_equity - pnl.equity + uncharged
        if fallen >= self._drawdown_max * pnl.peak_equity:
            why = (
                f"{fallen / pnl.peak_equity:.4f} below the peak, the limit is {self._drawdown_max}"
            )
            self._trip(Trip.DRAWDOWN, why, HoldLifts.OPERATOR)

    def _trip(self, trip: Trip, why: str, lifts: HoldLifts) -> None:
        if any(hold.cause == trip for hold in self._state.holds.active.values()):
            return
        self._holds.place(
            HoldPlaced(
                hold_id=f"{trip}-{self._state.seq}",
                scope=HoldScope.ALL,
                level=HoldLevel.REDUCE,
                cause=trip.value,
                by="circuit breaker",
                why=why,
                lifts=lifts,
                working=WorkingOrders.CANCEL_INCREASING,
            )
        )
