"""A live start waits on HALT for an operator wherever something is new; other modes do not."""

from typing import Any

import pytest

from events import (
    AT_START,
    ConfigLoaded,
    HoldLevel,
    HoldScope,
    JournalOpened,
    Mode,
    OperatorLifted,
    OperatorReloaded,
    OperatorResumed,
    SessionStarted,
)
from events.codec import Input
from tests.builders import a_config
from tests.core_desk import CoreDesk
from tests.operators import said

CODE = {"trend": "hash-1"}
TERMS = a_config("A").symbols


def session(version: str = "1.0", code: dict[str, str] = CODE) -> SessionStarted:
    return SessionStarted(version, code, {})


def config(**options: Any) -> ConfigLoaded:  # noqa: ANN401 - any option
    return ConfigLoaded({"dry_run": False, **options}, TERMS)


def a_desk(*events: Input, mode: Mode = Mode.LIVE) -> CoreDesk:
    """Return a core that has run before: its first start was looked at and resumed."""
    first = (JournalOpened("j1", mode, "mine"), session(), config())
    desk = CoreDesk(opening=first)
    desk.step(said(OperatorResumed, command_id="cmd-first"))
    assert not desk.state.holds.active
    for event in events:
        desk.step(event)
    return desk


def why(desk: CoreDesk) -> list[str]:
    """Return the reasons of the holds, all of which are those of a start."""
    found = list(desk.state.holds.active.values())
    assert {(each.cause, each.level, each.scope) for each in found} <= {
        (AT_START, HoldLevel.HALT, HoldScope.ALL)
    }
    return [hold.why for hold in found]


def test_a_new_live_journal_starts_on_halt() -> None:
    desk = CoreDesk(opening=(JournalOpened("j1", Mode.LIVE, "mine"), session(), config()))
    assert why(desk) == ["a new live journal"]


@pytest.mark.parametrize("mode", [Mode.BACKTEST, Mode.PAPER, Mode.BROKER_PAPER])
def test_in_another_mode_nothing_waits(mode: Mode) -> None:
    first = (JournalOpened("j1", mode, "mine"), session(), config())
    desk = CoreDesk(opening=(*first, session("2.0", {"trend": "hash-2"}), config(account="x")))
    assert not desk.state.holds.active


def test_a_start_where_nothing_has_changed_goes_on() -> None:
    assert why(a_desk(session(), config())) == []


def test_another_version_of_traded_waits() -> None:
    assert why(a_desk(session("1.1"), config())) == ["traded was 1.0 and is 1.1"]


@pytest.mark.parametrize(
    ("code", "who"),
    [
        ({"trend": "hash-2"}, "trend"),
        ({"trend": "hash-1", "new": "hash-1"}, "new"),
        ({}, "trend"),
        ({"new": "hash-1"}, "new, trend"),
    ],
)
def test_changed_new_and_missing_strategies_wait(code: dict[str, str], who: str) -> None:
    desk = a_desk(session(code=code), config())
    assert why(desk) == [f"the code or parameters of {who} changed"]


def test_a_changed_configuration_waits_and_says_where() -> None:
    desk = a_desk(session(), config(limits={"account": 1}, dry_run=True))
    assert why(desk) == ["the configuration changed: dry_run, limits"]


def test_each_doubt_is_a_hold_of_its_own_and_one_resume_lifts_them() -> None:
    desk = a_desk(session("1.1"), config(dry_run=True))
    assert len(why(desk)) == 2
    desk.step(said(OperatorResumed, command_id="cmd-2"))
    assert why(desk) == []


def test_one_doubt_may_be_lifted_without_the_other() -> None:
    desk = a_desk(session("1.1"), config(dry_run=True))
    first, second = desk.state.holds.active
    desk.step(said(OperatorLifted, first, command_id="cmd-2"))
    assert list(desk.state.holds.active) == [second]


def test_a_configuration_an_operator_has_just_reloaded_goes_on() -> None:
    reload = said(OperatorReloaded, {"dry_run": ("False", "True")}, command_id="cmd-2")
    assert why(a_desk(reload, config(dry_run=True))) == []


def test_the_reload_of_one_configuration_excuses_no_other() -> None:
    reload = said(OperatorReloaded, {"dry_run": ("False", "True")}, command_id="cmd-2")
    desk = a_desk(reload, config(dry_run=True), config(dry_run=True, account="x"))
    assert why(desk) == ["the configuration changed: account"]


def test_another_command_ends_the_excuse() -> None:
    reload = said(OperatorReloaded, {"dry_run": ("False", "True")}, command_id="cmd-2")
    lift = said(OperatorLifted, "none", command_id="cmd-3")
    assert why(a_desk(reload, lift, config(dry_run=True))) == ["the configuration changed: dry_run"]


def test_what_was_not_resumed_is_still_held_after_the_next_start() -> None:
    desk = a_desk(session("1.1"), config())
    placed = dict(desk.state.holds.active)
    desk.step(session("1.1"))
    desk.step(config())
    assert desk.state.holds.active == placed != {}
