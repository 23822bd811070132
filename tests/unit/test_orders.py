from decimal import Decimal

import pytest

from events import (
    CancelSending,
    ClientOrderId,
    IntentRefused,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSending,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    nanoseconds,
)
from events.codec import JournalEvent
from projections import State
from projections.executions import REMEMBERED, Remembered
from projections.order_states import OrderState
from projections.orders import CLOSED_KEPT, Order
from tests.builders import (
    TUESDAY,
    a_commission,
    a_fill,
    an_intent,
    an_order,
    fold,
    records,
    state_after,
    utc,
)

O1 = ClientOrderId("o1")


def order_of(state: State, order_id: str = "o1") -> Order:
    order = state.orders.find(ClientOrderId(order_id))
    assert order is not None
    return order


def test_an_order_goes_from_the_intent_to_its_last_fill() -> None:
    state = State()
    states = [
        order_of(fold(state, event)).state
        for event in (
            *an_order(quantity="100"),
            OrderAcknowledged(O1),
            OrderWorking(O1),
            a_fill("40", execution_id="e1"),
            a_fill("60", execution_id="e2"),
        )
    ]
    assert " ".join(states) == (
        "INTENDED APPROVED SENDING ACKNOWLEDGED WORKING PARTIALLY_FILLED FILLED"
    )
    assert (state.orders.intended, state.orders.sent, state.orders.fills) == (1, 1, 2)
    assert not state.orders.open


def test_filled_remaining_and_average_price_come_from_the_fills() -> None:
    state = state_after(
        *an_order(quantity="-100"),
        a_fill("-40", "10", execution_id="e1"),
        a_fill("-20", "13", execution_id="e2"),
    )
    order = order_of(state)
    assert (order.filled, order.remaining, order.reserved) == (-60, -40, -40)
    assert order.average_fill_price == Decimal(11)  # (40 x 10 + 20 x 13) / 60
    assert order_of(state_after(*an_order())).average_fill_price is None


def test_an_order_that_came_from_a_bar_carries_the_bars_trace() -> None:
    (record,) = records(an_intent(), first=5)
    state = State()
    state.orders.apply(an_intent(), record.seq, record.at, trace=3)
    assert (order_of(state).trace, order_of(state).intended_seq) == (3, 5)


def test_an_order_remembers_when_it_and_its_cancel_were_sent() -> None:
    state = state_after(*an_order())
    fold(state, CancelSending(O1, "too slow"), at=TUESDAY)
    order = order_of(state)
    assert order.sending_seq == 3
    assert order.cancel_sent_at == nanoseconds(utc(TUESDAY))
    assert order.cancel_requested
    assert order.reason == "too slow"


@pytest.mark.parametrize(
    ("event", "state_then", "reason"),
    [
        (OrderRejected(O1, "no margin"), OrderState.REJECTED, "no margin"),
        (OrderCancelled(O1, "by request"), OrderState.CANCELLED, "by request"),
        (OrderExpired(O1, "day is over"), OrderState.EXPIRED, "day is over"),
        (OrderUnknown(O1, "no answer"), OrderState.UNKNOWN, "no answer"),
        (OrderWithheld(O1, "dry run"), OrderState.WITHHELD, "dry run"),
    ],
)
def test_an_order_says_why_it_ended(
    event: JournalEvent, state_then: OrderState, reason: str
) -> None:
    order = order_of(state_after(*an_order(), event))
    assert (order.state, order.reason) == (state_then, reason)


def test_a_refused_intent_is_over_and_counted() -> None:
    state = state_after(an_intent(), IntentRefused(O1, ()))
    assert order_of(state).state is OrderState.REFUSED
    assert state.orders.refused == 1
    assert not state.orders.open


def test_a_fill_after_the_cancel_counts_and_the_rest_stays_cancelled() -> None:
    state = state_after(*an_order(), OrderCancelled(O1), a_fill("40"))
    assert (order_of(state).state, order_of(state).filled) == (OrderState.CANCELLED, 40)
    assert order_of(state).reserved == 0
    assert order_of(fold(state, a_fill("60", execution_id="e2"))).state is OrderState.FILLED


def test_a_fill_before_the_acknowledgement_stands() -> None:
    state = state_after(*an_order(), a_fill("40"), OrderAcknowledged(O1))
    assert order_of(state).state is OrderState.PARTIALLY_FILLED
    fold(state, a_fill("60", execution_id="e2"), OrderAcknowledged(O1), OrderWorking(O1))
    assert order_of(state).state is OrderState.FILLED
    assert state.orders.impossible == 0


def test_a_rejected_order_that_fills_is_open_again() -> None:
    state = state_after(*an_order(), OrderRejected(O1, "looked like it"), a_fill("40"))
    assert order_of(state).state is OrderState.PARTIALLY_FILLED
    assert list(state.orders.open) == ["o1"]
    assert not state.orders.closed


def test_a_rejection_with_a_cancelled_status_behind_it_is_one_rejection() -> None:
    state = state_after(*an_order(), OrderRejected(O1, "no"), OrderCancelled(O1), OrderWorking(O1))
    assert order_of(state).state is OrderState.REJECTED
    assert state.orders.impossible == 0


def test_an_over_fill_is_counted_as_filled_and_reserves_nothing() -> None:
    order = order_of(state_after(*an_order(), a_fill("130")))
    assert (order.state, order.filled, order.reserved) == (OrderState.FILLED, 130, 0)


