"""`traded chat`: two commands from known people's Telegram, in a process of its own."""

import asyncio
import os
from pathlib import Path

import click

from daemon.config.file import ConfigError, load
from daemon.config.places import journal_path
from daemon.secrets.names import CHAT_TOKEN
from daemon.secrets.sources import find_secret, known_secrets
from ops.chat.app import ChatApp
from ops.chat.bot import Bot, checked_chat_token
from ops.log.lines import open_log, told_by
from ops.log.redaction import Redaction
from ops.options import config_option, required_config


@click.command()
@config_option
def command(config_file: Path | None) -> None:
    """Answer `status` and `kill` from the Telegram chats of the people in watch.chat.allowed.

    A kill is what `traded kill` is: it wants no confirmation, and only `traded resume` on the
    machine ends it. There is no other command. What is older than a minute, edited, or from before
    the start is ignored and answered so; others are not answered at all. Without watch.chat.allowed
    and the secret traded_chat_token, the bot's token, it does not start.

    Example: traded chat --config traded.toml
    """
    redaction = Redaction([*known_secrets(os.environ)])
    log = open_log(os.environ, redaction)
    with told_by(log):
        path = required_config(config_file)
        config = load(path, os.environ)
        wanted = config.watch.chat
        if not wanted.allowed:
            raise ConfigError(["watch.chat.allowed is empty, so nobody may speak: name somebody"])
        token = find_secret(CHAT_TOKEN, os.environ)
        if token is None:
            where = f"a credential of that name, or the variable {CHAT_TOKEN.upper()}"
            raise ConfigError([f"the secret {CHAT_TOKEN} is missing ({where})"])
        bot = Bot(wanted.server, checked_chat_token(token))
        journal = journal_path(config, path, os.environ)
        log.line(f"listening at {wanted.server} for {len(wanted.allowed)} people, for {journal}")
        asyncio.run(ChatApp(journal, wanted.allowed, bot, log, redaction).run())
