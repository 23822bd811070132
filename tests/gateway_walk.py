"""A simulated gateway and the daemon on it, each a process of its own, as a person starts them."""

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from events import Event, OrderFilled, OrderIntended
from events.journal import JournalReader
from tests.command_line import TRADED, environment, traded

Kind = TypeVar("Kind", bound=Event)
ROOT = Path(__file__).parents[1]
BARS = "ops/demo/us-equities-daily-2000-2013.csv.gz"
ACCOUNT = "DU1234567"
PATIENCE_S = 240.0
"""Some days at 2,000 times the world's pace: who is late for one opening is there at the next."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as spare:
        spare.bind(("127.0.0.1", 0))
        found: int = spare.getsockname()[1]
        return found


class Process:
    """One command that runs until it is told to end; `said` is all of its stderr so far."""

    def __init__(
        self, words: Sequence[str | Path], folder: Path, variables: Mapping[str, str]
    ) -> None:
        self.running = subprocess.Popen(
            [TRADED, *words],
            cwd=folder,
            env=environment(folder, **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.running.stderr is not None
        for line in self.running.stderr:
            self.said += line

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until `text` was said so many times."""
        until(lambda: self.said.count(text) >= times, lambda: f"{text!r} in\n{self.said}")

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        self.running.kill()
        self.running.wait(timeout=PATIENCE_S)

    def stop(self) -> tuple[int, str]:
        """Stop it as Ctrl-C does; return how it ended, and its stdout."""
        self.running.terminate()
        assert self.running.stdout is not None
        printed = self.running.stdout.read()
        self.running.wait(timeout=PATIENCE_S)
        self._reading.join(timeout=PATIENCE_S)
        assert "Traceback" not in self.said, self.said
        return self.running.returncode, printed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._reading.join(timeout=PATIENCE_S)
        for stream in (self.running.stdout, self.running.stderr):
            assert stream is not None
            stream.close()


def until(happens: Callable[[], object], what: Callable[[], str]) -> None:
    """Wait for something, and say in vain `what` it was."""
    ends = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < ends, f"waited in vain for {what()}"
        time.sleep(0.05)


class Walk:
    """A folder with the demo's files, and what a person types in it: `traded` and these words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.variables = {
            "TRADED_CONFIG": "ops/demo/gateway.toml",
            "IBKR_ACCOUNT": ACCOUNT,
            "IBKR_PORT": str(self.port),
        }
        shutil.copytree(ROOT / "ops" / "demo", folder / "ops" / "demo")

    @contextmanager
    def gateway(self, *words: str) -> Iterator[Process]:
        """Run the gateway meanwhile, once it has shared its time."""
        clock = self.folder / "var" / "gateway.time"
        with Process(words, self.folder, {}) as process:
            until(clock.exists, lambda: f"the gateway's clock; it said {process.said}")
            yield process

    def daemon(self, *words: str) -> Process:
        """Start the daemon on it."""
        return Process(words, self.folder, self.variables)

    def typed(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type a command and wait for its end."""
        return traded(*words, cwd=self.folder, variables=self.variables)

    def confirmed(self, *words: str) -> str:
        """Type a command that asks back, and confirm it; return what it printed."""
        asked = self.typed(*words)
        token = re.search(r"--confirm (\w+)", asked.stderr)
        assert token is not None, (asked.stdout, asked.stderr)
        done = self.typed(*words, "--confirm", token[1])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def events(self, kind: type[Kind]) -> list[Kind]:
        """Return every event of that kind in the journal, oldest first."""
        with JournalReader(self.folder / "var" / "walk" / "journal.db") as reader:
            found = [record.event for record in reader.records_back(kinds=[kind])]
        return [event for event in reversed(found) if isinstance(event, kind)]

    def strategies_filled(self) -> set[str]:
        """Return the strategies that have had a fill."""
        filled = {each.client_order_id for each in self.events(OrderFilled)}
        return {
            each.strategy for each in self.events(OrderIntended) if each.client_order_id in filled
        }

    def is_sound(self) -> None:
        """See that the journal is whole, decides the same again, and agrees with the broker."""
        for words in (["verify"], ["replay", "--redecide"], ["breaks"], ["explain", "AAPL"]):
            done = self.typed(*words)
            assert done.returncode == 0, (words, done.stdout, done.stderr)
