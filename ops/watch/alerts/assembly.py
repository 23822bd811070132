"""Puts alerting together from a configuration and the secrets, and says where alerts go."""

import socket
from collections.abc import Mapping
from pathlib import Path

from daemon.config.options import Config
from daemon.secrets.names import ALERT_URLS, PING_URL
from daemon.secrets.sources import find_secret
from ops.log.lines import Level, Log
from ops.log.redaction import Redaction
from ops.watch.alerts.alerting import Alerting
from ops.watch.alerts.delivery import Delivery
from ops.watch.alerts.messages import Writer
from ops.watch.alerts.ping import checked_ping_url
from ops.watch.alerts.targets import targets_in


def alerting_of(  # noqa: PLR0913, PLR0917 - everything it is made of
    journal: Path,
    config: Config,
    backups: Path,
    redaction: Redaction,
    log: Log,
    environment: Mapping[str, str],
) -> Alerting:
    """Return the alerting of `journal`, whose `backups` lie there; say in a line whom it tells.

    Raises:
        BadSecret: an address cannot be used.
    """
    deliveries = deliveries_in(environment)
    ping_url = find_secret(PING_URL, environment) or ""
    if ping_url:
        checked_ping_url(ping_url)
    names = ", ".join(each.target.name for each in deliveries)
    pinged = "" if ping_url else f"; no dead man's ping: the secret {PING_URL} is not set"
    if names:
        log.line(f"alerts go to {names}{pinged}")
    else:
        log.line(
            f"no alert goes anywhere: the secret {ALERT_URLS} is not set{pinged}", Level.WARNING
        )
    return Alerting(
        journal,
        config,
        deliveries,
        writer_on_this_host(redaction),
        log,
        backups=backups,
        ping_url=ping_url,
        environment=environment,
    )


def deliveries_in(environment: Mapping[str, str]) -> list[Delivery]:
    """Return a way to each target that is set.

    Raises:
        BadSecret: one of them cannot be used.
    """
    return [Delivery(each, number) for number, each in enumerate(targets_in(environment), 1)]


def writer_on_this_host(redaction: Redaction) -> Writer:
    """Return who writes messages, in the name of this machine."""
    return Writer(socket.gethostname(), redaction)
