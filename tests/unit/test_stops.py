"""Two familiar words: what kill switch and circuit breaker say, each cause with what ends it."""

import shlex
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.disk import HALT_MB, WARN_MB, free_bytes
from events import (
    AT_START,
    KILL_SWITCH,
    BreakKind,
    BreakOpened,
    ConfigLoaded,
    Difference,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    Symbol,
    Trip,
)
from ops.break_lines import breaks_of
from ops.hold_lines import holds_of
from ops.recorded_config import LossLimits, RecordedConfig, recorded_config
from ops.room import DiskRoom, disk_room
from ops.stops import breaker_text, ending_of, is_killed, kill_text, trips_of
from projections import State
from tests.builders import a_config, a_deposit, a_withdrawal, fold, state_after

GB = 10**9


def held(cause: str, lifts: HoldLifts = HoldLifts.OPERATOR, target: str = "") -> HoldPlaced:
    scope = HoldScope.STRATEGY if target else HoldScope.ALL
    return HoldPlaced(
        f"{cause}-1", scope, HoldLevel.HALT, cause, "core", "because", lifts, target=target
    )


def limited(**account: str) -> ConfigLoaded:
    return ConfigLoaded({"limits": {"account": account}}, a_config("A").symbols)


def words(state: State) -> tuple[str, str]:
    return kill_text(killed=is_killed(state)), breaker_text(trips_of(state))


def test_where_nothing_is_held_they_are_off_and_ok() -> None:
    assert words(State()) == ("off", "ok")


def test_the_kill_switch_is_engaged_and_no_trip() -> None:
    assert words(state_after(held(KILL_SWITCH))) == ("ENGAGED", "ok")


def test_what_an_operator_holds_and_what_a_failed_strategy_does_are_no_trips() -> None:
    assert words(state_after(held("operator"), held("strategy failed", target="trend")))[1] == "ok"


@pytest.mark.parametrize("trip", list(Trip))
def test_every_trip_is_named_with_what_it_is_on(trip: Trip) -> None:
    on_all = state_after(held(trip))
    assert words(on_all) == ("off", f"TRIPPED ({trip}, lifted by an operator)")
    on_one = state_after(held(trip, target="trend"))
    assert words(on_one)[1] == f"TRIPPED ({trip} on trend, lifted by an operator)"


def test_what_else_stops_everything_by_itself_is_named_too() -> None:
    text = words(state_after(held("foreign fill"), held("start")))[1]
    assert text == "TRIPPED (foreign fill, lifted by an operator; start, lifted by an operator)"


@pytest.mark.parametrize(
    ("lifts", "said"),
    [
        (HoldLifts.OPERATOR, "lifted by an operator"),
        (HoldLifts.CONDITION, "lifts by itself"),
        (HoldLifts.NEXT_SESSION, "lifts with the next session"),
    ],
)
def test_each_says_what_ends_it(lifts: HoldLifts, said: str) -> None:
    assert words(state_after(held("X", lifts)))[1] == f"TRIPPED (X, {said})"


def test_what_is_lifted_is_said_no_more() -> None:
    state = state_after(held("ORDER_RATE"), HoldLifted("ORDER_RATE-1", "ann", "seen"))
    assert words(state) == ("off", "ok")


def test_a_loss_at_its_limit_is_named_once_with_or_without_its_hold() -> None:
    limits: dict[str, object] = {
        "limits": {"account": {"max_daily_loss_usd": "100", "max_drawdown": "0.9"}}
    }
    config = ConfigLoaded(limits, a_config("A").symbols)
    state = state_after(config, a_deposit("1000"))
    state.pnl.equity -= Decimal("99.99")
    assert words(state)[1] == "ok"
    state.pnl.equity -= Decimal("0.01")
    below = "until it is below its limit again"
    assert words(state)[1] == f"TRIPPED (DAILY_LOSS_EXCEEDED, {below})"
    assert trips_of(state)[0].why == "the day's loss of 100.00 reached 100.00"
    fold(state, held("DAILY_LOSS_EXCEEDED", HoldLifts.NEXT_SESSION))
    assert words(state)[1] == "TRIPPED (DAILY_LOSS_EXCEEDED, lifts with the next session)"


def test_a_withdrawal_is_no_loss() -> None:
    limits: dict[str, object] = {
        "limits": {"account": {"max_daily_loss_usd": "100", "max_drawdown": "0.5"}}
    }
    config = ConfigLoaded(limits, a_config("A").symbols)
    state = state_after(config, a_deposit("1000"), a_withdrawal("900"))
    assert words(state)[1] == "ok"


