"""The circuit breaker: what stops trading by itself, each trip with a hold of its own.

A trip that stands is not tripped again. It says what was found, the limit, and what to do next.
"""

from daemon.core.deadlines import Deadlines
from daemon.core.hold_desk import HoldDesk
from daemon.core.loss_limits import reached
from daemon.core.recorder import Recorder
from daemon.core.self_lifting import lifted_by
from daemon.gate import Limits
from events import (
    Check,
    ClockJumped,
    DiskLow,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentRefused,
    Trip,
    WorkingOrders,
    utc_from_nanoseconds,
)

_BY = "circuit breaker"


class CircuitBreaker:
    """Looks at the books where something has moved that may trip it."""

    def __init__(
        self, recorder: Recorder, holds: HoldDesk, deadlines: Deadlines, limits: Limits
    ) -> None:
        """Watch the recorder's books under `limits`; trips place holds with `holds`."""
        self._recorder = recorder
        self._state = recorder.state
        self._holds = holds
        self._deadlines = deadlines
        self.use(limits)

    def use(self, limits: Limits) -> None:
        """Go by `limits` from here on."""
        self._account = limits.account
        self._window_s = limits.rates.window_s
        self._trips = limits.trips

    def look(self) -> None:
        """Trip where a limit on the account is reached: equity, or what is held, has moved."""
        for trip, found in reached(self._state, self._account):
            if trip is Trip.DAILY_LOSS:
                self._trip(trip, found, lifts=HoldLifts(self._account.daily_loss_lifts.value))
            elif trip is Trip.LEVERAGE:
                self._trip(trip, f"{found}; reduce, then lift this")
            else:
                self._trip(trip, found)

    def after_refusal(self, refusal: IntentRefused, strategy: str) -> None:
        """Stop a strategy that wants too much too fast, and everything where all of them do."""
        for check in refusal.failed:
            if check.name == "runaway" and check.value is not None and check.limit is not None:
                self._latch(strategy, check)
        if self._window_s is None:
            return
        since = self._state.at - self._window_s * 10**9
        refused = self._state.activity.rate_refusals.since(since)
        if refused >= self._trips.max_rate_refusals:
            why = (
                f"{refused} orders were refused for their rate within {self._window_s} s, the last "
                f"of {strategy}; see `traded decisions`, then lift this"
            )
            self._trip(Trip.ORDER_RATE, why, level=HoldLevel.HALT, subject=strategy)

    def look_at_broker(self) -> None:
        """Trip where the broker has failed too often in a row; each failure puts the end off."""
        errors, trips = self._state.broker_errors, self._trips
        if errors.in_a_row < trips.max_broker_errors:
            return
        found = f"{errors.in_a_row} errors of the broker in a row, the last: {errors.last}"
        trip = Trip.BROKER_ERROR
        lifts, why = lifted_by(self._state, trip, "", trips.broker_trips_max, found)
        next_step = "look at the broker, then lift this"
        if lifts is HoldLifts.CONDITION:
            next_step = f"ends after {trips.broker_quiet_s} s without another"
        self._trip(trip, f"{why}; {next_step}", lifts=lifts)
        self._deadlines.watch_broker()

    def let_broker_go_on(self) -> None:
        """Lift what errors of the broker have placed: there was none for long enough."""
        for hold in list(self._state.holds.active.values()):
            if hold.cause == Trip.BROKER_ERROR and hold.lifts is HoldLifts.CONDITION:
                why = f"no error of the broker for {self._trips.broker_quiet_s} s"
                self._holds.lift(hold.hold_id, _BY, why)

    def liquidated(self, name: str) -> None:
        """Stop everything: the broker closes what is held, by the order or execution `name`."""
        why = (
            f"the broker is liquidating: {name}; see at the broker why (margin), then "
            "`traded reconcile --now` and lift this"
        )
        self._trip(Trip.LIQUIDATION, why, level=HoldLevel.HALT, subject=name)

    def clock_jumped(self, event: ClockJumped) -> None:
        """Stop everything: when things are due is in doubt."""
        now = utc_from_nanoseconds(self._state.at)
        if event.asleep_s > abs(event.ahead_s):
            what = f"the machine slept for {event.asleep_s} s"
        else:
            side = "ahead of" if event.ahead_s > 0 else "behind"
            what = f"the clock was set {abs(event.ahead_s)} s {side} the time that has passed"
        why = (
            f"{what}; the daemon goes by {now:%Y-%m-%d %H:%M:%S} UTC until this is lifted, then by "
            "the machine's clock: set that right first, see `timedatectl`"
        )
        working = WorkingOrders.KEEP
        self._trip(Trip.CLOCK_JUMP, why, level=HoldLevel.HALT, working=working)

    def disk_low(self, event: DiskLow) -> None:
        """Stop everything while what happens can still be written down."""
        free, least = event.free_bytes / 1e6, event.least_bytes / 1e6
        why = f"{free:,.0f} MB are free for the journal, {least:,.0f} are needed; make room"
        self._trip(Trip.DISK_LOW, f"{why}, then lift this", level=HoldLevel.HALT)

    def _latch(self, strategy: str, check: Check) -> None:
        why = (
            f"{check.value} intents within {self._window_s} s, the limit is {check.limit}; see "
            f"`traded decisions`, then `traded resume {strategy}`"
        )
        self._trip(Trip.RUNAWAY, why, level=HoldLevel.HALT, strategy=strategy)

    def _trip(  # noqa: PLR0913 - what differs from one trip to the next
        self,
        trip: Trip,
        why: str,
        *,
        level: HoldLevel = HoldLevel.REDUCE,
        lifts: HoldLifts = HoldLifts.OPERATOR,
        working: WorkingOrders = WorkingOrders.CANCEL_INCREASING,
        strategy: str = "",
        subject: str = "",
    ) -> None:
        """Place the hold of `trip`, on one `strategy` or else on everything."""
        for hold in self._state.holds.active.values():
            if hold.cause == trip and hold.target == strategy:
                return
        self._holds.place(
            HoldPlaced(
                hold_id="-".join(filter(None, (trip, strategy, str(self._recorder.root)))),
                scope=HoldScope.STRATEGY if strategy else HoldScope.ALL,
                level=level,
                cause=trip.value,
                by=_BY,
                why=why,
                lifts=lifts,
                target=strategy,
                working=working,
                subject=subject,
            )
        )
