"""Archives a journal of millions of events: how small it becomes, and how fast it is read then.

    .venv/bin/python -m tests.archive_campaign --events 10000000

The events are those of a real run of the daemon, 85 of a hundred of them bars, again and again in
made-up years. They are read as rows that nobody proves, as rows that are, and as they are sealed,
by turns and in pieces, so that a busy machine is as busy for each; what counts is the processor's
time. 1: an event takes more than 60 bytes, or what is sealed is not read twice as fast as rows.
"""

import argparse
import gc
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path

from daemon.keeping.archiving import archive
from events import JournalOpened, Record
from events.chain import GENESIS, Row, row_hash
from events.journal import JournalReader
from events.journal_file import RowFile
from events.rows import Head
from events.witness import Witness, WitnessFile, witness_path
from ops.bench.workload import synthetic, trade

BARS = 170_000
"""Of the run that is written down again and again: half a year of twenty symbols' minutes."""
FIRST_YEAR = 2010
OPENING = 5
"""Events that name, configure and fund the journal: that happens once."""
A_YEAR_NS = 365 * 24 * 3_600 * 10**9
PAGE, PIECE = 10_000, 200_000
BYTES_AN_EVENT, TIMES_AS_FAST = 60.0, 2.0


def again_and_again(source: Path, events: int) -> Iterator[Row]:
    """Yield so many rows: those of `source`, then again a year later, and so on, in one chain."""
    with JournalReader(source) as reader:
        once = list(reader.rows())
    previous, seq = GENESIS, 0
    for year in count(FIRST_YEAR):
        skipped = OPENING if seq else 0
        by, since = seq - skipped, str(year)
        for _, at, tag, key, trace, cause, body, _ in once[skipped:]:
            if seq == events:
                return
            seq += 1
            moved = (
                seq,
                at + (year - FIRST_YEAR) * A_YEAR_NS,
                key and key.replace(str(FIRST_YEAR), since),
                trace and trace + by,
                cause and cause + by,
            )
            text = body.replace(str(FIRST_YEAR), since)
            previous = row_hash(previous, *moved, text.encode())
            yield (seq, moved[1], tag, *moved[2:], text, previous)


def written(source: Path, target: Path, events: int) -> int:
    """Write a journal of so many events to `target`; return its size in bytes."""
    file, rows = RowFile(target), again_and_again(source, events)
    while page := list(islice(rows, PAGE)):
        file.write(page)
        seq, *_, row_hash = page[-1]
    file.finish()
    with JournalReader(target) as reader:
        opened = reader.record(1)
    assert opened is not None
    assert isinstance(opened.event, JournalOpened)
    witness = WitnessFile(witness_path(target))
    witness.write(Witness(opened.event.journal_id, opened.event.epoch, seq, row_hash.hex()))
    witness.close()
    return target.stat().st_size


def seconds(read: Iterable[Record]) -> float:
    """Return how long the processor takes to read them all, each given up behind the next."""
    began = time.process_time()
    deque(read, 0)
    return time.process_time() - began


def scans(rows: Path, sealed: Path, events: int) -> tuple[float, float, float]:
    """Return the seconds to read all as rows, as rows each of which is proved, and as sealed."""
    spent = [0.0, 0.0, 0.0]
    gc.collect()
    gc.freeze()
    with JournalReader(rows) as plain, JournalReader(sealed) as packed:
        for after in range(0, events, PIECE):
            upto = min(after + PIECE, events)
            start = Head(after, plain.hash_at(after) or GENESIS)
            readings = (
                plain.records(after, upto),
                plain.verified_records(start, upto),
                packed.records(after, upto),
            )
            for number, reading in enumerate(readings):
                spent[number] += seconds(reading)
    return spent[0], spent[1], spent[2]


def campaign(folder: Path, events: int) -> bool:
    """Make it, archive it, read it; say what came of it, and whether that is enough."""
    source, journal, rows = folder / "source.db", folder / "long.db", folder / "rows.db"
    trade(synthetic(BARS), source)
    before = written(source, journal, events)
    say(f"{events:,} events, {before / events:.0f} bytes each as rows")
    os.link(journal, rows)  # Archiving puts another file in its place.
    began = time.process_time()
    packed = archive(journal).packed
    each = packed / events
    spent = time.process_time() - began
    say(f"archived: {each:.1f} bytes each, {spent / events * 1e6:.1f} us of the processor each")
    unproved, proved, sealed = scans(rows, journal, events)
    say(f"read: {sealed / events * 1e6:.2f} us each as sealed")
    for how, spent in (("nobody proves", unproved), ("are proved", proved)):
        say(f"rows that {how}: {spent / events * 1e6:.2f} us each, {spent / sealed:.2f} times")
    return each <= BYTES_AN_EVENT and unproved >= TIMES_AS_FAST * sealed


def main() -> int:
    """Run it with what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.archive_campaign")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--where", type=Path, help="a folder with 330 bytes of room for each")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="traded-archive-", dir=asked.where) as name:
        return 0 if campaign(Path(name), asked.events) else 1


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the campaign's report, for a person


if __name__ == "__main__":
    sys.exit(main())
