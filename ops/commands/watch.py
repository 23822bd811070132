"""`traded watch`: the process that watches the daemon."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import click

from daemon.config.file import ConfigError, backup_of, load
from daemon.config.options import Config, WatchConfig
from daemon.config.places import journal_path
from daemon.secrets.names import WATCH_TOKEN
from daemon.secrets.sources import find_secret, known_secrets
from ops.backups import backup_folder
from ops.log.lines import Log, open_log, told_by
from ops.log.redaction import Redaction
from ops.options import config_option, required_config
from ops.render import say
from ops.watch.alerts.assembly import alerting_of
from ops.watch.alerts.targets import urls_in
from ops.watch.app import Watch
from ops.watch.board import Board
from ops.watch.health import Beside
from ops.watch.http.access import TOKEN_MIN, drawn_token
from ops.watch.http.server import Server
from ops.watch.past import Past

_HOW: Final = "`python3 -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one"


@click.command()
@config_option
def command(config_file: Path | None) -> None:
    """Watch the daemon of a configuration from outside, until a signal comes.

    It reads the journal and the daemon's heartbeat and can change nothing. It is started beside
    `traded run`, before or after it, and goes on while the daemon is down. Its pages are on
    http://localhost:8466 (watch.port), for whoever has the token: the secret traded_watch_token, or
    one that is drawn for this run where somebody sees it.

    Example: traded watch --config traded.toml
    """
    redaction = Redaction([*known_secrets(os.environ), *urls_in(os.environ)])
    log = open_log(os.environ, redaction)
    with told_by(log):
        path = required_config(config_file)
        config = load(path, os.environ)
        watch = _made(path, config, _token(config.watch), redaction, log)
        pages = f"http://localhost:{config.watch.port}"
        log.line(f"watching {watch.seen.journal}, pages on {pages}")
        asyncio.run(watch.run())


def _made(path: Path, config: Config, token: str, redaction: Redaction, log: Log) -> Watch:
    """Return what watches the daemon of that configuration: with its pages and its alerts."""
    journal = journal_path(config, path, os.environ)
    watch = Watch(journal, config.watch)
    backups = backup_folder(journal, path, backup_of(path, os.environ))
    alerting = alerting_of(journal, config, backups, redaction, log, os.environ)
    told = alerting.standing
    beside = Beside(
        alerts_sent=told.sent, alerts_failed=told.failed, alerts_failing=told.failing_names
    )
    board, past, pages = Board(watch.seen, backups, beside), Past(watch.seen), config.watch
    server = Server(board, past, port=pages.port, hosts=pages.hosts, token=token)
    watch.listeners += [past.listen, server.stream.listen, alerting.listen]
    watch.companions |= {"past": past.run, "pages": server.run, "alerts": alerting.run}
    return watch


def _token(config: WatchConfig) -> str:
    """Return the token of the pages, one drawn for now where a person is there to read it.

    Raises:
        ConfigError: there is none, or it could be guessed.
    """
    token = find_secret(WATCH_TOKEN, os.environ)
    if token is not None and (len(token) < TOKEN_MIN or not token.isascii()):
        problem = f"the secret {WATCH_TOKEN} has to have {TOKEN_MIN} ASCII characters at least"
        raise ConfigError([f"{problem}: {_HOW}"])
    if token is not None:
        return token
    if not sys.stderr.isatty():
        where = f"a credential of that name, or the variable {WATCH_TOKEN.upper()}"
        raise ConfigError([f"the secret {WATCH_TOKEN} is missing ({where}): {_HOW}"])
    token = drawn_token()
    say(f"open http://localhost:{config.port}/?token={token}", err=True)
    return token