@pytest.mark.parametrize(
    "fill",
    [
        a_fill("-40"),  # the other side
        a_fill("-100"),
        a_fill("40", symbol="B"),
    ],
)
def test_a_fill_of_the_wrong_side_or_symbol_fills_nothing_up(fill: OrderFilled) -> None:
    state = state_after(*an_order(), fill)
    assert state.orders.impossible == 1
    assert order_of(state).state is OrderState.PARTIALLY_FILLED


@pytest.mark.parametrize(
    "reports",
    [
        (an_intent(), a_fill("40")),
        (*an_order(), OrderWithheld(O1, "dry run"), a_fill("40")),
        (an_intent(), OrderWorking(O1)),
        (OrderWorking(O1),),
        (*an_order(), OrderCancelled(O1), OrderUnknown(O1, "no answer")),
    ],
)
def test_a_report_that_cannot_be_about_its_order_changes_no_state(
    reports: tuple[JournalEvent, ...],
) -> None:
    state = state_after(*reports)
    expected = state_after(*reports[:-1])
    assert state.orders.impossible == 1
    before, after = expected.orders.find(O1), state.orders.find(O1)
    assert (before and before.state) == (after and after.state)


def test_a_fill_of_nobodys_order_is_kept_apart() -> None:
    fill = a_fill("10", order_id="by hand")
    state = state_after(fill, fill)
    assert state.orders.foreign_executions == {fill.execution_id: fill}
    assert state.orders.fills == 1


def test_only_the_last_fills_of_nobodys_orders_are_kept_and_all_are_known() -> None:
    fills = [a_fill("1", order_id="by hand", execution_id=f"e{n}") for n in range(2 * CLOSED_KEPT)]
    state = state_after(*fills)
    assert list(state.orders.foreign_executions) == [f.execution_id for f in fills[CLOSED_KEPT:]]
    assert all(state.orders.is_repeat(each) for each in fills)


def test_an_execution_reported_twice_counts_once() -> None:
    fill, charge = a_fill("40", "10"), a_commission("1")
    once = state_after(*an_order(), fill, charge)
    assert once.orders.is_repeat(fill)
    assert once.orders.is_repeat(charge)
    again = fold(state_after(*an_order(), fill, charge), fill, charge, fill)
    again.seq = once.seq
    assert again == once


def test_a_fill_and_its_commission_are_told_apart() -> None:
    state = state_after(*an_order(), a_fill("40"))
    assert not state.orders.is_repeat(a_commission("1"))
    assert order_of(fold(state, a_commission("1"))).commission == 1


def test_commissions_of_one_order_add_up() -> None:
    state = state_after(
        *an_order(),
        a_fill("40", execution_id="e1"),
        a_fill("60", execution_id="e2"),
        a_commission("1", execution_id="e1"),
        a_commission("0.35", execution_id="e2"),
    )
    assert order_of(state).commission == Decimal("1.35")


def test_an_intent_folded_twice_does_not_start_its_order_anew() -> None:
    state = state_after(*an_order(), a_fill("40"), an_intent())
    assert order_of(state).filled == 40
    assert state.orders.intended == 1


def test_acknowledged_twice_is_acknowledged() -> None:
    state = state_after(*an_order(), OrderAcknowledged(O1), OrderAcknowledged(O1))
    assert order_of(state).state is OrderState.ACKNOWLEDGED
    assert state.orders.impossible == 0


def test_a_second_sending_is_impossible() -> None:
    state = state_after(*an_order(), OrderSending(O1))
    assert state.orders.impossible == 1


def test_an_execution_is_known_after_its_order_is_forgotten() -> None:
    state = State()
    for number in range(2 * CLOSED_KEPT):
        order_id = f"o{number}"
        fold(state, *an_order(order_id), a_fill(order_id=order_id, execution_id=f"e{number}"))
    assert len(state.orders.closed) == CLOSED_KEPT
    assert state.orders.find(ClientOrderId("o0")) is None
    cash = state.cash.balance
    fold(state, a_fill(order_id="o0", execution_id="e0"))
    assert state.cash.balance == cash
    assert state.orders.foreign_executions == {}


def test_a_months_shares_are_those_filled_in_it_bought_or_sold() -> None:
    state = state_after(
        a_fill("100", execution_id="e1", executed_at="2024-01-31T23:59"),
        a_fill("-30", execution_id="e2", executed_at="2024-02-01T00:00"),
        a_fill("12", execution_id="e3", executed_at="2024-02-29T15:00"),
    )
    assert state.orders.month_shares == {"2024-01": 100, "2024-02": 42}
    fold(state, a_fill("7", execution_id="e4", executed_at="2024-04-02T15:00"))
    assert state.orders.month_shares == {"2024-02": 42, "2024-04": 7}


def test_the_memory_of_executions_is_long_but_not_endless() -> None:
    seen = Remembered()
    for number in range(2 * REMEMBERED + 1):
        seen.add(f"e{number}", str(number))
        if number == REMEMBERED:
            assert seen.get("e0") == "0"
    kept = range(REMEMBERED, 2 * REMEMBERED + 1)
    assert all(seen.get(f"e{number}") == str(number) for number in kept)
    assert "e0" not in seen
    assert seen.get("e0") is None
    assert len(seen.recent) + len(seen.older) <= 2 * REMEMBERED
