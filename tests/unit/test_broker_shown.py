"""What people see of the way to a broker outside: since when, why not; a dead daemon has none."""

from datetime import datetime
from pathlib import Path

from events import BrokerConnected, BrokerDegraded, BrokerDisconnected, JournalOpened, Mode
from events.codec import JournalEvent
from ops.commands.status import broker_text
from ops.daemon_state import DaemonState, Running
from ops.standing import BrokerStanding, status_of
from projections import State
from tests.builders import fold, utc

OPENED = JournalOpened("j" * 16, Mode.BROKER_PAPER, "a")
UP = BrokerConnected("h:1", 1, 178, 1)
RUNS, STOPPED = DaemonState(Running.ANSWERS), DaemonState(Running.STOPPED)
NOW = utc("2024-01-02T15:00")


def broker(*events: JournalEvent, daemon: DaemonState | None = RUNS) -> BrokerStanding | None:
    return status_of(fold(State(), OPENED, *events), Path("no.db"), daemon, NOW).broker


def test_nothing_is_said_of_a_broker_that_never_spoke_of_a_way() -> None:
    assert broker() is None


def test_a_connection_is_told_with_its_last_trouble() -> None:
    found = broker(UP, BrokerDegraded("market data farm lost"))
    assert found is not None
    assert (found.connected, found.reason) == (True, "market data farm lost")
    assert broker_text(found, NOW).endswith("ago): last trouble: market data farm lost")


def test_a_lost_one_says_why_and_since_when() -> None:
    found = broker(UP, BrokerDisconnected("1100: gone"))
    assert found is not None
    text = broker_text(found, NOW)
    assert text.startswith("NOT CONNECTED since 20")
    assert text.endswith(" UTC: 1100: gone")


def test_who_was_killed_has_no_connection_whatever_the_journal_ends_with() -> None:
    found = broker(UP, daemon=STOPPED)
    assert found == BrokerStanding(connected=False, since=None, reason="the daemon does not run")
    # Of a past moment it had one.
    then = broker(UP, daemon=None)
    assert then is not None
    assert isinstance(then.since, datetime)
    assert then.connected
