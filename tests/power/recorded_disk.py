"""A disk that loses power: what a real writer asked of it, and what may be left of that.

A writer of the journal runs under strace, so that every write and every sync it makes is known, in
order, and with it every word that says an event is durable. From this any power cut can be made up
without a kernel: what was synced is there; of what was written since, any 512-byte sector may be
there or not, and one of them may be there in part.
"""

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.command_line import environment

ROOT = Path(__file__).parents[2]
SECTOR_BYTES = 512
JOURNAL = "journal.db"
FILES = (JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}.witness")
"""What is left of a journal after a power cut; the -shm file is nothing without its process."""
WHOLE = 0.9
CALLS = "pwrite64,write,fsync,fdatasync,ftruncate"

_LINE = re.compile(r"^(?P<thread>\d+) +(?P<rest>.*)$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>")
_CALL = re.compile(
    r"^(?P<call>\w+)\((?P<fd>\d+)<(?P<file>[^>]*)>(?:, )?(?P<rest>.*)\) += (?P<result>-?\d+)"
)
_WRITTEN = re.compile(r'^"(?P<data>[^"]*)", \d+(?:, (?P<offset>\d+))?$')


@dataclass(frozen=True)
class Write:
    """`data` was written at `offset`."""

    file: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Sync:
    """Everything written to the file is durable from here on."""

    file: str


@dataclass(frozen=True)
class Said:
    """The writer said that event `seq` is durable."""

    seq: int


@dataclass(frozen=True)
class Resize:
    """The file was given this size: a checkpoint ends so."""

    file: str
    size_bytes: int


Step = Write | Resize | Sync | Said


def why_not() -> str:
    """Return why no writer can be recorded here; nothing where one can."""
    if sys.platform != "linux" or shutil.which("strace") is None:
        return "strace is not installed"
    return ""


def record(folder: Path, seed: int, turns: int, synchronous: str) -> list[Step]:
    """Let a writer take `turns` turns in `folder`; return what it asked of the disk."""
    trace = folder / "trace"
    command = ["strace", "-f", "-y", "-xx", "-s", "99999999", "-e", f"trace={CALLS}"]
    command += ["-o", str(trace), sys.executable, "-m", "tests.power.writer"]
    command += [str(folder / JOURNAL), str(seed), str(turns), synchronous]
    subprocess.run(
        command,
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        check=True,
    )
    steps = list(_steps(trace))
    trace.unlink()
    # What comes after the last word is the orderly end of the writer: no power cut strikes there.
    words = [number for number, step in enumerate(steps) if isinstance(step, Said)]
    assert len(words) == turns, "a turn was not recorded"
    return steps[: words[-1] + 1]


def _steps(trace: Path) -> Iterator[Step]:
    sizes: dict[str, int] = {}
    for call, file, rest in _calls(trace):
        if call in ("fsync", "fdatasync"):
            if file in FILES:
                yield Sync(file)
            continue
        if call == "ftruncate":
            if file in FILES:
                yield Resize(file, int(rest))
                sizes[file] = int(rest)
            continue
        found = _WRITTEN.match(rest)
        assert found is not None, rest[:200]
        data = bytes.fromhex(found["data"].replace("\\x", ""))
        if file in FILES:
            # Without an offset it is an append: so the write-ahead log gets its size.
            offset = int(found["offset"]) if found["offset"] else sizes.get(file, 0)
            sizes[file] = max(sizes.get(file, 0), offset + len(data))
            yield Write(file, offset, data)
        elif data.startswith(b"at "):
            yield Said(int(data[3:]))


def _calls(trace: Path) -> Iterator[tuple[str, str, str]]:
    """Yield each call that succeeded, where it ended: its name, its file, and the rest of it."""
    begun: dict[str, str] = {}
    with trace.open() as lines:
        for line in lines:
            found = _LINE.match(line.rstrip("\n"))
            assert found is not None, line[:200]
            thread, rest = found["thread"], found["rest"]
            if rest.endswith("<unfinished ...>"):
                begun[thread] = rest.removesuffix("<unfinished ...>").rstrip()
                continue
            if _RESUMED.match(rest):
                rest = begun.pop(thread) + _RESUMED.sub("", rest)
            call = _CALL.match(rest)
            if call is not None and call["result"] != "-1":
                path = bytes.fromhex(call["file"].replace("\\x", "")).decode()
                # It is made under this name and then named, before anything is said.
                name = Path(path).name.replace(f"{JOURNAL}.new", JOURNAL)
                yield call["call"], name, call["rest"]


@dataclass
class _File:
    """A file of the disk: what is durable of it, and what was written since."""

    durable: bytearray = field(default_factory=bytearray)
    used: int = 0
    """Everything behind it is zeros."""
    pending: list[Write | Resize] = field(default_factory=list)

    def put(self, write: Write | Resize) -> None:
        if isinstance(write, Resize):
            self.durable = self.durable[: write.size_bytes].ljust(write.size_bytes, b"\0")
            self.used = min(self.used, write.size_bytes)
            return
        end = write.offset + len(write.data)
        if end > len(self.durable):
            self.durable.extend(bytes(end - len(self.durable)))
        self.durable[write.offset : end] = write.data
        if write.data.strip(b"\0"):
            self.used = max(self.used, end)


class Disk:
    """Follows the steps of a writer, and tells what a power cut after any of them leaves.

    With `lies` a sync does nothing: so a disk behaves that says it has written what it has not.
    """

    def __init__(self, *, lies: bool = False) -> None:
        self.said = 0
        self._files = {name: _File() for name in FILES}
        self._lies = lies

    def follow(self, step: Step) -> None:
        match step:
            case Write() | Resize():
                self._files[step.file].pending.append(step)
                # The journal's beginning is not what is tried here: it is made whole or not at all.
                if not self.said:
                    self._sync(step.file)
            case Sync():
                if not self._lies:
                    self._sync(step.file)
            case Said():
                self.said = step.seq

    def cut(self, folder: Path, chance: random.Random) -> None:
        """Write to `folder` what is left when the power goes now."""
        for name, file in self._files.items():
            left = _File(file.durable.copy(), file.used)
            share = chance.choice((0.0, 0.1, 0.5, 0.9, 1.0))
            for write in file.pending:
                for piece in _pieces(write):
                    if chance.random() < share:
                        left.put(_torn(piece, chance))
            with (folder / name).open("wb") as out:
                out.write(memoryview(left.durable)[: left.used])
                out.truncate(len(left.durable))

    def _sync(self, name: str) -> None:
        file = self._files[name]
        for write in file.pending:
            file.put(write)
        file.pending.clear()


def _pieces(write: Write | Resize) -> Iterator[Write | Resize]:
    """Yield `write` sector by sector."""
    if isinstance(write, Resize):
        yield write
        return
    start = write.offset
    end = start + len(write.data)
    while start < end:
        stop = min(end, start - start % SECTOR_BYTES + SECTOR_BYTES)
        yield Write(write.file, start, write.data[start - write.offset : stop - write.offset])
        start = stop


def _torn(piece: Write | Resize, chance: random.Random) -> Write | Resize:
    """Return the sector, or of one in ten only its beginning."""
    if isinstance(piece, Resize) or chance.random() < WHOLE:
        return piece
    return Write(piece.file, piece.offset, piece.data[: chance.randrange(len(piece.data) + 1)])
