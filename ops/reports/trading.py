"""Orders and fills over a period, followed event by event. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from statistics import median
from typing import Final

import msgspec

from events import (
    ClientOrderId,
    CommissionCharged,
    CommissionCorrected,
    ExecutionId,
    FillCorrected,
    IntentApproved,
    IntentRefused,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderSending,
    OrderUnknown,
    OrderWithheld,
    OrderWrittenOff,
    Record,
    utc_from_nanoseconds,
)
from events.orders import OrderEvent
from ops.reports.shape import Delay, Ended, Fill, LostOrder, Trading
from ops.sentences import sentence
from projections import State
from projections.order_states import OrderState

FILLS_SHOWN: Final = 40
ENDED_SHOWN: Final = 8
_ZERO: Final = Decimal(0)
_SECOND_NS: Final = 1_000_000_000


class Decided(msgspec.Struct, frozen=True):
    """An intent, and the last price there was of its symbol when it was made, None: not known."""

    intent: OrderIntended
    price: Decimal | None


FindDecided = Callable[[ClientOrderId], Decided | None]


class Times(msgspec.Struct):
    """When the steps of an order were recorded, in ns UTC; 0: not in the period."""

    intended: int
    acknowledged: int = 0
    filled: int = 0


class Book:
    """Follows orders, fills and how long they took."""

    def __init__(
        self, before: State, find: FindDecided, in_shadow: Callable[[str, int], bool]
    ) -> None:
        """Start from the books `before`; `find` knows the orders intended earlier."""
        self._find = find
        self._in_shadow = in_shadow
        self._decided: dict[ClientOrderId, Decided | None] = {}
        self._times: dict[ClientOrderId, Times] = {}
        self._fills: dict[ExecutionId, Fill] = {}
        self._fees_first: dict[ExecutionId, Decimal] = {}
        self._counts: Counter[str] = Counter()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._shadowed: set[ClientOrderId] = set()
        self._acknowledged: set[ClientOrderId] = set()
        self._filled: set[ClientOrderId] = set()
        self._lost: dict[ClientOrderId, LostOrder] = {}
        self._over: list[LostOrder] = []
        for order_id, order in before.orders.open.items():
            if order.state is OrderState.UNKNOWN:
                since = utc_from_nanoseconds(order.sent_at or before.at)
                self._lost[order_id] = LostOrder(order_id, order.symbol, since, order.reason)

    def decided(self, order_id: ClientOrderId) -> Decided | None:
        """Return what is known of an order's decision."""
        if order_id not in self._decided:
            self._decided[order_id] = self._find(order_id)
        return self._decided[order_id]

    def take(self, record: Record, state: State) -> None:  # noqa: C901 - one branch a kind
        """Take one record that is no repeat, and that `state` has folded."""
        event = record.event
        match event:
            case OrderIntended():
                self._intend(event, record, state)
            case IntentApproved() | IntentRefused():
                if event.client_order_id not in self._shadowed:
                    self._counts[
                        "approved" if isinstance(event, IntentApproved) else "refused"
                    ] += 1
            case OrderSending():
                self._counts["sent"] += 1
            case OrderWithheld() | OrderRejected() | OrderCancelled() | OrderExpired():
                self._end(event, state)
            case OrderAcknowledged():
                self._acknowledged.add(event.client_order_id)
                times = self._times.get(event.client_order_id)
                if times is not None and not times.acknowledged:
                    times.acknowledged = record.at
            case OrderFilled():
                self._fill(event, record)
            case FillCorrected():
                self._correct(event)
            case CommissionCharged() | CommissionCorrected():
                self._charge(event)
            case _:
                pass
        if isinstance(event, OrderEvent):
            self._watch(event, record, state)

    def trading(self) -> Trading:
        """Return what was traded."""
        fills = [each for each in self._fills.values() if each.quantity]
        slips = [each.slippage_usd for each in fills]
        known = [slip for slip in slips if slip is not None]
        base = sum((abs(each.quantity) * (each.decided_at_price or _ZERO) for each in fills), _ZERO)
        largest = sorted(fills, key=lambda each: -each.notional_usd)[:FILLS_SHOWN]
        return Trading(
            intents=self._counts["intents"],
            approved=self._counts["approved"],
            refused=self._counts["refused"],
            withheld=self._counts["withheld"],
            sent=self._counts["sent"],
            acknowledged=len(self._acknowledged),
            filled=len(self._filled),
            fills=len(fills),
            notional_usd=sum((each.notional_usd for each in fills), _ZERO),
            fees_usd=sum((each.fee_usd or _ZERO for each in fills), _ZERO),
            slippage_usd=sum(known, _ZERO),
            slippage_bps=sum(known, _ZERO) / base * 10_000 if base else None,
            slippage_unknown=len(slips) - len(known),
            fills_shown=sorted(largest, key=lambda each: (each.at, each.execution_id)),
            ended=[
                Ended(how, reason, orders)
                for (how, reason), orders in self._ended.most_common(ENDED_SHOWN)
            ],
            delays=list(self._delays()),
            unknown=[*self._over, *self._lost.values()],
        )

    def _intend(self, event: OrderIntended, record: Record, state: State) -> None:
        order_id = event.client_order_id
        self._decided[order_id] = Decided(event, state.market.price(event.symbol))
        if self._in_shadow(event.strategy, record.seq):
            self._shadowed.add(order_id)
            return
        self._counts["intents"] += 1
        self._times[order_id] = Times(record.at)

    def _end(
        self,
        event: OrderWithheld | OrderRejected | OrderCancelled | OrderExpired,
        state: State,
    ) -> None:
        if isinstance(event, OrderWithheld):
            self._counts["withheld"] += 1
        order = state.orders.find(event.client_order_id)
        how = order.state.value if order is not None else "unknown here"
        self._ended[how, event.reason] += 1

    def _fill(self, event: OrderFilled, record: Record) -> None:
        order_id = event.client_order_id
        decided = self.decided(order_id)
        self._filled.add(order_id)
        self._fills[event.execution_id] = Fill(
            event.executed_at,
            event.symbol,
            decided.intent.strategy if decided else "",
            event.quantity,
            event.price,
            order_id,
            event.execution_id,
            decided.price if decided else None,
            self._fees_first.pop(event.execution_id, None),
        )
        times = self._times.get(order_id)
        if times is not None and not times.filled:
            times.filled = record.at

    def _correct(self, event: FillCorrected) -> None:
        fill = self._fills.get(event.execution_id)
        if fill is not None:
            fill.quantity, fill.price = event.quantity, event.price

    def _charge(self, event: CommissionCharged | CommissionCorrected) -> None:
        fill = self._fills.get(event.execution_id)
        if fill is None:
            self._fees_first[event.execution_id] = event.amount
        else:
            fill.fee_usd = event.amount

    def _watch(self, event: OrderEvent, record: Record, state: State) -> None:
        """Follow what becomes of an order nobody knows the whereabouts of."""
        order_id = event.client_order_id
        order = state.orders.find(order_id)
        at = utc_from_nanoseconds(record.at)
        lost = self._lost.get(order_id)
        if order is not None and order.state is OrderState.UNKNOWN:
            if lost is None and isinstance(event, OrderUnknown):
                self._lost[order_id] = LostOrder(order_id, order.symbol, at, event.reason)
            return
        if lost is not None:
            del self._lost[order_id]
            lost.ended_at = at
            lost.state = order.state if order is not None else OrderState.EXPIRED
            by = f", by {event.by}" if isinstance(event, OrderWrittenOff) else ""
            lost.ended_by = f"{sentence(record.event)}{by}"
            self._over.append(lost)

    def _delays(self) -> Iterator[Delay]:
        steps = (
            ("decision to acknowledgement", "intended", "acknowledged"),
            ("acknowledgement to first fill", "acknowledged", "filled"),
            ("decision to first fill", "intended", "filled"),
        )
        for step, start, end in steps:
            found = [
                ((getattr(times, end) - getattr(times, start)) / _SECOND_NS, order_id)
                for order_id, times in self._times.items()
                if getattr(times, start) and getattr(times, end)
            ]
            if found:
                worst, order_id = max(found)
                yield Delay(step, len(found), median(each for each, _ in found), worst, order_id)
