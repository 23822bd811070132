"""The `traded` command as a person runs it: a process of its own, an environment of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

TRADED = Path(sys.executable).with_name("traded")
BEGIN = datetime(2024, 1, 2, tzinfo=UTC)
MINUTES = 40
SYMBOLS = ("AAPL", "MSFT", "BRK B")

CONFIG = """
mode = "paper"
account = "mine"

[journal]
path = "state/journal.db"

[symbols]
AAPL.exchange = "24/7"
MSFT.exchange = "24/7"
"BRK B".exchange = "24/7"

[strategies.trend]
class = "daemon.strategies.moving_average:MovingAverage"
params = { fast = 2, slow = 5, shares = 10 }

[strategies.greedy]
class = "daemon.strategies.buy_and_hold:BuyAndHold"
symbols = ["MSFT"]
params = { shares = 500 }

[broker]
commission = "fixed"

[feed]
paths = ["bars"]

[limits.account]
max_order_shares = 100
max_order_usd = 20000
max_position_shares = 1000
max_position_usd = 200000
max_daily_loss_usd = 50000
max_drawdown = 0.9
"""
"""Three symbols around the clock; `trend` trades, the orders of `greedy` are all too large."""

SLOW_FEED = """
import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from events import BarClosed, Symbol

BEGIN, MINUTE = datetime(2024, 1, 2, tzinfo=UTC), timedelta(minutes=1)

class Slow:
    '''Minutes of AAPL, one every few milliseconds.'''

    live = False

    def __init__(self, minutes):
        self.bars_total = minutes
        self.starts_at, self.ends_at = BEGIN, BEGIN + minutes * MINUTE

    async def blocks(self, newest):
        for minute in range(self.bars_total):
            end = BEGIN + (minute + 1) * MINUTE
            if newest.get("AAPL", BEGIN) >= end:
                continue
            price = Decimal(100 + minute % 7)
            yield [
                BarClosed(
                    Symbol("AAPL"), 60, end, price, price + 1, price - 1, price, Decimal(10_000)
                )
            ]
            await asyncio.sleep(0.005)
"""
"""A feed that is not over before anybody can do something about it."""


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a person at `home` who has set `variables` and nothing of ours.

    It is Tokyo's time there: what is said and meant is UTC all the same. The log is for people.
    """
    ours = ("TRADED_", "XDG_", "STATE_DIRECTORY")
    others = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    return others | {"HOME": str(home), "TZ": "Asia/Tokyo", "TRADED_LOG": "human"} | variables


def traded(
    *words: str | Path, cwd: Path = Path("/"), variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; whatever became of it, it did not end in a traceback."""
    done = subprocess.run(
        [TRADED, *words],
        cwd=cwd,
        env=environment(cwd, **(variables or {})),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def shown(*words: str | Path) -> dict[str, Any]:
    """Return the object that a command with --json prints."""
    done = traded(*words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["schema_version"] == 1
    return found


def lines(*words: str | Path) -> list[dict[str, Any]]:
    """Return the objects that `tail --json` prints, one a line."""
    done = traded("tail", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.split("\n")[:-1]]
    assert all(line["schema_version"] == 1 for line in found)
    return found


def a_place(folder: Path) -> Path:
    """Make a folder with a configuration, bars of three symbols, and a slow feed; return it."""
    folder.mkdir(exist_ok=True)
    (folder / "traded.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "traded.toml").chmod(0o600)
    (folder / "slow_feed.py").write_text(SLOW_FEED, encoding="utf-8")
    (folder / "bars").mkdir()
    for symbol, period in zip(SYMBOLS, (7, 11, 13), strict=True):
        rows = "\n".join(_rows(period))
        (folder / "bars" / f"{symbol}.csv").write_text(rows, encoding="utf-8")
    return folder


def _rows(period: int) -> Iterator[str]:
    """Yield a saw tooth: 100, 101, ... up to the period, and back to 100."""
    yield "ts,open,high,low,close,volume"
    for minute in range(MINUTES):
        price, start = 100 + minute % period, BEGIN + timedelta(minutes=minute)
        yield f"{start:%Y-%m-%dT%H:%M:%SZ},{price},{price + 1},{price - 1},{price},10000"
