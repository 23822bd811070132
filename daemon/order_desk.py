"""The order desk: takes intents to the gate, hands what passes to be sent, asks for cancels."""

from daemon import gate
from daemon.deadlines import Deadlines
from daemon.gate import Limits, RiskApproved
from daemon.recorder import Cancel, Recorder
from events import (
    CancelSending,
    Check,
    ClientOrderId,
    IntentApproved,
    IntentRefused,
    OrderIntended,
    OrderSending,
    utc_from_nanoseconds,
)
from projections.strategies import SHADOW


class OrderDesk:
    """The one way from an intent to a sending.

    `refused` is called with what the gate refuses, and the strategy it is of.
    """

    def __init__(self, recorder: Recorder, deadlines: Deadlines, limits: Limits) -> None:
        """Record with `recorder`, under `limits`; `deadlines` are told of what was sent."""
        self.limits = limits
        self.refused = _nothing
        self._recorder = recorder
        self._state = recorder.state
        self._deadlines = deadlines

    def decide(self, intended: OrderIntended, seq: int) -> IntentRefused | None:
        """Take the intent recorded at `seq` to the gate; return its refusal, if it is one."""
        # The time the input came: a bar that came late does not make it earlier.
        now = utc_from_nanoseconds(self._state.at)
        (decision,) = gate.check((intended,), self._state, self.limits, now)
        order_id = intended.client_order_id
        if not isinstance(decision, RiskApproved) or self._is_in_shadow(intended):
            checks = decision.checks
            if isinstance(decision, RiskApproved):
                checks = (*checks, Check(SHADOW, passed=False, note="nothing is sent in shadow"))
            refusal = IntentRefused(order_id, checks)
            self._recorder.decide(refusal, seq)
            self.refused(refusal, intended.strategy)
            return refusal
        decided = self._recorder.decide(IntentApproved(order_id, decision.checks), seq)
        self._recorder.decide(OrderSending(order_id), decided)
        self._recorder.effects.append(decision)
        sent = self._state.orders.open.get(order_id)
        if sent is not None:
            self._deadlines.watch_order(sent)
        return None

    def _is_in_shadow(self, intended: OrderIntended) -> bool:
        """Say whether it is only decided: what an operator closes for its owner is sent."""
        return not intended.closing and self._state.strategies.shadows(intended.strategy)

    def cancel(self, order_id: ClientOrderId, reason: str) -> None:
        """Ask for a cancel of an order that may still fill, unless the answer to one is awaited."""
        order = self._state.orders.open.get(order_id)
        if order is None or order.cancel_sent_at:
            return
        self._recorder.emit(CancelSending(order_id, reason), order)
        self._recorder.effects.append(Cancel(order_id))
        asked = self._state.orders.open.get(order_id)
        if asked is not None:
            self._deadlines.watch_cancel(asked)


def _nothing(_refusal: IntentRefused, _strategy: str, /) -> None:
    pass
