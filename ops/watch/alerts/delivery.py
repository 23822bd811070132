"""One message to one target, by Apprise: in a thread, with a deadline, and not a word of its own.

What Apprise and the libraries below it log may have addresses in it, and is not written anywhere.
"""

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from apprise import Apprise, NotifyFormat, NotifyType
from apprise.logger import NotifyLogEntry

from daemon.secrets.names import ALERT_URLS, BadSecret
from ops.watch.alerts.alert import Severity
from ops.watch.alerts.messages import Message
from ops.watch.alerts.targets import Target

_KINDS: Final = {
    Severity.INFO: NotifyType.INFO,
    Severity.WARNING: NotifyType.WARNING,
    Severity.CRITICAL: NotifyType.FAILURE,
    Severity.STOP: NotifyType.FAILURE,
}
_TALKATIVE: Final = ("apprise", "urllib3", "requests", "charset_normalizer")
_CODE: Final = re.compile(r"error=(\d{3})\b")


def silence() -> None:
    """Keep what those libraries log to ourselves."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [logging.NullHandler()], False


class Delivery:
    """Delivers to one target."""

    def __init__(self, target: Target, number: int) -> None:
        """Bind to it.

        Raises:
            BadSecret: Apprise knows no such address.
        """
        silence()
        self.target = target
        self._apprise = Apprise()
        if not self._apprise.add(target.url):
            what = "is no address that Apprise can use: see https://github.com/caronc/apprise"
            raise BadSecret(f"{ALERT_URLS}: number {number}, {target.kind}://..., {what}")

    async def send(self, message: Message, deadline_s: float) -> str:
        """Send once; return why it did not arrive, empty where it did, as far as one can know."""
        try:
            async with asyncio.timeout(deadline_s):
                return await _in_thread(lambda: self._send(message))
        except TimeoutError:
            return f"no answer within {deadline_s:g} s"

    def _send(self, message: Message) -> str:
        codes: list[str] = []

        def take_code(entry: NotifyLogEntry, _service: object) -> None:
            codes.extend(_CODE.findall(entry.message))

        try:
            sent = self._apprise.notify(
                message.body,
                title=message.subject,
                notify_type=_KINDS[message.severity],
                body_format=NotifyFormat.TEXT,
                log_callback=take_code,
            )
        except Exception as error:  # noqa: BLE001 - a service's bug must not end the watch
            return f"it failed: {type(error).__name__}"
        if sent:
            return ""
        return f"refused with code {codes[-1]}" if codes else "not reached, or refused"


async def _in_thread(work: Callable[[], str]) -> str:
    """Run `work` in a thread of its own, which nobody waits for at the end of the process."""
    loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def set_result(result: str) -> None:
        if not done.done():
            done.set_result(result)

    def run() -> None:
        result = work()
        with suppress(RuntimeError):  # The loop may be closed by now.
            loop.call_soon_threadsafe(set_result, result)

    threading.Thread(target=run, name="alert", daemon=True).start()
    found: str = await done
    return found
