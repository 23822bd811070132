"""The real daemon on a live feed, its market outside: orders leave all the time, and are timed.

`trend` answers each fill with the opposite order, so that orders follow one another as fast as the
journal takes them, and keeps one order resting in each of four other symbols. What leaves for the
market is written to a pipe with the monotonic clock, which is the same for every process of the
machine: no full disk and no dead daemon keeps it from being known.
"""

import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from daemon.control.address import socket_path
from daemon.control.protocol import VERSION, Answer, Request, decode_answer, encode_line
from daemon.stopping.permit import permit_path
from events import HoldPlaced
from events.chain import Row
from events.journal import JournalReader
from ops.books import read_books
from tests.wide_limits import WIDE_LIMITS

ROOT = Path(__file__).parents[1]
SYMBOLS = tuple("ABCDEFGH")
WAIT_S = 60.0

CONFIG = (
    """
mode = "{mode}"
dry_run = false
[strategies.trend]
class = "loaded:Busy"
[broker]
kind = "loaded:Market"
answer_deadline_s = 300
[feed]
kind = "loaded:Bars"
[journal]
path = "j.db"
snapshot_every_events = 5000
snapshots_kept = 2
"""
    + WIDE_LIMITS
    + """
[promotion]
min_sessions = 0
[symbols]
"""
)
LOADED = '''
"""A market outside that soon fills what is to be filled at once, a feed, and a busy strategy."""

import asyncio
import os
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from daemon.strategies import Intent, Strategy
from events import (
    BarClosed, CashMoved, CashMovementKind, CommissionCharged, ExecutionId, OrderAcknowledged,
    OrderCancelled, OrderFilled, OrderType, Symbol, TimeInForce,
)

SYMBOLS, RESTS = "AEBFCGDH", "EFGH"
PRICE = Decimal(100)
FAR = Decimal(50)
FILLS_S = 0.008
"""How long a fill takes: four symbols in turn stay below a thousand orders a second."""


def note(what, order_id):
    os.write(int(os.environ["MARKET"]), f"{what} {time.monotonic_ns()} {order_id}\\n".encode())


class Market:
    outside = True
    next_due = datetime.max.replace(tzinfo=UTC)

    def connect(self, state, inbox):
        self.inbox = inbox
        inbox(CashMoved(CashMovementKind.DEPOSIT, Decimal(100_000), "opening"))
        cancelled = Path("cancelled").read_text().split()
        for order in state.orders.open.values():
            # What it said to a daemon that was killed was lost.
            if order.client_order_id in cancelled:
                inbox(OrderCancelled(order.client_order_id, "asked for"))
            else:
                self.answer(order.intent)
        note("up", len(state.orders.open))

    def submit(self, approved):
        kind = "sent" if approved.intent.order_type is OrderType.MARKET else "rests"
        note(kind, approved.intent.client_order_id)
        self.answer(approved.intent)

    def answer(self, intent):
        order_id = intent.client_order_id
        self.inbox(OrderAcknowledged(order_id))
        if intent.order_type is OrderType.MARKET:
            asyncio.get_running_loop().call_later(FILLS_S, self.fill, intent)

    def fill(self, intent):
        order_id = intent.client_order_id
        execution = ExecutionId("x-" + order_id)
        now = datetime.now(UTC)
        self.inbox(OrderFilled(order_id, execution, intent.symbol, intent.quantity, PRICE, now))
        self.inbox(CommissionCharged(order_id, execution, Decimal(0)))

    def cancel(self, client_order_id):
        note("cancel", client_order_id)
        self.inbox(OrderCancelled(client_order_id, "asked for"))

    def observe(self, bar): ...
    def advance(self, now): ...
    def corporate_action(self, action): ...
    def report_books(self, look_id, why, now): ...


class Bars:
    live = True
    bars_total = starts_at = ends_at = None

    async def blocks(self, newest):
        """A bar of each symbol every second, one after the other."""
        last = {}
        while True:
            for symbol in SYMBOLS:
                await asyncio.sleep(0.9 / len(SYMBOLS))
                end = datetime.now(UTC).replace(microsecond=0)
                if last.get(symbol) != end:
                    last[symbol] = end
                    yield [BarClosed(Symbol(symbol), 1, end, *[PRICE] * 4, Decimal(1000))]


class Busy(Strategy):
    """Buys and sells in turn; where a file says so it first hangs, for seconds or for ever."""

    def on_bar(self, bar, view):
        hang = Path("hang")
        if hang.exists():
            seconds = float(hang.read_text())
            hang.unlink()
            note("hangs", "loop")
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                pass
        if view.pending(bar.symbol):
            return None
        if bar.symbol in RESTS:
            return Intent(bar.symbol, Decimal(1), OrderType.LIMIT, TimeInForce.GTC, FAR)
        return Intent(bar.symbol, Decimal(-1 if view.quantity(bar.symbol) > 0 else 1))

    def on_fill(self, fill, view):
        if "CALM" in os.environ:
            return None
        return Intent(fill.symbol, -fill.quantity)
'''


