"""Orders by hand and strategies in shadow: through the same gate, and out of it only when let."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.control.confirmation import numbers_of
from daemon.core.core import CoreSettings
from daemon.core.looks import ReconciliationTerms
from daemon.core.promotion import PromotionRule, requirements, unmet
from daemon.gate import Limits, RiskApproved
from daemon.gate.limits import AccountLimits
from events import (
    HoldLevel,
    HoldScope,
    IntentRefused,
    OperatorPromoteAsked,
    OperatorShadowed,
    OrderIntended,
    OrderSending,
    OrderType,
    SessionStarted,
    StrategyPromoted,
    Symbol,
)
from tests.builders import a_bar, a_config
from tests.core_desk import OPENING, A, Scripted, buy, kinds, of
from tests.gate_desk import WIDE, limits
from tests.operators import Told, an_order_by_hand, held, said, why_refused

RULE = PromotionRule(min_sessions=1, min_intents=2, max_refused_share=Decimal("0.50"))
NEVER_ASKED = "share the gate would have refused: 1.00, asked is at most 0.50"
SHADOW = said(OperatorShadowed, "trend", command_id="cmd-shadow")
PROMOTE = said(OperatorPromoteAsked, "trend", command_id="cmd-promote")


# By hand.


def test_an_order_by_hand_passes_the_gate_and_is_sent_once() -> None:
    desk = Told()
    taken = desk.step(an_order_by_hand("10"))
    assert kinds(taken) == [
        *("operator.order-asked", "order.intended", "intent.approved", "order.sending"),
    ]
    (order,) = of(taken, OrderIntended)
    assert (order.strategy, order.quantity, order.closing) == ("operator", Decimal(10), False)
    assert [record.cause for record in taken[1:]] == [taken[0].seq, taken[1].seq, taken[2].seq]
    (sent,) = desk.effects()
    assert isinstance(sent, RiskApproved)
    assert sent.intent == order


def test_an_order_by_hand_has_the_type_prices_and_life_that_were_asked_for() -> None:
    asked = an_order_by_hand(
        "-10",
        order_type=OrderType.STOP_LIMIT,
        limit_price=Decimal("89.50"),
        stop_price=Decimal(90),
    )
    (order,) = of(Told().step(asked), OrderIntended)
    assert (order.order_type, order.limit_price, order.stop_price) == (
        OrderType.STOP_LIMIT,
        Decimal("89.50"),
        Decimal(90),
    )


@pytest.mark.parametrize(
    ("changes", "under", "failed"),
    [
        ({"quantity": Decimal(11)}, limits(max_order_shares="10"), "order_shares"),
        ({"quantity": Decimal(11)}, limits(max_order_usd="1099"), "order_usd"),
        ({"quantity": Decimal(10)}, limits(max_position_shares="109"), "position_shares"),
        ({"quantity": Decimal(10)}, limits(max_position_usd="10999"), "position_usd"),
        ({"quantity": Decimal("NaN")}, WIDE, "valid_input"),
        ({"symbol": Symbol("ZZZ")}, WIDE, "valid_input"),
        ({"order_type": OrderType.LIMIT}, WIDE, "valid_input"),
        ({}, limits(max_order_shares=None), "order_shares"),
    ],
)
def test_an_order_by_hand_is_held_against_every_limit(
    changes: dict[str, Any], under: Limits, failed: str
) -> None:
    # 100 of A are held; the limits let them be bought by 100 at a time, and no limit is wider.
    desk = Told(bought="0")
    desk.core.use(CoreSettings(WIDE))
    desk.fill(desk.sends("100"), "100")
    desk.core.use(CoreSettings(under))
    desk.effects()
    taken = desk.step(an_order_by_hand("10", **changes))
    (refused,) = of(taken, IntentRefused)
    assert failed in [check.name for check in refused.failed]
    assert not of(taken, OrderSending)
    assert desk.effects() == []


def test_a_hold_stops_an_order_by_hand_unless_it_reduces_and_the_hold_lets_that() -> None:
    for level, quantity, passes in (
        (HoldLevel.HALT, "-10", False),
        (HoldLevel.REDUCE, "-10", True),
        (HoldLevel.REDUCE, "10", False),
        (HoldLevel.REDUCE, "-101", False),
    ):
        desk = Told()  # Long 100.
        desk.step(held(HoldScope.ALL, "", level))
        assert bool(of(desk.step(an_order_by_hand(quantity)), OrderSending)) is passes


def test_two_orders_by_hand_that_say_the_same_are_two_orders() -> None:
    desk = Told()
    first = of(desk.step(an_order_by_hand("10", command_id="cmd-1")), OrderIntended)
    second = of(desk.step(an_order_by_hand("10", command_id="cmd-2")), OrderIntended)
    assert first[0].client_order_id != second[0].client_order_id


def test_an_order_by_hand_may_trade_outside_regular_hours_where_it_says_so() -> None:
    opening = (*OPENING, a_config("A", "B", extended_hours=True))
    late = an_order_by_hand("-10", order_type=OrderType.LIMIT, limit_price=Decimal(95))
    for outside_rth, sent in ((True, 1), (False, 0)):
        desk = Told(opening=opening)
        order = msgspec.structs.replace(late, outside_rth=outside_rth)
        taken = desk.step(order, "2024-01-02T21:30")
        assert len(of(taken, OrderSending)) == sent
        assert [each.outside_rth for each in of(taken, OrderIntended)] == [outside_rth]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "sells 10 A at the market, DAY"),
        ({"stop_price": Decimal(95)}, "sells 10 A at the market once it trades at 95, DAY"),
        (
            {"stop_price": Decimal(95), "limit_price": Decimal(94)},
            "sells 10 A at 94 once it trades at 95, DAY",
        ),
        (
            {"limit_price": Decimal(94), "outside_rth": True},
            "sells 10 A at 94, also outside regular hours, DAY",
        ),
    ],
)
def test_who_confirms_an_order_sees_all_of_it(changes: dict[str, Any], told: str) -> None:
    order, rule = an_order_by_hand("-10", **changes), PromotionRule()
    numbers = numbers_of(order, Told().state, rule, AccountLimits(), ReconciliationTerms())
    assert numbers.facts[0] == told


def test_no_strategy_is_told_of_a_fill_by_hand() -> None:
    trend = Scripted()
    desk = Told(trend, Scripted())
    (order,) = of(desk.step(an_order_by_hand("10")), OrderIntended)
    heard = len(trend.heard)
    desk.fill(order.client_order_id, "10")
    assert trend.heard[heard:] == []
    assert desk.state.positions.held(A).quantity == 110
    assert desk.state.positions.held_by("operator", A).quantity == 10


# In shadow.


def shadowed(*bars: Any, rule: PromotionRule = RULE) -> Told:  # noqa: ANN401 - any answer
    """Return a desk whose `trend`, in shadow, then answers one bar a minute from 15:20."""
    trend = Scripted()
    desk = Told(trend, Scripted())
    desk.core.use(CoreSettings(limits(max_order_shares="100"), promotion=rule))
    desk.step(SHADOW)
    for number, answer in enumerate(bars):
        trend.bars = [answer]
        desk.minute(f"15:{20 + number}")
    desk.effects()
    return desk


def next_session(desk: Told) -> None:
    desk.step(a_bar("100", end="2024-01-03T15:00"))


def test_a_strategy_in_shadow_decides_and_sends_nothing() -> None:
    trend = Scripted()
    desk = Told(trend, Scripted())
    desk.step(SHADOW)
    trend.bars = [buy("10")]
    taken = desk.minute("15:20")
    (refused,) = of(taken, IntentRefused)
    assert [check.name for check in refused.failed] == ["shadow"]
    assert len(refused.checks) > 10, "the gate was asked all it always is"
    assert not of(taken, OrderSending)
    assert desk.effects() == []
    assert not desk.state.orders.open


def test_another_strategy_goes_on_meanwhile() -> None:
    desk = Told(Scripted(), other := Scripted())
    desk.step(SHADOW)
    other.bars = [buy("10")]
    assert of(desk.minute("15:20"), OrderSending)


def test_the_shadow_counts_what_would_have_been_sent_and_what_the_gate_refused() -> None:
    desk = shadowed(buy("10"), buy("20"), buy("101"))
    answers = desk.state.strategies.of("trend")
    assert (answers.shadow_passed, answers.shadow_refused) == (2, 1)


def test_going_into_shadow_again_counts_anew() -> None:
    desk = shadowed(buy("10"), buy("101"))
    desk.step(msgspec.structs.replace(SHADOW, command_id="cmd-2"))
    answers = desk.state.strategies.of("trend")
    assert (answers.shadow_passed, answers.shadow_refused) == (0, 0)


def test_a_promoted_strategy_sends_again() -> None:
    desk = shadowed(buy("10"), buy("20"))
    next_session(desk)
    taken = desk.step(PROMOTE)
    (promoted,) = of(taken, StrategyPromoted)
    assert (promoted.strategy, promoted.by) == ("trend", "ann")
    run = desk.core.desk.runs["trend"].strategy
    assert isinstance(run, Scripted)
    run.bars = [buy("10")]
    assert of(desk.step(a_bar("100", end="2024-01-03T15:01")), OrderSending)


@pytest.mark.parametrize(
    ("bars", "sessions", "why"),
    [
        ([buy("10"), buy("20")], 0, "sessions in shadow: 0, asked is at least 1"),
        ([buy("10")], 1, "intents in shadow: 1, asked is at least 2"),
        (
            [buy("10"), buy("101"), buy("102")],
            1,
            "share the gate would have refused: 0.67, asked is at most 0.50",
        ),
        ([], 1, f"intents in shadow: 0, asked is at least 2; {NEVER_ASKED}"),
    ],
)
def test_what_does_not_meet_the_rule_is_not_promoted(
    bars: list[Any], sessions: int, why: str
) -> None:
    desk = shadowed(*bars)
    for _ in range(sessions):
        next_session(desk)
    assert why_refused(desk.step(PROMOTE)) == why
    assert desk.state.strategies.shadows("trend")


def test_sessions_before_the_shadow_count_for_nothing() -> None:
    desk = Told()
    next_session(desk)
    desk.step(SHADOW)
    (sessions,) = (
        each for each in requirements(desk.state, "trend", RULE) if "sessions" in each.name
    )
    assert sessions.found == "0"


def test_exactly_at_the_rule_it_is_met() -> None:
    desk = shadowed(buy("10"), buy("101"))  # Half of two, one session.
    next_session(desk)
    assert unmet(desk.state, "trend", RULE) == []


def test_what_other_code_has_shown_promotes_nothing() -> None:
    desk = shadowed()
    desk.step(SessionStarted("v1", {"trend": "code 1"}, {}))
    run = desk.core.desk.runs["trend"].strategy
    assert isinstance(run, Scripted)
    run.bars = [buy("10"), buy("20")]
    desk.minute("15:30")
    desk.minute("15:31")
    next_session(desk)
    assert unmet(desk.state, "trend", RULE) == []
    desk.step(SessionStarted("v1", {"trend": "code 1"}, {}))
    assert unmet(desk.state, "trend", RULE) == [], "the same code goes on"
    desk.step(SessionStarted("v1", {"trend": "code 2"}, {}))
    assert unmet(desk.state, "trend", RULE)[:2] == [
        "sessions in shadow: 0, asked is at least 1",
        "intents in shadow: 0, asked is at least 2",
    ]
    assert desk.state.strategies.shadows("trend")


def test_what_is_not_in_shadow_is_not_promoted() -> None:
    desk = Told()
    desk.core.use(CoreSettings(WIDE, promotion=PromotionRule(0, 0, Decimal(1))))
    assert why_refused(desk.step(PROMOTE)) == "in shadow: no, asked is yes"


def test_a_strategy_that_failed_is_not_promoted() -> None:
    desk = shadowed(buy("10"), buy("20"), ValueError("odd"))
    next_session(desk)
    assert why_refused(desk.step(PROMOTE)) == "failed: ValueError: odd, asked is no"


def test_without_a_word_on_the_rule_promotion_wants_ten_sessions() -> None:
    rule = PromotionRule()
    assert (rule.min_sessions, rule.min_intents, rule.max_refused_share) == (10, 1, Decimal("0.20"))
    (sessions,) = (
        each for each in requirements(Told().state, "trend", rule) if "sessions" in each.name
    )
    assert not sessions.met


def test_an_open_order_of_a_strategy_put_in_shadow_goes_on() -> None:
    desk = Told()
    order = desk.sends("5", order_type=OrderType.LIMIT, limit_price=Decimal(95))
    desk.step(SHADOW)
    assert desk.asked_to_cancel() == set()
    desk.fill(order, "5")
    assert desk.state.positions.held(A).quantity == 105
