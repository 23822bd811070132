"""A strategy that failed is asked again once the hold behind its failure is lifted."""

from typing import Any

import msgspec
import pytest

from daemon.strategies import Every, NoTrade, Schedule
from events import HoldLevel, HoldLifted, HoldPlaced, HoldScope, Record, SessionStarted
from events.codec import decode, encode
from projections import State
from tests.builders import a_fill, a_split, fold
from tests.core_desk import CoreDesk, Scripted, buy, kinds, of
from tests.gate_desk import a_hold

SENT = ["order.intended", "intent.approved", "order.sending"]
FAILED = ["strategy.failed", "hold.placed"]
OOPS = RuntimeError("oops")


def failed_desk(*then: Any, **scripts: Any) -> tuple[CoreDesk, HoldPlaced]:  # noqa: ANN401 - answers
    """Return a desk whose strategy failed at 15:00, and the hold behind that."""
    desk = CoreDesk(Scripted(bars=[OOPS, *then], **scripts))
    (hold,) = of(desk.minute("15:00"), HoldPlaced)
    return desk, hold


def lift(desk: CoreDesk, hold: HoldPlaced) -> list[Record]:
    desk.recorder.emit(HoldLifted(hold.hold_id, "me", "mended"))
    taken, desk.recorder.records = desk.recorder.records, []
    return taken


def test_it_is_asked_nothing_until_the_hold_is_lifted_and_then_it_is() -> None:
    desk, hold = failed_desk(buy())
    assert desk.state.strategies.of("trend").failed == "RuntimeError: oops"
    assert kinds(desk.minute("15:01")) == ["bar.closed"]
    lift(desk, hold)
    assert desk.state.strategies.of("trend").failed == ""
    assert kinds(desk.minute("15:02")) == ["bar.closed", *SENT]
    assert (desk.runs[0].failed, desk.runs[0].failure) == (False, "")


def test_its_timers_fills_and_splits_reach_it_again_too() -> None:
    table = (Schedule("daily", Every.SESSION),)
    script = Scripted(bars=[buy("1"), OOPS], timers=[None, buy("2")], timetable=table)
    desk = CoreDesk(script)
    desk.pass_time("2024-01-02T14:31")
    order_id = desk.order(desk.minute("15:00")).client_order_id
    (hold,) = of(desk.minute("15:01"), HoldPlaced)
    lift(desk, hold)
    heard = len(script.heard)
    desk.step(a_fill("1", order_id=order_id))
    desk.core.desk.on_split(a_split("2:1", "1", "2"))
    assert len(script.heard) == heard + 2
    assert kinds(desk.pass_time("2024-01-03T14:30:01")) == ["timer.fired", *SENT]


def test_a_split_may_be_the_first_it_hears() -> None:
    desk, hold = failed_desk()
    desk.core.desk.on_split(a_split("2:1", "1", "2"))
    lift(desk, hold)
    desk.core.desk.on_split(a_split("3:1", "1", "3"))
    script = desk.runs[0].strategy
    assert isinstance(script, Scripted)
    assert [type(each).__name__ for each in script.heard] == ["BarClosed", "CorporateActionApplied"]


def test_lifting_another_hold_forgives_nothing() -> None:
    desk, _ = failed_desk(buy())
    desk.step(a_fill("1", order_id="by hand"))
    (foreign,) = (each for each in desk.state.holds.active.values() if each.cause == "foreign fill")
    lift(desk, foreign)
    assert kinds(desk.minute("15:01")) == ["bar.closed"]
    assert desk.state.strategies.of("trend").failed != ""


def test_lifting_a_hold_of_a_strategy_that_never_failed_changes_nothing_of_it() -> None:
    desk = CoreDesk(Scripted(bars=[buy()]))
    before = msgspec.json.encode(desk.state.strategies)
    by_hand = a_hold(HoldLevel.HALT, HoldScope.STRATEGY, "trend")
    desk.recorder.emit(by_hand)
    lift(desk, by_hand)
    assert msgspec.json.encode(desk.state.strategies) == before


def test_forgiven_once_is_not_forgiven_for_ever() -> None:
    desk, first = failed_desk(OOPS, buy())
    lift(desk, first)
    desk.minute("15:01")
    # After a restart the books alone know of the second failure.
    desk.runs[0].failed_seq = 0
    assert kinds(desk.minute("15:02")) == ["bar.closed"]


def test_it_may_fail_and_be_forgiven_again() -> None:
    desk, first = failed_desk(OOPS, buy())
    lift(desk, first)
    records = desk.minute("15:01")
    assert kinds(records) == ["bar.closed", *FAILED]
    assert kinds(desk.minute("15:02")) == ["bar.closed"]
    (second,) = of(records, HoldPlaced)
    lift(desk, second)
    assert kinds(desk.minute("15:03")) == ["bar.closed", *SENT]


def test_forgiven_is_forgiven_after_a_restart() -> None:
    desk, hold = failed_desk()
    lift(desk, hold)
    stored = msgspec.json.decode(msgspec.json.encode(desk.state), type=State)
    again = CoreDesk(Scripted(bars=[buy()]), state=stored, opening=())
    # A recovery that came by the failure, but by no bar since the lifting.
    again.runs[0].failed, again.runs[0].failed_seq = True, hold_seq(desk) - 2
    assert kinds(again.minute("15:01")) == ["bar.closed", *SENT]


def hold_seq(desk: CoreDesk) -> int:
    return desk.state.strategies.of("trend").forgiven_seq


@pytest.mark.parametrize("failed_after", [True, False])
def test_what_failed_only_on_the_history_it_was_shown_needs_a_lifting_after_that(
    failed_after: bool,  # noqa: FBT001 - a table
) -> None:
    desk, hold = failed_desk(buy())
    lift(desk, hold)
    desk.runs[0].failed = True
    desk.runs[0].failed_seq = hold_seq(desk) + (1 if failed_after else -1)
    asked = kinds(desk.minute("15:01")) != ["bar.closed"]
    assert asked is not failed_after


def test_new_code_that_fails_behind_the_old_hold_needs_one_lifting() -> None:
    desk, hold = failed_desk(NoTrade("a", "b"), OOPS, buy())
    desk.step(SessionStarted("1", {"trend": "new code"}, {}))
    desk.runs[0].failed = False  # As a run of new code is.
    assert kinds(desk.minute("15:01")) == ["bar.closed", "strategy.declined"]
    # It is known to be held already: no second hold, of which a person would have to know.
    assert kinds(desk.minute("15:02")) == ["bar.closed", "strategy.failed"]
    lift(desk, hold)
    assert kinds(desk.minute("15:03")) == ["bar.closed", *SENT]


def test_the_last_of_two_holds_forgives() -> None:
    # Journals of before may have two.
    desk, hold = failed_desk(buy())
    second = msgspec.structs.replace(hold, hold_id="second")
    fold(desk.state, decode(encode(second)))
    lift(desk, second)
    assert kinds(desk.minute("15:01")) == ["bar.closed"]
    lift(desk, hold)
    assert kinds(desk.minute("15:02")) == ["bar.closed", *SENT]
