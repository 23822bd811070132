"""What a broker corrects replaces what was counted; nothing is counted twice."""

from decimal import Decimal

import msgspec
import pytest

from events import CommissionCharged, FillCorrected, OrderFilled, Symbol
from projections.executions import Executions
from tests.builders import a_commission, a_fill, fold, state_after
from tests.core_desk import CoreDesk, Scripted, buy, kinds, of

A = Symbol("A")


def desk_with_a_fill() -> tuple[CoreDesk, OrderFilled]:
    """Return a desk whose order of ten at 100 is filled and charged a dollar."""
    desk = CoreDesk(Scripted(bars=[buy()]))
    order = desk.order(desk.minute("15:00"))
    fill = a_fill("10", "100", execution_id="x.01", order_id=order.client_order_id)
    desk.step(fill)
    desk.step(a_commission("1", execution_id="x.01", order_id=order.client_order_id))
    return desk, fill


def again(fill: OrderFilled, **changes: object) -> OrderFilled:
    return msgspec.structs.replace(fill, **changes)


def test_a_correction_replaces_price_and_quantity_in_every_book() -> None:
    desk, fill = desk_with_a_fill()
    cash = desk.state.cash.balance
    records = desk.step(again(fill, price=Decimal(101), quantity=Decimal(9), revision=2))
    assert kinds(records) == ["fill.corrected"]
    position = desk.state.positions.held(A)
    # Nine at 101 instead of ten at 100.
    assert (position.quantity, position.cost) == (9, 909)
    assert desk.state.cash.balance == cash + 1000 - 909
    order = desk.state.orders.find(fill.client_order_id)
    assert order is not None
    assert (order.filled, order.fill_value) == (9, 909)
    assert desk.state.positions.held_by("trend", A).quantity == 9


def test_a_correction_told_again_and_what_it_replaced_change_nothing() -> None:
    desk, fill = desk_with_a_fill()
    corrected = again(fill, price=Decimal(101), revision=2)
    desk.step(corrected)
    repeats = desk.repeats
    assert desk.step(corrected) == desk.step(fill) == []
    assert desk.repeats == repeats + 2
    assert desk.state.positions.held(A).cost == 1010
    assert desk.state.holds.active == {}


def test_a_second_correction_replaces_the_first() -> None:
    desk, fill = desk_with_a_fill()
    desk.step(again(fill, price=Decimal(101), revision=2))
    (second,) = of(desk.step(again(fill, price=Decimal(99), revision=3)), FillCorrected)
    assert (second.was_price, second.price) == (101, 99)
    assert desk.state.positions.held(A).cost == 990


def test_a_bust_takes_the_execution_back() -> None:
    desk, fill = desk_with_a_fill()
    desk.step(again(fill, quantity=Decimal(0), revision=2))
    assert desk.state.positions.held(A).quantity == 0
    assert desk.state.positions.held(A).realised_pnl == 0


def test_the_same_revision_with_another_body_contradicts() -> None:
    desk, fill = desk_with_a_fill()
    assert "broker.unparsed" in kinds(desk.step(again(fill, price=Decimal(101))))
    assert desk.state.holds.active != {}


def test_a_correction_seen_first_is_the_fill() -> None:
    desk = CoreDesk(Scripted(bars=[buy()]))
    order = desk.order(desk.minute("15:00"))
    fill = a_fill("10", "101", execution_id="x.01", order_id=order.client_order_id)
    assert "order.filled" in kinds(desk.step(again(fill, revision=2)))
    # What it corrects comes after it, and is over.
    assert desk.step(again(fill, price=Decimal(100))) == []
    assert desk.state.positions.held(A).cost == 1010


def test_a_correction_beyond_the_order_holds_everything() -> None:
    desk, fill = desk_with_a_fill()
    desk.step(again(fill, quantity=Decimal(11), revision=2))
    assert [hold.cause for hold in desk.state.holds.active.values()] == ["over-fill"]


def test_the_commission_of_a_correction_replaces_the_first() -> None:
    desk, fill = desk_with_a_fill()
    fees, cash = desk.state.cash.fees, desk.state.cash.balance
    charge = CommissionCharged(fill.client_order_id, fill.execution_id, Decimal("1.50"), 2)
    assert kinds(desk.step(charge)) == ["commission.corrected"]
    assert desk.state.cash.fees == fees + Decimal("0.50")
    assert desk.state.cash.balance == cash - Decimal("0.50")
    order = desk.state.orders.find(fill.client_order_id)
    assert order is not None
    assert order.commission == Decimal("1.50")
    assert desk.step(charge) == []


@pytest.mark.parametrize("symbol", ["A", "BRK B", "X at 5"])
@pytest.mark.parametrize("revision", [1, 2, 12])
def test_what_is_counted_comes_back_as_it_went_in(symbol: str, revision: int) -> None:
    executions = Executions()
    fill = again(a_fill("-1.5", "0.0001", symbol=symbol), revision=revision)
    executions.remember(fill)
    counted = executions.counted(fill)
    assert counted is not None
    assert (counted.number, counted.price, counted.revision) == (
        Decimal("-1.5"),
        Decimal("0.0001"),
        revision,
    )
    assert executions.order_of("e1") == "o1"
    charge = a_commission("-0.25")
    executions.remember(charge)
    paid = executions.counted(charge)
    assert paid is not None
    assert (paid.number, paid.client_order_id) == (Decimal("-0.25"), "o1")


def test_a_corrected_fill_of_a_foreign_order_moves_the_account_alone() -> None:
    fill = a_fill("10", "100")
    state = state_after(fill)
    corrected = FillCorrected(
        fill.client_order_id, fill.execution_id, A, Decimal(8), Decimal(100), fill.executed_at,
        2, Decimal(10), Decimal(100),
    )  # fmt: skip
    assert fold(state, corrected).positions.held(A).quantity == 8
    assert state.positions.by_strategy == {}