class Market:
    """What the market has heard, with the time of each on the monotonic clock, in seconds."""

    def __init__(self) -> None:
        """Open a pipe for a daemon to write to."""
        self.read_end, self.write_end = os.pipe()
        self._lines: list[tuple[str, float, str]] = []
        threading.Thread(target=self._listen, name="market", daemon=True).start()

    def close(self) -> None:
        os.close(self.write_end)

    def heard(self, *kinds: str, after: float = 0.0) -> list[tuple[float, str]]:
        """Return when what of those kinds came, and the order, later than `after`."""
        return [(at, order) for kind, at, order in self._lines if kind in kinds and at > after]

    def resting(self) -> set[str]:
        """Return the orders that rest and were not asked to be cancelled."""
        cancelled = {order for _, order in self.heard("cancel")}
        return {order for _, order in self.heard("rests")} - cancelled

    def forget(self) -> int:
        """Drop what was heard; return how many orders that were."""
        lines, self._lines = self._lines, []
        return sum(kind in {"sent", "rests"} for kind, _, _ in lines)

    def _listen(self) -> None:
        with os.fdopen(self.read_end, encoding="utf-8") as lines:
            for line in lines:
                kind, at, order = line.split()
                self._lines.append((kind, int(at) / 1e9, order))


class Daemon:
    """One place with a daemon in it: `code` is the tree whose daemon runs there.

    A `calm` one answers bars and no fills: an order in each of four symbols a second. Its journal
    lies on the `disk` where one is given, else in `folder`; `settings` overrule its configuration.
    `under` stands before the command that starts it.
    """

    under: Sequence[str] = ()

    def __init__(  # noqa: PLR0913 - what a place is made of
        self,
        folder: Path,
        code: Path = ROOT,
        mode: str = "broker-paper",
        *,
        calm: bool = False,
        disk: Path | None = None,
        settings: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.journal = (disk or folder) / "j.db"
        self.permit = permit_path(self.journal)
        self.market = Market()
        # A socket's path has 107 bytes at most, and a test's folder may be longer than that.
        self._runtime = tempfile.TemporaryDirectory(prefix="t-")
        self._code = code
        self._meant = ["--live"] if mode == "live" else []
        for setting in (*settings, *([f"journal.path={self.journal}"] if disk else [])):
            self._meant += ["--set", setting]
        self._calm = calm
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)
        symbols = "".join(f'{name}.exchange = "24/7"\n' for name in SYMBOLS)
        (folder / "traded.toml").write_text(CONFIG.format(mode=mode) + symbols, encoding="utf-8")
        (folder / "traded.toml").chmod(0o600)
        (folder / "loaded.py").write_text(LOADED, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        found = os.environ | {
            "PYTHONPATH": str(self._code),
            "TRADED_LOG": "human",
            "XDG_RUNTIME_DIR": self._runtime.name,
            "MARKET": str(self.market.write_end),
        }
        return found | {"CALM": "yes"} if self._calm else found

    @property
    def socket(self) -> Path:
        return socket_path(self.journal, {"XDG_RUNTIME_DIR": self._runtime.name})

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, "start it first"
        return self.process

    def start(self) -> None:
        """Start it, and wait until it listens. Its market knows which orders it has cancelled."""
        cancelled = "\n".join(order for _, order in self.market.heard("cancel"))
        (self.folder / "cancelled").write_text(cancelled, encoding="utf-8")
        with (self.folder / "log.txt").open("ab") as log:
            words = ["-m", "ops.cli", "run", "--config", "traded.toml", *self._meant]
            self.process = subprocess.Popen(
                [*self.under, sys.executable, *words],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                pass_fds=[self.market.write_end],
            )
        began = time.monotonic()
        self.wait("a daemon that answers", lambda: self._answers(began))

    def _answers(self, began: float) -> bool:
        assert self.running.poll() is None, self.log
        return bool(self.market.heard("up", after=began)) and self.socket.exists()

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text(encoding="utf-8")

    def wait(self, what: str, there: Any, seconds: float = WAIT_S) -> float:  # noqa: ANN401 - a question
        """Wait until `there()`; return how long that took."""
        began = time.monotonic()
        while not there():
            assert time.monotonic() < began + seconds, f"no {what} within {seconds} s\n{self.log}"
            time.sleep(0.005)
        return time.monotonic() - began

    def busy(self, sent: int = 30, resting: int = 3) -> None:
        """Wait until it has traded from here on, and some orders rest."""
        now = time.monotonic()
        sent = min(sent, 2) if self._calm else sent
        self.wait("trading", lambda: len(self.market.heard("sent", after=now)) >= sent)
        self.wait("resting orders", lambda: len(self.market.resting()) >= resting)

    def say(self, line: bytes, wait_s: float = WAIT_S) -> bytes:
        """Say one line on the socket, as it is, and return what is answered to its end."""
        return say(self.socket, line, wait_s)

    def tell(self, verb: str, /, *, token: str = "", why: str = "a test", **args: Any) -> Answer:  # noqa: ANN401 - text or flag
        """Tell it one command, without a confirmation."""
        command_id = f"test-{time.monotonic_ns()}"
        request = Request(VERSION, verb, command_id, why, token, args)
        return decode_answer(self.say(encode_line(request)))

    def tell_surely(self, verb: str, /, **args: Any) -> Answer:  # noqa: ANN401 - as above
        """Tell it one command, and confirm what it answers."""
        asked = self.tell(verb, **args)
        return self.tell(verb, token=asked.token, **args) if asked.token else asked

    def traded(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another command of the same build on the journal."""
        return subprocess.run(
            [sys.executable, "-m", "ops.cli", *words, "--journal", str(self.journal)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def started(self, *words: str) -> subprocess.Popen[str]:
        """Start such a command, and leave it to the caller to hear it out."""
        return subprocess.Popen(
            [sys.executable, "-m", "ops.cli", *words, "--journal", str(self.journal)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def hang(self, seconds: float) -> None:
        """Let the trading loop hang so long with its next bar, and wait until it does."""
        now = time.monotonic()
        # Whole from the start: the strategy looks for it all the time.
        (self.folder / "hang.new").write_text(str(seconds), encoding="utf-8")
        (self.folder / "hang.new").rename(self.folder / "hang")
        self.wait("hang", lambda: self.market.heard("hangs", after=now))

    def fill_disk(self) -> None:
        """Forbid it to write to files from here on."""
        resource.prlimit(self.running.pid, resource.RLIMIT_FSIZE, (0, 0))

    def end(self) -> int:
        """Ask it to end, and return its exit code."""
        if self.running.poll() is None:
            self.running.terminate()
        return self.running.wait(WAIT_S)

    def kill(self) -> None:
        """End it as no daemon can hinder."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def rows(self, *kinds: str) -> list[Row]:
        """Return the rows of the journal, of some types where they are given."""
        with JournalReader(self.journal) as reader:
            return [row for row in reader.rows() if not kinds or row[2] in kinds]

    def holds(self) -> list[HoldPlaced]:
        """Return what holds orders, by the journal."""
        with JournalReader(self.journal) as reader:
            return list(read_books(reader).state.holds.active.values())

    def close(self) -> None:
        self.kill()
        self.market.close()
        self._runtime.cleanup()


def say(path: Path, line: bytes, wait_s: float = WAIT_S) -> bytes:
    """Say `line` on the socket at `path`; return what is answered until the other side ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(
            str(path)
        )  # Waits where the line is full, as nothing with a timeout does.
        connection.settimeout(wait_s)
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(line)  # It may have heard enough.
        return heard(connection)


def heard(connection: Any) -> bytes:  # noqa: ANN401 - a socket
    """Return all that the other side says until it ends."""
    found = b""
    while True:
        try:
            more: bytes = connection.recv(65_536)
        except ConnectionResetError:
            return found
        if not more:
            return found
        found += more


@contextmanager
def a_daemon(folder: Path, **parts: Any) -> Iterator[Daemon]:  # noqa: ANN401 - the daemon's
    """Start a daemon in `folder`, and end it whatever comes."""
    daemon = Daemon(folder, **parts)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()
