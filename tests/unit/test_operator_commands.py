"""What an operator's commands do to the books: the kill switch, holds, cancels."""

from decimal import Decimal
from typing import Any

import pytest

from daemon.core.recorder import Cancel
from events import (
    KILL_SWITCH,
    ClientOrderId,
    CommandRefused,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorKilled,
    OperatorLifted,
    OperatorPromoteAsked,
    OperatorResumed,
    OperatorShadowed,
    OrderSending,
    OrderType,
    PermitLost,
    WorkingOrders,
)
from events.codec import Command
from tests.core_desk import Scripted, buy, kinds, of
from tests.operators import ONE_OF_EACH, Told, held, said, why_refused

HUNDRED = Decimal(100)
STOP: dict[str, Any] = {"order_type": OrderType.STOP, "stop_price": Decimal(90)}
LIMIT: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(95)}
REFUSED: list[tuple[Command, str]] = [
    (held(HoldScope.STRATEGY, "nobody"), "there is no strategy nobody; there is other, trend"),
    (held(HoldScope.SYMBOL, "ZZZ"), "ZZZ is not configured"),
    (said(OperatorLifted, "hold-9"), "there is no hold hold-9: `traded holds` lists them"),
    (said(OperatorResumed, "nobody"), "nothing holds the strategy nobody"),
    (said(OperatorResumed, "trend"), "nothing holds the strategy trend"),
    (said(OperatorCancelAsked, ClientOrderId("Z")), "Z: no open order begins so"),
    (said(OperatorFlattenAsked, "ZZZ"), "there is nothing to close"),
    (said(OperatorFlattenAsked, "B"), "there is nothing to close"),
    (said(OperatorShadowed, "nobody"), "there is no strategy nobody; there is other, trend"),
    (said(OperatorPromoteAsked, "nobody"), "there is no strategy nobody; there is other, trend"),
]


@pytest.mark.parametrize(("command", "why"), REFUSED)
def test_what_cannot_be_carried_out_is_refused_and_changes_nothing(
    command: Command, why: str
) -> None:
    desk = Told()
    desk.sends("10", **LIMIT)
    desk.effects()
    before, strategies = desk.books, desk.state.strategies.answers["trend"].shadow
    assert why_refused(desk.step(command)) == why
    assert desk.books == before
    assert desk.state.strategies.answers["trend"].shadow == strategies
    assert not desk.state.commands.flattening
    assert desk.effects() == []


@pytest.mark.parametrize("command", ONE_OF_EACH, ids=lambda each: type(each).__name__)
def test_the_same_command_again_changes_nothing(command: Command) -> None:
    desk = Told()
    desk.sends("10", **LIMIT)
    desk.step(command)
    desk.effects()
    before, seq, repeats = desk.books, desk.state.seq, desk.repeats
    assert desk.step(command) == []
    assert (desk.books, desk.state.seq, desk.repeats) == (before, seq, repeats + 1)
    assert desk.effects() == []


# The kill switch.


def test_a_kill_is_recorded_and_then_places_one_hold_on_everything() -> None:
    desk = Told()
    taken = desk.step(said(OperatorKilled))
    assert kinds(taken) == ["operator.killed", "hold.placed"]
    (hold,) = of(taken, HoldPlaced)
    assert (hold.scope, hold.level, hold.cause) == (HoldScope.ALL, HoldLevel.HALT, KILL_SWITCH)
    assert (hold.by, hold.why, hold.lifts) == ("ann", "because", HoldLifts.OPERATOR)
    assert taken[1].cause == taken[0].seq


def test_behind_a_kill_no_strategys_order_passes() -> None:
    desk = Told(Scripted(), Scripted(bars=[None, None, buy("1")]))
    desk.step(said(OperatorKilled))
    taken = desk.minute("15:20")
    assert "order.intended" in kinds(taken)
    assert not of(taken, OrderSending)


def test_a_kill_cancels_what_may_add_and_leaves_the_stop_that_protects() -> None:
    desk = Told()  # Long 100.
    buying = desk.sends("5", **LIMIT)
    selling = desk.sends("-50", **LIMIT)
    # The stop, though it came later, may sell all there is: 50 more would go short.
    stop = desk.sends("-100", **STOP)
    desk.effects()
    desk.step(said(OperatorKilled))
    assert desk.asked_to_cancel() == {buying, selling}
    assert set(desk.effects()) == {Cancel(buying), Cancel(selling)}
    assert stop in desk.state.orders.open


