"""What becomes of a strategy's answers: orders, reasons, refusals, failures."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.gate import RiskApproved
from daemon.strategies import Anchor, Every, Intent, NoTrade, Schedule
from events import (
    HoldLevel,
    HoldPlaced,
    HoldScope,
    IntentApproved,
    IntentRefused,
    OrderIntended,
    OrderSending,
    OrderType,
    Record,
    StrategyDeclined,
    StrategyFailed,
    Symbol,
    TimeInForce,
)
from events.codec import decode, encode
from projections.order_states import OrderState
from tests.builders import a_bar, a_fill, a_split
from tests.core_desk import A, CoreDesk, Scripted, buy, kinds, of
from tests.gate_desk import ALL_CHECKS, limits

FLAT, HIGH = NoTrade("signal", "flat"), NoTrade("signal", "too high")
SENT = ["order.intended", "intent.approved", "order.sending"]
FAILED = ["strategy.failed", "hold.placed"]


def walk(records: list[Record]) -> list[tuple[str, int | None, int | None]]:
    """Return kind, cause and trace of each record, counted from the first one's seq."""
    start = records[0].seq
    return [
        (kind, record.cause and record.cause - start, record.trace and record.trace - start)
        for kind, record in zip(kinds(records), records, strict=True)
    ]


# From a bar to an order.


def test_a_bar_leads_to_an_intent_its_approval_and_its_sending_each_caused_by_the_one_before() -> (
    None
):
    desk = CoreDesk(Scripted(bars=[buy("10", values={"close": Decimal(100), "mean": 99.5})]))
    records = desk.minute("15:00")
    assert walk(records) == [
        ("bar.closed", None, None),
        ("order.intended", 0, 0),
        ("intent.approved", 1, 0),
        ("order.sending", 2, 0),
    ]
    (intended,) = of(records, OrderIntended)
    assert (intended.strategy, intended.quantity, intended.leg) == ("trend", 10, 0)
    assert intended.cause_key == "A|60|2024-01-02T15:00:00+00:00"
    assert intended.values == {"close": "100", "mean": "99.5"}
    assert len({record.at for record in records}) == 1
    (effect,) = desk.effects()
    assert isinstance(effect, RiskApproved)
    assert effect.intent == intended
    assert desk.order(records).state is OrderState.SENDING


def test_an_intent_carries_every_field_the_strategy_gave_it() -> None:
    wanted = buy(
        "-7",
        order_type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=Decimal(90),
        stop_price=Decimal(91),
        cancel_after_s=60,
    )
    (intended,) = of(CoreDesk(Scripted(bars=[wanted])).minute(), OrderIntended)
    for name in set(Intent.__struct_fields__) - {"values"}:
        assert getattr(intended, name) == getattr(wanted, name), name


def test_a_refused_intent_records_every_check_and_nothing_is_to_be_sent() -> None:
    desk = CoreDesk(Scripted(bars=[buy("11")]), under=limits(max_order_shares="10"))
    records = desk.minute()
    assert kinds(records) == ["bar.closed", "order.intended", "intent.refused"]
    (refused,) = of(records, IntentRefused)
    assert [check.name for check in refused.checks if not check.passed] == ["order_shares"]
    assert [check.name for check in refused.checks] == ALL_CHECKS
    assert desk.effects() == []
    assert desk.order(records).state is OrderState.REFUSED


def test_a_list_of_intents_is_decided_in_order_each_with_its_leg() -> None:
    desk = CoreDesk(Scripted(bars=[[buy("-5"), (buy("10"), buy("10"))]]))
    records = desk.minute()
    assert kinds(records) == ["bar.closed", *SENT * 3]
    assert [each.leg for each in of(records, OrderIntended)] == [0, 1, 2]
    assert [record.cause - records[0].seq for record in records if record.cause] == (
        [0, 1, 2, 0, 4, 5, 0, 7, 8]
    )
    assert len({each.client_order_id for each in of(records, OrderIntended)}) == 3
    assert len(desk.effects()) == 3


