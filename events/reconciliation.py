"""The broker's books beside ours: what the broker says, what differs, and what came of it.

One `broker.books-reported` is one whole look, so that a comparison has one moment. A list that did
not come to its end is None in it and named in `missing`: empty is not flat. Quantities are signed,
positive bought and negative sold; money is US dollars.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from events.base import ClientOrderId, Event, ExecutionId, Symbol
from events.orders import OrderEvent, OrderIntended

WITHOUT_REF: Final = "permId-"
"""How the name of an order begins that bears no reference of anybody's: permId-1234."""


ADOPTED: Final = "adopted|"
"""How the cause of an order begins that an operator took into the books."""


class LookWhy(StrEnum):
    """Why the broker's books were looked at."""

    START = "start"
    RECONNECT = "reconnect"
    SCHEDULE = "schedule"
    AFTER_FILL = "after fill"
    SECOND_LOOK = "second look"
    OPERATOR = "operator"
    STOP = "stop"


class BrokerList(StrEnum):
    """The lists that one look is made of."""

    POSITIONS = "positions"
    CASH = "cash"
    OPEN_ORDERS = "open orders"
    COMPLETED_ORDERS = "completed orders"
    EXECUTIONS = "executions"


class BrokerPosition(msgspec.Struct, frozen=True, gc=False):
    """What the broker holds of one symbol; `average_cost` in dollars a share, None: not said.

    What is no stock has a symbol of its own, so that it never counts as the stock it is made from.
    """

    symbol: Symbol
    quantity: Decimal
    average_cost: Decimal | None = None


class BrokerCash(msgspec.Struct, frozen=True, gc=False):
    """Cash in the account, `total` with what is not settled yet; None: not said."""

    total: Decimal | None = None
    settled: Decimal | None = None


class BrokerOrder(msgspec.Struct, frozen=True, gc=False):
    """One order that is open at the broker.

    `order_type` and `time_in_force` are in our words where we have one for it (CLS for market on
    close), else in the broker's; "": not said. `order_ref` is "" where it bears none, `perm_id` ""
    where it is not known. `is_ours`: it was
    placed under our client id. `remaining` is what may still fill, signed like `quantity`.
    `is_liquidation`: the broker itself is closing something.
    """

    order_ref: str
    symbol: Symbol
    quantity: Decimal
    remaining: Decimal
    order_type: str
    time_in_force: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    status: str = ""
    broker_order_id: str = ""
    perm_id: str = ""
    client_id: str = ""
    is_ours: bool = False
    is_liquidation: bool = False

    @property
    def name(self) -> ClientOrderId:
        """What reports and fills call this order: its reference, else its permId."""
        return order_name(self.order_ref, self.perm_id)


class CompletedOrder(msgspec.Struct, frozen=True, gc=False):
    """One order that the broker says is over; `status` in the broker's words."""

    order_ref: str
    perm_id: str = ""
    status: str = ""


class ExecutionSeen(msgspec.Struct, frozen=True, gc=False):
    """One execution in the broker's list. The fill itself is reported as `order.filled`."""

    execution_id: ExecutionId
    order_ref: str
    symbol: Symbol
    quantity: Decimal
    is_liquidation: bool = False


class BooksReported(Event, frozen=True, tag="broker.books-reported"):
    """One whole look at the broker's books, an observation: nothing is corrected by it.

    `look_id` is what the look was asked for with, or the broker's own name for it. A list is None
    where it was not received to its end marker; `missing` has why, by the list's name.
    `began_at` is when the first list was asked for. `connected_since` is since when the connection
    stands without a break, None where that is not known. The fills in `executions` that are news
    are reported before this, as fills.
    """

    look_id: str
    why: LookWhy
    began_at: datetime
    positions: tuple[BrokerPosition, ...] | None
    cash: BrokerCash | None
    open_orders: tuple[BrokerOrder, ...] | None
    completed_orders: tuple[CompletedOrder, ...] | None
    executions: tuple[ExecutionSeen, ...] | None
    connected_since: datetime | None
    missing: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def lacking(self) -> list[BrokerList]:
        """The lists that this look does not have."""
        said = {
            BrokerList.POSITIONS: self.positions,
            BrokerList.CASH: self.cash.total if self.cash is not None else None,
            BrokerList.OPEN_ORDERS: self.open_orders,
            BrokerList.COMPLETED_ORDERS: self.completed_orders,
            BrokerList.EXECUTIONS: self.executions,
        }
        return [name for name, found in said.items() if found is None]


class BreakKind(StrEnum):
    """What differs between the broker's books and ours."""

    POSITION = "position"
    CASH = "cash"
    SETTLED_CASH = "settled cash"
    FOREIGN_ORDER = "foreign order"
    MISSING_ORDER = "missing order"
    UNENDED_ORDER = "unended order"
    AMENDED_ORDER = "amended order"
    DOUBLE_ORDER = "double order"
    UNKNOWN_EXECUTION = "unknown execution"


