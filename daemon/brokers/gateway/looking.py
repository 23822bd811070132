"""When the broker's lists are looked at: where somebody wants to know, and not too often.

Two looks never run at once: the gateway answers a list that is asked for twice only once.
"""

import asyncio
from collections.abc import Callable

from daemon.brokers.gateway.asking import ConnectionLost
from daemon.brokers.gateway.look import BooksReader, Lists, take_lists
from daemon.brokers.gateway.session import GatewaySession
from events.codec import Input
from events.reconciliation import LookWhy


class Looks:
    """Looks over `session`; `report` gets the books that a look was for.

    `refuse` is asked before that, and raises where the lists are not to be believed at all.
    """

    def __init__(
        self,
        session: GatewaySession,
        books: BooksReader,
        report: Callable[[Input], None],
        refuse: Callable[[], None],
    ) -> None:
        """Begin without a wish."""
        self._session = session
        self._books = books
        self._report = report
        self._refuse = refuse
        self._wanted: list[tuple[str, LookWhy]] = []
        self._looks_up = False
        self._looking: asyncio.Task[None] | None = None
        self._looked_at_s = 0.0
        self._has_been_ready = False

    def want(self, look_id: str, why: LookWhy) -> None:
        """Look, and report the books under `look_id`, as soon as there is a connection."""
        self._wanted.append((look_id, why))
        self._look_soon()

    def look_up(self) -> None:
        """Have the lists say what a message left open."""
        self._looks_up = True
        self._look_soon()

    async def verify(self) -> Lists:
        """Look before anything else is done on a connection.

        Raises:
            ConnectionLost: it ended meanwhile.
            ConfigError: the account is none to trade with.
        """
        why = LookWhy.RECONNECT if self._has_been_ready else LookWhy.START
        self._wanted = self._wanted or [(f"{why}-{self._session.connection.breaks}", why)]
        return await self._look()

    def ready(self) -> None:
        """Look where that is wanted by now."""
        self._has_been_ready = True
        if self._wanted or self._looks_up:
            self._look_soon()

    def lost(self) -> None:
        """Give up the look under way: the next connection begins with one."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _look_soon(self) -> None:
        if self._looking is None and not self._session.connection.why_not:
            self._looking = asyncio.get_running_loop().create_task(
                self._look_until_done(), name="look at the broker's lists"
            )

    async def _look_until_done(self) -> None:
        """Look as long as there is a wish for it, not too often."""
        try:
            while self._wanted or self._looks_up:
                since = self._session.seconds() - self._looked_at_s
                apart = self._session.timing.look_apart
                if since < apart:
                    await asyncio.sleep(apart - since)
                await self._look()
        except ConnectionLost:
            return  # The next connection begins with a look.
        finally:
            self._looking = None

    async def _look(self) -> Lists:
        """Take the lists, and report them to whoever wanted that."""
        began_at = self._session.now
        self._looks_up = False
        wanted, self._wanted = self._wanted, []
        lists = await take_lists(self._session)
        self._refuse()
        self._looked_at_s = self._session.seconds()
        for look_id, why in wanted:
            since = self._session.up_since
            self._report(self._books.report(lists, look_id, why, began_at, since))
        return lists