# The room on the disk.


@pytest.mark.parametrize(
    ("free", "low", "text"),
    [
        (GB, False, "1.00 GB free"),
        (
            GB - 1,
            True,
            "1.00 GB free, 1.00 GB are wanted; below 0.25 GB a live daemon stops",
        ),
    ],
)
def test_room_is_low_below_its_level(free: int, low: bool, text: str) -> None:  # noqa: FBT001 - a case
    room = DiskRoom(free, GB, GB // 4)
    assert (room.is_low, room.text) == (low, text)


def test_the_levels_are_those_of_the_recorded_configuration(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    usual = disk_room(State(), journal)
    assert (usual.warn_bytes, usual.halt_bytes) == (WARN_MB * 10**6, HALT_MB * 10**6)
    config: dict[str, object] = {"journal": {"disk_warn_mb": 7, "disk_halt_mb": 3}}
    own = disk_room(state_after(ConfigLoaded(config, {})), journal)
    assert (own.warn_bytes, own.halt_bytes) == (7_000_000, 3_000_000)


def test_a_disk_nobody_can_ask_has_no_room(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "journal.db") > 0
    assert free_bytes(tmp_path / "gone" / "journal.db") == 0


def test_what_a_configuration_of_another_version_has_wrong_counts_as_not_set() -> None:
    config: dict[str, object] = {
        "limits": {"account": {"max_daily_loss_usd": "lots", "max_drawdown": "0.5"}},
        "strategies": {"trend": {"symbols": ["A", 5]}, "odd": 7},
        "journal": {"disk_warn_mb": "9", "disk_halt_mb": [1]},
        "promotion": "never",
        "reconciliation": {"every_s": {}},
        "new": {"to": "us"},
    }
    found = recorded_config(config)
    # What can be read beside it counts.
    assert found.limits.account == LossLimits(None, Decimal("0.5"))
    assert found.strategies["trend"].symbols == ("A",)
    assert found.journal.disk_halt_mb == HALT_MB
    assert found.reconciliation == RecordedConfig().reconciliation
    assert recorded_config({"limits": 3, "strategies": []}) == RecordedConfig()


def test_each_hold_names_what_to_look_at_and_the_command_that_ends_it() -> None:
    why = '--why "what you found"'
    on_break = HoldPlaced(
        "R-1", HoldScope.SYMBOL, HoldLevel.HALT, Trip.RECONCILIATION_BREAK, "core", "why",
        HoldLifts.OPERATOR, target="A", subject="break-7-1",
    )  # fmt: skip
    told = {
        hold.cause: (ending_of(hold).look, ending_of(hold).command)
        for hold in (
            held(KILL_SWITCH),
            held(AT_START),
            held("strategy failed", target="my trend"),
            held("operator"),
            on_break,
        )
    }
    assert told == {
        KILL_SWITCH: ("traded ready", f"traded resume {why}"),
        AT_START: ("traded ready", f"traded resume {why}"),
        "strategy failed": ("traded status", f"traded resume 'my trend' {why}"),
        "operator": ("traded holds", f"traded lift operator-1 {why}"),
        Trip.RECONCILIATION_BREAK: ("traded breaks", f"traded resolve break-7-1 --adopt {why}"),
    }


def test_a_hold_with_a_hostile_id_is_one_word_of_the_command() -> None:
    command = ending_of(held("x'; rm -rf / #\n")).command
    assert shlex.split(command)[:2] == ["traded", "lift"]
    assert len(shlex.split(command)) == 5
    assert "\n" not in command


def test_what_is_shown_of_holds_and_breaks_has_the_command_while_they_stand() -> None:
    opened = BreakOpened(
        "break-7-1", Difference(BreakKind.FOREIGN_ORDER, Symbol("A"), "permId-7", None, Decimal(5))
    )
    state = state_after(held("operator"), held("over-fill"), HoldLifted("over-fill-1", "ann", "ok"))
    shown = holds_of(state, 5)
    assert [each.command for each in shown.active] == [
        'traded lift operator-1 --why "what you found"'
    ]
    assert [(each.command, each.lifted_by, each.lifted_why) for each in shown.history] == [
        ("", "ann", "ok")
    ]
    (line,) = breaks_of(state_after(opened), 5).open
    assert line.command == 'traded resolve break-7-1 --adopt --why "what you found"'
