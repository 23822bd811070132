"""What people see of the way to a broker outside: since when, why not; a dead daemon has none."""

from datetime import datetime
from pathlib import Path

from events import (
    BrokerConnected,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerRestored,
    JournalOpened,
    Mode,
)
from events.codec import JournalEvent
from ops.daemon_state import DaemonState, Running
from ops.standing import BrokerStanding, status_of
from ops.status_lines import broker_text
from projections import State
from projections.broker import LinkState
from tests.builders import fold, utc

OPENED = JournalOpened("j" * 16, Mode.BROKER_PAPER, "a")
UP = BrokerConnected("h:1", 1, 178, 1)
RUNS, STOPPED = DaemonState(Running.ANSWERS), DaemonState(Running.STOPPED)
NOW = utc("2024-01-02T15:00")


def broker(*events: JournalEvent, daemon: DaemonState | None = RUNS) -> BrokerStanding | None:
    return status_of(fold(State(), OPENED, *events), Path("no.db"), daemon, NOW).broker


def test_nothing_is_said_of_a_broker_that_never_spoke_of_a_way() -> None:
    assert broker() is None


FARM = BrokerDegraded("2103: farm lost", "market data")
BARS = BrokerDegraded("no live bars of AAPL", "bars of AAPL")


def test_a_connection_is_told_with_all_that_is_missing_of_it() -> None:
    found = broker(UP, FARM, BARS)
    assert found is not None
    assert (found.state, found.connected) == (LinkState.DEGRADED, True)
    text = broker_text(found, NOW)
    assert text.startswith("DEGRADED: connected since")
    assert text.endswith("ago): 2103: farm lost; no live bars of AAPL")


def test_what_is_there_again_is_told_no_more() -> None:
    found = broker(UP, FARM, BARS, BrokerRestored("market data", "2104: OK"))
    assert found is not None
    assert (found.state, found.reason) == (LinkState.DEGRADED, "no live bars of AAPL")
    found = broker(UP, FARM, BrokerRestored("market data", "2104: OK"))
    assert found is not None
    assert (found.state, found.reason) == (LinkState.CONNECTED, "")


def test_a_new_connection_has_nothing_of_the_one_before_to_tell() -> None:
    found = broker(UP, FARM, BrokerDisconnected("closed"), UP)
    assert found is not None
    assert (found.state, found.reason) == (LinkState.CONNECTED, "")


def test_a_lost_one_says_why_and_since_when() -> None:
    found = broker(UP, BrokerDisconnected("1100: gone"))
    assert found is not None
    assert found.state is LinkState.DISCONNECTED
    text = broker_text(found, NOW)
    assert text.startswith("NOT CONNECTED since 20")
    assert text.endswith(" UTC: 1100: gone")


def test_who_was_killed_has_no_connection_whatever_the_journal_ends_with() -> None:
    found = broker(UP, daemon=STOPPED)
    gone, why = LinkState.DISCONNECTED, "the daemon does not run"
    assert found == BrokerStanding(gone, connected=False, since=None, reason=why)
    # Of a past moment it had one.
    then = broker(UP, daemon=None)
    assert then is not None
    assert isinstance(then.since, datetime)
    assert then.connected
