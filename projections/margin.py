"""Margin as the broker sees it: the account's figures, and the answers that are waited for."""

from typing import assert_never

import msgspec

from events import (
    AccountReported,
    ClientOrderId,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
)

MarginEvent = AccountReported | MarginRequested | MarginReported | MarginUnavailable
MarginAnswer = MarginReported | MarginUnavailable


class Margin(msgspec.Struct):
    """`account` is the broker's last word on the account, None before the first.

    `asked` are the orders whose margin was asked for and that are not decided yet, with the id of
    the request; `answers` what was said, by that id.
    """

    account: AccountReported | None = None
    asked: dict[ClientOrderId, str] = {}
    answers: dict[str, MarginAnswer] = {}

    def answer_to(self, order: ClientOrderId) -> MarginAnswer | None:
        """Return what was said of an order, None when it was not asked or not answered."""
        request = self.asked.get(order)
        return None if request is None else self.answers.get(request)

    def apply(self, event: MarginEvent) -> None:
        """Take one event about margin. A second answer to a request replaces the first."""
        match event:
            case AccountReported():
                self.account = event
            case MarginRequested():
                for order in event.orders:
                    self.asked[order] = event.request_id
            case MarginReported() | MarginUnavailable():
                if event.request_id in self.asked.values():
                    self.answers[event.request_id] = event
            case _:
                assert_never(event)

    def forget(self, order: ClientOrderId) -> None:
        """Drop the question about an order that is decided; its answer goes with the last order."""
        request = self.asked.pop(order, None)
        if request is not None and request not in self.asked.values():
            self.answers.pop(request, None)
