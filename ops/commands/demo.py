"""`traded demo`: the whole thing at work on real bars, in seconds."""

import shlex
import shutil
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import click

from daemon.app import Outcome
from daemon.config.file import load
from daemon.config.options import Config
from events import IntentRefused, OrderIntended, utc_from_nanoseconds
from events.journal import JournalReader
from ops.chart import ASCII, BLOCKS, area_chart
from ops.daemon_run import run_daemon
from ops.equity import equity_by_day
from ops.log.lines import HumanLog
from ops.log.redaction import Redaction
from ops.render import can_say, money, percent, say

REFUSALS_SHOWN = 3


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("var/demo"),
    show_default=True,
    help="Where the demo's journal goes; an earlier demo there is replaced.",
)
def command(folder: Path) -> None:
    """Run thirteen years of daily bars of AAPL, FB, GOOG, IBM and MSFT through two strategies.

    Fees, slippage, splits and limits are on, and every step is in the journal it leaves behind.

    Example: traded demo
    """
    with resources.as_file(resources.files("ops") / "demo") as files:
        config_path = Path(files) / "demo.toml"
        config = load(config_path, {})
        journal = folder / "journal.db"
        _remove_earlier(journal, config.account)
        say("Thirteen years of daily bars, two strategies, one journal:", "", err=True)
        began = time.monotonic()
        outcome = run_daemon(
            config, config_path.parent, journal, once=False, log=HumanLog(Redaction())
        )
        seconds = time.monotonic() - began
    say(*_result(outcome, config, seconds), "")
    say(*_curve(journal), "")
    say(*_refusals(journal), "")
    say(*_next_steps(journal))


def _remove_earlier(journal: Path, account: str) -> None:
    """Remove the journal of an earlier demo, and nothing else.

    Raises:
        click.UsageError: another journal lies there.
    """
    if not journal.exists():
        return
    with JournalReader(journal) as reader:
        first = reader.record(1)
    if first is not None and getattr(first.event, "account", None) != account:
        raise click.UsageError(f"{journal} is no demo's: name another folder with --folder")
    for left in journal.parent.glob(journal.name + "*"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _result(outcome: Outcome, config: Config, seconds: float) -> Iterator[str]:
    state = outcome.state
    equity, start = state.pnl.equity, config.broker.capital_usd
    yield (
        f"{state.market.bars:,} bars and {state.seq:,} events in {seconds:.1f} s: "
        f"{state.orders.sent} orders sent, {state.orders.fills} fills, "
        f"{state.orders.refused} intents refused."
    )
    yield (
        f"Equity {money(start)} -> {money(equity)} USD ({percent(equity / start - 1)}), "
        f"fees {money(state.cash.fees)}, dividends {money(state.cash.dividends)}, "
        f"worst drawdown {percent(state.pnl.drawdown_max)}."
    )
    held = (
        f"{position.quantity:f} {symbol}"
        for symbol, position in sorted(state.positions.account.items())
        if position.quantity
    )
    yield f"Held at the end: {', '.join(held)}; cash {money(state.cash.balance)} USD."
    yield f"State hash {outcome.state_hash[:16]}: the same every time you run it."


def _curve(journal: Path) -> Iterator[str]:
    curve = equity_by_day(journal)
    labels = (f"{curve[0][0]:%Y-%m-%d}", f"{curve[-1][0]:%Y-%m-%d}")
    ink = BLOCKS if can_say(BLOCKS.characters) else ASCII
    yield "Equity, USD"
    yield from area_chart([float(equity) for _, equity in curve], labels, ink)


def _refusals(journal: Path) -> Iterator[str]:
    """Explain the first refusal of each kind: what was wanted, and which check said no."""
    yield "What the gate refused, for example:"
    seen: set[tuple[str, ...]] = set()
    intents: dict[str, OrderIntended] = {}
    with JournalReader(journal) as reader:
        for record in reader.records():
            event = record.event
            if isinstance(event, OrderIntended):
                intents = {event.client_order_id: event}
            if not isinstance(event, IntentRefused):
                continue
            intent = intents[event.client_order_id]
            kind = (intent.strategy, *(check.name for check in event.failed))
            if kind in seen:
                continue
            seen.add(kind)
            side = "buy" if intent.quantity > 0 else "sell"
            yield (
                f"  {utc_from_nanoseconds(record.at):%Y-%m-%d} {intent.strategy} wanted to {side} "
                f"{abs(intent.quantity):f} {intent.symbol}:"
            )
            for check in event.failed:
                if check.value is check.limit is None:
                    yield f"    {check.name}: {check.note}"
                    continue
                value = "unknown" if check.value is None else f"{check.value:,.2f}"
                limit = "not set" if check.limit is None else f"{check.limit:,.2f}"
                note = f" ({check.note})" if check.note else ""
                yield f"    {check.name} would be {value}, its limit is {limit}{note}"
            if len(seen) == REFUSALS_SHOWN:
                return


def _next_steps(journal: Path) -> Iterator[str]:
    yield "Look for yourself:"
    for words, meaning in (
        ("explain AAPL", "why it is held, why it is not bought"),
        ("tail -n 15", "the last events, one line each"),
        ("status --at 2008-10-10", "the books in the middle of a crash"),
        ("replay --redecide", "make every decision again, compare"),
        ("verify", "the whole hash chain"),
    ):
        typed = f"{words} --journal {shlex.quote(str(journal))}"
        yield f"  .venv/bin/traded {typed:<52} # {meaning}"
    yield "Your own: .venv/bin/traded sample-config > traded.toml"