@pytest.mark.parametrize(
    ("working", "gone"),
    [(WorkingOrders.KEEP, 0), (WorkingOrders.CANCEL_INCREASING, 1), (WorkingOrders.CANCEL_ALL, 2)],
)
def test_a_kill_says_which_working_orders_go(working: WorkingOrders, gone: int) -> None:
    desk = Told()
    desk.sends("5", **LIMIT)
    desk.sends("-100", **STOP)
    desk.step(said(OperatorKilled, working))
    assert len(desk.asked_to_cancel()) == gone


@pytest.mark.parametrize("size", ["-101", "-199"])
def test_a_stop_that_is_too_large_stays_while_it_protects_more_than_it_could_open(
    size: str,
) -> None:
    desk = Told()  # Long 100: of 199, 100 protect and 99 could open a short.
    stop = desk.sends(size, **STOP)
    second = desk.sends("-1", **STOP)
    desk.step(said(OperatorKilled))
    assert desk.asked_to_cancel() == {second}, "nothing is left to protect"
    assert stop in desk.state.orders.open


@pytest.mark.parametrize("order", [{"quantity": "-200", **STOP}, {"quantity": "-101", **LIMIT}])
def test_what_could_open_as_much_as_it_closes_goes_and_so_does_any_excess_but_a_stops(
    order: dict[str, Any],
) -> None:
    desk = Told()
    sent = desk.sends(order.pop("quantity"), **order)
    desk.step(said(OperatorKilled))
    assert desk.asked_to_cancel() == {sent}


def test_a_second_kill_is_recorded_and_places_no_second_hold() -> None:
    desk = Told()
    desk.step(said(OperatorKilled))
    assert kinds(desk.step(said(OperatorKilled, command_id="cmd-2"))) == ["operator.killed"]
    assert len(desk.holds) == 1


def test_a_second_kill_takes_the_working_orders_with_it_that_the_first_has_left() -> None:
    desk = Told()
    stop = desk.sends("-100", order_type=OrderType.STOP, stop_price=Decimal(95))
    desk.step(said(OperatorKilled))
    assert desk.asked_to_cancel() == set()
    everything = said(OperatorKilled, command_id="cmd-2", working=WorkingOrders.CANCEL_ALL)
    assert kinds(desk.step(everything)) == ["operator.killed", "cancel.sending"]
    assert desk.asked_to_cancel() == {stop}
    assert len(desk.holds) == 1


def test_a_lost_permit_is_a_kill() -> None:
    desk = Told()
    order = desk.sends("5", **LIMIT)
    taken = desk.step(PermitLost("it is gone"))
    assert kinds(taken) == ["permit.lost", "hold.placed", "cancel.sending"]
    (hold,) = of(taken, HoldPlaced)
    assert (hold.cause, hold.by, hold.why) == (KILL_SWITCH, "permit file", "it is gone")
    assert desk.asked_to_cancel() == {order}
    assert kinds(desk.step(PermitLost("it is gone"))) == ["permit.lost"]


# Going on.


def test_a_resume_lifts_the_kill_switch_and_no_other_hold() -> None:
    desk = Told()
    desk.step(held(HoldScope.SYMBOL, "A"))
    desk.step(said(OperatorKilled, command_id="cmd-2"))
    kill, other = reversed(desk.holds)
    taken = desk.step(said(OperatorResumed, command_id="cmd-3"))
    assert kinds(taken) == ["operator.resumed", "hold.lifted"]
    assert desk.holds == [other]
    (past,) = desk.state.holds.history
    assert (past.lifted.hold_id, past.lifted.by, past.lifted.why) == (kill, "ann", "because")


def test_a_resume_of_a_strategy_lifts_what_holds_that_strategy_alone() -> None:
    desk = Told()
    desk.step(held(HoldScope.STRATEGY, "trend", command_id="cmd-1"))
    desk.step(held(HoldScope.STRATEGY, "other", command_id="cmd-2"))
    desk.step(said(OperatorKilled, command_id="cmd-3"))
    _, other, kill = desk.holds
    desk.step(said(OperatorResumed, "trend", command_id="cmd-4"))
    assert desk.holds == [other, kill]


def test_a_strategy_named_like_a_symbol_is_not_resumed_by_the_symbols_name() -> None:
    desk = Told()
    desk.step(held(HoldScope.SYMBOL, "A"))
    assert why_refused(desk.step(said(OperatorResumed, "A"))) == "nothing holds the strategy A"


def test_the_kill_switch_is_not_lifted_like_any_hold() -> None:
    desk = Told()
    desk.step(said(OperatorKilled))
    (kill,) = desk.holds
    why = why_refused(desk.step(said(OperatorLifted, kill, command_id="cmd-2")))
    assert why == "the kill switch is lifted by `traded resume`"
    assert desk.holds == [kill]


