"""The dead man's ping: asked for while all is well, so that its silence is the alarm."""

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from daemon.secrets.names import PING_URL, BadSecret
from ops.watch.alerts.standing import AlertStanding

TIMEOUT_S: Final = 10.0
_OK: Final = range(200, 300)


def checked_ping_url(url: str) -> str:
    """Return `url`, which can be asked.

    Raises:
        BadSecret: it cannot.
    """
    try:
        found = urlsplit(url)
        usable = found.scheme in {"http", "https"} and bool(found.hostname) and url.isprintable()
    except ValueError:
        usable = False
    if not usable:
        raise BadSecret(f"{PING_URL} is no address that begins with https:// or http://")
    return url


class Ping:
    """Asks `url` every `every_s` while `is_well` says so. Redirects are not followed."""

    def __init__(
        self, url: str, every_s: float, is_well: Callable[[], bool], standing: AlertStanding
    ) -> None:
        """Bind; nothing is asked before `run`."""
        self._url = url
        self._every_s = every_s
        self._is_well = is_well
        self._standing = standing

    async def run(self) -> None:
        """Ask until cancelled."""
        async with ClientSession(timeout=ClientTimeout(TIMEOUT_S), trust_env=False) as session:
            while True:
                if self._is_well():
                    await self._ask(session)
                    await asyncio.sleep(self._every_s)
                else:
                    await asyncio.sleep(min(1.0, self._every_s))

    async def _ask(self, session: ClientSession) -> None:
        standing = self._standing
        try:
            async with session.get(self._url, allow_redirects=False) as answer:
                standing.ping = "" if answer.status in _OK else f"code {answer.status}"
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            # The text of an error may have the address in it: its kind has to do.
            standing.ping = type(error).__name__
        if standing.ping:
            standing.pings_failed += 1
        else:
            standing.pings_sent += 1
