"""A start that has not seen all of the broker's books sends nothing until it has.

The books have 100 of A at 100, and 990,000 dollars.
"""

from typing import Any

import msgspec
import pytest

from events import (
    BrokerCash,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentRefused,
    JournalOpened,
    LookWhy,
    Mode,
    WorkingOrders,
)
from ops.status_lines import reconciled_text
from ops.stops import breaker_text, trips_of
from tests.builders import utc
from tests.core_desk import buy, of
from tests.looks import a_look
from tests.unit.test_reconciliation import LEFT, Looking
from tests.unit.test_reconciliation_shown import standing

LACKS: dict[str, dict[str, Any]] = {
    "positions": {"positions": None},
    "cash": {"cash": None},
    "open orders": {"open_orders": None},
    "completed orders": {"completed_orders": None},
    "executions": {"executions": None},
}
START: dict[str, Any] = {"why": LookWhy.START}


def in_mode(mode: Mode = Mode.BROKER_PAPER) -> Looking:
    found = Looking()
    found.state.identity.opened = JournalOpened("4d1a7a0c9f32b6e5", mode, "test")
    return found


def started(lacks: str, at: Looking | None = None) -> Looking:
    """Return books whose start did not get that list."""
    found = at or in_mode()
    without = LACKS[lacks] | {"missing": {lacks: "it did not come to its end"}}
    found.look({"A": "100"}, "16:00:00", **(START | without))
    return found


def incomplete(at: Looking) -> list[HoldPlaced]:
    return [each for each in at.state.holds.active.values() if each.cause == "books incomplete"]


@pytest.mark.parametrize("lacks", LACKS)
def test_each_list_that_a_start_lacks_holds_everything(lacks: str) -> None:
    (hold,) = incomplete(started(lacks))
    assert (hold.scope, hold.level) == (HoldScope.ALL, HoldLevel.HALT)
    assert (hold.lifts, hold.working) == (HoldLifts.CONDITION, WorkingOrders.KEEP)
    assert f"({lacks}: it did not come to its end)" in hold.why


@pytest.mark.parametrize("mode", [Mode.BACKTEST, Mode.PAPER])
def test_a_broker_inside_the_process_that_has_no_books_holds_nothing(mode: Mode) -> None:
    assert incomplete(started("positions", in_mode(mode))) == []


def test_cash_without_its_total_is_lacking_too() -> None:
    at = in_mode()
    whole = a_look({"A": "100"}, LEFT, why=LookWhy.START)
    at.step(msgspec.structs.replace(whole, cash=BrokerCash()), "2024-01-02T16:00:00")
    assert len(incomplete(at)) == 1


def test_no_order_passes() -> None:
    at = started("completed orders")
    at.core.desk.runs["trend"].strategy.bars = [buy("1")]  # type: ignore[attr-defined]
    (refused,) = of(at.minute("16:01"), IntentRefused)
    assert [check.name for check in refused.failed] == ["holds"]


def test_a_whole_look_lifts_it_and_another_one_that_lacks_does_not() -> None:
    at = started("cash")
    at.look({"A": "100"}, "16:00:10", cash=None)
    assert len(incomplete(at)) == 1
    taken = at.look({"A": "100"}, "16:00:20")
    (lifted,) = of(taken, HoldLifted)
    assert lifted.why == "look look-2024-01-02T16:00:20 has every list"
    assert incomplete(at) == []


def test_meanwhile_the_books_are_asked_for_every_few_seconds_and_after_that_by_the_hour() -> None:
    at = started("executions")
    assert at.next_look() == ("16:00:10", LookWhy.SECOND_LOOK)
    at.look({"A": "100"}, "16:00:11", executions=None)
    assert at.next_look() == ("16:00:21", LookWhy.SECOND_LOOK)
    at.look({"A": "100"}, "16:00:22")
    assert at.next_look() == ("17:00:22", LookWhy.SCHEDULE)


def test_a_second_start_that_lacks_something_adds_no_hold() -> None:
    at = started("cash", started("executions"))
    assert len(incomplete(at)) == 1


@pytest.mark.parametrize("why", [each for each in LookWhy if each is not LookWhy.START])
def test_later_a_list_that_is_missing_is_only_said(why: LookWhy) -> None:
    at = in_mode()
    at.look({"A": "100"}, "16:00:00", why=why, executions=None)
    assert incomplete(at) == []


def test_status_says_what_is_lacking_and_what_ends_it() -> None:
    at = started("executions")
    status = standing(at, utc("2024-01-02T16:00:05"))
    assert reconciled_text(status).endswith(", the last look LACKS executions")
    assert breaker_text(trips_of(at.state)) == "TRIPPED (books incomplete, lifts by itself)"
    at.look({"A": "100"}, "16:00:10")
    whole = standing(at, utc("2024-01-02T16:00:15"))
    assert "LACKS" not in reconciled_text(whole)
