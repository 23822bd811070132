"""Too many orders: a strategy that runs away is stopped alone, too many of all stop everything."""

import msgspec
import pytest

from daemon.gate import Limits
from daemon.gate.limits import RateLimits
from events import (
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentRefused,
    OperatorLifted,
    OperatorResumed,
    OrderCancelled,
    OrderIntended,
    OrderSending,
    StrategyDeclined,
    WorkingOrders,
)
from tests.builders import a_fill
from tests.core_desk import kinds, of
from tests.gate_desk import rules
from tests.operators import said
from tests.trip_desk import Storm, TripDesk, assert_decided_alike

SENT = ["order.intended", "intent.approved", "order.sending"]


def runaway_at(max_intents: int, window_s: int = 60) -> Limits:
    return rules(rates={"max_intents": max_intents, "window_s": window_s})


def rated(max_orders: int, refusals: int) -> Limits:
    """Return limits of so many orders in a minute, and so many refused for that."""
    return rules(rates={"max_orders": max_orders}, trips={"max_rate_refusals": refusals})


# A strategy that runs away.


def test_as_many_intents_as_allowed_latch_nothing() -> None:
    desk = TripDesk(runaway_at(10), 10)
    assert len(of(desk.minute("15:00"), OrderSending)) == 10
    assert desk.held_by == []


def test_a_rebalance_of_a_hundred_symbols_passes_the_default_rates_at_once() -> None:
    desk = TripDesk(msgspec.structs.replace(rules(), rates=RateLimits()), 200)
    assert len(of(desk.minute("15:00"), OrderSending)) == 200
    assert desk.held_by == []


def test_one_more_stops_the_strategy_alone_until_an_operator_lifts_it() -> None:
    desk = TripDesk(runaway_at(10), 11, 1)
    taken = desk.minute("15:00")
    (hold,) = of(taken, HoldPlaced)
    assert (hold.cause, hold.scope, hold.target) == ("RUNAWAY", HoldScope.STRATEGY, "trend")
    assert (hold.level, hold.lifts) == (HoldLevel.HALT, HoldLifts.OPERATOR)
    assert hold.working is WorkingOrders.CANCEL_INCREASING
    assert hold.why == (
        "11 intents within 60 s, the limit is 10; see `traded decisions`, "
        "then `traded resume trend`"
    )
    # The eleventh is refused, and the ten before are asked back; the other strategy goes on.
    assert kinds(taken).count("intent.refused") == 1
    assert kinds(taken).count("cancel.sending") == 10
    (last,) = of(taken, OrderIntended)[-1:]
    assert (last.strategy, kinds(taken)[-3:]) == ("other", SENT)


def test_ten_thousand_at_once_are_a_fault_and_none_leaves() -> None:
    desk = TripDesk(runaway_at(100), 10_000)
    taken = desk.minute("15:00")
    assert kinds(taken) == ["bar.closed", "strategy.failed", "hold.placed"]
    assert "more than 1000 things at once" in desk.hold.why
    for minute in range(1, 10):
        assert kinds(desk.minute(f"15:{minute:02}")) == ["bar.closed"]
    assert desk.state.orders.sent == 0


def test_what_it_wants_from_then_on_is_one_line_when_that_changes() -> None:
    desk = TripDesk(runaway_at(10), 1_000)
    taken = desk.minute("15:00")
    assert kinds(taken).count("order.intended") == 11
    (declined,) = of(taken, StrategyDeclined)
    assert (declined.strategy, declined.symbol, declined.stage) == ("trend", "A", "circuit breaker")
    assert declined.reason.startswith("RUNAWAY")
    assert kinds(desk.minute("15:01")) == ["bar.closed"]
    # 989 of the first minute and 1000 of the second.
    assert desk.runs[0].memory.tallies[declined.symbol].evaluations == 1_989


def test_it_is_asked_and_told_on_so_that_it_does_not_lose_track() -> None:
    desk = TripDesk(runaway_at(1), 2)
    order_id = of(desk.minute("15:00"), OrderIntended)[0].client_order_id
    desk.minute("15:01")
    desk.step(a_fill("1", order_id=order_id, executed_at="2024-01-02T15:01"))
    storm = desk.runs[0].strategy
    assert isinstance(storm, Storm)
    assert (storm.bars, storm.filled) == (2, 1)


def test_intents_long_enough_apart_latch_nothing() -> None:
    desk = TripDesk(runaway_at(1, window_s=59))
    for minute in range(10):
        assert kinds(desk.minute(f"15:{minute:02}")) == ["bar.closed", *SENT]
    latched = TripDesk(runaway_at(1, window_s=61))
    latched.minute("15:00")
    latched.minute("15:01")
    assert latched.held_by == ["RUNAWAY"]


def test_intents_the_gate_refuses_anyway_count_too() -> None:
    refusing = rules(account={"max_order_shares": "0.5"}, rates={"max_intents": 5})
    desk = TripDesk(refusing, 7)
    taken = desk.minute("15:00")
    assert (len(of(taken, IntentRefused)), of(taken, OrderSending)) == (6, [])
    assert desk.held_by == ["RUNAWAY"]


