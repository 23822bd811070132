"""Negative controls: adapters that send what nobody may send."""

from daemon.brokers.gateway.broker import IbkrBroker
from daemon.gate import RiskApproved
from projections.order_states import OrderState

UNANSWERED = frozenset({OrderState.SENDING, OrderState.UNKNOWN})


class Reckless(IbkrBroker):
    """It takes a socket for a connection."""

    def submit(self, approved: RiskApproved) -> None:
        terms = self.session.connection
        kept, terms.missing = terms.missing, terms.missing if not self.contracts.by_id else {}
        super().submit(approved)
        terms.missing = kept


class BlindResend(IbkrBroker):
    """What nobody may do: with a new connection it sends again what has no answer."""

    async def verify(self) -> None:
        self._send_again()
        await super().verify()

    def _send_again(self) -> None:
        terms = self.session.connection
        kept, terms.missing = terms.missing, {}
        for order in tuple(self._state.orders.open.values()):
            if order.state in UNANSWERED:
                self._names._numbers.pop(order.client_order_id, None)  # noqa: SLF001 - a mutant
                self._write(order.intent)
        terms.missing = kept


class AskingResend(BlindResend):
    """The same with an excuse: the lists were asked for, and have not shown it."""

    async def verify(self) -> None:
        await IbkrBroker.verify(self)
        self._send_again()


KINDS: dict[str, type[IbkrBroker]] = {
    "blind": BlindResend,
    "asking": AskingResend,
    "reckless": Reckless,
}
