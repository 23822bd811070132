"""How a benchmark measures: each measurement a process of its own, orders shuffled, medians.

A case is a command that does the work once and prints its figures as one line of JSON. All cases
of a benchmark run in every round, in an order drawn afresh, so that a ratio compares what was
measured within the same minute; what is quoted is the median over the rounds.
"""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec

ROOT = Path(__file__).parents[2]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"

Figures = dict[str, float]
Readings = dict[str, list[Figures]]
"""By case, what each round measured."""


class BenchmarkFailed(Exception):
    """A measurement did not end in figures; the text has what it said last."""


class Case(msgspec.Struct, frozen=True):
    """One way to do the work: its name, and the command that does it once."""

    name: str
    command: tuple[str, ...]


class Work(msgspec.Struct, frozen=True):
    """Where the benchmarks may write, and how much there is to do."""

    folder: Path
    backtest_bars: int
    appended_events: int
    single_commits: int
    replayed_events: int
    recovery_events: int
    memory_bars: int
    round_trips: int
    live_symbols: int
    live_seconds: int


class Result(msgspec.Struct, frozen=True):
    """One line of the report. `goal` is what the ratio, or the figure itself, has to reach."""

    benchmark: str
    what: str
    figure: str
    against: str
    ratio: float | None
    goal: str
    met: bool | None


class Benchmark(msgspec.Struct, frozen=True):
    """One question. `prepare` makes what the cases work on; `report` reads the answers.

    `rounds_max` is for what takes minutes and repeats well.
    """

    name: str
    prepare: Callable[[Work], Sequence[Case]]
    report: Callable[[Readings], list[Result]]
    rounds_max: int = 1_000


def ours(module: str, *arguments: object) -> tuple[str, ...]:
    """Return the command that runs a module of this package."""
    return (sys.executable, "-m", f"ops.bench.{module}", *map(str, arguments))


def raw(script: str, *arguments: object) -> tuple[str, ...]:
    """Return the command that runs a peer script with our own interpreter: the same SQLite."""
    return (sys.executable, str(Path(__file__).parent / script), *map(str, arguments))


def peer(script: str, *arguments: object) -> tuple[str, ...]:
    """Return the command that runs a peer script in the peers' environment."""
    return (str(PEERS_PYTHON), str(Path(__file__).parent / script), *map(str, arguments))


def run(command: Sequence[str]) -> Figures:
    """Run one command and return its figures.

    Raises:
        BenchmarkFailed: it failed, or its last line is not a line of figures.
    """
    # What earlier cases left to be written would otherwise be paid for by this one.
    os.sync()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own scripts
    lines = done.stdout.strip().splitlines()
    try:
        if done.returncode == 0 and lines:
            return msgspec.json.decode(lines[-1], type=Figures)
    except msgspec.DecodeError:
        pass
    said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
    message = f"{' '.join(command)} (exit {done.returncode}) printed no figures:\n{said}"
    raise BenchmarkFailed(message)


def measure(cases: Sequence[Case], rounds: int, running: Callable[[str, int], None]) -> Readings:
    """Run every case once a round; `running` is told the case and the round before each."""
    readings: Readings = {case.name: [] for case in cases}
    order = random.Random(7)  # noqa: S311 - an order, not a secret
    for index in range(rounds):
        for case in order.sample(list(cases), len(cases)):
            running(case.name, index + 1)
            readings[case.name].append(run(case.command))
    return readings


def typical(readings: Readings, case: str, figure: str) -> float:
    """Return the median of one figure over the rounds."""
    return median(each[figure] for each in readings[case])


def ratio(readings: Readings, case: str, to: str, figure: str) -> float:
    """Return the median over the rounds of `case`'s figure by `to`'s in the same round."""
    pairs = zip(readings[case], readings[to], strict=True)
    return median(mine[figure] / theirs[figure] for mine, theirs in pairs)


def print_figures(figures: Figures) -> None:
    """Print what one measurement found, for `run` to read."""
    print(msgspec.json.encode(figures).decode())
