"""`traded run`: the daemon in the foreground."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import click
import msgspec

from daemon.app import Outcome
from daemon.config.bounds import is_symbol
from daemon.config.file import (
    ENVIRONMENT_PREFIX,
    ConfigError,
    load,
    load_layered,
)
from daemon.config.options import Config, SymbolConfig
from daemon.config.places import journal_path
from daemon.exit_codes import ExitCode
from daemon.run_time_limit import RunTimeLimit
from daemon.secrets.sources import known_secrets
from daemon.simulated_time import SimulatedClock
from daemon.stopping.open_orders import Parting
from events import Mode, Symbol
from ops.daemon_run import run_daemon
from ops.log.lines import Level, Log, open_log, told_by
from ops.log.redaction import Redaction
from ops.options import config_option, required_config, set_option
from ops.render import money, percent, say

ONCE_S: Final = 1_800
"""How long `--once` may take at most, unless `--max-runtime` says otherwise."""
_PATH = click.Path(dir_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@config_option
@click.option("--symbols", help="Only these symbols, comma-separated.")
@click.option("--capital", type=float, help="Opening capital of a new paper journal, in USD.")
@click.option("--max-position-usd", type=float, help="The most one position may be worth, in USD.")
@set_option
@click.option("--output", type=_OUTPUT, help="Write the outcome there, as JSON.")
@click.option("--verbose", is_flag=True, help="Print every event but bars on stderr.")
@click.option("--live", is_flag=True, help='Say that mode "live" is meant: real money.')
@click.option("--no-wait", is_flag=True, help="End where the broker cannot be reached at first.")
@click.option("--gateway-time", type=_PATH, help="Live in a simulated gateway's time: its --clock.")
@click.option("--dry-run", is_flag=True, help="Decide and record everything, send nothing.")
@click.option(
    "--once",
    is_flag=True,
    help="Take the bars there are and end, also of a live feed.",
)
@click.option(
    "--max-runtime",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help=f"With --once: end after so long in any case, with exit code 8. [default: {ONCE_S}]",
)
def command(  # noqa: PLR0913, PLR0917 - one parameter an option
    config_file: Path | None,
    symbols: str | None,
    capital: float | None,
    max_position_usd: float | None,
    settings: tuple[str, ...],
    output: Path | None,
    verbose: bool,  # noqa: FBT001 - click's way
    live: bool,  # noqa: FBT001 - as above
    no_wait: bool,  # noqa: FBT001 - as above
    gateway_time: Path | None,
    dry_run: bool,  # noqa: FBT001 - as above
    once: bool,  # noqa: FBT001 - as above
    max_runtime: int | None,
) -> None:
    """Run the daemon until its feed ends or a signal stops it.

    The configuration is --config, else $TRADED_CONFIG, ./traded.toml,
    $XDG_CONFIG_HOME/traded/traded.toml or /etc/traded/traded.toml. Stop it with Ctrl-C or SIGTERM:
    it finishes the turn in hand, does with orders at the broker what `daemon.on_stop` says, records
    why, and starts again where it was.

    What happens is told on stderr: to people on a terminal, else as lines of JSON; $TRADED_LOG,
    "human" or "json", decides otherwise.

    Example: traded run --config traded.toml --symbols AAPL,MSFT --capital 50000
    """
    if max_runtime is not None and not once:
        raise click.UsageError("--max-runtime goes with --once: a resident daemon has no end")
    log = open_log(os.environ, Redaction([*known_secrets(os.environ)]))
    with told_by(log):
        path = required_config(config_file)
        overrides = [*settings, *_as_settings(capital, max_position_usd, dry_run=dry_run)]

        def read() -> Config:
            found = load(path, os.environ, overrides)
            return found if symbols is None else only_symbols(found, symbols)

        config = read()
        assert_meant(config, live=live)
        wall = None if gateway_time is None else simulated_clock(config, gateway_time)
        set_by = load_layered(path, os.environ, overrides).sources.get("dry_run", "")
        if output and not output.absolute().parent.is_dir():
            raise click.UsageError(f"--output {output}: there is no folder {output.parent}")
        journal = journal_path(config, path, os.environ)
        log.line(f"config: {path}")
        if set_by.startswith(ENVIRONMENT_PREFIX):
            said = "a DRY RUN" if config.is_dry_run else "no dry run"
            log.line(
                f"note: {set_by} says that this is {said}, whatever the file says", Level.NOTICE
            )
        limit = _time_limit(max_runtime, log) if once else None
        outcome = run_daemon(
            config,
            path.parent,
            journal,
            once=once,
            wait=not no_wait,
            verbose=verbose,
            log=log,
            reread=read,
            wall=wall,
            limit=limit,
        )
        _tell(outcome, config, output, log)
        if limit is not None and limit.is_over:
            sys.exit(ExitCode.OVERRAN)
        if outcome.feed_lost:
            log.line("the live feed ended, and nothing comes any more", Level.ERROR)
            sys.exit(ExitCode.FAILURE)


def _time_limit(seconds: int | None, log: Log) -> RunTimeLimit:
    return RunTimeLimit(seconds or ONCE_S, partial(log.line, level=Level.ERROR))


def _as_settings(
    capital: float | None, max_position_usd: float | None, *, dry_run: bool
) -> Iterator[str]:
    """Yield what the options of the most common settings say, as `--set` takes it."""
    if capital is not None:
        yield f"broker.capital_usd={capital}"
    if max_position_usd is not None:
        yield f"limits.account.max_position_usd={max_position_usd}"
    if dry_run:
        yield "dry_run=true"


def _tell(outcome: Outcome, config: Config, output: Path | None, log: Log) -> None:
    """Say what the run came to, and write it to `output`."""
    if outcome.snapshot_problem:
        log.line(f"{outcome.snapshot_problem}; the next start takes longer", Level.WARNING)
    if outcome.parting is not None:
        say(*parting_lines(outcome.parting))
    say(summary(outcome, config))
    if output:
        found = msgspec.json.encode(as_json(outcome, config))
        output.write_bytes(msgspec.json.format(found, indent=2))


def assert_meant(config: Config, *, live: bool) -> None:
    """Refuse real money that was not asked for in so many words.

    Raises:
        ConfigError: the mode is live and `--live` was not said, or the other way round.
    """
    if config.mode is Mode.LIVE and not live and not config.is_dry_run:
        raise ConfigError(["mode: 'live' trades real money: say --live, too"])
    if live and config.mode is not Mode.LIVE:
        raise ConfigError([f"--live: mode is {config.mode.value!r}"])


def simulated_clock(config: Config, path: Path) -> SimulatedClock:
    """Return the clock that goes by the file of a simulated gateway, never with real money.

    Raises:
        ConfigError: the mode is live, no gateway is configured, or the file is none.
    """
    if config.mode is Mode.LIVE:
        raise ConfigError(["--gateway-time: mode is 'live', and real money lives now"])
    if "ibkr" not in {config.broker.kind, config.feed.kind}:
        raise ConfigError(["--gateway-time: neither broker.kind nor feed.kind is 'ibkr'"])
    return SimulatedClock(path)


def only_symbols(config: Config, names: str) -> Config:
    """Return `config` for the symbols in `names` alone; a new one gets the default terms.

    Raises:
        ConfigError: some of them cannot be symbols, or there are none.
    """
    wanted = [Symbol(name.strip()) for name in names.split(",") if name.strip()]
    problems = [f"--symbols: {name!r} is not a symbol" for name in wanted if not is_symbol(name)]
    if problems or not wanted:
        raise ConfigError(problems or ["--symbols: names no symbol"])
    return msgspec.structs.replace(
        config,
        symbols={name: config.symbols.get(name, SymbolConfig()) for name in wanted},
        strategies={
            name: msgspec.structs.replace(
                table, symbols=tuple(each for each in table.symbols if each in wanted)
            )
            for name, table in config.strategies.items()
            if not table.symbols or set(table.symbols) & set(wanted)
        },
    )


def summary(outcome: Outcome, config: Config) -> str:
    """Return the run in one line."""
    state = outcome.state
    dry = "DRY RUN, nothing was sent: " if config.is_dry_run else ""
    return (
        f"{dry}{state.market.bars} bars, {state.seq} events, {state.orders.fills} fills, "
        f"{state.orders.refused} refused; equity {money(state.pnl.equity)} USD, "
        f"fees {money(state.cash.fees)}, worst drawdown {percent(state.pnl.drawdown_max)}; "
        f"{len(state.orders.open)} orders open; {state.identity.data_mode}; "
        f"stopped: {outcome.reason}"
    )


def parting_lines(parting: Parting) -> Iterator[str]:
    """Say what became of the orders at the broker, each that is not over by its name."""
    yield f"on_stop = {parting.on_stop}: {_parting_text(parting)}"
    yield from (f"  {each.state} {each.client_order_id}" for each in parting.still_open)


def _parting_text(parting: Parting) -> str:
    still = len(parting.still_open)
    if not (parting.ended or still):
        return "no order is at the broker"
    if not parting.cancelled:
        return f"{still} orders stay open at the broker"
    counts = Counter(each.state.lower() for each in parting.ended)
    over = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    open_ = f"NOT confirmed, and open: {still}" if still else "no order is open"
    return f"{over or '0 confirmed'}; {open_}"


def as_json(outcome: Outcome, config: Config) -> dict[str, object]:
    """Return the run for a machine."""
    state = outcome.state
    return {
        "schema_version": 1,
        "reason": outcome.reason,
        "dry_run": config.is_dry_run,
        "data_mode": state.identity.data_mode,
        "parting": outcome.parting,
        "state_hash": outcome.state_hash,
        "seq": state.seq,
        "events": outcome.events,
        "bars": state.market.bars,
        "intended": state.orders.intended,
        "refused": state.orders.refused,
        "sent": state.orders.sent,
        "fills": state.orders.fills,
        "open_orders": len(state.orders.open),
        "equity_usd": state.pnl.equity,
        "cash_usd": state.cash.balance,
        "fees_usd": state.cash.fees,
        "drawdown_max": state.pnl.drawdown_max,
        "positions": {
            symbol: {
                "quantity": position.quantity,
                "average_entry_price": position.average_entry_price,
                "realised_pnl": position.realised_pnl,
            }
            for symbol, position in state.positions.account.items()
        },
    }
