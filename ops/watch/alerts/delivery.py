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


class _Codes(logging.Handler):
    """Keeps the code with which a service refused, by thread, and nothing else that is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.found = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Take the code out of a line."""
        with suppress(Exception):  # A line that cannot even be put together has no code.
            code = _CODE.search(record.getMessage())
            if code is not None:
                self.found.code = code[1]


_CODES: Final = _Codes()


def silence() -> None:
    """Keep what those libraries log to ourselves."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [_CODES], False


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
        _CODES.found.code = ""
        try:
            sent = self._apprise.notify(
                message.body,
                title=message.subject,
                notify_type=_KINDS[message.severity],
                body_format=NotifyFormat.TEXT,
            )
        except Exception as error:  # noqa: BLE001 - a service's bug must not end the watch
            return f"it failed: {type(error).__name__}"
        if sent:
            return ""
        code = _CODES.found.code
        return f"refused with code {code}" if code else "not reached, or refused"


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
