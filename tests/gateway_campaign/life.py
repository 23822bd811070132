"""One life of the daemon in the gateway's loop: the real start, run and stop, until it dies."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon import app
from daemon.brokers.gateway.assembly import GatewayParts, build_gateway
from daemon.brokers.gateway.broker import IbkrBroker
from daemon.brokers.gateway.settings import ACCOUNT
from daemon.clock import Clock
from daemon.config.options import Config
from daemon.machine import Machine
from events.journal import Journal
from ops.gateway_sim.frames import LENGTH_BYTES, fields
from ops.gateway_sim.gateway import NEWEST_VERSION
from ops.gateway_sim.request_reading import parsed
from ops.gateway_sim.requests import PlaceOrder
from tests.adapter_desk import GatewayTime
from tests.simulation.disk import connect_for
from tests.simulation.invariants import Violation
from tests.simulation.mortal import Crash, Death, Mortal, single, unwatched

if TYPE_CHECKING:
    from daemon.brokers.gateway.session import GatewaySession
    from tests.gateway_campaign.world import World

ROOT = Path(__file__).parents[2]
PLACE_ORDER = b"3\0"
WRITES_S = (0.0, 0.0, 0.0005, 0.02)


class Life(Mortal):
    """`over` is set when it is dead, or has ended by itself."""

    def __init__(self, world: "World", death: Death | None) -> None:
        super().__init__(world, death)
        self.world = world
        self.over = asyncio.Event()
        self.session: GatewaySession | None = None
        self.main: asyncio.Task[None] | None = None
        self._chance = world.chance("process")

    async def live(self) -> None:
        """Run the daemon to its end, whatever that is."""
        try:
            await self._run()
        except Exception as error:  # noqa: BLE001 - the world judges it
            self.failure = None if self.dead else single(error)
        finally:
            self.over.set()

    async def _run(self) -> app.Outcome:
        world = self.world
        return await app.run(
            world.config,
            ROOT,
            world.journal,
            started=world.recovered,
            progress=lambda _count: None,
            recorded=self.recorded,
            wall=GatewayTime(world.running),
            machine=Machine(
                open_journal=self._open_journal,
                listen=self.listening,
                beat=unwatched,
                draw_id=lambda: f"{world.seed:016x}",
                gateway=self._gateway,
            ),
        )

    async def _open_journal(self, path: Path) -> Journal:
        return await Journal.open(path, connect_for(self))

    def _gateway(self, config: Config, clock: Clock) -> GatewayParts:
        """Build what the daemon builds, on the loop's time; with a mutant in the broker's place."""
        parts = build_gateway(config, {ACCOUNT: self.world.account}, clock)
        self.session = parts.session
        parts.session.seconds = asyncio.get_running_loop().time
        if self.world.kind is not IbkrBroker:
            zone = config.gateway.login_zone
            made = self.world.kind(parts.session, parts.contracts, zone)
            listeners = parts.session.listeners
            listeners[listeners.index(parts.broker)] = made  # type: ignore[arg-type]
            parts.broker = made
        return parts

    # As the loop and the disk see it.

    def step(self) -> None:
        with suppress(Crash):
            self.pass_moment("between two callbacks", is_effect=False)

    def pass_moment(self, where: str, *, is_effect: bool) -> None:
        try:
            super().pass_moment(where, is_effect=is_effect)
        finally:
            if self.dead:
                self.over.set()

    @contextmanager
    def noted(self) -> Iterator[None]:
        try:
            with super().noted():
                yield
        except Violation:
            self.over.set()
            raise

    def writes(self, data: bytes, send: Callable[[], None]) -> None:
        """Look at every order where it leaves: as bytes, in the socket."""
        if self.dead:
            return
        body = data[LENGTH_BYTES:]
        order = None
        if body.startswith(PLACE_ORDER):
            order = parsed(fields(body), NEWEST_VERSION, "UTC")
        if not isinstance(order, PlaceOrder) or order.terms.what_if:
            send()
            return
        self.tick("before an order leaves")
        with self.noted():
            self.world.judge.order_leaves(self, order)
        send()
        self.tick("behind an order that left")

    def new_task(self, told: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return self.world.loop.begin(self, told)

    def write_delay(self) -> float:
        return self._chance.choice(WRITES_S)