@pytest.mark.parametrize("apart", [False, True])
def test_two_intents_of_one_turn_cannot_both_pass_on_the_same_room(apart: bool) -> None:  # noqa: FBT001 - a table
    # Room for 100: 60 by one strategy, 60 in the same list or by the strategy asked next.
    scripts = [[buy("60")], [buy("60")]] if apart else [[[buy("60"), buy("60")]]]
    strategies = [Scripted(bars=list(script)) for script in scripts]
    records = CoreDesk(*strategies, under=limits(max_position_shares="100")).minute()
    assert len(of(records, IntentApproved)) == len(of(records, OrderSending)) == 1
    (refused,) = of(records, IntentRefused)
    (check,) = (check for check in refused.checks if not check.passed)
    assert (check.name, check.value, check.headroom) == ("position_shares", 120, -20)


def test_a_fill_is_told_to_the_strategy_whose_order_it_was_and_the_walk_goes_on() -> None:
    trend, other = Scripted(bars=[buy("10")], fills=[buy("-10")]), Scripted()
    desk = CoreDesk(trend, other)
    sent = desk.minute("15:00")
    fill = a_fill("10", order_id=desk.order(sent).client_order_id, executed_at="2024-01-02T15:01")
    records = desk.step(fill)
    assert kinds(records) == ["order.filled", *SENT]
    bar, sending = sent[0].seq, sent[3].seq
    assert {record.trace for record in records} == {bar}
    assert [record.cause for record in records] == [
        sending,
        *(record.seq for record in records[:3]),
    ]
    (intended,) = of(records, OrderIntended)
    assert intended.cause_key == "order.filled|e1"
    assert trend.heard[-1] == fill
    assert trend.seen[-1] == ("2024-01-02T15:01:00", 10, 0)
    assert len(other.heard) == 1


def test_a_schedule_asks_its_own_strategy_at_the_time_it_was_due() -> None:
    table = (Schedule("daily", Every.SESSION, Anchor.OPEN, 60),)
    trend = Scripted(timetable=table, timers=[buy("3")])
    other = Scripted(timetable=(Schedule("weekly", Every.WEEK),))
    desk = CoreDesk(trend, other)
    desk.minute("14:31")
    records = desk.pass_time("2024-01-02T14:31:01")
    assert kinds(records) == ["timer.fired", *SENT]
    (intended,) = of(records, OrderIntended)
    assert intended.cause_key == "timer.fired|schedule|trend/daily|20240102T143100"
    assert intended.client_order_id.startswith("A-20240102T143100-")
    # Once a session, and nobody else's.
    assert "strategy" not in " ".join(kinds(desk.pass_time("2024-01-03T14:31")))
    assert [type(event).__name__ for event in trend.heard] == ["BarClosed", "TimerFired"]
    assert len(other.heard) == 1


def test_the_gate_goes_by_when_a_bar_came_and_the_strategy_by_when_it_ended() -> None:
    # The minute to 20:59 comes after the close, at 21:00:30: nothing may be sent any more.
    trend = Scripted(bars=[buy(), buy()])
    desk = CoreDesk(trend)
    assert kinds(desk.minute("20:58")) == ["bar.closed", *SENT]
    records = desk.step(a_bar(end="2024-01-02T20:59"), "2024-01-02T21:00:30")
    (refused,) = of(records, IntentRefused)
    assert [check.name for check in refused.failed] == ["session_open", "order_hours"]
    assert trend.seen[-1][0] == "2024-01-02T20:59:00"
    (intended,) = of(records, OrderIntended)
    assert intended.client_order_id.startswith("A-20240102T205900-")


def test_an_intent_says_its_hours_and_its_edge_and_the_gate_hears_both() -> None:
    at_99 = {"order_type": OrderType.LIMIT, "limit_price": Decimal(99)}
    outside = buy("10", outside_rth=True, expected_edge_usd=Decimal("5.99"), **at_99)
    records = CoreDesk(Scripted(bars=[outside])).minute()
    (intended,) = of(records, OrderIntended)
    assert (intended.outside_rth, intended.expected_edge_usd) == (True, Decimal("5.99"))
    (refused,) = of(records, IntentRefused)
    # Extended hours are not allowed here, and 10 shares of 100 dollars cost 3 to get in and out.
    assert [check.name for check in refused.failed] == ["order_hours", "edge_usd"]


