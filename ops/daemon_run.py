"""Runs the daemon in the foreground for a person: progress on stderr, the outcome returned."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from daemon import app
from daemon.clock import Clock
from daemon.config.options import Config
from events import BarClosed, Record
from ops.lines import line_of, printed
from ops.news import News
from ops.render import progress, say


def run_daemon(  # noqa: PLR0913 - as `app.run`
    config: Config,
    base: Path,
    journal: Path,
    *,
    once: bool,
    wait: bool = True,
    verbose: bool = False,
    reread: Callable[[], Config] | None = None,
    wall: Clock | None = None,
) -> app.Outcome:
    """Run until the feed ends or a signal comes, and return the outcome.

    `wall` is the clock of live bars: the machine's, unless a simulated gateway's is given.
    """
    bars = 0
    news: News | None = None
    with progress("bars") as reached:

        def started(prepared: app.Prepared) -> None:
            nonlocal news
            say(*_opening_lines(prepared), err=True)
            if prepared.live and not verbose:
                news = News(prepared.recovered.state.holds.active.values())
                say(*news.at_start(), err=True)
            reached(0, prepared.bars_total)
            # What boot left behind lives as long as the process: the collector need not look again.
            gc.collect()
            gc.freeze()

        def advanced(count: int) -> None:
            nonlocal bars
            bars += count
            reached(bars)

        def recorded(records: Sequence[Record]) -> None:
            if news is not None:
                say(*news.of(records), err=True)
            elif verbose:
                _tell(records)

        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(
                app.run(
                    config,
                    base,
                    journal,
                    started=started,
                    progress=advanced,
                    reread=reread,
                    once=once,
                    wait=wait,
                    wall=wall,
                    told=lambda text: say(f"gateway: {text}", err=True),
                    recorded=recorded,
                )
            )


def _tell(records: Sequence[Record]) -> None:
    """Print what was recorded, bars left out."""
    shown = (each for each in records if type(each.event) is not BarClosed)
    say(*(printed(line_of(each)) for each in shown), err=True)


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
        if skipped not in recovered.snapshots_doubtful:  # Those are among the notices.
            yield f"snapshot skipped: {skipped}"
    if recovered.differences:
        yield (
            f"{len(recovered.differences)} recorded decisions come out differently now; the "
            "strategies behind them are on HALT: see `traded replay --redecide`"
        )
