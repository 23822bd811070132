"""`traded watch`: the process that watches the daemon."""

import asyncio
import os
from pathlib import Path

import click

from daemon.config.file import journal_path, load
from ops.options import config_option, required_config
from ops.render import say
from ops.watch.app import Watch


@click.command()
@config_option
def command(config_file: Path | None) -> None:
    """Watch the daemon of a configuration from outside, until a signal comes.

    It reads the journal and the daemon's heartbeat and can change nothing. It is started beside
    `traded run`, before or after it, and goes on while the daemon is down.

    Example: traded watch --config traded.toml
    """
    path = required_config(config_file)
    config = load(path, os.environ)
    journal = journal_path(config, path, os.environ)
    say(f"watching {journal}", err=True)
    asyncio.run(Watch(journal, config.watch).run())