# No trade.


def test_a_reason_not_to_trade_is_recorded_when_it_changes_and_counted_when_it_does_not() -> None:
    again = NoTrade("signal", "flat")  # Equal, but another object.
    desk = CoreDesk(Scripted(bars=[FLAT, FLAT, again, HIGH, None, FLAT]))
    records = [record for minute in range(6) for record in desk.minute(f"15:0{minute}")]
    assert of(records, StrategyDeclined) == [
        StrategyDeclined("trend", A, "signal", "flat", 0),
        StrategyDeclined("trend", A, "signal", "too high", 3),
        StrategyDeclined("trend", A, "signal", "flat", 1),
    ]


def test_after_an_order_the_same_reason_is_recorded_anew() -> None:
    desk = CoreDesk(Scripted(bars=[FLAT, buy(), FLAT]))
    records = [record for minute in range(3) for record in desk.minute(f"15:0{minute}")]
    assert [each.evaluations for each in of(records, StrategyDeclined)] == [0, 0]


def test_until_enough_bars_were_seen_every_answer_is_insufficient_data() -> None:
    desk = CoreDesk(Scripted(warm=3, bars=[buy(), None, buy()]))
    first, second, third = (desk.minute(f"15:0{minute}") for minute in range(3))
    (declined,) = of(first, StrategyDeclined)
    assert (declined.stage, declined.reason) == ("warm-up", "insufficient data")
    assert kinds(second) == ["bar.closed"]
    assert kinds(third) == ["bar.closed", *SENT]


def test_an_answer_to_a_timer_must_say_which_symbol_it_is_about() -> None:
    table = (Schedule("daily", Every.SESSION),)
    named = CoreDesk(Scripted(timetable=table, timers=[NoTrade("data", "none", A)]))
    assert kinds(named.pass_time("2024-01-02T14:31")) == ["timer.fired", "strategy.declined"]
    nameless = CoreDesk(Scripted(timetable=table, timers=[FLAT]))
    assert kinds(nameless.pass_time("2024-01-02T14:31")) == ["timer.fired", *FAILED]


# Refusals.


def test_a_refusal_may_be_answered_once() -> None:
    # 20 are too many, 15 still are, and about those nobody is asked again.
    trend = Scripted(bars=[buy("20")], refusals=[buy("15"), buy("10")])
    desk = CoreDesk(trend, under=limits(max_order_shares="10"))
    records = desk.minute("15:00")
    assert kinds(records) == ["bar.closed", *["order.intended", "intent.refused"] * 2]
    first, second = of(records, OrderIntended)
    assert second.cause_key == f"intent.refused|{first.client_order_id}"
    assert len(trend.refusals) == 1
    assert trend.seen[-1] == ("2024-01-02T15:00:00", 0, 0)


def test_a_smaller_answer_to_a_refusal_is_sent() -> None:
    desk = CoreDesk(
        Scripted(bars=[[buy("20"), buy("5")]], refusals=[buy("10")]),
        under=limits(max_order_shares="10"),
    )
    records = desk.minute("15:00")
    assert [each.quantity for each in of(records, OrderIntended)] == [20, 10, 5]
    assert len(of(records, OrderSending)) == 2
    # What follows in the list is named after the bar again, not after the refusal.
    assert of(records, OrderIntended)[2].cause_key == "A|60|2024-01-02T15:00:00+00:00"


# Failures.

