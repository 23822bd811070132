"""Who follows the journal sees every event once and in order, whatever its writer goes through."""

import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from events import BarClosed, Record
from events.journal import JournalReader
from events.journal_file import PAGE_BYTES
from tests.command_line import TRADED, environment, traded
from tests.other_writer import other_writer

SEED = 11
PAUSE_S = 0.002
PATIENCE_S = 20
PAGES_OFFSET = 28
"""Where the header of a SQLite file says how many pages it has."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def batches(count: int) -> list[object]:
    """Return `count` sizes of batches; now and then the log is folded back."""
    chance = random.Random(SEED)
    return ["fold" if turn % 25 == 24 else chance.randrange(1, 60) for turn in range(count)]


def events_in(commands: list[object]) -> int:
    return sum(size for size in commands if isinstance(size, int))


class Pause:
    """Waits a little, until `last` was seen or it takes too long; `times` is how often."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.times = 0
        self.seen = 0
        self._until = time.monotonic() + PATIENCE_S

    def __call__(self) -> bool:
        self.times += 1
        time.sleep(PAUSE_S)
        return self.seen < self.last and time.monotonic() < self._until


def followed(path: Path, after: int, last: int) -> tuple[list[Record], Pause]:
    """Follow the journal at `path` up to event `last`; return what was seen."""
    pause = Pause(last)
    seen = []
    with JournalReader(path) as reader:
        for record in reader.follow(after, pause):
            seen.append(record)
            pause.seen = record.seq
    return seen, pause


def assert_every_bar_once(seen: list[Record], first: int, last: int) -> None:
    """Assert that `seen` are the bars `first` to `last`, each closing at its own number."""
    assert [record.seq for record in seen] == list(range(first, last + 1))
    closes = [record.event.close for record in seen if isinstance(record.event, BarClosed)]
    assert closes == list(range(first, last + 1))


def test_a_follower_sees_every_event_once_while_another_process_writes(path: Path) -> None:
    commands = batches(100)
    last = 1 + events_in(commands)
    with other_writer(path) as writer:
        writer.tell(*commands)
        seen, pause = followed(path, 1, last)
    assert_every_bar_once(seen, 2, last)
    # It was there while they came, and not only when all was done.
    assert pause.times > 3


def kills(path: Path, count: int) -> Iterator[bool]:
    """Let `count` writers have the journal one after the other, each killed while it writes.

    What is yielded is whether more may come: each time, whoever follows reads what is there.
    """
    chance = random.Random(SEED)
    with JournalReader(path) as onlooker:
        for _ in range(count):
            with other_writer(path) as writer:
                target = onlooker.head().seq + chance.randrange(100, 1_500)
                writer.tell(*batches(400))
                while onlooker.head().seq < target:
                    assert writer.process.poll() is None
                    time.sleep(PAUSE_S)
                    yield True
                writer.kill()
            yield True
    yield False


def test_a_follower_goes_on_across_kills_of_the_writer(path: Path) -> None:
    with other_writer(path):
        pass
    struck = kills(path, 4)
    with JournalReader(path) as reader:
        seen = list(reader.follow(1, lambda: next(struck)))
        last = reader.head().seq
    assert_every_bar_once(seen, 2, last)
    # Each wrote something, and none all it was told to.
    assert 400 < last < 4 * events_in(batches(400))


def tail(path: Path) -> "subprocess.Popen[str]":
    words = [str(TRADED), "tail", "-f", "-n", "1000", "--json", "--journal", str(path)]
    return subprocess.Popen(words, env=environment(path.parent), stdout=subprocess.PIPE, text=True)


def printed(process: "subprocess.Popen[str]") -> Iterator[tuple[int, str]]:
    """Yield what `tail` prints: an event's number and, of a bar, its close."""
    assert process.stdout is not None
    for line in process.stdout:
        row = json.loads(line)
        yield row["seq"], row["event"].get("close")


def test_traded_tail_prints_every_event_once_while_another_process_writes(path: Path) -> None:
    commands = batches(400)
    last = 1_001 + events_in(commands)
    with other_writer(path) as writer:
        assert writer.ask(1_000) == "at 1001"
        # It is under way already: what `tail` shows first and what it follows meet without a seam.
        writer.tell(*commands[:300])
        with tail(path) as process:
            try:
                lines = printed(process)
                first, close = next(lines)
                writer.tell(*commands[300:])
                found = [(first, close), *until(last, lines)]
            finally:
                process.kill()
    assert 1 < first < last - events_in(commands[300:])
    assert found == [(seq, str(seq)) for seq in range(first, last + 1)]


def until(last: int, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield `lines` up to event `last`."""
    for line in lines:
        yield line
        if line[0] == last:
            return


def test_the_journal_is_found_sound_while_it_is_written(path: Path) -> None:
    last = 401
    heads: list[int] = []
    with other_writer(path) as writer, JournalReader(path) as reader:
        writer.tell(*[1] * (last - 1))
        while not heads or heads[-1] < last:
            assert reader.check() == []
            heads.append(reader.head().seq)
    # It was looked at while it grew, again and again.
    assert len(set(heads)) > 3


def test_traded_verify_disturbs_no_writer(path: Path) -> None:
    with other_writer(path) as writer:
        writer.tell(*batches(400))
        done = traded("verify", "--json", "--journal", path)
        assert done.returncode == 0, done.stdout
        head = json.loads(done.stdout)["head_seq"]
        answers = [writer.hear() for _ in range(400)]
    last = 1 + events_in(batches(400))
    assert answers[-1] == f"at {last}"
    assert 1 <= head <= last


def test_a_reader_comes_in_while_a_checkpoint_is_half_way(path: Path) -> None:
    """The first page, which says how many there are, is folded back before the file has grown."""
    with other_writer(path) as writer:
        writer.ask(1_000)
        pages = 1 + path.stat().st_size // PAGE_BYTES
        with path.open("r+b") as file:
            file.seek(PAGES_OFFSET)
            file.write(pages.to_bytes(4, "big"))
        with JournalReader(path) as reader:
            assert reader.head().seq == 1_001
            assert reader.check() == []
