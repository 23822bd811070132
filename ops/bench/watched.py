"""What it costs the daemon to be watched: ten streams and a scrape a second, beside live bars.

The daemon, the simulated gateway, the watcher and its clients are a process each. Held against each
other are a daemon that nobody watches and one that is watched, in the same round: the processor
time of its loop for a bar, and how long after its end a bar and its decision are on record.
"""

import asyncio
import contextlib
import http.client
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles

import msgspec
import uvloop

from daemon.simulated_time import SimulatedClock
from ops.bench.live_bars import PATIENCE_S, STRATEGY, Watch
from ops.bench.live_gateway import ACCOUNT, a_daemon, a_gateway, names
from ops.bench.measure import (
    ROOT,
    Benchmark,
    Case,
    Figures,
    Readings,
    Result,
    Work,
    ours,
    print_figures,
    typical,
)

STREAMS = 10
SYMBOLS_MAX = 50
SCRAPE_EVERY_S = 1.0
GOAL_COST = 1.05
GOAL_P99 = 1.5
GOAL_SCRAPE_MS = 10.0


def prepare(work: Work) -> Sequence[Case]:
    """Return both cases."""
    symbols, seconds = min(work.live_symbols, SYMBOLS_MAX), max(20, work.live_seconds // 2)
    return tuple(
        Case(name, ours("watched", name, symbols, seconds, work.folder))
        for name in ("alone", "watched")
    )


def report(readings: Readings) -> list[Result]:
    """Return what watching costs, and what a scrape takes."""
    alone, watched = (typical(readings, name, "cpu_ms") for name in ("alone", "watched"))
    late = [typical(readings, name, "delay_p99_s") for name in ("alone", "watched")]
    cost, slower = watched / alone, late[1] / late[0]
    scrape_ms = typical(readings, "watched", "scrape_p50_ms")
    streams = f"{STREAMS} streams, a scrape a second"
    return [
        Result(
            "watched",
            f"processor time of the loop for a bar, {streams}",
            f"{watched:.3f} ms",
            f"{alone:.3f} ms unwatched",
            cost,
            f"< {GOAL_COST} times",
            cost < GOAL_COST,
        ),
        Result(
            "watched",
            "a bar and its decision on record, p99",
            f"{late[1]:.3f} s",
            f"{late[0]:.3f} s unwatched",
            slower,
            f"<= {GOAL_P99} times",
            slower <= GOAL_P99,
        ),
        Result(
            "watched",
            "a scrape, at the watcher, median",
            f"{scrape_ms:.1f} ms",
            f"{typical(readings, 'watched', 'scrapes'):.0f} scrapes",
            None,
            f"<= {GOAL_SCRAPE_MS:.0f} ms",
            scrape_ms <= GOAL_SCRAPE_MS,
        ),
    ]


BENCHMARK = Benchmark("watched", prepare, report)


class Clients:
    """Ten streams that are read, and a scrape a second, each in a thread of its own."""

    def __init__(self, port: int, token: str) -> None:
        """Ask at `port` with `token`."""
        self._port, self._headers = port, {"Authorization": f"Bearer {token}"}
        self.scrapes_ms: list[float] = []
        self.events = 0

    def start(self) -> None:
        """Wait until somebody answers, then begin; the threads end with the process."""
        until = time.monotonic() + PATIENCE_S
        while self._scrape_ms() is None:
            if time.monotonic() > until:
                sys.exit("nobody answers")
            time.sleep(SCRAPE_EVERY_S / 2)
        for work in (self._scrape, *[self._read] * STREAMS):
            threading.Thread(target=work, daemon=True).start()

    def _scrape(self) -> None:
        while True:
            took = self._scrape_ms()
            if took is not None:
                self.scrapes_ms.append(took)
            time.sleep(SCRAPE_EVERY_S)

    def _scrape_ms(self) -> float | None:
        """Scrape once, and return what the watcher says that the one before took."""
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        with contextlib.suppress(OSError):
            line.request("GET", "/metrics", headers=self._headers)
            for row in line.getresponse().read().decode().splitlines():
                name, _, value = row.partition(" ")
                if name == "traded_watch_scrape_seconds":
                    return float(value) * 1e3
            return 0.0
        return None

    def _read(self) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        line.request("GET", "/api/v1/stream", headers=self._headers)
        for row in line.getresponse():
            self.events += row.startswith(b"event: event")


def clients(port: str) -> None:
    """Be the clients until stdin ends, then print what was seen."""
    all_of_them = Clients(int(port), os.environ["TRADED_WATCH_TOKEN"])
    all_of_them.start()
    print(flush=True)
    sys.stdin.read()
    scrapes = sorted(all_of_them.scrapes_ms) or [0.0]
    print_figures(
        {
            "scrapes": len(all_of_them.scrapes_ms),
            "scrape_p50_ms": scrapes[len(scrapes) // 2],
            "scrape_max_ms": scrapes[-1],
            "streamed": all_of_them.events,
        }
    )


@contextlib.contextmanager
def watching(folder: Path, port: int) -> Iterator[Figures]:
    """Watch the daemon in `folder` meanwhile; the figures are there behind it."""
    variables = {
        **os.environ,
        "TRADED_WATCH_TOKEN": secrets.token_urlsafe(32),
        "IBKR_ACCOUNT": ACCOUNT,
    }
    told = [sys.executable, "-m", "ops.cli", "watch", "--config", str(folder / "traded.toml")]
    asking = [sys.executable, "-m", "ops.bench.watched", "clients", str(port)]
    found: Figures = {}
    with (
        subprocess.Popen(told, cwd=ROOT, env=variables, stderr=subprocess.DEVNULL) as watcher,  # noqa: S603 - our own
        subprocess.Popen(  # noqa: S603 - as above
            asking,
            cwd=ROOT,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as asked,
    ):
        try:
            assert asked.stdout is not None
            asked.stdout.readline()
            yield found
            said, _ = asked.communicate()
            found |= _figures(said)
        finally:
            asked.kill()
            watcher.kill()


def _figures(said: str) -> Figures:
    return msgspec.json.decode(said.strip().splitlines()[-1], type=Figures)


async def measured(*, watched: bool, symbols: int, seconds: int, folder: Path) -> Figures:
    """Let a daemon take bars for so long, and return what its loop needed for each."""
    traded, port = names(symbols), _free_port()
    with a_gateway(folder, traded) as gateway, contextlib.ExitStack() as beside:
        watch = Watch(symbols, seconds, SimulatedClock(folder / "time"))
        more = f"{STRATEGY}\n[watch]\nport = {port}\n"
        async with (
            a_daemon(folder, gateway, traded, watch.recorded, more),
            asyncio.timeout(PATIENCE_S + seconds),
        ):
            figures: Figures = {}
            if watched:
                entering = watching(folder, port)
                figures = await asyncio.to_thread(beside.enter_context, entering)
            while watch.begins is None:  # noqa: ASYNC110 - it says nothing when it begins
                await asyncio.sleep(0.1)
            before, bars = time.process_time(), watch.bars.total()
            await watch.over.wait()
            cpu_ms = (time.process_time() - before) * 1e3
            taken = watch.bars.total() - bars
            await asyncio.to_thread(beside.close)
        delays = quantiles(watch.delays_s, n=100)
        return {**figures, "cpu_ms": cpu_ms / taken, "bars": taken, "delay_p99_s": delays[98]}


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


def main(which: str, symbols: str, seconds: str, folder: str) -> None:
    """Measure once."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        found = measured(
            watched=which == "watched",
            symbols=int(symbols),
            seconds=int(seconds),
            folder=Path(fresh),
        )
        print_figures(uvloop.run(found))


if __name__ == "__main__":
    if sys.argv[1] == "clients":
        clients(sys.argv[2])
    else:
        main(*sys.argv[1:])
