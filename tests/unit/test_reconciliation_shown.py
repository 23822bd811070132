"""What people see of reconciliation: sentences, status, the checklist, breaks and their history."""

import json
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from daemon.exit_codes import ExitCode
from events import (
    BrokerList,
    CashAdjusted,
    ClientOrderId,
    LookWhy,
    OrderAdopted,
    OrderWrittenOff,
    PositionAdjusted,
    ReconcileCompleted,
    Symbol,
)
from events.codec import JournalEvent
from ops.commands import breaks, reconcile
from ops.sentences import sentence, symbol_of
from ops.standing import Status, status_of
from tests.builders import an_intent, utc
from tests.looks import a_look, listed
from tests.small_runs import TREND, Place
from tests.unit.test_reconciliation import Looking


def standing(at: Looking, now: datetime) -> Status:
    return status_of(at.state, Path("j.db"), None, now)


# Sentences.


def test_a_break_is_told_from_first_look_to_resolution() -> None:
    at = Looking()
    look, waits = at.look({"A": "60"}, "16:00:00")
    opened = at.look({"A": "60"}, "16:00:10")[1]
    resolved = at.look({"A": "100"}, "16:00:20")[1]
    assert sentence(look.event) == (
        "the broker's books (schedule): 1 position, 0 open orders, 0 completed orders, "
        "0 executions, 990,000.00 cash"
    )
    assert sentence(waits.event) == (
        "books compared (schedule) in 0 ms: 2 checked, 1 agree, 1 differ, 1 of them looked at again"
    )
    name = f"break-{opened.cause}-1"
    assert sentence(opened.event) == (
        f"break {name}: position: here 100, at the broker 60; cause unknown"
    )
    assert symbol_of(opened.event) == "A"
    assert sentence(resolved.event) == (
        f"break {name} is over (agreement), by core: it differs no more; hold "
        f"RECONCILIATION_BREAK-{name} stays until an operator lifts it"
    )


def test_a_list_that_did_not_come_is_told_as_that() -> None:
    look = a_look(positions=None, missing={"positions": "no end marker"})
    assert sentence(look) == (
        "the broker's books (schedule): no positions, 0 open orders, 0 completed orders, "
        "0 executions, no cash; positions: no end marker"
    )
    done = ReconcileCompleted("l", LookWhy.START, 0, 0, 0, 7, not_compared=(BrokerList.POSITIONS,))
    assert sentence(done) == (
        "books compared (start) in 7 ms: 0 checked, 0 agree, 0 differ; not compared: positions"
    )


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            PositionAdjusted(
                "b", Symbol("A"), Decimal(-40), Decimal(-4000), Decimal(100), "ann", "sold"
            ),
            "40 shares taken out, cost -4,000.00, valued at 100.00, by ann: sold",
        ),
        (CashAdjusted("b", Decimal("2.50"), "ann", "fee"), "cash adjusted by 2.50, by ann: fee"),
        (
            OrderAdopted(ClientOrderId("o1"), an_intent(), "ann", "mine"),
            "the order is taken into the books, by ann: mine",
        ),
        (OrderWrittenOff(ClientOrderId("o1"), "ann", "gone"), "the order is over, by ann: gone"),
    ],
)
def test_what_an_operator_resolves_is_told_with_name_and_reason(
    event: JournalEvent, told: str
) -> None:
    assert sentence(event) == told


def test_words_that_are_not_ours_stay_on_one_line() -> None:
    at = Looking()
    order = listed("", "1", status="x\ny")
    opened = at.look({"A": "100"}, "16:00:00", orders=[order])[1]
    assert sentence(opened.event).startswith("break ")
    assert "\n" not in sentence(opened.event)


# Status.


def test_status_says_when_the_books_were_compared_and_what_differs() -> None:
    at = Looking()
    assert standing(at, utc("2024-01-02T16:00")).reconciled_at is None
    at.twice({"A": "60"})
    status = standing(at, utc("2024-01-02T17:00"))
    assert status.reconciled_at == utc("2024-01-02T16:00:10")
    assert [each.difference.delta for each in status.breaks] == [-40]
    assert not status.reconcile_overdue
    assert standing(at, utc("2024-01-02T18:00:11")).reconcile_overdue


# Commands.


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("ran") / "place")
    place.run({"trend": TREND})
    return place


def test_a_run_on_recorded_bars_is_compared_at_its_start_and_its_stop(ran: Place) -> None:
    whys = [json.loads(row[6])["why"] for row in ran.rows("reconcile.completed")]
    assert whys == ["start", "stop"]
    assert not ran.rows("break.opened")


def test_the_last_comparison_is_shown_from_the_journal(ran: Place) -> None:
    shown = CliRunner().invoke(reconcile.command, ["--journal", str(ran.journal)])
    assert shown.exit_code == ExitCode.OK
    first, second, *rest = shown.stdout.splitlines()
    assert first.startswith("compared at ")
    assert first.endswith(" UTC (stop)")
    assert "0 differ" in second
    assert rest == []


def test_without_a_break_there_is_nothing_to_show(ran: Place) -> None:
    shown = CliRunner().invoke(breaks.command, ["--journal", str(ran.journal)])
    first, *rest = shown.stdout.splitlines()
    assert (shown.exit_code, rest) == (ExitCode.OK, ["", "no break is open"])
    assert re.fullmatch(r"as of event \d+, .* UTC \(.*\); amounts in USD, times in UTC", first)
    as_json = CliRunner().invoke(breaks.command, ["--journal", str(ran.journal), "--json"])
    found = json.loads(as_json.stdout)
    assert (found["open"], found["history"]) == ([], [])
