"""`python -m ops.bench`: measures traded and its peers in one run, and says where it stands.

It is never a test: machines differ and are shared. Ratios within one run are what it is about.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ops.bench import (
    append,
    backtest,
    gate,
    live_bars,
    memory,
    recovery,
    replay,
    round_trip,
    single_append,
    watched,
)
from ops.bench.measure import (
    PEERS_PYTHON,
    ROOT,
    Benchmark,
    BenchmarkFailed,
    Readings,
    Result,
    Work,
    measure,
)

SCHEMA_VERSION = 1
BENCHMARKS: dict[str, Benchmark] = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (
        append,
        single_append,
        replay,
        backtest,
        gate,
        recovery,
        memory,
        round_trip,
        live_bars,
        watched,
    )
}
NEEDS_PEERS = frozenset({"replay", "backtest"})
EXIT_FAILED = 1


class Report(msgspec.Struct):
    """What `--json` prints."""

    schema_version: int
    machine: str
    rounds: int
    results: list[Result]
    readings: dict[str, Readings]


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Rounds; medians are quoted.")
@click.option("--quick", is_flag=True, help="One round of a twentieth: does everything run?")
@click.option("--only", multiple=True, type=click.Choice(sorted(BENCHMARKS)), help="Repeatable.")
@click.option("--recovery-events", default=10_000_000, show_default=True, help="Journal length.")
@click.option("--memory-bars", default=5_000_000, show_default=True, help="Bars to stream.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=ROOT / "var",
    help="Where to write, on the disk to be measured. [default: var/ of this project]",
)
@click.option("--json", "as_json", is_flag=True, help="Every figure of every round, as JSON.")
def main(  # noqa: PLR0913, PLR0917 - one parameter an option
    rounds: int,
    quick: bool,  # noqa: FBT001 - click passes flags so
    only: Sequence[str],
    recovery_events: int,
    memory_bars: int,
    folder: Path,
    as_json: bool,  # noqa: FBT001 - as above
) -> None:
    """Measure traded and the peers beside it."""
    chosen = [BENCHMARKS[name] for name in BENCHMARKS if not only or name in only]
    if not PEERS_PYTHON.exists() and any(each.name in NEEDS_PEERS for each in chosen):
        click.echo("the peers are not installed\n  next: run `make bench`", err=True)
        sys.exit(EXIT_FAILED)
    folder.mkdir(parents=True, exist_ok=True)
    share = 20 if quick else 1
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-") as made:
        work = Work(
            folder=Path(made),
            backtest_bars=200_000 // share,
            appended_events=200_000 // share,
            single_commits=2_000 // share,
            replayed_events=200_000 // share,
            recovery_events=recovery_events // (share * share),
            memory_bars=memory_bars // (share * share),
            round_trips=200 // share,
            live_symbols=500 // share,
            live_seconds=max(10, 150 // share),
        )
        try:
            report = _measure_all(chosen, work, 1 if quick else rounds)
        except BenchmarkFailed as failure:
            click.echo(f"{failure}\n  next: the command above repeats it", err=True)
            sys.exit(EXIT_FAILED)
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        Console().print(_table(report))


def _measure_all(chosen: Sequence[Benchmark], work: Work, rounds: int) -> Report:
    report = Report(SCHEMA_VERSION, _machine(), rounds, [], {})
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for benchmark in chosen:
            line = progress.add_task(f"{benchmark.name}: preparing", total=None)
            cases = benchmark.prepare(work)
            count = min(rounds, benchmark.rounds_max)
            progress.update(line, total=len(cases) * count, completed=-1)

            def running(
                case: str, turn: int, name: str = benchmark.name, task: object = line
            ) -> None:
                said = f"{name}: {case}, round {turn}"
                progress.update(task, advance=1, description=said)  # type: ignore[arg-type] # a TaskID

            readings = measure(cases, count, running)
            progress.remove_task(line)
            report.readings[benchmark.name] = readings
            report.results += benchmark.report(readings)
    return report


def _table(report: Report) -> Table:
    title = f"medians of {report.rounds} rounds, order shuffled in each · {report.machine}"
    table = Table(title=title, title_justify="left")
    for heading in ("what", "traded", "against", "ratio", "goal", ""):
        table.add_column(heading, justify="right" if heading == "ratio" else "left")
    for index, each in enumerate(report.results):
        before = report.results[index - 1] if index else None
        if before is not None and before.benchmark != each.benchmark:
            table.add_section()
        verdict = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[each.met]
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        table.add_row(each.what, each.figure, each.against, ratio, each.goal, verdict)
    return table


def _machine() -> str:
    cores = len(os.sched_getaffinity(0))
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    processor = names[0] if names else platform.machine()
    return f"{cores} cores, {processor}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
