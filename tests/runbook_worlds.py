"""The hosts on which the runbook's commands are run: a folder each, as if it were /.

`/etc/traded` and the like of a command are folders in it, and what is printed is shown without it.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from events import BrokerDisconnected, Event, OrderFilled, OrderIntended, OrderRejected
from events.journal import JournalReader
from tests.command_line import TRADED, environment
from tests.gateway_walk import ACCOUNT, ROOT, Process, free_port, until

Kind = TypeVar("Kind", bound=Event)
DEMO: Final = ROOT / "ops" / "demo"
BARS: Final = DEMO / "us-equities-daily-2000-2013.csv.gz"
RUN_MAX_S: Final = 120
SMALL: Final = "4m"
REFUSED: Final = "".join(
    f'[[fault]]\nkind = "refused"\non = "placeOrder"\ncode = 201\nnth = {nth}\n' for nth in (3, 4)
)
PREFIXES: Final = ("/etc/", "/var/", "/run/", "/mnt/")


class World:
    """A host with traded on it. Its verbs are the steps of the page."""

    def __init__(self, folder: Path, open_until: ExitStack) -> None:
        self.folder, self._open = folder, open_until
        self.state = folder / "var/lib/traded"
        self.is_disk_small = False
        self.config = folder / "etc/traded/traded.toml"
        self.port = free_port()
        self.gateway: Process | None = None
        self.daemon: Process | None = None
        for each in (self.state, self.config.parent, folder / "mnt/backup", folder / "run"):
            each.mkdir(parents=True, exist_ok=True)
        self.variables = {
            "TRADED_CONFIG": str(self.config),
            "STATE_DIRECTORY": str(self.state),
            "RUNTIME_DIRECTORY": str(folder / "run/traded"),
            "IBKR_ACCOUNT": ACCOUNT,
            "IBKR_PORT": str(self.port),
            "PATH": f"{TRADED.parent}:/usr/bin:/bin",
            "COLUMNS": "100",
        }

    @property
    def journal(self) -> Path:
        """The one journal there is."""
        (found,) = self.state.glob("*.db")
        return found

    def run(self, command: str) -> list[str]:
        """Type a command; return the lines it prints, and its exit code where that is not 0."""
        for prefix in PREFIXES:
            command = re.sub(rf"(?<![\w/]){prefix}", f"{self.folder}{prefix}", command)
        if command.startswith("journalctl "):
            command = self._of_the_log(command)
        shell = ["/bin/bash", "-o", "pipefail", "-c", command]
        if self.is_disk_small:
            mount = f"mount -t tmpfs -o size={SMALL} none {self.state}"
            shell = ["/usr/bin/unshare", "--mount", *shell[:-1], f"{mount} && {command}"]
        done = subprocess.run(
            shell,
            cwd=self.folder,
            env=environment(self.folder, **self.variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=RUN_MAX_S,
        )
        code = [f"[exit code {done.returncode}]"] if done.returncode else []
        return [*done.stdout.replace(str(self.folder), "").splitlines(), *code]

    def do(self, step: str) -> None:
        """Do one step of the page that nobody types."""
        steps: dict[str, Callable[[], None]] = {
            "adopted": self._adopted,
            "filled": self._filled,
            "rejected": self._rejected,
            "gateway-gone": self._gateway_gone,
            "lost": self._lost,
            "damaged": self._damaged,
            "newly-started": self._start_again,
        }
        steps[step]()

    def lay_out(self) -> None:
        """Lay out a configuration for a gateway."""
        text = (DEMO / "gateway.toml").read_text(encoding="utf-8")
        self.config.write_text(re.sub(r"\[journal\]\npath = .*\n", "", text), encoding="utf-8")

    def fill_up(self) -> None:
        """Lay out thirteen years to record, and a disk that holds a part of them."""
        self._lay_out_bars()
        self.is_disk_small = True

    def play(self, start: str, *, refusing: bool = False) -> None:
        """Start a gateway that plays a day, and the daemon on it, until the balance is found."""
        self.lay_out()
        faults = self.folder / "etc/faults.toml"
        faults.write_text(REFUSED if refusing else "", encoding="utf-8")
        self._open_gateway(start, "--faults", str(faults))
        self._start()

    def record(self) -> None:
        """Have the daemon record thirteen years, and end."""
        self._lay_out_bars()
        assert self.run("traded run")[-1:] != ["[exit code 1]"]

    def _open_gateway(self, start: str, *words: str) -> None:
        clock, account = self.folder / "run/gateway.time", self.folder / "mnt/gateway"
        clock.unlink(missing_ok=True)
        when = ("--start", start, "--speed", "60", "--clock", clock)
        where = ("--port", str(self.port), "--state", account, "--bars", BARS)
        command: list[str | Path] = ["gateway-sim", *when, *where, *words]
        self.gateway = self._open.enter_context(Process(command, self.folder, {}))
        until(clock.exists, lambda: f"the gateway's clock; it said {self.gateway}")

    def _lay_out_bars(self) -> None:
        for file in DEMO.iterdir():
            shutil.copy(file, self.config.parent / file.name)
        (self.config.parent / "demo.toml").rename(self.config)

    def _start(self) -> None:
        words = ("run", "--gateway-time", self.folder / "run/gateway.time")
        variables = self.variables | {"TRADED_LOG": "json"}
        self.daemon = self._open.enter_context(Process(words, self.folder, variables))
        self.daemon.wait_for("RECONCILIATION_BREAK")

    def _start_again(self) -> None:
        assert self.daemon is not None
        self.daemon.kill()
        self._start()

    def _adopted(self) -> None:
        words = "traded resolve --all --adopt --why opening"
        token = re.search(r"--confirm (\w+)", "\n".join(self.run(words)))
        assert token is not None
        self.run(f"{words} --confirm {token[1]}")

    def _filled(self) -> None:
        def strategies() -> set[str]:
            filled = {each.client_order_id for each in self._events(OrderFilled)}
            intents = self._events(OrderIntended)
            return {each.strategy for each in intents if each.client_order_id in filled}

        until(lambda: strategies() >= {"trend", "balance"}, lambda: f"fills of {strategies()}")

    def _rejected(self) -> None:
        until(lambda: self._events(OrderRejected), lambda: "a refused order")

    def _gateway_gone(self) -> None:
        assert self.gateway is not None
        self.gateway.kill()
        # The first is that of the start.
        until(lambda: len(self._events(BrokerDisconnected)) > 1, lambda: "the end of the link")

    def _lost(self) -> None:
        """Lose the journal's disk, and start again in the evening, when prices stand still."""
        assert self.daemon is not None
        assert self.gateway is not None
        self.daemon.kill()
        self.gateway.stop()
        self._open_gateway("2012-11-05T21:30")
        shutil.rmtree(self.state)
        self.state.mkdir()
        self._start()

    def _damaged(self) -> None:
        """Change one letter in the middle of the journal, as a failing disk might."""
        found = self.journal.read_bytes()
        at = found.index(b'"strategy":"trend"', len(found) // 2)
        self.journal.write_bytes(found[:at] + found[at:].replace(b"trend", b"trent", 1))

    def _events(self, kind: type[Kind]) -> list[Kind]:
        with JournalReader(self.journal) as reader:
            found = [record.event for record in reader.records_back(kinds=[kind])]
        return [each for each in found if isinstance(each, kind)]

    def _of_the_log(self, command: str) -> str:
        """Return the command with the daemon's log for journalctl, which must take its words.

        What it would choose by itself (unit and time) is all of this log.
        """
        asked, _, rest = command.partition(" | ")
        empty = self.folder / "var/log/journal"
        empty.mkdir(parents=True, exist_ok=True)
        if shutil.which("journalctl"):
            subprocess.run(
                ["/bin/bash", "-c", f"{asked} --directory={empty}"], check=True, capture_output=True
            )
        assert self.daemon is not None
        log = self.folder / "var/log/traded"
        log.write_text(self.daemon.said)
        return f"cat {log} | {rest}" if rest else f"cat {log}"


@contextmanager
def a_world(name: str) -> Iterator[World]:
    """Make the world of that name, and end all that runs in it."""
    # Short, since the path of a socket is; and removed whatever becomes of the test.
    with tempfile.TemporaryDirectory(prefix="rb-") as folder, ExitStack() as open_until:
        world = World(Path(folder), open_until)
        WORLDS[name](world)
        yield world


WORLDS: Final[dict[str, Callable[[World], None]]] = {
    "recorded": World.record,
    "trading": lambda world: world.play("2012-11-05T13:45"),
    "tripped": lambda world: world.play("2012-11-05T11:00"),
    "small": World.fill_up,
    "refusing": lambda world: world.play("2012-11-05T14:00", refusing=True),
    "bare": World.lay_out,
}
"""Each world of the page, and what makes it."""
