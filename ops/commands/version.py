"""`traded version`: what is installed."""

import platform
from importlib import metadata

import click
import msgspec

from events.journal import SQLITE_VERSION
from ops.options import json_option

LIBRARIES = ("msgspec", "aiosqlite", "exchange_calendars", "uvloop", "click", "rich")


@click.command()
@json_option
def command(as_json: bool) -> None:  # noqa: FBT001 - click's way
    """Print the versions of traded and of what it stands on.

    Example: traded version --json
    """
    versions = {
        "traded": metadata.version("traded"),
        "python": platform.python_version(),
        "sqlite": SQLITE_VERSION,
    }
    versions |= {name: metadata.version(name) for name in LIBRARIES}
    if as_json:
        click.echo(msgspec.json.encode({"schema_version": 1, "versions": versions}))
        return
    width = max(map(len, versions))
    for name, version in versions.items():
        click.echo(f"{name:<{width}}  {version}")
