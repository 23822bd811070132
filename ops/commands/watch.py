"""`traded watch`: the process that watches the daemon."""

import asyncio
import os
from pathlib import Path

import click

from daemon.config.file import journal_path, load
from daemon.secrets.sources import known_secrets
from ops.log.lines import open_log, told_by
from ops.log.redaction import Redaction
from ops.options import config_option, required_config
from ops.watch.app import Watch


@click.command()
@config_option
def command(config_file: Path | None) -> None:
    """Watch the daemon of a configuration from outside, until a signal comes.

    It reads the journal and the daemon's heartbeat and can change nothing. It is started beside
    `traded run`, before or after it, and goes on while the daemon is down.

    Example: traded watch --config traded.toml
    """
    log = open_log(os.environ, Redaction([*known_secrets(os.environ)]))
    with told_by(log):
        path = required_config(config_file)
        config = load(path, os.environ)
        journal = journal_path(config, path, os.environ)
        log.line(f"watching {journal}")
        asyncio.run(Watch(journal, config.watch).run())