WRONG: dict[str, Any] = {
    "an exception": ZeroDivisionError("division by zero"),
    "a text": "buy",
    "a number": 100,
    "an object": object(),
    "a list with a text in it": [FLAT, "buy"],
    "a float quantity": buy(quantity=10.5),
    "a whole number for a quantity": buy(quantity=10),
    "a text for a quantity": buy(quantity="10"),
    "no quantity": buy(quantity=None),
    "a quantity that is no number": buy("NaN"),
    "a quantity that signals": buy("sNaN"),
    "an endless quantity": buy("-Infinity"),
    "a float price": buy(order_type=OrderType.LIMIT, limit_price=99.5),
    "a price that is no number": buy(order_type=OrderType.STOP, stop_price=Decimal("NaN")),
    "a symbol of nobody": buy(symbol=Symbol("C")),
    "a symbol of another strategy": buy(symbol=Symbol("B")),
    "no symbol": buy(symbol=None),
    "a list for a symbol": buy(symbol=["A"]),
    "an order type nobody knows": buy(order_type="MAGIC"),
    "a time in force nobody knows": buy(time_in_force="SOON"),
    "half a second": buy(cancel_after_s=0.5),
    "a yes for seconds": buy(cancel_after_s=True),
    "values without names": buy(values=[1, 2]),
    "a number for a stage": NoTrade(1, "reason"),  # type: ignore[arg-type] # the point
    "a list for a reason": NoTrade("stage", ["a"]),  # type: ignore[arg-type] # the point
    "a list for a NoTrade's symbol": NoTrade("s", "r", ["A"]),  # type: ignore[arg-type] # the point
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_a_strategy_that_fails_or_answers_what_is_none_is_on_halt_alone(wrong: str) -> None:
    failing, sound = Scripted(bars=[WRONG[wrong], buy()]), Scripted(bars=[buy(), buy()])
    desk = CoreDesk(failing, sound)
    records = desk.minute("15:00")
    told = [kind for kind in kinds(records) if kind != "strategy.declined"]
    assert told == ["bar.closed", *FAILED, *SENT]
    (failed,) = of(records, StrategyFailed)
    assert failed.strategy == "trend"
    (hold,) = of(records, HoldPlaced)
    assert (hold.scope, hold.target, hold.level) == (HoldScope.STRATEGY, "trend", HoldLevel.HALT)
    assert hold.why == failed.error
    # It is asked no more; the other one goes on.
    assert kinds(desk.minute("15:01")) == ["bar.closed", *SENT]
    assert len(failing.heard) == 1
    for record in records:
        assert decode(encode(record.event)) == record.event


def test_the_failure_says_what_was_wrong_and_the_same_each_time() -> None:
    said = [
        of(CoreDesk(Scripted(bars=[wrong])).minute(), StrategyFailed)[0].error
        for wrong in (WRONG["an exception"], object(), object(), buy(quantity=10.5))
    ]
    assert said == [
        "ZeroDivisionError: division by zero",
        *["TypeError: answered a object, which is neither Intent nor NoTrade"] * 2,
        "TypeError: intent.quantity is 10.5: it must be a Decimal",
    ]


def test_a_strategy_fails_once_however_much_of_its_answer_is_wrong() -> None:
    desk = CoreDesk(Scripted(bars=[["buy", "sell", buy()]]))
    assert kinds(desk.minute()) == ["bar.closed", *FAILED]


def test_an_answer_of_which_a_part_is_wrong_leads_to_no_order_at_all() -> None:
    desk = CoreDesk(Scripted(bars=[[buy("1"), "sell", buy("2")]]))
    assert kinds(desk.minute()) == ["bar.closed", *FAILED]
    assert desk.effects() == []


@pytest.mark.parametrize("script", ["fills", "refusals", "timers"])
def test_a_strategy_may_fail_at_any_question(script: str) -> None:
    trend = msgspec.structs.replace(
        Scripted(bars=[buy("1")], timetable=(Schedule("daily", Every.SESSION),)),
        **{script: [RuntimeError("oops")]},
    )
    under = limits(max_order_shares="0.5") if script == "refusals" else limits()
    desk = CoreDesk(trend, under=under)
    records = desk.pass_time("2024-01-02T14:31") + desk.minute("15:00")
    if script == "fills":
        records += desk.step(a_fill("1", order_id=desk.order(records).client_order_id))
    (failed,) = of(records, StrategyFailed)
    assert failed.error == "RuntimeError: oops"


def test_a_failed_strategy_hears_nothing_more_not_even_its_fills() -> None:
    trend = Scripted(bars=[buy("1"), RuntimeError("oops")], fills=[buy("-1")])
    desk = CoreDesk(trend)
    order_id = desk.order(desk.minute("15:00")).client_order_id
    desk.minute("15:01")
    assert kinds(desk.step(a_fill("1", order_id=order_id))) == ["order.filled"]
    desk.core.desk.on_split(a_split("2:1", "1", "2"))
    assert len(trend.heard) == 2
