"""A simulated gateway in a process of its own, and a daemon in this loop that trades there."""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from daemon import app
from daemon.config.file import load
from daemon.control.client import call
from daemon.control.protocol import VERSION, Answer, Request
from daemon.simulated_time import SimulatedClock
from events import Record
from ops.bench.measure import ROOT

OPENS = datetime(2024, 1, 3, 15, 0, tzinfo=UTC)
"""An hour and a half into a session; bars reach an hour beyond."""
ACCOUNT = "DU1234567"
JOURNAL = "journal.db"

CONFIG = """
mode = "broker-paper"
account = "bench"
dry_run = false
[broker]
kind = "ibkr"
[feed]
kind = "ibkr"
bar_seconds = 5
[gateway]
port = {port}
[journal]
path = "journal.db"
[limits.account]
max_order_shares = 1000
max_order_usd = 50000
max_position_shares = 2000
max_position_usd = 100000
max_daily_loss_usd = 5000
max_drawdown = 0.2
max_orders_a_day = 100000
[limits.orders]
allow_opposite = true
[limits.rates]
max_orders = 1000
max_messages = 1000
[limits.turnover]
max_a_day = 100000
[limits.margin]
ask = false
{more}
[symbols]
"""


class Told(msgspec.Struct):
    """What the gateway says first."""

    port: int


def names(count: int) -> list[str]:
    """Return that many symbols."""
    return [f"S{number:03d}" for number in range(count)]


def write_bars(folder: Path, symbols: Sequence[str]) -> None:
    """Write minutes from an hour before to an hour behind the start, each symbol at its price."""
    for number, symbol in enumerate(symbols):
        rows = ["ts,open,high,low,close,volume"]
        for minute in range(120):
            at = OPENS + (minute - 60) * timedelta(minutes=1)
            price = 50 + number % 50 + (minute % 7) / 10
            figures = f"{price:.2f},{price + 0.3:.2f},{price - 0.3:.2f},{price + 0.1:.2f}"
            rows.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{figures},12000")
        (folder / f"{symbol}.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


@contextlib.contextmanager
def a_gateway(folder: Path, symbols: Sequence[str]) -> Iterator[int]:
    """Run a gateway with these symbols meanwhile; yield its port. Its time is in `folder`/time."""
    bars = folder / "bars"
    bars.mkdir()
    write_bars(bars, symbols)
    words = ["gateway-sim", "--bars", str(bars), "--port", "0", "--json"]
    words += ["--start", OPENS.isoformat(), "--clock", str(folder / "time")]
    words += ["--data-lines", str(max(100, 2 * len(symbols)))]
    command = [sys.executable, "-m", "ops.cli", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own command
        try:
            assert process.stdout is not None
            yield msgspec.json.decode(process.stdout.readline(), type=Told).port
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def a_daemon(
    folder: Path,
    port: int,
    symbols: Sequence[str],
    recorded: Callable[[Sequence[Record]], None],
    more: str = "",
) -> AsyncIterator[None]:
    """Run the daemon in this loop meanwhile, its configuration with `more` in it."""
    lines = "".join(f'{symbol}.exchange = "NYSE"\n' for symbol in symbols)
    file = folder / "traded.toml"
    file.write_text(CONFIG.format(port=port, more=more) + lines, encoding="utf-8")
    os.environ["IBKR_ACCOUNT"] = ACCOUNT
    running = asyncio.create_task(
        app.run(
            load(file, {}),
            folder,
            folder / JOURNAL,
            started=lambda _prepared: None,
            progress=lambda _bars: None,
            recorded=recorded,
            told=lambda text: print(text, file=sys.stderr),
            wall=SimulatedClock(folder / "time"),
        )
    )
    try:
        yield
        if running.done():
            await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def tell(folder: Path, verb: str, **args: str | bool) -> Answer:
    """Tell the daemon a command as a person does, and confirm what it asks back."""

    def said(token: str = "") -> Answer:
        command_id = secrets.token_hex(8)
        request = Request(VERSION, verb, command_id, "a benchmark", token, dict(args))
        return call(folder / JOURNAL, request)

    answer = await asyncio.to_thread(said)
    return await asyncio.to_thread(said, answer.token) if answer.token else answer
