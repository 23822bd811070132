"""`traded check-config`: everything that is wrong with a configuration, at once."""

import os
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from daemon.config import Config
from daemon.config_file import ConfigError, load
from ops.exit_codes import ExitCode
from ops.options import config_option, json_option, required_config


@click.command()
@config_option
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any option by path.")
@json_option
def command(config_file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 - click
    """Check a configuration without starting anything; exit 78 if it would be refused.

    Example: traded check-config --config traded.toml
    """
    path = required_config(config_file)
    problems: list[str] = []
    notes: list[str] = []
    try:
        notes = list(_notes(load(path, os.environ, settings)))
    except ConfigError as error:
        problems = error.problems
    if as_json:
        found = {"schema_version": 1, "config": str(path), "problems": problems, "notes": notes}
        click.echo(msgspec.json.encode(found))
    else:
        for problem in problems:
            click.echo(problem)
        for note in notes:
            click.echo(f"note: {note}")
        verdict = f"refused, {len(problems)} problems" if problems else "ok"
        click.echo(f"{path}: {verdict}")
    if problems:
        raise SystemExit(ExitCode.BAD_CONFIG)


def _notes(config: Config) -> Iterator[str]:
    """Say what is allowed and probably not meant."""
    account = config.limits.account
    missing = [
        field.name
        for field in msgspec.structs.fields(type(account))
        if getattr(account, field.name) is None
    ]
    if missing:
        yield f"no order will pass: limits.account lacks {', '.join(missing)}"
    if not config.strategies:
        yield "no strategies: bars are recorded, nothing is decided"
    if config.dry_run:
        yield "dry_run is on: nothing is sent"
