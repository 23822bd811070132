"""Another process that writes a journal, on command: a line on its stdin is what it does next.

A number is that many bars in one batch, each bar closing at its own number in the journal; `fold`
folds the log back. It answers with where the journal ends, or with the error that ended it.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from events.errors import JournalError
from events.journal import Journal
from tests.builders import a_bar, records
from tests.journals import OPENED, writing

ROOT = Path(__file__).parents[1]


class OtherWriter:
    """A process that has a journal open, or tried to: `said` is what it said first."""

    def __init__(self, path: Path) -> None:
        """Start it on the journal at `path`, and wait for nothing."""
        words = [sys.executable, "-m", "tests.other_writer", str(path)]
        self.process = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, *commands: object) -> None:
        """Say what to do next, and wait for nothing."""
        stdin = _there(self.process.stdin)
        stdin.write("".join(f"{command}\n" for command in commands))
        stdin.flush()

    def hear(self) -> str:
        """Return its next answer; the empty text is its end."""
        return _there(self.process.stdout).readline().strip()

    def ask(self, command: object) -> str:
        self.tell(command)
        return self.hear()

    def kill(self) -> None:
        """End it as kill -9 does."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            _there(pipe).close()


@contextmanager
def other_writer(path: Path) -> Iterator[OtherWriter]:
    """Let another process have the journal at `path` open."""
    writer = OtherWriter(path)
    try:
        assert writer.hear().startswith("at ")
        yield writer
    finally:
        writer.close()


def _there(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


async def work(path: Path) -> None:
    """Write the journal at `path` as stdin says."""
    async with writing(path) as journal:
        if not journal.head.seq:
            await journal.append(list(records(OPENED)))
        say(f"at {journal.head.seq}")
        for line in sys.stdin:
            if line.strip() == "fold":
                await journal.checkpoint()
            else:
                await append(journal, int(line))
            say(f"at {journal.head.seq}")


async def append(journal: Journal, size: int) -> None:
    first = journal.head.seq + 1
    bars = [a_bar(str(seq)) for seq in range(first, first + size)]
    await journal.append(list(records(*bars, first=first)))


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the answer, for the process that asked


if __name__ == "__main__":
    try:
        asyncio.run(work(Path(sys.argv[1])))
    except JournalError as error:
        say(f"{type(error).__name__}: {error.args[0]}")