# Holds.


@pytest.mark.parametrize(
    ("scope", "target", "stopped"),
    [
        (HoldScope.ALL, "", True),
        (HoldScope.STRATEGY, "trend", True),
        (HoldScope.STRATEGY, "other", False),
        (HoldScope.SYMBOL, "A", True),
        (HoldScope.SYMBOL, "B", False),
    ],
)
def test_a_hold_stops_its_scope_and_nothing_else(
    scope: HoldScope, target: str, *, stopped: bool
) -> None:
    trend = Scripted()
    desk = Told(trend, Scripted())
    (hold,) = of(desk.step(held(scope, target)), HoldPlaced)
    assert (hold.cause, hold.by, hold.lifts) == ("operator", "ann", HoldLifts.OPERATOR)
    trend.bars = [buy("1")]
    assert bool(of(desk.minute("15:20"), OrderSending)) is not stopped


def test_the_strictest_hold_wins_and_lifting_it_leaves_the_other() -> None:
    trend = Scripted()
    desk = Told(trend, Scripted())  # Long 100.
    desk.step(held(HoldScope.SYMBOL, "A", HoldLevel.REDUCE, command_id="cmd-1"))
    desk.step(held(HoldScope.ALL, "", HoldLevel.HALT, command_id="cmd-2"))
    trend.bars = [buy("-10")]
    assert not of(desk.minute("15:20"), OrderSending)
    desk.step(said(OperatorLifted, desk.holds[1], command_id="cmd-3"))
    # REDUCE is left: 10 of 100 may be sold, and none bought.
    trend.bars = [[buy("-10"), buy("1")]]
    (sent,) = of(desk.minute("15:21"), OrderSending)
    order = desk.state.orders.find(sent.client_order_id)
    assert order is not None
    assert order.intent.quantity == -10
    desk.step(said(OperatorLifted, desk.holds[0], command_id="cmd-4"))
    trend.bars = [buy("1")]
    assert of(desk.minute("15:22"), OrderSending)


def test_a_hold_takes_the_working_orders_of_its_scope_with_it_if_told_so() -> None:
    desk = Told()
    mine = desk.sends("5", **LIMIT)
    other = held(HoldScope.STRATEGY, "other")
    desk.step(said(type(other), other.scope, other.level, other.target, WorkingOrders.CANCEL_ALL))
    assert desk.asked_to_cancel() == set()
    all_of_a = (HoldScope.SYMBOL, HoldLevel.REDUCE, "A", WorkingOrders.CANCEL_ALL)
    desk.step(said(type(other), *all_of_a, command_id="cmd-2"))
    assert desk.asked_to_cancel() == {mine}


# Cancels.


def test_an_order_is_cancelled_by_its_id_or_the_beginning_of_it() -> None:
    for length in (61, 25):
        desk = Told()
        order = desk.sends("5", **LIMIT)
        desk.sends("6", **LIMIT)
        taken = desk.step(said(OperatorCancelAsked, ClientOrderId(order[:length])))
        assert kinds(taken) == ["operator.cancel-asked", "cancel.sending"]
        assert desk.asked_to_cancel() == {order}


def test_a_beginning_that_fits_two_orders_cancels_neither() -> None:
    desk = Told()
    desk.sends("5", **LIMIT)
    desk.sends("6", **LIMIT)
    why = why_refused(desk.step(said(OperatorCancelAsked, ClientOrderId("A-"))))
    assert why == "A-: 2 open orders begin so"
    assert desk.asked_to_cancel() == set()


def test_cancel_all_asks_for_every_open_order_once() -> None:
    desk = Told()
    orders = {desk.sends("5", **LIMIT), desk.sends("-100", **STOP)}
    desk.effects()
    desk.step(said(OperatorCancelAsked, None))
    assert {effect for effect in desk.effects() if isinstance(effect, Cancel)} == {
        Cancel(each) for each in orders
    }
    desk.step(said(OperatorCancelAsked, None, command_id="cmd-2"))
    assert desk.effects() == []


def test_cancel_all_with_nothing_open_is_no_refusal() -> None:
    desk = Told()
    assert not of(desk.step(said(OperatorCancelAsked, None)), CommandRefused)


def test_a_cancel_passes_the_kill_switch() -> None:
    desk = Told()
    stop = desk.sends("-100", **STOP)
    desk.step(said(OperatorKilled))
    desk.step(said(OperatorCancelAsked, stop, command_id="cmd-2"))
    assert desk.asked_to_cancel() == {stop}
