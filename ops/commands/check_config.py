"""`traded check-config`: everything that is wrong with a configuration, at once."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click

from daemon.app import build_broker, build_feed
from daemon.clock import SystemClock
from daemon.config.corporate_actions_file import BadCorporateActions, read_corporate_actions
from daemon.config.file import ConfigError, load
from daemon.config.loading import LoadError, build_strategy, look_in
from daemon.config.options import Config
from daemon.exit_codes import ExitCode
from daemon.gate.limits import not_set
from ops.options import config_option, json_option, required_config, set_option
from ops.render import print_json, say


@click.command()
@config_option
@set_option
@json_option
def command(config_file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 - click
    """Check a configuration without starting anything; exit 78 if it would be refused.

    Strategies, and a broker or feed of your own, are loaded; recorded bars are not read.

    Example: traded check-config --config traded.toml
    """
    path = required_config(config_file)
    problems: list[str] = []
    notes: list[str] = []
    try:
        config = load(path, os.environ, settings)
        notes = list(_notes(config))
        problems = list(_load_problems(config, path.parent))
    except ConfigError as error:
        problems = error.problems
    if as_json:
        print_json({"config": str(path), "problems": problems, "notes": notes})
    else:
        say(*problems, *(f"note: {note}" for note in notes))
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        verdict = f"refused, {count}" if problems else "ok"
        say(f"{path}: {verdict}")
    if problems:
        raise SystemExit(ExitCode.BAD_CONFIG)


def _load_problems(config: Config, base: Path) -> Iterator[str]:
    """Say what the configuration names and cannot be had."""
    look_in(base)
    builds: list[Callable[[], object]] = [
        partial(build_strategy, name, table, tuple(config.symbols))
        for name, table in config.strategies.items()
    ]
    # What talks to a gateway needs the environment of the daemon: the start looks at that.
    if config.broker.kind != "ibkr":
        builds.append(partial(build_broker, config))
    if config.feed.kind not in {"file", "ibkr"}:
        builds.append(partial(build_feed, config, base, SystemClock()))
    if config.corporate_actions.path:
        builds.append(partial(read_corporate_actions, base / config.corporate_actions.path))
    for build in builds:
        try:
            build()
        except (LoadError, BadCorporateActions) as error:
            yield from str(error).splitlines()


def _notes(config: Config) -> Iterator[str]:
    """Say what is allowed and probably not meant."""
    missing = not_set(config.limits)
    if missing:
        yield f"no order will pass: limits.account lacks {', '.join(missing)}"
    if not config.strategies:
        yield "no strategies: bars are recorded, nothing is decided"
    if config.is_dry_run:
        yield "DRY RUN: all is decided and recorded, nothing is sent (dry_run = false sends)"
