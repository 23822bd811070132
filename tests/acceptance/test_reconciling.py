"""The daemon against its own paper broker, which loses a report: found, held, resolved."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live_desk import Daemon
from tests.wide_limits import WIDE_LIMITS

CONFIG = (
    """
mode = "paper"
dry_run = false
[strategies.once]
class = "loaded:Once"
[broker]
commission = "none"
slippage_bps = 0
params = { faults = [{ kind = "lost", message = "order.filled" }] }
[feed]
kind = "loaded:Bars"
[journal]
path = "j.db"
[reconciliation]
settle_s = 1
"""
    + WIDE_LIMITS
    + """
[symbols]
A.exchange = "24/7"
"""
)
LOADED = '''
"""A price that stands still, and a strategy that buys 10 shares once."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

from daemon.strategies import Intent, Strategy
from events import BarClosed, Symbol


class Bars:
    live = True
    bars_total = starts_at = ends_at = None

    async def blocks(self, newest):
        last = None
        while True:
            await asyncio.sleep(0.1)
            end = datetime.now(UTC).replace(microsecond=0)
            if end != last:
                last = end
                yield [BarClosed(Symbol("A"), 1, end, *[Decimal(100)] * 4, Decimal(10_000))]


class Once(Strategy):
    asked: bool = False
    state_fields = ("asked",)

    def on_bar(self, bar, view):
        if self.asked:
            return None
        self.asked = True
        return Intent(bar.symbol, Decimal(10))
'''


class PaperDaemon(Daemon):
    """A daemon on a live feed whose paper broker loses the first fill."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, mode="paper")
        (folder / "traded.toml").write_text(CONFIG, encoding="utf-8")
        (folder / "loaded.py").write_text(LOADED, encoding="utf-8")

    def _answers(self, _began: float) -> bool:
        assert self.running.poll() is None, self.log
        return self.socket.exists()

    def shown(self, *words: str) -> dict[str, Any]:
        """Return what a command shows as JSON."""
        found: dict[str, Any] = json.loads(self.traded(*words, "--json").stdout)
        return found

    def resolve(self, *words: str) -> str:
        """Resolve as `words` say, and confirm it; return what was confirmed."""
        said = self.traded("resolve", *words, "--reason", "seen", "--json")
        assert said.returncode == 5, said.stderr
        asked = json.loads(said.stdout)
        done = self.traded("resolve", *words, "--reason", "seen", "--confirm", asked["token"])
        assert done.returncode == 0, done.stderr
        return "\n".join(asked["lines"])


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[PaperDaemon]:
    made = PaperDaemon(tmp_path / "place")
    try:
        yield made
    finally:
        made.close()


def kinds_of_breaks(daemon: PaperDaemon) -> set[str]:
    return {each["opened"]["difference"]["kind"] for each in daemon.shown("breaks")["open"]}


def test_a_lost_fill_is_found_held_and_resolved_by_an_operator(daemon: PaperDaemon) -> None:
    daemon.start()
    daemon.wait("an order", lambda: daemon.rows("order.acknowledged"))
    time.sleep(2.5)  # The next bar fills it, and the report of that is lost.
    assert not daemon.rows("order.filled")

    first = daemon.traded("reconcile", "--now")
    assert first.returncode == 3
    assert "looked at again: position: here 0, at the broker 10; likely missed fill" in first.stdout
    daemon.wait("a break", lambda: daemon.rows("break.opened"))

    wanted = {"position", "cash", "missing order", "unknown execution"}
    assert kinds_of_breaks(daemon) == wanted
    holds = daemon.shown("holds")["active"]
    assert {each["hold"]["cause"] for each in holds} == {"RECONCILIATION_BREAK"}
    status = daemon.traded("status").stdout
    assert status.count("BREAK") >= len(wanted)
    assert daemon.traded("breaks").returncode == 3

    confirmed = daemon.resolve("--all", "--adopt")
    assert "books +10 A: 0 -> 10" in confirmed
    assert "books -1000 USD cash" in confirmed
    assert daemon.traded("reconcile", "--now").returncode == 0
    breaks = daemon.traded("breaks", "--history", "9")
    assert (breaks.returncode, breaks.stdout.count("adopted")) == (0, len(wanted))
    (position,) = daemon.shown("positions")["positions"]
    assert (position["symbol"], position["quantity"]) == ("A", "10")

    assert daemon.end() == 0
    assert daemon.traded("verify").returncode == 0
    again = daemon.traded("replay", "--redecide")
    assert again.returncode == 0, again.stdout
    daemon.start()
    # The broker begins from the journal: both have the same again.
    looks = daemon.rows("reconcile.completed")
    assert json.loads(looks[-1][6])["differing"] == 0


def test_without_the_daemon_the_last_comparison_is_shown_and_no_new_one_made(
    daemon: PaperDaemon,
) -> None:
    daemon.start()
    assert daemon.end() == 0
    shown = daemon.traded("reconcile")
    assert (shown.returncode, "(stop)" in shown.stdout) == (0, True)
    for words in (["reconcile", "--now"], ["resolve", "--all", "--adopt", "--reason", "x"]):
        said = daemon.traded(*words)
        assert said.returncode == 4
        assert "start it with `traded run`" in said.stderr
