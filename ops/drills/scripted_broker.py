"""A broker outside that says what it is told to, and keeps an account of its own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from daemon.brokers import Inbox
from daemon.brokers.resting_orders import NEVER
from daemon.gate import RiskApproved
from events import (
    BarClosed,
    BooksReported,
    BrokerCash,
    BrokerOrder,
    BrokerPosition,
    ClientOrderId,
    CompletedOrder,
    CorporateActionApplied,
    CorporateActionKind,
    ExecutionSeen,
    LookWhy,
    MarginReported,
    OrderAcknowledged,
    OrderFilled,
    OrderIntended,
    Symbol,
)
from ops.drills.script import End, Step
from projections import State
from projections.differences import AT_BROKER

_ZERO = Decimal(0)


class Account(msgspec.Struct):
    """What the broker holds for us: shares by symbol and dollars."""

    shares: dict[Symbol, Decimal]
    dollars: Decimal


class ScriptedBroker:
    """Takes orders and reports each in its turn. `sent` are the orders that came, in order.

    `about_to_take` is asked of each before it is taken: it may object by noting a finding.
    """

    outside = True
    next_due = NEVER

    def __init__(  # noqa: PLR0913 - what a broker is made of
        self,
        state: State,
        without: Collection[ClientOrderId],
        scripted: Collection[ClientOrderId],
        margins: Mapping[ClientOrderId, MarginReported],
        about_to_take: Callable[[OrderIntended], None],
        *,
        acknowledges: bool,
    ) -> None:
        """Hold what `state` has, its orders but those that never arrived, `without`.

        Of orders it has no script for it `acknowledges` the arrival, and says nothing else. Of
        `margins` it answers the one of the first order that is asked about.
        """
        held = {symbol: each.quantity for symbol, each in state.positions.account.items()}
        self.account = Account(held, state.cash.balance)
        self.sent: list[ClientOrderId] = []
        self._scripted = scripted
        self._margins = margins
        self._acknowledges = acknowledges
        self._about_to_take = about_to_take
        self._open = {
            order_id: (order.terms, order.remaining)
            for order_id, order in state.orders.open.items()
            if order.state in AT_BROKER and order_id not in without
        }
        orders = (*state.orders.open.values(), *state.orders.closed.values())
        self._here = {each.client_order_id for each in orders if each.sending_seq} - set(without)
        self._over: list[CompletedOrder] = []
        self._executions: dict[str, ExecutionSeen] = {}
        self._told: set[int] = set()
        self._since: datetime | None = None
        self._inbox: Inbox = lambda _report: None

    # As the daemon knows it: see `daemon.brokers.Broker`.

    def connect(self, state: State, inbox: Inbox) -> None:
        """Report to `inbox`; `state` is the daemon's business."""
        del state
        self._inbox = inbox

    def submit(self, approved: RiskApproved) -> None:
        """Take one order."""
        intent = approved.intent
        order_id = intent.client_order_id
        self._about_to_take(intent)
        self.sent.append(order_id)
        self._here.add(order_id)
        self._open[order_id] = intent, intent.quantity
        if order_id not in self._scripted and self._acknowledges:
            self._inbox(OrderAcknowledged(order_id))

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Say nothing to a cancel: what came of it is in the script."""

    def ask_margin(self, request_id: str, intents: Sequence[OrderIntended]) -> None:
        """Answer what was answered of the same order."""
        found = self._margins.get(intents[0].client_order_id)
        if found is not None:
            self._inbox(msgspec.structs.replace(found, request_id=request_id))

    def observe(self, bar: BarClosed) -> None:
        """See nothing in a bar: what it filled is in the script."""

    def advance(self, now: datetime) -> None:
        """Let time pass."""

    def corporate_action(self, action: CorporateActionApplied) -> None:
        """Have the shares that a split makes of those held."""
        if action.kind is CorporateActionKind.SPLIT:
            self.account.shares[action.symbol] = action.quantity_after
            self.account.dollars += action.cash_in_lieu

    def report_books(self, look_id: str, why: LookWhy, now: datetime) -> None:
        """Report the account, every list whole."""
        self._since = self._since or now
        account = self.account
        held = tuple(BrokerPosition(s, shares) for s, shares in account.shares.items() if shares)
        self._inbox(
            BooksReported(
                look_id,
                why,
                now,
                held,
                BrokerCash(account.dollars),
                tuple(_listed(intent, left) for intent, left in self._open.values()),
                tuple(self._over),
                tuple(self._executions.values()),
                self._since,
            )
        )

    # As the script has it.

    def tell(self, step: Step) -> None:
        """Report a step of the script; of an order that never came there is nothing to report."""
        order_id, event = step.order_id, step.event
        if order_id not in self._here:
            return
        if step.seq not in self._told:
            self._told.add(step.seq)
            self._move(step)
            if isinstance(event, End):
                self._open.pop(event.client_order_id, None)
                self._over.append(CompletedOrder(event.client_order_id))
        self._inbox(event)

    def _move(self, step: Step) -> None:
        traded, account = step.traded, self.account
        if traded is None:
            return
        account.dollars += traded.dollars
        account.shares[traded.symbol] = account.shares.get(traded.symbol, _ZERO) + traded.shares
        event = step.event
        if not isinstance(event, OrderFilled):
            return
        order_id = event.client_order_id
        seen = ExecutionSeen(event.execution_id, order_id, event.symbol, event.quantity)
        self._executions[event.execution_id] = seen
        intent, left = self._open.get(order_id, (None, _ZERO))
        if intent is None:
            return
        left -= traded.shares
        if left:
            self._open[order_id] = intent, left
        else:
            del self._open[order_id]
            self._over.append(CompletedOrder(order_id))


def _listed(intent: OrderIntended, left: Decimal) -> BrokerOrder:
    return BrokerOrder(
        intent.client_order_id,
        intent.symbol,
        intent.quantity,
        left,
        intent.order_type,
        intent.time_in_force,
        intent.limit_price,
        intent.stop_price,
        is_ours=True,
    )
