"""The broker protocol. A broker carries orders out and reports; it decides nothing.

Reports are events (`order.acknowledged`, `order.filled`, ...) handed to `inbox` in the order they
happened. A report may come late, twice or never; the core deals with that. `inbox` only collects:
it never calls back into the broker. Write your own as a class taking the `[broker]` table's
`params`, and name it with `broker.kind = "module:Class"`; tests/unit/test_broker_contract.py is
what it must pass.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from daemon.gate import RiskApproved
from events import BarClosed, ClientOrderId, CorporateActionApplied, OrderIntended
from events.codec import Input
from events.reconciliation import LookWhy
from projections import State

Inbox = Callable[[Input], None]


class Broker(Protocol):
    """What the engine needs of a broker."""

    outside: bool
    """True when sending has an effect outside this process: the record must be durable first."""

    @property
    def next_due(self) -> datetime:
        """When something ends by itself next (`advance`); far in the future when nothing does."""
        ...

    def connect(self, state: State, inbox: Inbox) -> None:
        """Take up the open orders of `state` and hand every report to `inbox` from now on.

        `state` goes on being folded: a broker inside the process may read the books from it.
        """
        ...

    def submit(self, approved: RiskApproved) -> None:
        """Send one approved order, whose `order.sending` is folded into the state already.

        A known client order id is never sent twice: the order there is stands.
        """
        ...

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Ask for a cancel; asking again, or for an order already over, does no harm."""
        ...

    def observe(self, bar: BarClosed) -> None:
        """See a bar before the core does: what the bar's trading did to resting orders.

        What a broker inside the process reports of it belongs in one commit with the bar.
        """
        ...

    def advance(self, now: datetime) -> None:
        """Let time pass up to `now`: what ends by itself before it has ended.

        A bar that ends at `now` may still be on its way.
        """
        ...

    def report_books(self, look_id: str, why: LookWhy, now: datetime) -> None:
        """Report the whole of the broker's books, asked at `now`, as one `broker.books-reported`.

        Fills it holds that have not been reported come first. A list that does not come to its end
        is None in it, never empty. Not connected, it reports as soon as it is; it may also report
        unasked, as after a reconnect.
        """
        ...

    def corporate_action(self, action: CorporateActionApplied) -> None:
        """See an action that has just moved the books, its reports in one commit with it."""
        ...


@runtime_checkable
class AnswersMargin(Protocol):
    """What a broker has besides if it can say what margin orders would need."""

    def ask_margin(self, request_id: str, intents: Sequence[OrderIntended]) -> None:
        """Find out what the account would need, and have, if all of `intents` were filled.

        It sends no order. The answer, `margin.reported` or `margin.unavailable`, goes to the inbox
        whenever it is there; one that comes too late, or never, is a no.
        """
        ...


def ask_margin(broker: Broker, request_id: str, intents: Sequence[OrderIntended]) -> None:
    """Ask `broker`, if it can be asked; of one that cannot, no answer will come."""
    if isinstance(broker, AnswersMargin):
        broker.ask_margin(request_id, intents)


@runtime_checkable
class SendsLater(Protocol):
    """What a broker has besides if an order may wait in it before it leaves."""

    def look_again_with(self, why_not: Callable[[OrderIntended], str]) -> None:
        """Ask `why_not` in the moment an order that waited is written, and withhold it for that."""
        ...
