"""What goes wrong in a world, planned from its seed: wire, disk, clocks, power, and people."""

import shutil
import signal
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.stopping.side_file import write_aside
from events import OperatorKilled
from events.witness import read_witness, witness_path
from tests.simulation.disk import DiskFault
from tests.simulation.timeline import SECOND

if TYPE_CHECKING:
    from tests.simulation.world import World

DAY_S = 86_400
JUMPS_S = (-86_000, -3_600, -60, -3, -1, 1, 3, 60, 3_600, 86_400)


class Mishaps:
    """Plans so many of each kind a trading day, on average, most of them while there is trading."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = world.chance("mishaps")
        self._armed: DiskFault | None = None
        self._writes_left = 0
        self._plan("in session", 2.5, self._lose_connection)
        self._plan("any time", 1.0, self._lose_connection)
        self._plan("in session", 0.25, self._fail_write)
        self._plan("any time", 0.15, self._set_clock)
        self._plan("any time", 0.05, self._suspend)
        self._plan("in session", 0.2, self._stop)
        self._plan("in session", 0.05, self._take_permit)
        self._plan("in session", 0.05, world.venue.trade_by_hand)

    def _plan(self, when: str, a_day: float, happens: Callable[[], None]) -> None:
        for session in self._world.market.sessions:
            expected = a_day
            while self._chance.random() < expected:
                expected -= 1
                length = (session.close - session.open).total_seconds()
                if when == "any time":
                    at = session.close - timedelta(seconds=self._chance.uniform(0, DAY_S))
                else:
                    at = session.open + timedelta(seconds=self._chance.uniform(0, length))
                self._world.timeline.at_moment(at, lambda: self._strike(happens))

    def _strike(self, happens: Callable[[], None]) -> None:
        if not self._world.is_calm:
            happens()

    # The wire and the disk.

    def _lose_connection(self) -> None:
        process = self._world.process
        if process is not None and hasattr(process, "link"):
            process.link.lose()

    def _fail_write(self) -> None:
        """Let one of the next writes fail, those of the next start included."""
        self._armed = self._chance.choice(list(DiskFault))
        self._writes_left = self._chance.randint(0, 6)

    def next_disk_fault(self) -> DiskFault | None:
        """Return what goes wrong with the write in hand; it does so once."""
        if self._armed is None or self._world.is_calm:
            return None
        if self._writes_left:
            self._writes_left -= 1
            return None
        armed, self._armed = self._armed, None
        self._world.struck[f"disk: {armed}"] += 1
        return armed

    def while_it_is_down(self) -> None:
        """Do to what a dead process leaves behind what may happen to it."""
        if self._world.is_calm:
            return
        fate, journal = self._chance.random(), self._world.journal
        if fate < 0.06:
            self._fail_write()
        elif fate < 0.10 and journal.exists():
            self._world.struck["killed while it was down"] += 1
            write_aside(
                journal, OperatorKilled(f"aside-{self._world.number()}", "operator", 0, "!")
            )
        elif fate < 0.16:
            self._spoil_snapshot(journal)

    def _spoil_snapshot(self, journal: Path) -> None:
        folder = journal.with_name(journal.name + ".snapshots")
        files = sorted(folder.glob("*.json"))
        if not files:
            return
        self._world.struck["snapshot spoilt"] += 1
        if self._chance.random() < 0.5:
            files[-1].unlink()
        else:
            files[-1].write_bytes(files[-1].read_bytes()[: self._chance.randint(0, 3_000)])

    def cut_power(self) -> Callable[[], None] | None:
        """Lose the end of the journal, as a disk does that said it had it; return what undoes it.

        None: there was nothing to lose.
        """
        journal = self._world.journal
        if self._world.is_calm:
            return None
        seen = read_witness(witness_path(journal)) if journal.exists() else None
        if seen is None or seen.seq < 3:
            return None
        kept = journal.with_name("kept.db")
        _fold_log(journal)
        shutil.copyfile(journal, kept)
        _cut(journal, max(1, seen.seq - self._chance.randint(1, 40)))
        self._world.struck["power cut on a disk that lies"] += 1
        return lambda: _put_back(kept, journal)

    # Clocks and people.

    def _set_clock(self) -> None:
        world, by = self._world, timedelta(seconds=self._chance.choice(JUMPS_S))
        world.clocks.set_wall(by)
        world.struck["clock set"] += 1
        back = self._chance.uniform(60, 4 * 3_600)
        world.timeline.after(back, lambda: world.clocks.set_wall(-by))

    def _suspend(self) -> None:
        """Let the machine sleep: nothing runs in it, and time passes outside."""
        world, seconds = self._world, self._chance.choice((1, 10, 900))
        world.struck["suspended"] += 1
        world.clocks.slept(seconds)
        world.timeline.now += seconds * SECOND

    def _stop(self) -> None:
        process = self._world.process
        if process is not None and not process.dead:
            self._world.struck["stopped"] += process.loop.send_signal(signal.SIGTERM)

    def _take_permit(self) -> None:
        process = self._world.process
        if process is not None and process.permit.exists():
            process.permit.unlink()
            self._world.struck["permit removed"] += 1


def _fold_log(journal: Path) -> None:
    """Have all rows in the journal's own file."""
    connection = sqlite3.connect(journal, isolation_level=None)
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.close()
    assert not busy, "a dead process still has the journal open"


def _cut(journal: Path, head: int) -> None:
    """Leave the rows up to `head`; what keeps rows from going is put back as it was."""
    connection = sqlite3.connect(journal, isolation_level=None)
    triggers = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("DELETE FROM event WHERE seq > ?", (head,))
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()


def _put_back(kept: Path, journal: Path) -> None:
    for beside in ("-wal", "-shm"):
        journal.with_name(journal.name + beside).unlink(missing_ok=True)
    kept.replace(journal)
