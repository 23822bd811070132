"""A desk for tests of what trips the circuit breaker: all is remembered, and can be decided again.

`trend` answers every minute with `each` orders for a share of A, as often as it is asked.
"""

import msgspec

from daemon.core.core import CoreSettings
from daemon.core.strategy_runs import StrategyRun
from daemon.gate import Limits
from daemon.history.replay import Difference, Renewed, ReplayCore, turns
from daemon.strategies import Answer, Intent, Strategy, View
from events import (
    BarClosed,
    ClientOrderId,
    HoldPlaced,
    OperatorCancelAsked,
    OrderAcknowledged,
    OrderFilled,
    OrderIntended,
    Record,
)
from events.codec import Input
from projections import State
from tests.core_desk import OPENING, A, CoreDesk, buy, of
from tests.gate_desk import WIDE
from tests.operators import said


class Storm(Strategy):
    """Wants so many shares of A at once, one an order; counts what it is shown and filled."""

    each: int = 1
    bars: int = 0
    filled: int = 0

    def on_bar(self, bar: BarClosed, view: View) -> Answer:  # noqa: ARG002 - every strategy's
        self.bars += 1
        wanted: list[Intent] = [buy("1")] * self.each
        return wanted or None

    def on_fill(self, fill: OrderFilled, view: View) -> Answer:  # noqa: ARG002 - as above
        self.filled += 1
        return None


class TripDesk(CoreDesk):
    """A core under `limits`, its strategies storms of so many orders a minute."""

    def __init__(self, under: Limits = WIDE, *each: int, state: State | None = None) -> None:
        self.each = each or (1,)
        self.limits = under
        self.told: list[Record] = []
        opening = OPENING if state is None else ()
        super().__init__(*map(Storm, self.each), under=under, state=state, opening=opening)

    def step(self, event: Input, at: str | None = None) -> list[Record]:
        taken = super().step(event, at)
        self.told += taken
        return taken

    def restarted(self) -> "TripDesk":
        """Return the desk as a restart from a snapshot finds it."""
        text = msgspec.json.encode(self.state)
        return TripDesk(self.limits, *self.each, state=msgspec.json.decode(text, type=State))

    def decided_again(self, changed: str = "") -> tuple[list[Difference], State]:
        """Make every decision again; return what comes out otherwise, and the books.

        The strategy `changed` cannot be compared: today it wants nothing.
        """
        runs = [
            StrategyRun(run.name, Storm(0 if run.name == changed else each), "code", frozenset({A}))
            for run, each in zip(self.runs, self.each, strict=True)
        ]
        settings = CoreSettings(self.limits, 30)
        renewed = Renewed(runs, settings, {changed: "another"} if changed else {})
        again = ReplayCore(State(), renewed, lambda *_: renewed, compare_all=True)
        for turn in turns(self.told):
            again.follow(turn)
        return again.comparing.differences, again.core.state

    @property
    def held_by(self) -> list[str]:
        return [hold.cause for hold in self.state.holds.active.values()]

    @property
    def hold(self) -> HoldPlaced:
        """Return the only hold there is."""
        (hold,) = self.state.holds.active.values()
        return hold

    def sends(self, minute: int) -> ClientOrderId:
        """Return the first order that is sent in that minute after 15:00."""
        (intended, *_) = of(self.minute(f"15:{minute:02}"), OrderIntended)
        return intended.client_order_id

    def working(self, minute: int) -> ClientOrderId:
        """Return an order that the broker has, from that minute after 15:00."""
        order_id = self.sends(minute)
        self.step(OrderAcknowledged(order_id))
        return order_id

    def cancels(self) -> list[str]:
        """Let an operator cancel everything; return what of it leaves."""
        taken = self.step(said(OperatorCancelAsked, command_id=f"cmd-{self.state.seq}"))
        return [str(record.event.__struct_config__.tag) for record in taken][1:]


def assert_decided_alike(desk: TripDesk) -> None:
    """Assert that every decision comes out again, and the holds with them."""
    differences, state = desk.decided_again()
    assert differences == []
    assert state.holds == desk.state.holds
