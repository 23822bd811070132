"""The daemon as a person starts it, under a faked wall clock.

New Year's Eve, nights of 23 and 25 hours, 29 February, and a clock that is set while it runs. With
libfaketime (`apt-get install libfaketime`) in place; without it nothing is shown here, which is
said. What passes by itself, monotonic time, stays the machine's.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from events import ClockJumped, HoldPlaced, SessionEnded, SessionStarted, TimerFired, TimerKind
from events.base import Event
from events.errors import JournalError
from events.journal import JournalReader
from tests.builders import utc
from tests.gateway_walk import Process, until

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
STARTS_BEFORE = timedelta(seconds=40)
"""So long before what is due: a busy machine takes its time to start Python."""
MODULE = """
import asyncio
from daemon.strategies import Anchor, Every, Intent, Schedule, Strategy

class Timely(Strategy):
    offset_s: int = 0

    def schedules(self):
        return (Schedule("once", Every.SESSION, offset_s=self.offset_s),)

class Silent:
    live = True
    bars_total = starts_at = ends_at = None

    async def blocks(self, newest):
        await asyncio.Event().wait()
        yield
"""
CONFIG = """
mode = "paper"
[symbols.A]
exchange = "24/7"
[strategies.timely]
class = "timely:Timely"
params = {{ offset_s = {offset_s} }}
[feed]
kind = "timely:Silent"
[journal]
path = "j.db"
[control]
enabled = false
"""


class Night(msgspec.Struct, frozen=True):
    """A daemon that starts shortly before `due`, when its schedule comes, in New York's time."""

    due: str
    refreshes: bool = False
    """A day begins in New York at `due`."""
    set_by_s: int = 0
    """Once it runs its clock is set by so many seconds."""

    @property
    def offset_s(self) -> int:
        """How long after midnight UTC, when the session opens, the schedule is due."""
        due = utc(self.due)
        return due.hour * 3_600 + due.minute * 60 + due.second


NIGHTS = {
    "New Year's Eve": Night("2025-01-01T05:00:00", refreshes=True),
    "the year of UTC ends": Night("2025-01-01T00:00:00"),
    "two o'clock does not come": Night("2024-03-10T07:00:00"),
    "the day behind it begins at four": Night("2024-03-11T04:00:00", refreshes=True),
    "one o'clock comes twice": Night("2024-11-03T06:00:00"),
    "the day behind it begins at five": Night("2024-11-04T05:00:00", refreshes=True),
    "29 February": Night("2024-02-29T05:00:00", refreshes=True),
    "an hour ahead": Night("2024-07-10T15:30:00", set_by_s=3_600),
    "an hour back": Night("2024-07-10T15:30:00", set_by_s=-3_600),
}


class Faked:
    """One such daemon, and its clock."""

    def __init__(self, night: Night, folder: Path) -> None:
        folder.mkdir()
        self.night = night
        self._folder = folder
        self._clock = folder / "clock"
        self._ahead_s = (utc(night.due) - STARTS_BEFORE).timestamp() - time.time()
        self._set_clock()
        (folder / "timely.py").write_text(MODULE)
        (folder / "traded.toml").write_text(CONFIG.format(offset_s=night.offset_s))
        self.process = Process(
            ("run", "--config", "traded.toml"),
            folder,
            {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "TZ": "America/New_York",
            },
        )

    def _set_clock(self) -> None:
        whole = self._clock.with_name("clock.new")
        whole.write_text(f"{self._ahead_s:+.0f}")
        whole.replace(self._clock)

    def events(self, kind: type[Event]) -> list[Event]:
        """Return every event of that kind in the journal, oldest first."""
        journal = self._folder / "j.db"
        if not journal.exists():
            return []
        try:
            with JournalReader(journal) as reader:
                return [each.event for each in reversed(list(reader.records_back(kinds=[kind])))]
        except (JournalError, sqlite3.Error):
            return []  # It is being made.

    def fired(self, kind: TimerKind) -> list[str]:
        return [
            f"{each.due:%Y-%m-%dT%H:%M:%S}"
            for each in self.events(TimerFired)
            if isinstance(each, TimerFired) and each.kind is kind
        ]

    def live(self) -> None:
        """Wait until what is to come has come; then stop it."""
        until(lambda: self.events(SessionStarted), lambda: self.process.said)
        if self.night.set_by_s:
            self._ahead_s += self.night.set_by_s
            self._set_clock()
            until(lambda: self.events(ClockJumped), lambda: f"a jump: {self.process.said}")
        until(lambda: self.fired(TimerKind.SCHEDULE), lambda: f"a timer: {self.process.said}")
        if self.night.refreshes:
            until(lambda: self.fired(TimerKind.CALENDAR_REFRESH), lambda: "calendars made anew")
        assert self.process.stop()[0] == 0
        assert self.events(SessionEnded)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Faked]]:
    """Live through all of them at once: each has most of a minute to wait."""
    if not FAKETIME.exists():
        pytest.skip(f"inconclusive, no clock was faked: there is no {FAKETIME}")
    folder = tmp_path_factory.mktemp("nights")
    with ExitStack() as ends:
        found = {
            name: Faked(night, folder / str(number))
            for number, (name, night) in enumerate(NIGHTS.items())
        }
        for each in found.values():
            ends.enter_context(each.process)
        for each in found.values():
            each.live()
        yield found


@pytest.mark.parametrize("name", NIGHTS)
def test_what_is_due_that_night_is_done_once(name: str, lived: dict[str, Faked]) -> None:
    at, night = lived[name], NIGHTS[name]
    assert at.fired(TimerKind.SCHEDULE) == [night.due]
    assert at.fired(TimerKind.CALENDAR_REFRESH) == ([night.due] if night.refreshes else [])
    jumps = [each.ahead_s for each in at.events(ClockJumped) if isinstance(each, ClockJumped)]
    assert [round(jump / 60) for jump in jumps] == ([night.set_by_s / 60] if jumps else [])
    assert bool(jumps) is bool(night.set_by_s)
    causes = [each.cause for each in at.events(HoldPlaced) if isinstance(each, HoldPlaced)]
    assert ("CLOCK_JUMP" in causes) is bool(night.set_by_s)
