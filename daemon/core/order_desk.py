"""The order desk: takes intents to the gate, hands what passes to be sent, asks for cancels.

Where the gate wants the broker's margin first, the batch is reserved and taken to the gate once
more when there is an answer, or none in time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from daemon import gate
from daemon.core.deadlines import Deadlines
from daemon.core.recorder import AskMargin, Cancel, Recorder
from daemon.gate import Limits, RiskApproved, RiskAsks, RiskRefused
from events import (
    CancelSending,
    Check,
    ClientOrderId,
    IntentApproved,
    IntentRefused,
    MarginRequested,
    OrderIntended,
    OrderSending,
    utc_from_nanoseconds,
)
from projections.order_states import OrderState
from projections.strategies import SHADOW

WITHDRAWN: Final = "withdrawn"
"""The check that an order fails which is to be cancelled before it was ever sent."""
_SHADOW: Final = Check(SHADOW, passed=False, note="nothing is sent in shadow")


class OrderDesk:
    """The one way from an intent to a sending.

    `after_refusal` is called with what the gate refuses, and the strategy it is of. `refused` are
    the refusals that came later than the intent's own input: who intended it is still to be told.
    """

    def __init__(self, recorder: Recorder, deadlines: Deadlines, limits: Limits) -> None:
        """Record with `recorder`, under `limits`; `deadlines` are told of what was sent."""
        self.limits = limits
        self.after_refusal = _nothing
        self.refused: list[IntentRefused] = []
        self._recorder = recorder
        self._state = recorder.state
        self._deadlines = deadlines

    def decide(self, intended: OrderIntended) -> IntentRefused | None:
        """Take a recorded intent to the gate; return its refusal, if it is one."""
        return next(iter(self._judge((intended,))), None)

    def decide_again(self, request_id: str) -> None:
        """Take a batch whose margin was asked for to the gate again, if that is answered now."""
        request = self._state.margin.requests.get(request_id)
        if request is not None and request.answer is not None:
            orders = [self._state.orders.open[order_id] for order_id in request.orders]
            self.refused += self._judge([order.intent for order in orders])

    def cancel(self, order_id: ClientOrderId, reason: str) -> None:
        """Ask for a cancel of an order that may still fill, unless the answer to one is awaited.

        One that has not been sent is refused, with the rest of its batch.
        """
        order = self._state.orders.open.get(order_id)
        if order is None or order.cancel_sent_at:
            return
        if order.state is OrderState.MARGIN_ASKED:
            self._withdraw(order_id, reason)
            return
        self._recorder.emit(CancelSending(order_id, reason), order)
        self._recorder.effects.append(Cancel(order_id))
        asked = self._state.orders.open.get(order_id)
        if asked is not None:
            self._deadlines.watch_cancel(asked)

    def _judge(self, batch: Sequence[OrderIntended]) -> list[IntentRefused]:
        """Hold `batch` against the gate and do what it says; return the refusals."""
        # The time the input came: a bar that came late does not make it earlier.
        now = utc_from_nanoseconds(self._state.at)
        if any(map(self._is_in_shadow, batch)):
            found = gate.check(batch, self._state, _never_asking(self.limits), now)
            return [self._refuse(each.intent, _in_shadow(each)) for each in found]
        decisions = gate.check(batch, self._state, self.limits, now)
        asks = [each.intent for each in decisions if isinstance(each, RiskAsks)]
        if asks:
            self._ask(asks, now)
        for each in decisions:
            if isinstance(each, RiskApproved):
                self._send(each)
        return [
            self._refuse(each.intent, each.checks)
            for each in decisions
            if isinstance(each, RiskRefused)
        ]

    def _is_in_shadow(self, intended: OrderIntended) -> bool:
        """Say whether it is only decided: what an operator closes for its owner is sent."""
        return not intended.closing and self._state.strategies.shadows(intended.strategy)

    def _send(self, approved: RiskApproved) -> None:
        order_id = approved.intent.client_order_id
        decided = self._record(IntentApproved(order_id, approved.checks), order_id)
        self._recorder.decide(OrderSending(order_id), decided, self._state.orders.find(order_id))
        self._recorder.effects.append(approved)
        sent = self._state.orders.open.get(order_id)
        if sent is not None:
            self._deadlines.watch_order(sent)

    def _refuse(self, intent: OrderIntended, checks: tuple[Check, ...]) -> IntentRefused:
        refusal = IntentRefused(intent.client_order_id, checks)
        self._record(refusal, intent.client_order_id)
        self.after_refusal(refusal, intent.strategy)
        return refusal

    def _ask(self, batch: Sequence[OrderIntended], now: datetime) -> None:
        """Reserve `batch`, and let the broker be asked what margin it needs."""
        due = now + timedelta(seconds=self.limits.margin.answer_deadline_s)
        orders = tuple(intent.client_order_id for intent in batch)
        request = MarginRequested(f"margin-{orders[0]}", orders, due)
        self._record(request, orders[-1])
        self._recorder.effects.append(AskMargin(request.request_id, tuple(batch)))
        self._deadlines.watch_margin(request.request_id)

    def _withdraw(self, order_id: ClientOrderId, reason: str) -> None:
        """Refuse the batch of an order that waits for its margin."""
        margin = self._state.margin
        failed = (Check(WITHDRAWN, passed=False, note=reason),)
        for each in tuple(margin.requests[margin.asked[order_id]].orders):
            self.refused.append(self._refuse(self._state.orders.open[each].intent, failed))

    def _record(
        self, event: IntentApproved | IntentRefused | MarginRequested, order_id: ClientOrderId
    ) -> int:
        """Record what the gate said: it follows from the intent, later from the input in hand."""
        order = self._state.orders.find(order_id)
        at_once = order is not None and order.state is OrderState.INTENDED
        cause = order.intended_seq if order is not None and at_once else self._recorder.root
        return self._recorder.decide(event, cause, order)


def _never_asking(limits: Limits) -> Limits:
    """Return `limits` for what is not sent, and so not asked about."""
    return msgspec.structs.replace(limits, margin=msgspec.structs.replace(limits.margin, ask=False))


def _in_shadow(found: RiskApproved | RiskAsks | RiskRefused) -> tuple[Check, ...]:
    return found.checks if isinstance(found, RiskRefused) else (*found.checks, _SHADOW)


def _nothing(_refusal: IntentRefused, _strategy: str, /) -> None:
    pass
