"""`traded alert`: where alerts go, and whether they arrive."""

import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from daemon.config.file import ConfigError, load
from daemon.config.places import find_config
from daemon.exit_codes import ExitCode
from daemon.secrets.names import ALERT_URLS
from daemon.secrets.sources import known_secrets
from events import nanoseconds
from ops.log.redaction import Redaction
from ops.options import config_option, json_option
from ops.render import print_json, print_table, say
from ops.watch.alerts.assembly import deliveries_in, writer_on_this_host
from ops.watch.alerts.messages import Message
from ops.watch.alerts.targets import urls_in

ATTEMPT_S = 30.0
"""How long a target may take to take a message."""


@click.command()
@click.option("--test", is_flag=True, help="Send one to every target; exit 1 if any is missing.")
@click.option("--list", "only_list", is_flag=True, help="Say where alerts go, without addresses.")
@config_option
@json_option
def command(*, test: bool, only_list: bool, config_file: Path | None, as_json: bool) -> None:
    """Say where alerts go, or send a test to every one of them and say which arrived.

    The addresses are the secret traded_alert_urls: Apprise's URLs, separated by blanks, each with a
    tag before it or without, such as phone=tgram://TOKEN/CHAT. `traded watch` sends the alerts.

    Example: traded alert --test
    """
    if test == only_list:
        raise click.UsageError("say one of --test and --list")
    deliveries = deliveries_in(os.environ)
    if not deliveries:
        say(f"no alert goes anywhere: the secret {ALERT_URLS} is not set", err=True)
        sys.exit(ExitCode.FAILURE)
    whys: Sequence[str] = [""] * len(deliveries)
    if test:
        message = _message(_alias(config_file))
        whys = asyncio.run(_sent([each.send(message, ATTEMPT_S) for each in deliveries]))
    targets = [each.target for each in deliveries]
    if as_json:
        found = [
            {"name": each.name, "tag": each.tag, "kind": each.kind}
            | ({"arrived": not why, "why": why} if test else {})
            for each, why in zip(targets, whys, strict=True)
        ]
        print_json({"targets": found})
    else:
        rows = [
            (each.name, each.tag or "-", f"{each.kind}://...", *([why or "taken"] if test else []))
            for each, why in zip(targets, whys, strict=True)
        ]
        print_table(("target", "tag", "kind", *(["test"] if test else [])), rows)
    sys.exit(ExitCode.FAILURE if any(whys) else ExitCode.OK)


async def _sent(sends: Sequence[Coroutine[None, None, str]]) -> list[str]:
    return list(await asyncio.gather(*sends))


def _alias(config_file: Path | None) -> str:
    """Return whose alerts these are; a configuration that is wrong keeps no test from going out."""
    path = find_config(config_file, os.environ, Path.cwd())
    try:
        return load(path, os.environ).account if path else "traded"
    except ConfigError as error:
        say(f"note: {error.problems[0]}", err=True)
        return "traded"


def _message(alias: str) -> Message:
    now = datetime.now(UTC)
    writer = writer_on_this_host(Redaction([*known_secrets(os.environ), *urls_in(os.environ)]))
    return writer.test(alias, nanoseconds(now))
