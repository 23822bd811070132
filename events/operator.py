"""What people told the daemon to do: each command with who gave it and why.

A command is recorded before it takes effect. The same command sent again, for want of an answer,
has the same `command_id` and changes nothing.
"""

from decimal import Decimal

from events.base import Event, Symbol
from events.holds import HoldLevel, HoldScope, WorkingOrders
from events.orders import OrderType, TimeInForce

BY_HAND = "operator"
"""Whose orders those are that a person makes; no strategy may be called so."""
WHY_MAX = 500
"""Characters a reason may have."""


class OperatorCommand(Event, frozen=True):
    """A person's word. `by` is the user's name and `uid` what the kernel says of the caller."""

    command_id: str
    by: str
    uid: int
    why: str

    def key(self) -> str | None:
        """Return the command's id: a command is given once."""
        return self.command_id


class OperatorKilled(OperatorCommand, frozen=True, tag="operator.killed"):
    """Stop everything, until an operator resumes. `working` says which working orders go."""

    working: WorkingOrders = WorkingOrders.CANCEL_INCREASING


class OperatorResumed(OperatorCommand, frozen=True, tag="operator.resumed"):
    """Go on: lifts the kill switch and what a start or a missing permit has placed.

    With `strategy` it lifts what holds that strategy alone, and nothing else.
    """

    strategy: str = ""


class OperatorHeld(OperatorCommand, frozen=True, tag="operator.held"):
    """Place one hold. `target` names the strategy or the symbol."""

    scope: HoldScope
    level: HoldLevel
    target: str = ""
    working: WorkingOrders = WorkingOrders.KEEP


class OperatorLifted(OperatorCommand, frozen=True, tag="operator.lifted"):
    """Lift one hold, whatever placed it."""

    hold_id: str


class OperatorCancelAsked(OperatorCommand, frozen=True, tag="operator.cancel-asked"):
    """Cancel one order, named by its client order id or the beginning of it; None means all."""

    order: str | None = None


class OperatorFlattenAsked(OperatorCommand, frozen=True, tag="operator.flatten-asked"):
    """Cancel and then close what is held in `symbol`, None: in all of them.

    `trust_broker` goes on in spite of orders nobody knows the whereabouts of.
    """

    symbol: Symbol | None = None
    trust_broker: bool = False


class OperatorOrderAsked(OperatorCommand, frozen=True, tag="operator.order-asked"):
    """Make one order by hand, through the same gate as any other.

    `outside_rth` lets a limit order trade outside regular hours too.
    """

    symbol: Symbol
    quantity: Decimal
    order_type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    outside_rth: bool = False


class OperatorShadowed(OperatorCommand, frozen=True, tag="operator.shadowed"):
    """From here the strategy decides and is recorded, and sends nothing."""

    strategy: str


class OperatorPromoteAsked(OperatorCommand, frozen=True, tag="operator.promote-asked"):
    """Let the strategy's orders be sent, if it meets the rule for that."""

    strategy: str


class OperatorReloaded(OperatorCommand, frozen=True, tag="operator.reloaded"):
    """Take the configuration that follows; `changes` has each key's old and new value as text."""

    changes: dict[str, tuple[str, str]]


class OperatorReconcileAsked(OperatorCommand, frozen=True, tag="operator.reconcile-asked"):
    """Look at the broker's books now and compare them with ours."""


class OperatorResolveAsked(OperatorCommand, frozen=True, tag="operator.resolve-asked"):
    """Resolve one break, named by its id, None: all, by taking what the broker has.

    With `adjust` our books change by so many shares or dollars instead, shares at `price` each.
    """

    break_id: str | None = None
    adjust: Decimal | None = None
    price: Decimal | None = None


class PermitLost(Event, frozen=True, tag="permit.lost"):
    """The permit file is not there: somebody who could only reach the disk wants it to stop."""

    why: str


class StrategyPromoted(Event, frozen=True, tag="strategy.promoted"):
    """From here the strategy's orders are sent."""

    strategy: str
    by: str


class CommandRefused(Event, frozen=True, tag="command.refused"):
    """The command is not carried out, and why."""

    command_id: str
    why: str

    def key(self) -> str | None:
        """Return the command's id."""
        return self.command_id
