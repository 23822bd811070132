"""Runs the daemon in the foreground for a person: progress on stderr, the outcome returned."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from daemon import app
from daemon.config import Config
from events import BarClosed, Record
from ops.lines import line_of, printed


def run_daemon(
    config: Config, base: Path, journal: Path, *, once: bool, verbose: bool = False
) -> app.Outcome:
    """Run until the feed ends or a signal comes, and return the outcome."""
    with _progress() as (began, advanced):

        def started(prepared: app.Prepared) -> None:
            for line in _opening_lines(prepared):
                click.echo(line, err=True)
            began(prepared.bars_total)
            # What boot left behind lives as long as the process: the collector need not look again.
            gc.collect()
            gc.freeze()

        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(
                app.run(
                    config,
                    base,
                    journal,
                    started=started,
                    progress=advanced,
                    once=once,
                    recorded=_say if verbose else None,
                )
            )


def _say(records: Sequence[Record]) -> None:
    """Print what was recorded, bars left out."""
    # Whoever read this may have gone: that is no reason to stop trading.
    with suppress(OSError):
        for record in records:
            if type(record.event) is not BarClosed:
                click.echo(printed(line_of(record)), err=True)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop where it is installed: it halves the cost of a hop to a thread."""
    try:
        import uvloop  # noqa: PLC0415 - not installed everywhere
    except ImportError:
        return None
    return uvloop.new_event_loop


def _opening_lines(prepared: app.Prepared) -> Iterator[str]:
    """Say what the run starts from."""
    yield from (f"note: {notice}" for notice in prepared.notices)
    if prepared.is_new:
        yield f"journal: {prepared.journal} (new)"
        return
    recovered = prepared.recovered
    start = f"snapshot at {recovered.snapshot_seq}" if recovered.snapshot_seq else "the first event"
    yield (
        f"journal: {prepared.journal}, {recovered.head.seq} events; "
        f"recovered from {start} and {recovered.events_folded} events behind it"
    )
    for skipped in recovered.snapshots_skipped:
        yield f"snapshot skipped: {skipped}"
    if recovered.differences:
        yield (
            f"{len(recovered.differences)} recorded decisions come out differently now; the "
            "strategies behind them are on HALT: see `traded replay --redecide`"
        )


@contextmanager
def _progress() -> Iterator[tuple[Callable[[int | None], None], Callable[[int], None]]]:
    """Show a bar on a terminal; elsewhere say nothing."""
    if not sys.stderr.isatty():
        yield (lambda _total: None), (lambda _count: None)
        return
    from rich.console import Console  # noqa: PLC0415 - 66 ms that only a terminal needs
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("bars"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("bars", total=None)
        yield (
            (lambda total: bar.update(task, total=total)),
            (lambda count: bar.update(task, advance=count)),
        )
