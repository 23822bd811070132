"""Orders that leave the process: only in a mode for that, and only on live bars."""

from pathlib import Path

import pytest

from tests.command_line import traded

PLUGGED_IN = '''
import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from events import BarClosed, Symbol


class Market:
    """Outside: every order leaves a line."""

    outside = True
    next_due = datetime.max.replace(tzinfo=UTC)

    def connect(self, state, inbox): ...

    def submit(self, approved):
        with Path("sent.txt").open("a") as sent:
            sent.write(f"{approved.intent.client_order_id}\\n")

    def cancel(self, client_order_id): ...
    def observe(self, bar): ...
    def advance(self, now): ...
    def corporate_action(self, action): ...
    def report_books(self, look_id, why, now): ...


class Bars:
    bars_total = starts_at = ends_at = None

    def __init__(self, live, days_ago=0):
        self.live = live
        self.end = (datetime.now(UTC) - timedelta(days=days_ago)).replace(microsecond=0)

    async def blocks(self, newest):
        prices = [Decimal(100)] * 4
        yield [BarClosed(Symbol("A"), 60, self.end, *prices, Decimal(1000))]
'''
CONFIG = """
mode = "{mode}"
dry_run = {dry_run}
[symbols.A]
exchange = "24/7"
[strategies.hold]
class = "daemon.strategies.buy_and_hold:BuyAndHold"
params = {{ shares = 5 }}
[broker]
kind = "plugged_in:Market"
[feed]
kind = "plugged_in:Bars"
params = {{ live = {live} }}
[journal]
path = "j.db"
"""


def run(folder: Path, mode: str, live: str, dry_run: str = "false") -> tuple[int, str]:
    (folder / "plugged_in.py").write_text(PLUGGED_IN)
    config = CONFIG if dry_run else CONFIG.replace("dry_run = {dry_run}\n", "")
    (folder / "traded.toml").write_text(config.format(mode=mode, live=live, dry_run=dry_run))
    meant = ["--live"] if mode == "live" else []
    done = traded("run", "--config", "traded.toml", *meant, cwd=folder)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("mode", "live", "said"),
    [
        ("backtest", "true", "mode: 'backtest' sends nothing outside; make it 'broker-paper' or"),
        ("paper", "true", "mode: 'paper' sends nothing outside"),
        ("live", "false", "feed.kind: orders that leave the process need a live feed"),
    ],
)
def test_a_mode_that_does_not_fit_sends_nothing(
    tmp_path: Path, mode: str, live: str, said: str
) -> None:
    code, told = run(tmp_path, mode, live)
    assert code == 78
    assert said in told
    assert not (tmp_path / "j.db").exists()
    assert not (tmp_path / "sent.txt").exists()


@pytest.mark.parametrize(("mode", "code"), [("backtest", 78), ("broker-paper", 1), ("live", 1)])
def test_a_file_that_does_not_say_it_sends_nothing(tmp_path: Path, mode: str, code: int) -> None:
    ended, told = run(tmp_path, mode, "true", dry_run="")
    assert ended == code
    assert ("note: DRY RUN: all is decided" in told) is (code == 1)
    assert not (tmp_path / "sent.txt").exists()


def test_an_account_outside_starts_with_nothing_of_ours_and_without_equity_nothing_is_sent(
    tmp_path: Path,
) -> None:
    # The broker has not said what is in the account: drawdown has nothing to be reckoned from.
    code, told = run(tmp_path, "broker-paper", "true")
    assert (code, "the live feed ended" in told) == (1, True)
    assert not (tmp_path / "sent.txt").exists()


def test_a_dry_run_may_have_any_mode(tmp_path: Path) -> None:
    code, _ = run(tmp_path, "backtest", "false", dry_run="true")
    assert code == 0
    assert not (tmp_path / "sent.txt").exists()
