"""Margin as the broker sees it: the account's figures, and the answers that are waited for."""

from datetime import datetime
from typing import Final, assert_never

import msgspec

from events import (
    AccountReported,
    ClientOrderId,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    nanoseconds,
)

MarginEvent = AccountReported | MarginRequested | MarginReported | MarginUnavailable
MarginAnswer = MarginReported | MarginUnavailable

OVERDUE: Final = "no answer in time"
RESTARTED: Final = "the daemon was restarted before the answer came"


class Request(msgspec.Struct):
    """A question about `orders`, those of one batch that are not decided yet.

    `answer` is the first one that came before `due`, or why there will be none.
    """

    orders: list[ClientOrderId]
    due: datetime
    answer: MarginAnswer | None = None


class Margin(msgspec.Struct):
    """`account` is the broker's last word on the account, None before the first.

    `requests` are the questions whose orders are not decided yet, by id; `asked` says by which of
    them an order was asked about. `asks` says that the broker is one to be asked unless the limits
    say otherwise.
    """

    account: AccountReported | None = None
    requests: dict[str, Request] = {}
    asked: dict[ClientOrderId, str] = {}
    asks: bool = False

    def answer_to(self, order: ClientOrderId) -> MarginAnswer | None:
        """Return what was said of an order, None when it was not asked or not answered."""
        request = self.asked.get(order)
        return None if request is None else self.requests[request].answer

    def apply(self, event: MarginEvent, at: int) -> None:
        """Take one event about margin. An answer counts if it is the first, and in time."""
        match event:
            case AccountReported():
                self.account = event
            case MarginRequested():
                self.requests[event.request_id] = Request(list(event.orders), event.due)
                for order in event.orders:
                    self.asked[order] = event.request_id
            case MarginReported() | MarginUnavailable():
                request = self.requests.get(event.request_id)
                if request is not None and at < nanoseconds(request.due):
                    request.answer = request.answer or event
            case _:
                assert_never(event)

    def expire(self, request_id: str) -> None:
        """Take it that nobody has answered in time."""
        self._give_up(request_id, OVERDUE)

    def restart(self, *, asks: bool) -> None:
        """Take it that nobody will answer what an earlier process has asked."""
        self.asks = asks
        for request_id in self.requests:
            self._give_up(request_id, RESTARTED)

    def forget(self, order: ClientOrderId) -> None:
        """Drop the question about an order that is decided; it goes with its last order."""
        request_id = self.asked.pop(order, None)
        if request_id is not None:
            orders = self.requests[request_id].orders
            orders.remove(order)
            if not orders:
                del self.requests[request_id]

    def _give_up(self, request_id: str, why: str) -> None:
        request = self.requests.get(request_id)
        if request is not None:
            request.answer = request.answer or MarginUnavailable(request_id, why)
