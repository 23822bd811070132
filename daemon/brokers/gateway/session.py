"""The conversation with the gateway: connect, verify, keep alive, notice its end, try again.

One task, supervised, that never returns. What came in goes to the listeners in the order it came;
what a listener raises is reported and stops nothing. Nothing is sent faster than the pace allows.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.alias import Alias
from daemon.brokers.gateway.asking import Asking, ConnectionLost, RequestFailed, Row
from daemon.brokers.gateway.codes import ForLink, meaning
from daemon.brokers.gateway.connection import Connection, Part
from daemon.brokers.gateway.messages import Notice, Unreadable
from daemon.brokers.gateway.pacing import Lane, Pacer
from daemon.brokers.gateway.settings import GatewaySettings, assert_account
from daemon.brokers.gateway.terms import Greeting
from daemon.brokers.gateway.windows import Windows, weekly_login_since
from daemon.brokers.ibkr import NoAnswer, Wire
from daemon.clock import Clock, monotonic_s
from events import BrokerUnparsed, BrokerUnreachable, utc_from_nanoseconds
from events.codec import Input

TELL_AFTER: Final = 5
"""After so many attempts in vain it is put on record, and each time their number has doubled."""

NOT_THIS_TIME: Final = (ConnectionLost, TimeoutError, RequestFailed, Unreadable)
"""Why a connection is not verified that may be the next time."""


class Timing(msgspec.Struct, frozen=True):
    """How long things may take, seconds.

    An order that is `unanswered` for so long is looked up; two looks are `look_apart` at least.
    Servers that are `away` for so long are looked for on a new connection, and put on record after
    `alarm`.
    """

    connect: float = 10.0
    answer: float = 20.0
    beat: float = 3.0
    beat_answer: float = 5.0
    retry_first: float = 0.5
    retry_max: float = 30.0
    verify_again: float = 5.0
    unanswered: float = 5.0
    look_apart: float = 2.0
    what_if: float = 8.0
    away: float = 60.0
    alarm: float = 300.0


class Listener(Protocol):
    """Whoever takes part in the conversation. All but the coroutines are called as it happens."""

    def connected(self, greeting: Greeting) -> None:
        """Take note of a new socket; nothing is verified yet."""
        ...

    def heard(self, kind: int, fields: Sequence[str]) -> None:
        """Take one message; of errors alone the account numbers are replaced by then."""
        ...

    async def verify(self) -> None:
        """Ask for what must be known before orders may leave.

        Raises:
            ConfigError: it will never be right.
            ConnectionLost, TimeoutError, RequestFailed, Unreadable: not this time.
        """
        ...

    async def ready(self) -> None:
        """Go to work: everything is verified."""
        ...

    def lost(self, unsent: Sequence[object]) -> None:
        """Take note of the end of the socket, and of which orders never left."""
        ...


class GatewaySession:
    """`report` gets what goes on record. `connection` is the one state, `alias` hides accounts."""

    def __init__(  # noqa: PLR0913 - what a conversation is made of
        self,
        settings: GatewaySettings,
        clock: Clock,
        windows: Windows,
        *,
        sends: bool,
        timing: Timing | None = None,
        seconds: Callable[[], float] = monotonic_s,
    ) -> None:
        """Talk to the gateway of `settings`; `sends` says whether orders go this way.

        `seconds` never go back: what is waited for is counted in them.
        """
        self.settings = settings
        self.clock = clock
        self.windows = windows
        self.timing = timing or Timing()
        self.seconds = seconds
        self.alias = Alias(settings.account, settings.alias)
        self.connection = Connection(settings.endpoint, settings.client_id, sends=sends)
        self.report: Callable[[Input], None] = _nothing
        self.told: Callable[[str], None] = _nothing
        self.listeners: list[Listener] = []
        self.wire = Wire(self._heard, self._socket_ended)
        self.last_heard_s = 0.0
        self.messages = 0
        self.up_since: datetime | None = None
        self._pacer: Pacer[_Outgoing] = Pacer()
        self._pumping: asyncio.TimerHandle | None = None
        self.asking = Asking(self.send, self.timing.answer)
        self._ended = asyncio.Event()
        self._why_ended = ""
        self._attempts = 0
        self._trying_since: datetime | None = None
        self._reached_at: datetime | None = None
        self._away_since_s: float | None = None
        self._alarmed = False

    @property
    def now(self) -> datetime:
        """The wall time."""
        return utc_from_nanoseconds(self.clock.now())

    @property
    def why_not(self) -> str:
        """Why no order may be sent now, empty where one may."""
        return self.connection.why_not or self.windows.closed(self.now)

    async def run(self, *, wait: bool = True) -> None:
        """Go on for ever.

        Raises:
            ConfigError: the account, the interface's settings or a contract can never be right.
            NoAnswer: nobody is there at the first attempt, and `wait` is false.
        """
        try:
            while True:
                await self._reach(wait=wait)
                wait = True
                await self._stay()
        finally:
            # Our own stop is no loss that anything would have to be held for.
            self._close("traded stops")

    # Asking.

    def send(self, lane: Lane, write: Callable[[], None], order: object = None) -> None:
        """Write when the pace allows, at once where nothing waits; `order` is what is withheld."""
        self._pacer.put(lane, _Outgoing(write, order))
        self._pump()

    async def ask(self, write: Callable[[int], None], end: int, rows: frozenset[int]) -> list[Row]:
        """Ask with a request number: see `Asking.numbered`."""
        return await self.asking.numbered(write, end, rows)

    async def ask_list(
        self, write: Callable[[], None], end: int, rows: frozenset[int]
    ) -> list[Row]:
        """Ask for a list without a request number: see `Asking.listed`."""
        return await self.asking.listed(write, end, rows)

    def subscribe(self, write: Callable[[int], None]) -> int:
        """Ask for what goes on for long; return its request number."""
        request = self.asking.number()
        self.send(Lane.REQUEST, lambda: write(request))
        return request

    # The task.

    async def _reach(self, *, wait: bool) -> None:
        """Try until there is a connection whose lists are all there."""
        self._attempts = 0
        self._trying_since = self.now
        timing = self.timing
        tries = AsyncRetrying(
            wait=wait_exponential_jitter(
                multiplier=timing.retry_first, max=timing.retry_max, jitter=timing.retry_first
            ),
            retry=retry_if_exception_type((NoAnswer, *NOT_THIS_TIME) if wait else NOT_THIS_TIME),
            before_sleep=self._failed,
        )
        await tries(self._attempt)

    async def _attempt(self) -> None:
        settings = self.settings
        try:
            greeting = await self.wire.open(
                settings.host, settings.port, settings.client_id, self.timing.connect
            )
        except NoAnswer as error:
            raise NoAnswer(self.alias.text(str(error))) from None
        try:
            self.alias.learn(greeting.accounts)
            assert_account(settings, greeting.accounts)
            self._ended.clear()
            self._why_ended = ""
            self.up_since = self.now
            self.last_heard_s = self.seconds()
            self.connection.order_id_next = greeting.order_id_next
            for listener in self.listeners:
                listener.connected(greeting)
            self._record(
                self.connection.opened(greeting.server_version, self.connection.order_id_next)
            )
            await self._verify()
        except BaseException as error:
            self._end(f"the connection could not be used: {error}")
            raise
        self._reached_at = self.now

    async def _verify(self) -> None:
        """Have every listener ask for what it must know; only then may orders leave."""
        breaks = self.connection.breaks
        for listener in self.listeners:
            await listener.verify()
        if self.connection.breaks != breaks or not self.connection.is_up:
            raise ConnectionLost(self._why_ended or "the connection broke while it was verified")
        self._record(self.connection.verified())
        for listener in self.listeners:
            await listener.ready()

    async def _stay(self) -> None:
        """Keep the connection alive until it ends; verify again when something may be missed."""
        failures = 0
        while not self._ended.is_set():
            if Part.LISTS in self.connection.missing and self.connection.is_up:
                try:
                    await self._verify()
                    failures = 0
                except NOT_THIS_TIME as error:
                    failures += 1
                    self.told(f"the lists did not come: {error}")
                    if failures >= TELL_AFTER:
                        self._end(f"the lists did not come {failures} times: {error}")
                    await self._pause(self.timing.verify_again)
                continue
            await self._beat_once()
            self._look_at_servers()

    def _look_at_servers(self) -> None:
        """Do not wait in silence for servers that are gone.

        A gateway says when it has its line back (1101, 1102). That servers are away (2110) may just
        end: a new connection tells.
        """
        missing = self.connection.missing
        if Part.SERVERS not in missing and Part.AWAY not in missing:
            self._away_since_s = None
            return
        if self._away_since_s is None:
            self._away_since_s, self._alarmed = self.seconds(), False
            return
        for_s = self.seconds() - self._away_since_s
        if for_s >= self.timing.alarm and not self._alarmed:
            self._alarmed = True
            since = self.now - timedelta(seconds=for_s)
            self.report(BrokerUnreachable(0, since, self.connection.why_not))
        if Part.SERVERS not in missing and for_s >= self.timing.away:
            self._end(missing[Part.AWAY])

    async def _beat_once(self) -> None:
        """Ask for the time, and end a connection on which nothing at all comes any more.

        Looks are counted, not seconds: when this process itself hung, the gateway gets its time.
        """
        await self._pause(self.timing.beat)
        if self._ended.is_set():
            return
        asked_at = self.seconds()
        answered = self.asking.expect(messages.CURRENT_TIME)
        self.send(Lane.CANCEL, self.wire.ask_time)
        looks = 10
        for _ in range(looks):
            await self._pause(self.timing.beat_answer / looks)
            if self._ended.is_set() or answered.done() or self.last_heard_s > asked_at:
                break
        else:
            silent = f"no sign of the gateway for {self.timing.beat_answer:g} s"
            self._record(self.connection.silent(silent))
            self._end(silent)
        self.asking.forget(messages.CURRENT_TIME)

    async def _pause(self, seconds: float) -> None:
        """Wait, but not longer than the connection lasts."""
        # Not `wait_for`: before Python 3.12 it may swallow a cancel that comes at the wrong moment.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    def doubt(self, why: str) -> None:
        """Believe nothing, and let nothing be sent, until the lists have come again."""
        self._record(self.connection.doubted(why))

    def lacks(self, part: str, why: str) -> None:
        """Put on record that `part` is missing of the connection, once while it is."""
        self._record(self.connection.lacks(part, why))

    def has(self, part: str, why: str) -> None:
        """Put on record that `part` is there again, where it was missing."""
        if part in self.connection.missing:
            self._record(self.connection.restored(part, why))

    # What comes in.

    def _heard(self, kind: int, fields: Sequence[str]) -> None:
        """Take one message of the wire. Nothing raised here may reach the socket."""
        self.last_heard_s = self.seconds()
        self.messages += 1
        if kind == messages.ERROR:
            # It names no account but in its text, which goes on into reasons and logs.
            fields = self.alias.fields(fields)
        # A row that nobody can read is one of its list all the same: without it that is not whole.
        for take in (self._tell, self.asking.take):
            try:
                take(kind, fields)
            except Exception as error:  # noqa: BLE001 - it is put on record and holds everything
                what = "|".join(self.alias.fields(fields))
                why = f"message {kind}: {type(error).__name__}: {error}"
                self.report(BrokerUnparsed(what[:2_000], self.alias.text(why)))

    def _tell(self, kind: int, fields: Sequence[str]) -> None:
        if kind == messages.ERROR:
            self._notice(messages.read_notice(fields))
        for listener in self.listeners:
            listener.heard(kind, fields)

    def _notice(self, notice: Notice) -> None:
        means = meaning(notice.code)
        if means.link is not None:
            text = f"{notice.code}: {notice.text}"
            self._record(self.connection.told(means.link, text))
            if means.link is ForLink.TOO_FAST:
                self.told(text)
        self.asking.failed(notice)

    def _socket_ended(self, why: str) -> None:
        self._end(why)

    def _end(self, why: str) -> None:
        """Put on record that a connection is lost, and be done with it."""
        if self._ended.is_set() and Part.SOCKET in self.connection.missing:
            return
        self._record(self.connection.closed(why))
        self._close(why)

    def _close(self, why: str) -> None:
        """Be done with a connection, and say what never left."""
        self._ended.set()
        self._why_ended = why
        self.up_since = None
        self.connection.closed(why)
        self.wire.close()
        self.asking.lost(why)
        unsent = [each.order for each in self._pacer.drop(Lane.ORDER) if each.order is not None]
        for lane in (Lane.CANCEL, Lane.REQUEST):
            self._pacer.drop(lane)
        for listener in self.listeners:
            listener.lost(unsent)

    def _failed(self, state: RetryCallState) -> None:
        """Put on record that the gateway is not reached; the attempts go on."""
        self._attempts += 1
        error = state.outcome and state.outcome.exception()
        why = self.alias.text(str(error) or type(error).__name__)
        if not self._attempts & (self._attempts - 1):
            # The first, second, fourth, eighth one: a night without a gateway is no page of it.
            self.told(f"{why}; trying again (attempt {self._attempts})")
            if self._attempts == 1 and isinstance(error, NoAnswer):
                self.told(f"next: {error.hint}")
        doubled = self._attempts >= TELL_AFTER and not self._attempts % TELL_AFTER
        count = self._attempts // TELL_AFTER
        if doubled and not count & (count - 1):
            since = self._trying_since or self.now
            login = weekly_login_since(self._reached_at or since, self.now)
            self.report(BrokerUnreachable(self._attempts, since, why, login_needed=login))

    def _record(self, reports: Sequence[Input]) -> None:
        for each in reports:
            self.report(each)

    # What goes out.

    def _pump(self) -> None:
        """Write what the pace allows now, and come back for the rest."""
        if self._pumping is not None:
            self._pumping.cancel()
            self._pumping = None
        for outgoing in self._pacer.due(self.seconds()):
            outgoing.write()
        wait_s = self._pacer.wait_s(self.seconds())
        if wait_s is not None:
            loop = asyncio.get_running_loop()
            self._pumping = loop.call_later(max(wait_s, 0.001), self._pump)


class _Outgoing(msgspec.Struct, frozen=True):
    write: Callable[[], None]
    order: object = None


@asynccontextmanager
async def running(session: GatewaySession) -> AsyncIterator[GatewaySession]:
    """Run the session's task meanwhile, and end it."""
    task = asyncio.create_task(session.run(), name="gateway session")
    try:
        yield session
    finally:
        task.cancel()
        await asyncio.wait({task})


def _nothing(_what: object) -> None:
    pass
