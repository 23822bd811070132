"""An operator's flatten: cancels first, waits for the broker's word, then closes what is held."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.core.core import CoreSettings
from daemon.gate.limits import OrderRules
from events import (
    CancelSending,
    ClientOrderId,
    IntentRefused,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorKilled,
    OperatorShadowed,
    OrderIntended,
    OrderSending,
    OrderType,
    OrderUnknown,
    Record,
    SessionStarted,
    Symbol,
)
from projections.order_states import OrderState
from tests.builders import a_config, a_fill
from tests.core_desk import OPENING, A, Scripted, buy, kinds, of
from tests.gate_desk import limits
from tests.operators import Told, an_order_by_hand, said, why_refused

B = Symbol("B")
LIMIT: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(95)}
FLATTEN = said(OperatorFlattenAsked, A, command_id="cmd-flat")


def intended(taken: list[Record]) -> list[tuple[str, str, Decimal]]:
    """Return owner, symbol and quantity of each order intended."""
    return [(each.strategy, each.symbol, each.quantity) for each in of(taken, OrderIntended)]


def buy_b(desk: Told) -> None:
    """Let 7 of B be bought by hand."""
    (sent,) = of(desk.step(an_order_by_hand("7", symbol=B)), OrderSending)
    desk.fill(sent.client_order_id, "7", "B")


def test_a_position_without_orders_is_closed_at_once_for_its_owner() -> None:
    desk = Told()  # trend holds 100.
    taken = desk.step(FLATTEN)
    assert kinds(taken) == [
        *("operator.flatten-asked", "order.intended", "intent.approved", "order.sending"),
    ]
    assert intended(taken) == [("trend", "A", Decimal(-100))]
    (order,) = of(taken, OrderIntended)
    assert order.closing
    assert order.order_type is OrderType.MARKET
    assert not desk.state.commands.flattening


def test_its_strategy_hears_of_the_closing_fill() -> None:
    trend = Scripted()
    desk = Told(trend, Scripted())
    (order,) = of(desk.step(FLATTEN), OrderIntended)
    desk.fill(order.client_order_id, "-100")
    assert desk.state.positions.held(A).quantity == 0
    assert desk.state.positions.held_by("trend", A).quantity == 0
    assert getattr(trend.heard[-1], "client_order_id", None) == order.client_order_id


def test_a_short_position_is_bought_back() -> None:
    desk = Told(bought="-30")
    assert intended(desk.step(FLATTEN)) == [("trend", "A", Decimal(30))]


def test_orders_in_the_symbol_are_cancelled_first_and_nothing_is_closed_before_they_end() -> None:
    desk = Told()
    one, two = desk.sends("5", **LIMIT), desk.sends("6", **LIMIT)
    taken = desk.step(FLATTEN)
    assert {each.client_order_id for each in of(taken, CancelSending)} == {one, two}
    assert intended(taken) == []
    assert intended(desk.cancelled(one)) == []
    assert intended(desk.cancelled(two)) == [("trend", "A", Decimal(-100))]


def test_nothing_new_is_begun_in_what_is_being_flattened() -> None:
    desk = Told()
    order = desk.sends("5", **LIMIT)
    desk.step(FLATTEN)
    for quantity in ("3", "-3"):
        by_hand = an_order_by_hand(quantity, command_id=f"cmd-{quantity}")
        (refused,) = of(desk.step(by_hand), IntentRefused)
        assert [each.note for each in refused.failed] == ["HALT: it is being flattened by ann"]
    buy_b(desk)  # Elsewhere all goes on.
    assert intended(desk.cancelled(order)) == [("trend", "A", Decimal(-100))]
    assert of(desk.step(an_order_by_hand("3", command_id="cmd-after")), OrderSending)


def test_what_fills_while_the_cancel_is_under_way_is_closed_as_well() -> None:
    desk = Told()
    order = desk.sends("5", **LIMIT)
    desk.step(FLATTEN)
    taken = desk.fill(order, "5")  # The cancel came too late.
    assert intended(taken) == [("trend", "A", Decimal(-105))]


def test_orders_without_a_position_are_cancelled_and_that_is_all() -> None:
    desk = Told(bought="0")
    order = desk.sends("5", **LIMIT)
    desk.step(FLATTEN)
    assert desk.asked_to_cancel() == {order}
    assert intended(desk.cancelled(order)) == []
    assert not desk.state.commands.flattening


def test_each_owner_has_an_order_of_its_own() -> None:
    trend, other = Scripted(), Scripted()
    desk = Told(trend, other)
    other.bars = [buy("20")]
    (sent,) = of(desk.minute("15:20"), OrderSending)
    desk.fill(sent.client_order_id, "20")
    taken = desk.step(FLATTEN)
    assert intended(taken) == [("other", "A", Decimal(-20)), ("trend", "A", Decimal(-100))]
    ids = {each.client_order_id for each in of(taken, OrderIntended)}
    assert len(ids) == len(of(taken, OrderSending)) == 2


def test_where_owners_stand_against_each_other_the_account_is_closed_as_one() -> None:
    trend, other = Scripted(), Scripted()
    desk = Told(trend, other)
    other.bars = [buy("-30")]
    (sent,) = of(desk.minute("15:20"), OrderSending)
    desk.fill(sent.client_order_id, "-30")
    # 100 - 30 is what the broker has; trend's 100 would be sold short by 30.
    assert intended(desk.step(FLATTEN)) == [("operator", "A", Decimal(-70))]


def by_hand_at_the_broker(desk: Told, quantity: str) -> None:
    fill = a_fill(quantity, order_id="?", execution_id="?", executed_at="2024-01-02T15:10")
    desk.step(fill)


def test_what_is_nobodys_is_closed_beside_what_a_strategy_holds() -> None:
    desk = Told()
    by_hand_at_the_broker(desk, "50")
    taken = desk.step(FLATTEN)
    assert intended(taken) == [("operator", "A", Decimal(-50)), ("trend", "A", Decimal(-100))]
    for sent in of(taken, OrderIntended):
        desk.fill(sent.client_order_id, str(sent.quantity))
    assert desk.state.positions.held(A).quantity == 0
    assert desk.state.positions.held_by("trend", A).quantity == 0


@pytest.mark.parametrize(("fraction", "closed"), [("0.5", "-100"), ("-0.5", "-99")])
def test_of_a_share_that_comes_whole_the_whole_ones_are_closed(fraction: str, closed: str) -> None:
    desk = Told()
    by_hand_at_the_broker(desk, fraction)
    taken = desk.step(FLATTEN)
    refused = {each.client_order_id for each in of(taken, IntentRefused)}
    sent = [each for each in of(taken, OrderIntended) if each.client_order_id not in refused]
    assert [each.quantity for each in sent] == [Decimal(closed)]


def test_flatten_of_all_closes_every_symbol_and_flatten_of_one_only_that() -> None:
    for command, closed in (
        (said(OperatorFlattenAsked), {"A", "B"}),
        (said(OperatorFlattenAsked, B), {"B"}),
    ):
        desk = Told()
        buy_b(desk)
        assert {symbol for _, symbol, _ in intended(desk.step(command))} == closed


def test_a_flatten_passes_the_kill_switch() -> None:
    desk = Told()
    desk.step(said(OperatorKilled))
    taken = desk.step(FLATTEN)
    assert intended(taken) == [("trend", "A", Decimal(-100))]
    assert of(taken, OrderSending)


def test_what_a_strategy_in_shadow_holds_is_closed_like_anything_else() -> None:
    desk = Told()
    desk.step(SessionStarted("v1", {"trend": "code"}, {}, {}, live_feed=False))
    desk.step(said(OperatorShadowed, "trend", command_id="cmd-shadow"))
    taken = desk.step(FLATTEN)
    assert intended(taken) == [("trend", "A", Decimal(-100))]
    assert of(taken, OrderSending)


def test_what_nobody_has_a_price_of_can_be_flattened_and_nothing_else_be_done_in_it() -> None:
    desk = Told(opening=(*OPENING, a_config("A", "B", "C")))
    at = {"order_id": "by hand", "symbol": "C", "executed_at": "2024-01-02T15:05"}
    desk.step(a_fill("10", "50", execution_id="x", **at))
    more = of(desk.step(an_order_by_hand("1", symbol=Symbol("C"))), IntentRefused)
    assert {"price_known", "data_age_s", "outlier"} <= {each.name for each in more[0].failed}
    taken = desk.step(said(OperatorFlattenAsked, Symbol("C"), command_id="cmd-flat"))
    assert intended(taken) == [("operator", "C", Decimal(-10))]
    assert of(taken, OrderSending)


@pytest.mark.parametrize("lists", [{"deny_symbols": (A,)}, {"allow_symbols": (B,)}])
def test_what_may_not_be_traded_any_more_can_be_flattened(lists: dict[str, Any]) -> None:
    desk = Told()
    desk.core.use(CoreSettings(limits(**lists)))
    (sent,) = of(desk.step(FLATTEN), OrderSending)
    desk.fill(sent.client_order_id, "-100")
    assert desk.state.positions.held(A).quantity == 0
    # Nothing else may be done in it.
    (refused,) = of(desk.step(an_order_by_hand("1")), IntentRefused)
    assert [check.name for check in refused.failed] == ["symbol_allowed"]


def test_a_flatten_passes_the_limits_on_one_order() -> None:
    desk = Told(under=limits(max_order_shares="100", max_order_usd="10000"))
    desk.fill(desk.sends("50"), "50")
    # 150 shares at 100: above both.
    (sent,) = of(desk.step(FLATTEN), OrderSending)
    desk.fill(sent.client_order_id, "-150")
    assert desk.state.positions.held(A).quantity == 0


def test_a_flatten_outside_the_session_is_refused_by_the_gate_and_is_over() -> None:
    desk = Told()
    taken = desk.step(FLATTEN, "2024-01-02T22:00")
    (refused,) = of(taken, IntentRefused)
    assert [check.name for check in refused.failed] == ["session_open", "order_hours"]
    assert not desk.state.commands.flattening


def lost(desk: Told) -> ClientOrderId:
    """Let an order of 5 be sent whose fate nobody knows."""
    order = desk.sends("5", **LIMIT)
    desk.step(msgspec.structs.replace(said(OperatorKilled), command_id="cmd-kill"))
    desk.pass_time("2024-01-02T16:00")
    found = desk.state.orders.find(order)
    assert found is not None
    assert found.state is OrderState.UNKNOWN
    return order


def test_an_unknown_order_refuses_a_flatten_and_is_named() -> None:
    desk = Told()
    order = lost(desk)
    why = why_refused(desk.step(FLATTEN))
    assert why == f"nobody knows where {order} is: resolve it, or say --trust-broker"
    assert not desk.state.commands.flattening


def test_an_unknown_order_of_another_symbol_is_no_hindrance() -> None:
    desk = Told()
    buy_b(desk)
    lost(desk)
    taken = desk.step(said(OperatorFlattenAsked, B, command_id="cmd-flat"))
    assert intended(taken) == [("operator", "B", Decimal(-7))]


def test_trusting_the_broker_closes_what_the_books_hold_all_the_same() -> None:
    desk = Told()
    lost(desk)
    taken = desk.step(msgspec.structs.replace(FLATTEN, trust_broker=True))
    assert intended(taken) == [("trend", "A", Decimal(-100))]
    assert of(taken, OrderSending)


@pytest.mark.parametrize(
    ("quantity", "price"), [("5", "95"), ("-5", "105"), ("-50", "105")], ids=["buy", "sell", "all"]
)
def test_the_order_that_is_not_there_does_not_stand_in_the_way_of_a_flatten_that_trusts(
    quantity: str, price: str
) -> None:
    # Under an operator's first limits: no shorts, and no order against one of our own.
    careful = msgspec.structs.replace(limits(allow_short=False), orders=OrderRules())
    desk = Told(under=careful, bought="50")
    order = desk.sends(quantity, order_type=OrderType.LIMIT, limit_price=Decimal(price))
    desk.step(said(OperatorCancelAsked, command_id="cmd-cancel"))
    assert of(desk.pass_time("2024-01-02T16:00"), OrderUnknown)
    desk.step(said(OperatorKilled, command_id="cmd-kill"))
    taken = desk.step(msgspec.structs.replace(FLATTEN, trust_broker=True))
    assert of(taken, IntentRefused) == []
    assert intended(taken) == [("trend", "A", Decimal(-50))]
    # For every other order it may be there, and counts.
    still_there = desk.state.orders.find(order)
    assert still_there is not None
    assert still_there.reserved == Decimal(quantity)


@pytest.mark.parametrize("symbol", [None, A])
def test_there_is_nothing_to_close_where_nothing_is_held_or_open(symbol: Symbol | None) -> None:
    desk = Told(bought="0")
    why = why_refused(desk.step(said(OperatorFlattenAsked, symbol)))
    assert why == "there is nothing to close"
