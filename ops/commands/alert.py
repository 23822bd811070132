"""`traded alert`: where alerts go, and whether they arrive."""

import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from daemon.config.file import ConfigError, load
from daemon.config.options import AlertsConfig, Config
from daemon.config.places import find_config
from daemon.exit_codes import ExitCode
from daemon.secrets.names import ALERT_URLS
from daemon.secrets.sources import known_secrets
from events import nanoseconds
from ops.log.lines import Level, open_log, told_by
from ops.log.redaction import Redaction
from ops.options import config_option, json_option
from ops.render import print_json, print_table, say
from ops.watch.alerts.assembly import deliveries_in, writer_on_this_host
from ops.watch.alerts.delivery import Delivery
from ops.watch.alerts.failed_unit import (
    FailedUnit,
    alert_of,
    failed_unit,
    how_things_stand,
    is_told,
    keep_told,
)
from ops.watch.alerts.messages import Message
from ops.watch.alerts.routing import Router, Routes
from ops.watch.alerts.sending import deliver
from ops.watch.alerts.targets import urls_in

ATTEMPT_S = 30.0
"""How long a target may take to take a message."""


@click.command()
@click.option("--test", is_flag=True, help="Send one to every target; exit 1 if any is missing.")
@click.option("--list", "only_list", is_flag=True, help="Say where alerts go, without addresses.")
@click.option("--failed", metavar="UNIT", help="Tell that systemd has given up on a unit.")
@config_option
@json_option
def command(
    *, test: bool, only_list: bool, failed: str | None, config_file: Path | None, as_json: bool
) -> None:
    """Say where alerts go, or send a test to every one of them and say which arrived.

    The addresses are the secret traded_alert_urls: Apprise's URLs, separated by blanks, each with a
    tag before it or without, such as phone=tgram://TOKEN/CHAT. `traded watch` sends the alerts;
    --failed is what traded-alert@.service runs, also when nobody watches.

    Example: traded alert --test
    """
    if test + only_list + (failed is not None) != 1:
        raise click.UsageError("say one of --test, --list and --failed UNIT")
    if failed is not None:
        _tell_failed(failed_unit(failed, os.environ), config_file)
        return
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


def _tell_failed(unit: FailedUnit, config_file: Path | None) -> None:
    """Tell whom it concerns of a unit that has failed, and log who was told."""
    redaction = Redaction([*known_secrets(os.environ), *urls_in(os.environ)])
    log = open_log(os.environ, redaction)
    with told_by(log):
        now = datetime.now(UTC)
        path = config_file or unit.config_file
        config = _config_at(path)
        rules = config.watch.alerts if config else AlertsConfig()
        alert = alert_of(unit, now)
        log.line(f"alert, {alert.severity}: {alert.title}", Level.ERROR, next=alert.next)
        if is_told(unit, rules.repeat_s, os.environ):
            log.line(f"told already within {rules.repeat_s:,} s (watch.alerts.repeat_s)")
            return
        deliveries = {each.target.name: each for each in deliveries_in(os.environ)}
        if not deliveries:
            log.line(f"it goes nowhere: the secret {ALERT_URLS} is not set", Level.WARNING)
            return
        tags = {name: each.target.tag for name, each in deliveries.items()}
        names = Router(rules, tags, Routes()).targets_of(alert)
        stands = how_things_stand(path, config, now)
        alias = config.account if config else path.stem
        message = writer_on_this_host(redaction).alone(alert, stands, alias)
        sends = [_delivered(deliveries[name], message) for name in names]
        whys = dict(zip(names, asyncio.run(_sent(sends)), strict=True))
        for name, why in whys.items():
            log.line(f"{name}: {why or 'taken'}", Level.ERROR if why else Level.INFO)
        if any(whys.values()):
            sys.exit(ExitCode.FAILURE)
        keep_told(unit, os.environ)


def _delivered(delivery: Delivery, message: Message) -> Coroutine[None, None, str]:
    return deliver(lambda: delivery.send(message, ATTEMPT_S))


def _config_at(path: Path) -> Config | None:
    """Return the configuration; that it is wrong may be what is to be told."""
    try:
        return load(path, os.environ)
    except (ConfigError, OSError):
        return None


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
