"""Sends what is in the outbox: a task a target, so that a dead one keeps nobody waiting."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from tenacity import (
    AsyncRetrying,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from ops.watch.alerts.delivery import Delivery
from ops.watch.alerts.kept import Kept
from ops.watch.alerts.messages import Message
from ops.watch.alerts.standing import AlertStanding


class Pace(msgspec.Struct, frozen=True):
    """How long one attempt may take, how many there are in a row, and when the next row begins."""

    deadline_s: float = 20.0
    attempts: int = 4
    wait_max_s: float = 30.0
    again_s: float = 120.0


PACE: Final = Pace()

Once = Callable[[], Awaitable[str]]
"""Sends once, and returns why it did not arrive."""
Became = Callable[[str, str], None]
"""Is told of a target that stops to take messages, with why, or takes them again, with ""."""


async def deliver(once: Once, pace: Pace = PACE) -> str:
    """Send until it arrives; return why it did not, after so many attempts."""
    retrying = AsyncRetrying(
        stop=stop_after_attempt(pace.attempts),
        wait=wait_random_exponential(multiplier=1, max=pace.wait_max_s),
        retry=retry_if_result(bool),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else "",
    )

    async def attempt() -> str:
        return await once()

    why: str = await retrying(attempt)
    return why


class Sending:
    """Sends to one target what `kept` has for it, oldest first, each until it arrives."""

    def __init__(  # noqa: PLR0913 - everything that is outside of it
        self,
        delivery: Delivery,
        kept: Kept,
        standing: AlertStanding,
        became: Became,
        save: Callable[[], None],
        *,
        pace: Pace = PACE,
    ) -> None:
        """Bind; `save` is called behind each message that has arrived."""
        self._delivery = delivery
        self._name = delivery.target.name
        self._kept = kept
        self._standing = standing
        self._became = became
        self._save = save
        self._pace = pace
        self._posted = asyncio.Event()

    def posted(self) -> None:
        """Say that there is something to send."""
        self._posted.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            queue = self._kept.outbox.get(self._name, [])
            self._standing.waiting[self._name] = len(queue)
            if not queue:
                self._posted.clear()
                await self._posted.wait()
            elif not await self._deliver(queue[0]):
                await asyncio.sleep(self._pace.again_s)

    async def _deliver(self, message: Message) -> bool:
        """Send one message, again where it fails; say whether it has arrived."""
        name, standing = self._name, self._standing
        why = await deliver(lambda: self._once(message), self._pace)
        if why:
            is_new = name not in standing.failing
            standing.fails(name, why)
            if is_new:
                self._became(name, why)
            return False
        standing.sent[name] = standing.sent.get(name, 0) + 1
        queue = self._kept.outbox.get(name, [])
        if message in queue:  # It may have had to make room meanwhile.
            queue.remove(message)
        self._save()
        if name in standing.failing:
            standing.fails(name, "")
            self._became(name, "")
        return True

    async def _once(self, message: Message) -> str:
        why = await self._delivery.send(message, self._pace.deadline_s)
        if why:
            failed = self._standing.failed
            failed[self._name] = failed.get(self._name, 0) + 1
        return why