class LikelyCause(StrEnum):
    """What a difference probably comes from; a guess for people, nothing is decided by it."""

    LAG = "lag"
    FEE = "fee"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    SPLIT = "split"
    MANUAL_TRADE = "manual trade"
    MISSED_FILL = "missed fill"
    UNKNOWN = "unknown"


class Difference(msgspec.Struct, frozen=True, gc=False):
    """One thing that the broker's books and ours have differently.

    `symbol` is "" where it is about the account, `subject` the order or execution it is about.
    `internal` and `broker` are shares or dollars, None where a side has nothing to say.
    """

    kind: BreakKind
    symbol: Symbol
    subject: str
    internal: Decimal | None
    broker: Decimal | None
    likely_cause: LikelyCause = LikelyCause.UNKNOWN
    note: str = ""

    @property
    def about(self) -> tuple[str, str, str]:
        """What it is the same difference by, from one look to the next."""
        return self.kind.value, self.symbol, self.subject

    @property
    def delta(self) -> Decimal:
        """What our books lack: what the broker has less what we have."""
        return (self.broker or Decimal(0)) - (self.internal or Decimal(0))


class Suspect(msgspec.Struct, frozen=True, gc=False):
    """A difference that may be lag, in every look since `first_seen` (ns UTC).

    `since` (ns UTC) our own side of it has stood still: nothing was filled.
    """

    difference: Difference
    first_seen: int
    since: int


class BreakOpened(Event, frozen=True, tag="break.opened"):
    """The broker's books and ours differ, and it is no lag. A hold follows."""

    break_id: str
    difference: Difference

    def key(self) -> str | None:
        """Return the break's id."""
        return self.break_id


class Resolution(StrEnum):
    """How a break ended."""

    AGREEMENT = "agreement"
    ADOPTED = "adopted"
    ADJUSTED = "adjusted"


class BreakResolved(Event, frozen=True, tag="break.resolved"):
    """The break is over. One that went away by itself is resolved by agreement."""

    break_id: str
    how: Resolution
    by: str
    why: str

    def key(self) -> str | None:
        """Return the break's id: it is resolved once."""
        return self.break_id


class ReconcileCompleted(Event, frozen=True, tag="reconcile.completed"):
    """Both books were compared. `checked` things, of which `matched` agree and `differing` do not.

    `waiting` may be lag and are looked at again; the rest of the differing are open breaks, and
    `moved` has those of them, by id, that stand otherwise than they did. `not_compared` are the
    lists that were missing. `costs_differing` are symbols whose average cost the broker has
    differently, which stops nothing.
    """

    look_id: str
    why: LookWhy
    checked: int
    matched: int
    differing: int
    duration_ms: int
    waiting: tuple[Suspect, ...] = ()
    moved: dict[str, Difference] = msgspec.field(default_factory=dict)
    not_compared: tuple[BrokerList, ...] = ()
    costs_differing: tuple[Symbol, ...] = ()


class PositionAdjusted(Event, frozen=True, tag="position.adjusted"):
    """An operator changed what the books hold by `quantity` shares and `cost` dollars, both signed.

    It is nobody's trade: it counts as shares brought in or taken out, valued at `price` a share.
    """

    break_id: str
    symbol: Symbol
    quantity: Decimal
    cost: Decimal
    price: Decimal
    by: str
    why: str


class CashAdjusted(Event, frozen=True, tag="cash.adjusted"):
    """An operator changed the cash of the books by `amount`; it counts as an external flow.

    With `action_id` it is the payment of that dividend, which was a receivable until then.
    """

    break_id: str
    amount: Decimal
    by: str
    why: str
    action_id: str = ""


class OrderAdopted(OrderEvent, frozen=True, tag="order.adopted"):
    """An operator took an order that is open at the broker into the books, as `intent`.

    What was filled of it before, in no fill of this journal, is no part of the intent. An order
    that the books have goes on under the new terms.
    """

    intent: OrderIntended
    by: str
    why: str

    def key(self) -> str | None:
        """Return None: an order may be taken over again once it has been amended again."""
        return None


class OrderWrittenOff(OrderEvent, frozen=True, tag="order.written-off"):
    """The order is over and nothing of it is reserved any more, by evidence or an operator's word.

    `why` names the lists it is in none of, or what the operator said; `by` is "core" or the user.
    """

    by: str
    why: str

    def key(self) -> str | None:
        """Return None: one that came back and was taken over may vanish again."""
        return None


def order_name(order_ref: str, perm_id: str) -> ClientOrderId:
    """Return what an order is called: its reference, else its permId."""
    return ClientOrderId(order_ref or f"{WITHOUT_REF}{perm_id}")