@pytest.mark.parametrize("rates", [{"max_intents": None}, {"window_s": None}])
def test_without_a_limit_nothing_is_latched_and_nothing_passes(rates: dict[str, None]) -> None:
    desk = TripDesk(rules(rates=rates), 3)
    assert (len(of(desk.minute("15:00"), IntentRefused)), desk.held_by) == (3, [])


def test_two_strategies_run_away_each_by_itself() -> None:
    desk = TripDesk(runaway_at(10), 11, 12)
    desk.minute("15:00")
    assert {hold.target for hold in desk.state.holds.active.values()} == {"trend", "other"}
    desk.step(said(OperatorResumed, "trend"))
    assert desk.hold.target == "other"
    assert_decided_alike(desk)


def test_the_latch_survives_a_restart_and_every_decision_comes_out_again() -> None:
    desk = TripDesk(runaway_at(10), 50)
    desk.minute("15:00")
    after = desk.restarted()
    assert after.hold == desk.hold
    # Another process counts what the strategy wants anew, and takes nothing of it.
    assert set(kinds(after.minute("15:30"))) == {"bar.closed", "strategy.declined"}
    assert_decided_alike(desk)


def test_once_resumed_it_is_obeyed_again_until_it_runs_away_again() -> None:
    desk = TripDesk(runaway_at(10), 11)
    desk.minute("15:00")
    desk.step(said(OperatorResumed, "trend"))
    taken = desk.minute("15:30")
    assert len(of(taken, OrderSending)) == 10
    assert desk.held_by == ["RUNAWAY"]


def test_what_a_changed_strategy_led_to_is_no_decision_of_the_core_to_compare() -> None:
    for limits, cause in ((runaway_at(10), "RUNAWAY"), (rated(5, refusals=3), "ORDER_RATE")):
        desk = TripDesk(limits, 2, 20)
        order_id = desk.working(0)
        assert desk.held_by == [cause]
        # Where everything is stopped, orders of who is not to blame are cancelled too.
        is_cancelled = desk.state.orders.open[order_id].cancel_requested
        assert is_cancelled == (cause == "ORDER_RATE")
        differences, state = desk.decided_again(changed="other")
        assert differences == []
        assert state.holds == desk.state.holds


# Too many orders of all.


def test_a_rate_that_is_reached_refuses_and_trips_nothing() -> None:
    desk = TripDesk(rated(5, refusals=3), 7)
    taken = desk.minute("15:00")
    assert (len(of(taken, OrderSending)), len(of(taken, IntentRefused))) == (5, 2)
    assert desk.held_by == []


def test_so_many_refused_for_it_stop_everything_until_an_operator_lifts_it() -> None:
    # Three strategies, each of them far below what makes a runaway: 5 of 8 may go, the rest not.
    desk = TripDesk(rated(5, refusals=3), 3, 3, 2)
    taken = desk.minute("15:00")
    (hold,) = of(taken, HoldPlaced)
    assert (hold.cause, hold.scope, hold.level) == ("ORDER_RATE", HoldScope.ALL, HoldLevel.HALT)
    assert (hold.lifts, hold.working) == (HoldLifts.OPERATOR, WorkingOrders.CANCEL_INCREASING)
    assert hold.why == (
        "3 orders were refused for their rate within 60 s, the last of third; "
        "see `traded decisions`, then lift this"
    )
    assert kinds(taken).count("cancel.sending") == 5
    desk.minute("15:02")
    assert desk.held_by == ["ORDER_RATE"], "it stands once"
    assert desk.restarted().hold == hold
    assert_decided_alike(desk)


def test_messages_have_a_rate_as_well() -> None:
    limits = rules(rates={"max_messages": 5}, trips={"max_rate_refusals": 1})
    desk = TripDesk(limits, 6)
    desk.minute("15:00")
    assert desk.held_by == ["ORDER_RATE"]


def test_what_was_refused_long_enough_ago_does_not_count() -> None:
    for window_s, causes in ((60, []), (61, ["ORDER_RATE"])):
        rates = {"max_orders": 1, "window_s": window_s}
        desk = TripDesk(rules(rates=rates, trips={"max_rate_refusals": 2}), 2)
        desk.minute("15:00")  # One is refused.
        desk.minute("15:01")  # One more, or both.
        refused = len(desk.state.activity.rate_refusals.at)
        assert (refused, desk.held_by) == (2 if causes == [] else 3, causes)


def test_orders_refused_for_something_else_do_not_count() -> None:
    limits = rules(account={"max_order_shares": "0.5"}, trips={"max_rate_refusals": 1})
    desk = TripDesk(limits, 30)
    assert len(of(desk.minute("15:00"), IntentRefused)) == 30
    assert desk.held_by == []


def test_once_it_is_lifted_orders_pass_again() -> None:
    desk = TripDesk(rated(2, refusals=1), 3)
    orders = of(desk.minute("15:00"), OrderIntended)[:2]
    for order in orders:
        desk.step(OrderCancelled(order.client_order_id))
    desk.step(said(OperatorLifted, desk.hold.hold_id))
    assert len(of(desk.minute("15:30"), OrderSending)) == 2


def test_orders_out_are_never_more_than_intents_in() -> None:
    desk = TripDesk(runaway_at(100), 1_000, 1_000)
    for minute in range(20):
        desk.minute(f"15:{minute:02}")
    orders = desk.state.orders
    assert (orders.intended, orders.sent) == (202, 200)
