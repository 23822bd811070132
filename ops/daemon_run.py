"""Runs the daemon in the foreground: progress and news on stderr, the outcome returned."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from daemon import app, memory
from daemon.clock import Clock
from daemon.config.options import Config
from daemon.run_time_limit import RunTimeLimit
from events import BarClosed, Record
from ops.lines import line_of, printed
from ops.log.events import EventLog
from ops.log.lines import Level, Log
from ops.news import News
from ops.render import Reached, progress


def run_daemon(  # noqa: PLR0913 - as `app.run`
    config: Config,
    base: Path,
    journal: Path,
    *,
    once: bool,
    log: Log,
    wait: bool = True,
    verbose: bool = False,
    reread: Callable[[], Config] | None = None,
    wall: Clock | None = None,
    limit: RunTimeLimit | None = None,
) -> app.Outcome:
    """Run until the feed ends, a signal comes or `limit` is over, and return the outcome.

    `wall` is the clock of live bars: the machine's, unless a simulated gateway's is given.
    """
    with (
        limit or nullcontext(),
        progress("bars") as reached,
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        teller = _Teller(log, reached, verbose=verbose)
        outcome = runner.run(
            app.run(
                config,
                base,
                journal,
                started=teller.started,
                progress=teller.advanced,
                reread=reread,
                once=once,
                wait=wait,
                wall=wall,
                told=lambda text: log.line(f"gateway: {text}"),
                recorded=teller.recorded,
                limit=limit,
            )
        )
        teller.finish()
        return outcome


class _Teller:
    """Tells what happens in a run: how it begins, how far it has come, what is recorded."""

    def __init__(self, log: Log, reached: Reached, *, verbose: bool) -> None:
        self._log = log
        self._reached = reached
        self._verbose = verbose
        self._bars = 0
        self._news: News | None = None
        self._events: EventLog | None = None

    def started(self, prepared: app.Prepared) -> None:
        """Say what the run starts from."""
        for notice in prepared.notices:
            self._log.line(f"note: {notice}", Level.NOTICE)
        self._tell(_opening_lines(prepared))
        if prepared.live and self._log.for_people:
            self._news = News(prepared.recovered.state.holds.active.values())
            if not self._verbose:
                self._tell(self._news.at_start())
        elif prepared.live:
            self._events = EventLog(self._log)
        self._reached(0, prepared.bars_total)
        memory.settle()

    def advanced(self, count: int) -> None:
        """Move the bar by so many bars."""
        self._bars += count
        self._reached(self._bars)

    def recorded(self, records: Sequence[Record]) -> None:
        """Say what of `records` is for whoever reads along."""
        if self._verbose:
            self._tell(_all_of(records))
        elif self._news is not None:
            self._tell(self._news.of(records))
        elif self._events is not None:
            self._events.take(records)

    def finish(self) -> None:
        """Say what is left to say."""
        if self._events is not None:
            self._events.finish()

    def _tell(self, lines: Iterable[str]) -> None:
        for text in lines:
            self._log.line(text)


def _all_of(records: Sequence[Record]) -> Iterator[str]:
    """Return what was recorded, bars left out."""
    shown = (each for each in records if type(each.event) is not BarClosed)
    return (printed(line_of(each)) for each in shown)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop where it is installed: it halves the cost of a hop to a thread."""
    try:
        import uvloop  # noqa: PLC0415 - not installed everywhere
    except ImportError:
        return None
    return uvloop.new_event_loop


def _opening_lines(prepared: app.Prepared) -> Iterator[str]:
    """Say what the run starts from."""
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
