"""A journal that fails ends the run, and what works outside by then is cancelled all the same."""

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from events import CancelSending, OperatorCancelAsked, Trip
from events.journal import JournalReader
from tests.live_desk import Daemon

LEFT_BYTES = 2**20
"""More than what it says takes, less than its write-ahead log has."""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path / "place", calm=True)
    try:
        yield made
    finally:
        made.close()


def fail_to_write(daemon: Daemon) -> set[str]:
    """Let its journal fail under a daemon at work; return the orders that rested then."""
    daemon.start()
    daemon.busy()
    resource.prlimit(daemon.running.pid, resource.RLIMIT_FSIZE, (LEFT_BYTES, LEFT_BYTES))
    assert daemon.running.wait(60) == 74, daemon.log
    return {order for _, order in daemon.market.heard("rests")}


def test_what_rests_at_the_broker_is_cancelled_and_the_next_start_knows_it(daemon: Daemon) -> None:
    rested = fail_to_write(daemon)
    assert len(rested) >= 3
    assert daemon.market.resting() == set()
    assert f"{len(rested)} open orders are being cancelled" in daemon.log
    daemon.start()
    (hold,) = daemon.holds()
    assert hold.cause == Trip.JOURNAL_DOUBT
    assert "kept in the side file, for the journal could not be written" in hold.why
    with JournalReader(daemon.journal) as reader:
        events = [record.event for record in reader.records()]
    assert {each.order for each in events if isinstance(each, OperatorCancelAsked)} == rested
    assert {each.client_order_id for each in events if isinstance(each, CancelSending)} == rested
    lifted = daemon.tell_surely("lift", hold=hold.hold_id)
    assert lifted.exit_code == 0, lifted
    daemon.busy()
