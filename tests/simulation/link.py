"""The daemon's ends of what leads outside: its connection to the broker, and its feed of bars.

Both live in the process and die with it. The wire between loses, doubles and delays what is said,
and breaks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

import msgspec

from daemon.brokers import Inbox
from daemon.core.deadlines import NEVER
from daemon.gate import RiskApproved
from events import (
    BarClosed,
    BooksReported,
    BrokerConnected,
    BrokerDisconnected,
    BrokerList,
    ClientOrderId,
    CorporateActionApplied,
    LookWhy,
    OrderWithheld,
    Symbol,
)
from events.codec import Input
from projections import State
from projections.order_states import OrderState
from tests.simulation.venue import Lists

if TYPE_CHECKING:
    from tests.simulation.process import Process

LIST_LOST = 0.05
RAISES = 0.002
UNANSWERED_S = 40.0
"""So long after sending an order without an answer is looked for, in seconds of the simulation."""


class Link:
    """A broker outside (`daemon.brokers.Broker`), at the end of a wire."""

    plugged: ClassVar["Process"]

    outside = True
    next_due = NEVER

    def __init__(self) -> None:
        self._process = Link.plugged
        self._process.link = self
        self._world = self._process.world
        self._chance = self._world.chance("link")
        self._wanted: list[tuple[str, LookWhy]] = []
        self._is_up = False
        self._up_since: datetime | None = None
        self._breaks = 0
        self._is_looking = False
        self.is_broken = False

    # The broker protocol.

    def connect(self, state: State, inbox: Inbox) -> None:
        self._state = state
        self._inbox = inbox
        inbox(BrokerDisconnected("not connected yet"))
        self._reach_soon()

    def submit(self, approved: RiskApproved) -> None:
        intent = approved.intent
        self._process.tick("before an order leaves")
        if not self._is_up:
            self._inbox(OrderWithheld(intent.client_order_id, "not connected"))
            return
        self._process.order_leaves(intent.client_order_id, self._state)
        self._send(lambda: self._world.venue.receive(intent))
        self._process.tick("behind an order that left")
        if not self._world.is_calm and self._chance.random() < RAISES:
            self._world.struck["broker raised"] += 1
            raise ConnectionResetError("in the middle of an order")
        self._later(UNANSWERED_S, lambda: self._look_for(intent.client_order_id))

    def cancel(self, client_order_id: ClientOrderId) -> None:
        self._process.tick("before a cancel leaves")
        if self._is_up:
            self._send(lambda: self._world.venue.cancel(client_order_id))
            self._process.tick("behind a cancel that left")

    def observe(self, bar: BarClosed) -> None:
        """Do nothing: the market is outside."""

    def advance(self, now: datetime) -> None:
        """Do nothing: what ends there is reported."""

    def corporate_action(self, action: CorporateActionApplied) -> None:
        """Do nothing: the broker knows of it."""

    def report_books(self, look_id: str, why: LookWhy, now: datetime) -> None:  # noqa: ARG002 - the look says when it began
        self._process.tick("before a look")
        self._wanted.append((look_id, why))
        self._look_soon()

    # The wire.

    def lose(self) -> None:
        """Break the wire: what is under way may be lost, and nobody has noticed yet."""
        if self._process.dead or self.is_broken or not self._is_up:
            return
        self.is_broken = True
        self._breaks += 1
        self._world.struck["connection lost"] += 1
        self._later(self._chance.choice((0.0, 0.5, 20.0)), self._notice)

    def _notice(self) -> None:
        self._is_up = self._is_looking = False
        self._up_since = None
        self._inbox(BrokerDisconnected("the wire is broken"))
        self._reach_soon()

    def _reach_soon(self) -> None:
        calm = self._world.is_calm
        self._later(1.0 if calm else self._chance.choice((1.0, 5.0, 60.0, 300.0)), self._reached)

    def _reached(self) -> None:
        """Take the lists first: what they say is on record before anything is sent."""
        self.is_broken = False
        name = f"{LookWhy.RECONNECT}-{self._world.number()}"
        self._wanted = self._wanted or [(name, LookWhy.RECONNECT)]
        self._up_since = self._world.clock_says
        self._is_looking = True
        self._ask_for_lists(self._ready)

    def _ready(self) -> None:
        self._is_up = True
        self._inbox(BrokerConnected("simulation", 1, 176, 1))
        for order in tuple(self._state.orders.open.values()):
            if order.cancel_requested:
                self.cancel(order.client_order_id)

    def _send(self, arrives: Callable[[], None]) -> None:
        breaks = self._breaks

        def travelled() -> None:
            # What is written into a broken wire may have been read before it broke.
            if self._breaks == breaks or self._chance.random() < 0.3:
                arrives()

        if self.is_broken:
            self._world.struck["sent into a broken wire"] += 1
            return
        self._world.timeline.after(self._chance.uniform(0.001, 0.2), travelled)

    def hear(self, report: Input) -> None:
        """Take one report from the other end of the wire, as the wire brings it."""
        if not self._is_up or self.is_broken:
            return
        world, chance = self._world, self._chance
        copies = 1
        fate = 1.0 if world.is_calm else chance.random()
        wait = chance.uniform(0.001, 0.05)
        if fate < 0.03:
            world.struck["report lost"] += 1
            return
        if fate < 0.08:
            world.struck["report doubled"] += 1
            copies = 2
        elif fate < 0.16:
            world.struck["report late or out of order"] += 1
            wait = chance.uniform(0.5, 45)
        for _ in range(copies):
            self._later(wait, lambda: self._inbox(report), only_while_up=True)
            wait += chance.uniform(0.001, 5)

    def _later(
        self, seconds: float, happens: Callable[[], None], *, only_while_up: bool = False
    ) -> None:
        """Let it happen in the process, if that still lives by then, and on this connection."""
        breaks = self._breaks

        def due() -> None:
            process = self._process
            if not process.dead and (not only_while_up or self._breaks == breaks):
                process.loop.call_soon(happens)

        self._world.timeline.after(seconds, due)

    # Looks.

    def _look_for(self, order_id: ClientOrderId) -> None:
        order = self._state.orders.open.get(order_id)
        if order is not None and order.state in {OrderState.SENDING, OrderState.UNKNOWN}:
            self._wanted.append((f"search-{self._world.number()}", LookWhy.SCHEDULE))
            self._look_soon()

    def _look_soon(self) -> None:
        if self._is_up and not self._is_looking:
            self._is_looking = True
            self._ask_for_lists(self._look_again)

    def _look_again(self) -> None:
        if self._wanted:
            self._is_looking = False
            self._look_soon()

    def _ask_for_lists(self, then: Callable[[], None]) -> None:
        """Ask: orders and executions are of one moment, what is held of a later one."""
        world, chance, began = self._world, self._chance, self._world.clock_says
        wanted, self._wanted = self._wanted, []
        breaks = self._breaks

        def orders_listed() -> None:
            found = world.venue.lists()
            world.timeline.after(chance.uniform(0.0, 0.5), lambda: all_listed(found))

        def all_listed(found: Lists) -> None:
            books = self._books(found, began)
            self._later(chance.uniform(0.001, 0.1), lambda: heard(found, books), only_while_up=True)

        def heard(found: Lists, books: BooksReported) -> None:
            if self._breaks != breaks:
                return
            for report in found.reports:
                self._inbox(report)
            for look_id, why in wanted:
                self._inbox(_named(books, look_id, why))
            self._is_looking = False
            then()

        world.timeline.after(chance.uniform(0.01, 0.2), orders_listed)

    def _books(self, found: Lists, began: datetime) -> BooksReported:
        positions, cash = self._world.venue.holdings()
        whole = BooksReported(
            look_id="",
            why=LookWhy.SCHEDULE,
            began_at=began,
            positions=positions,
            cash=cash,
            open_orders=found.open_orders,
            completed_orders=found.completed_orders,
            executions=found.executions,
            connected_since=self._up_since,
        )
        if self._world.is_calm or self._chance.random() >= LIST_LOST:
            return whole
        self._world.struck["list that did not end"] += 1
        lost = self._chance.choice(list(BrokerList))
        changes = {lost.name.lower(): None, "missing": {lost.value: "it did not come to its end"}}
        return msgspec.structs.replace(whole, **changes)


def _named(books: BooksReported, look_id: str, why: LookWhy) -> BooksReported:
    return msgspec.structs.replace(books, look_id=look_id, why=why)


class Bars:
    """The live feed: what is published while the process listens, and some of what was before."""

    live = True
    bars_total = starts_at = ends_at = None

    def __init__(self) -> None:
        self._process = Link.plugged
        self._blocks: list[Sequence[BarClosed]] = []
        self._woken = asyncio.Event()

    async def blocks(self, newest: Mapping[Symbol, datetime]) -> AsyncIterator[Sequence[BarClosed]]:
        world = self._process.world
        missed = [
            bar
            for bar in world.market.published[-20:]
            if bar.symbol in newest and bar.end > newest[bar.symbol]
        ]
        if missed and world.chance("feed").random() < 0.5:
            yield missed
        world.market.listener = self._take
        while True:
            while self._blocks:
                yield self._blocks.pop(0)
            await self._woken.wait()
            self._woken.clear()

    def _take(self, block: Sequence[BarClosed]) -> None:
        if not self._process.dead:
            self._blocks.append(block)
            self._process.world.person.as_bars_come()
            self._process.loop.call_soon(self._woken.set)
