"""`traded version`: what is installed."""

import platform
from importlib import metadata

import click

from events.journal_file import SQLITE_VERSION
from ops.options import json_option
from ops.render import print_fields, print_json

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
        print_json({"versions": versions})
        return
    print_fields([*versions.items()])
