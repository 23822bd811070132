"""Margin asked in two passes: what becomes of a batch between the question and its answer."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.control.answers import answer_from
from daemon.core.recorder import AskMargin
from daemon.gate import RiskApproved
from events import (
    ClientOrderId,
    HoldLevel,
    HoldScope,
    IntentApproved,
    IntentRefused,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorKilled,
    OperatorShadowed,
    OrderIntended,
    OrderSending,
    Record,
    SessionStarted,
    TimerFired,
    TimerKind,
)
from projections import State
from projections.order_states import OrderState
from tests.builders import a_bar, a_commission, a_fill, utc
from tests.core_desk import A, CoreDesk, Scripted, buy, kinds, of
from tests.gate_desk import rules
from tests.operators import an_order_by_hand, held, said

ASKING = rules(margin={"ask": True, "cushion": "0"})
ASKED = ["bar.closed", "order.intended", "margin.requested"]


class Asking(CoreDesk):
    """A core whose broker has to be asked; the first bar at 15:00 has led to a question."""

    def __init__(self, *strategies: Scripted) -> None:
        super().__init__(*strategies, under=ASKING)
        self.asked = self.minute()
        (self.request,) = of(self.asked, MarginRequested)
        self.order_id = self.request.orders[0]

    def answer(
        self, needs: str | None = "500", has: str | None = "1000000", at: str = "15:00:05"
    ) -> list[Record]:
        figures = [None if each is None else Decimal(each) for each in (needs, "0", has)]
        return self.step(MarginReported(self.request.request_id, *figures), f"2024-01-02T{at}")

    def deadline(self) -> list[Record]:
        return self.pass_time("2024-01-02T15:00:10.000001")


def why_refused(records: Sequence[Record]) -> list[str]:
    """Return why each of the refusals in `records` was one."""
    return [each.note or each.name for event in of(records, IntentRefused) for each in event.failed]


# The question.


def test_what_needs_the_brokers_word_is_asked_about_and_not_sent() -> None:
    desk = Asking(Scripted(bars=[buy("10")]))
    assert kinds(desk.asked) == ASKED
    (intended,) = of(desk.asked, OrderIntended)
    assert desk.effects() == [AskMargin(f"margin-{desk.order_id}", (intended,))]
    assert desk.request == MarginRequested(
        f"margin-{desk.order_id}", (intended.client_order_id,), utc("2024-01-02T15:00:10")
    )
    assert desk.order(desk.asked).state is OrderState.MARGIN_ASKED


def test_a_strategy_sees_what_it_has_asked_for_as_pending() -> None:
    strategy = Scripted(bars=[buy("10")])
    desk = Asking(strategy)
    desk.minute("15:01")
    assert strategy.seen == [
        ("2024-01-02T15:00:00", Decimal(0), Decimal(0)),
        ("2024-01-02T15:01:00", Decimal(0), Decimal(10)),
    ]


def test_nobody_is_asked_about_an_order_that_only_reduces() -> None:
    desk = CoreDesk(Scripted(bars=[None, buy("-10")]), under=ASKING)
    desk.step(a_bar(), "2024-01-02T15:00")
    desk.step(
        a_fill("10", order_id="by hand", executed_at="2024-01-02T15:00:01"), "2024-01-02T15:00:01"
    )
    for hold in list(desk.state.holds.active):  # The fill was of nobody's order.
        desk.core.holds.lift(hold, "ann", "mine")
    assert kinds(desk.minute("15:01"))[-2:] == ["intent.approved", "order.sending"]


# The answer.


def test_an_answer_in_time_lets_the_order_pass_and_every_step_is_the_cause_of_the_next() -> None:
    desk = Asking(Scripted(bars=[buy("10")]))
    desk.effects()
    answered = desk.answer()
    assert kinds(answered) == ["margin.reported", "intent.approved", "order.sending"]
    (approved,) = desk.effects()
    assert isinstance(approved, RiskApproved)
    assert approved.intent.client_order_id == desk.order_id
    bar, intent, request = desk.asked
    answer, decision, sending = answered
    walk = [request, answer, decision, sending]
    assert [each.cause for each in walk] == [intent.seq, request.seq, answer.seq, decision.seq]
    assert {each.trace for each in (intent, *walk)} == {bar.seq}
    (event,) = of(answered, IntentApproved)
    assert {check.name: check.value for check in event.checks}["margin_usd"] == 500


@pytest.mark.parametrize(
    ("needs", "has", "why"),
    [
        ("1000000.01", "1000000", "margin_usd"),
        (None, "1000000", "the broker left the margin unset"),
        ("500", None, "the broker left the margin unset"),
        ("NaN", "1000000", "InvalidOperation"),
        ("500", "NaN", "InvalidOperation"),
    ],
)
def test_too_much_margin_or_none_refuses_and_the_strategy_hears_of_it(
    needs: str | None, has: str | None, why: str
) -> None:
    strategy = Scripted(bars=[buy("10")])
    desk = Asking(strategy)
    answered = desk.answer(needs, has)
    assert kinds(answered) == ["margin.reported", "intent.refused"]
    assert [each.partition(":")[0] for each in why_refused(answered)] == [why]
    assert of(answered, IntentRefused) == strategy.heard[1:]
    assert strategy.seen[-1] == ("2024-01-02T15:00:05", Decimal(0), Decimal(0))
    assert desk.order(desk.asked).reserved == 0


def test_a_broker_that_says_no_is_a_no() -> None:
    desk = Asking(Scripted(bars=[buy("10")]))
    no = MarginUnavailable(desk.request.request_id, "not today")
    assert why_refused(desk.step(no)) == ["the broker said no margin: not today"]


def test_everything_else_is_asked_again_as_it_is_then() -> None:
    desk = Asking(Scripted(bars=[buy("10")]))
    # The price has run away: 10 at 100 were 1,000 of at most 1,000 dollars.
    core = desk.core
    account = msgspec.structs.replace(ASKING.account, max_order_usd=Decimal(1000))
    core.orders.limits = msgspec.structs.replace(ASKING, account=account)
    desk.minute("15:00:05", close="101", symbol="A")
    answered = desk.answer(at="15:00:06")
    (refusal,) = of(answered, IntentRefused)
    assert [check.name for check in refusal.failed] == ["order_usd"]


# No answer, a late one, a second one.


def test_no_answer_by_the_deadline_refuses_and_a_late_one_is_recorded_and_changes_nothing() -> None:
    strategy = Scripted(bars=[buy("10")])
    desk = Asking(strategy)
    assert desk.pass_time("2024-01-02T15:00:10") == []
    overdue = desk.deadline()
    assert kinds(overdue) == ["timer.fired", "intent.refused"]
    assert why_refused(overdue) == ["the broker said no margin: no answer in time"]
    assert strategy.heard[-1] == of(overdue, IntentRefused)[0]
    before = msgspec.structs.replace(desk.state, seq=0, at=0)
    before = msgspec.json.decode(msgspec.json.encode(before), type=State)
    assert kinds(desk.answer(at="15:00:12")) == ["margin.reported"]
    assert msgspec.structs.replace(desk.state, seq=0, at=0) == before
    assert desk.pass_time("2024-01-02T16:00") == []


def test_an_answer_that_overtakes_the_timer_of_its_own_deadline_is_late_all_the_same() -> None:
    desk = Asking(Scripted(bars=[buy("10")]))
    assert kinds(desk.answer(at="15:00:10")) == ["margin.reported"]
    assert why_refused(desk.deadline()) == ["the broker said no margin: no answer in time"]


def test_a_second_answer_is_recorded_and_changes_nothing() -> None:
    desk = Asking(Scripted(bars=[buy("10")]))
    desk.answer()
    assert kinds(desk.answer("1000001")) == ["margin.reported"]
    assert desk.order(desk.asked).state is OrderState.SENDING
    # Nor is the deadline of an answered question one.
    assert desk.deadline() == []


def test_what_answers_a_refusal_is_not_asked_again_about_its_own() -> None:
    strategy = Scripted(bars=[buy("10")], refusals=[buy("9"), buy("8")])
    desk = Asking(strategy)
    answered = desk.answer("1000001")
    assert kinds(answered)[1:] == ["intent.refused", "order.intended", "margin.requested"]
    (second,) = of(answered, MarginRequested)
    no = MarginUnavailable(second.request_id, "no")
    assert kinds(desk.step(no)) == ["margin.unavailable", "intent.refused"]
    assert len(strategy.heard) == 2


# What happens in between.


def test_two_questions_never_both_pass_on_the_same_headroom() -> None:
    under = rules(margin={"ask": True}, account={"max_position_shares": "100"})
    desk = CoreDesk(Scripted(bars=[[buy("60"), buy("60"), buy("40")]]), under=under)
    records = desk.minute()
    assert why_refused(records) == ["position_shares"]
    first, third = of(records, MarginRequested)
    for request in (third, first):
        yes = MarginReported(request.request_id, Decimal(0), Decimal(0), Decimal(10**6))
        assert kinds(desk.step(yes))[1:] == ["intent.approved", "order.sending"]


def test_a_hold_in_between_refuses_when_the_answer_is_there() -> None:
    desk = Asking(Scripted(bars=[buy("10")]))
    desk.step(held(HoldScope.SYMBOL, "A", HoldLevel.REDUCE))
    assert desk.order(desk.asked).state is OrderState.MARGIN_ASKED
    assert why_refused(desk.answer()) == ["REDUCE: operator"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (said(OperatorKilled), "kill switch"),
        (said(OperatorCancelAsked), "asked for by ann"),
        (said(OperatorFlattenAsked), "flatten by ann"),
    ],
)
def test_what_cancels_an_order_ends_one_that_was_never_sent(command: Any, why: str) -> None:  # noqa: ANN401 - any command
    strategy = Scripted(bars=[buy("10")])
    desk = Asking(strategy)
    desk.effects()
    records = desk.step(command)
    assert why_refused(records) == [why]
    assert strategy.heard[-1] == of(records, IntentRefused)[0]
    assert (desk.effects(), desk.state.orders.open) == ([], {})
    # Who has told it to is told, and that is no refusal of what was told.
    answer = answer_from(records)
    assert answer.exit_code == 0
    assert f"not sent any more: {desk.order_id}" in answer.lines
    assert kinds(desk.answer()) == ["margin.reported"]
    assert of(desk.deadline(), OrderSending) == []


def test_a_flatten_that_waits_goes_on_when_what_was_asked_about_is_refused() -> None:
    strategy = Scripted(bars=[buy("10"), buy("5", cancel_after_s=None)])
    desk = Asking(strategy)
    desk.answer()
    fill = a_fill("10", order_id=desk.order_id, executed_at="2024-01-02T15:00:20")
    desk.step(fill)
    desk.step(a_commission("0", order_id=desk.order_id))
    (second,) = of(desk.minute("15:01"), MarginRequested)
    # The symbol is being closed when one more order of it is still asked about.
    desk.state.commands.flattening[A] = said(OperatorFlattenAsked)
    no = MarginUnavailable(second.request_id, "no")
    records = desk.step(no)
    assert [each.quantity for each in of(records, OrderIntended)] == [-10]
    assert kinds(records)[-2:] == ["intent.approved", "order.sending"]


def test_a_strategy_put_into_its_shadow_in_between_sends_nothing() -> None:
    desk = Asking(Scripted(bars=[buy("10"), buy("10")]))
    desk.step(said(OperatorShadowed, "trend"))
    assert why_refused(desk.answer()) == ["nothing is sent in shadow"]
    # Nor is anybody asked about what would not be sent: it counts as having passed.
    assert why_refused(desk.minute("15:01")) == ["nothing is sent in shadow"]
    assert desk.state.strategies.of("trend").shadow_passed == 2


def test_an_order_by_hand_is_asked_about_too() -> None:
    desk = CoreDesk(under=ASKING)
    desk.minute()
    records = desk.step(an_order_by_hand("10"))
    assert kinds(records)[1:] == ["order.intended", "margin.requested"]
    answer = answer_from(records)
    assert answer.exit_code == 0
    assert answer.lines[-1] == "  the broker is asked for its margin; it is sent if that is there"
    (request,) = of(records, MarginRequested)
    yes = MarginReported(request.request_id, Decimal(0), Decimal(0), Decimal(10**6))
    assert kinds(desk.step(yes))[1:] == ["intent.approved", "order.sending"]
    # What is refused at once is a refusal of the command.
    assert answer_from(desk.step(an_order_by_hand("0", command_id="cmd-2"))).exit_code == 5


def test_a_batch_of_several_passes_or_falls_as_one() -> None:
    for word, ends in (("yes", "order.sending"), ("no", "intent.refused"), ("cancel", "")):
        desk = CoreDesk(under=ASKING)
        desk.minute()
        intents = [of(desk.step(hand), OrderIntended)[0] for hand in two_by_hand()]
        # Their own questions are over; one is asked about both.
        desk = CoreDesk(under=ASKING)
        desk.minute()
        for intent in intents:
            desk.recorder.emit(intent)
        orders = tuple(intent.client_order_id for intent in intents)
        desk.recorder.emit(MarginRequested("both", orders, utc("2024-01-02T15:00:10")))
        if word == "cancel":
            records = desk.step(said(OperatorCancelAsked, orders[1]))
            assert why_refused(records) == ["asked for by ann"] * 2
        else:
            needs = Decimal(0) if word == "yes" else Decimal(10**7)
            answer = MarginReported("both", needs, Decimal(0), Decimal(10**6))
            assert kinds(desk.step(answer)).count(ends) == 2
        assert (desk.state.margin.requests, desk.state.margin.asked) == ({}, {})


def two_by_hand() -> list[Any]:
    first, second = an_order_by_hand("10"), an_order_by_hand("20")
    return [first, msgspec.structs.replace(second, command_id="cmd-second")]


# A restart in between.


def test_a_restart_refuses_what_was_asked_about_and_the_strategy_hears_of_it() -> None:
    desk = Asking(Scripted(bars=[buy("10")]))
    strategy = Scripted()
    again = CoreDesk(strategy, under=ASKING, opening=(), state=desk.state)
    started = SessionStarted("1", {"trend": "code"}, {})
    assert kinds(again.step(started, "2024-01-02T15:00:03")) == ["session.started"]
    records = again.pass_time("2024-01-02T15:00:04")
    assert kinds(records) == ["timer.fired", "intent.refused"]
    assert of(records, TimerFired) == [
        TimerFired(TimerKind.MARGIN_DEADLINE, desk.request.request_id, utc("2024-01-02T15:00:03"))
    ]
    why = "the broker said no margin: the daemon was restarted before the answer came"
    assert why_refused(records) == [why]
    assert strategy.heard == of(records, IntentRefused)


def test_an_answer_to_the_process_before_does_not_count() -> None:
    desk = Asking(Scripted(bars=[buy("10")]))
    again = CoreDesk(Scripted(), under=ASKING, opening=(), state=desk.state)
    again.step(SessionStarted("1", {"trend": "code"}, {}), "2024-01-02T15:00:03")
    late = MarginReported(desk.request.request_id, Decimal(0), Decimal(0), Decimal(10**6))
    records = again.step(late, "2024-01-02T15:00:04")
    assert kinds(records) == ["margin.reported", "intent.refused"]


def test_an_answer_to_no_question_is_recorded_and_nothing_else() -> None:
    desk = CoreDesk(Scripted(), under=ASKING)
    stray = MarginReported("margin-none", Decimal(0), Decimal(0), Decimal(1))
    assert kinds(desk.step(stray)) == ["margin.reported"]
    assert desk.state.margin.requests == {}
    assert desk.state.orders.find(ClientOrderId("none")) is None
