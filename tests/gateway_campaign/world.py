"""The world around the daemon: the gateway, its faults, prices, an operator, and deaths.

Everything in it follows from one seed. The gateway lives on when the daemon dies.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from random import Random

import msgspec

from daemon import app
from daemon.brokers.gateway.broker import IbkrBroker
from daemon.config.options import Config
from events import (
    KILL_SWITCH,
    HoldLevel,
    HoldLifts,
    HoldScope,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorHeld,
    OperatorKilled,
    OperatorLifted,
    OperatorOrderAsked,
    OperatorReconcileAsked,
    OperatorResolveAsked,
    OperatorResumed,
    OrderType,
    TimeInForce,
)
from events.chain import Row
from events.codec import Command
from events.errors import JournalWriteFailed
from events.journal import JournalReader
from ops.gateway_sim.faults import Fault, FaultKind, FaultPlan, plan_from_seed
from ops.gateway_sim.floor import Floor
from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.server import RunningGateway, running_gateway
from ops.gateway_sim.virtual_clock import VirtualClock
from projections.broker import DISCONNECTED
from tests.gateway_campaign.gambler import SYMBOLS
from tests.gateway_campaign.judge import GROSS_MAX, STALE_S, Judge
from tests.gateway_campaign.life import Life
from tests.gateway_desk import CASH, TUESDAY, quote, undecoded
from tests.simulated_loop import SimulatedLoop
from tests.simulation.disk import DiskFault
from tests.simulation.invariants import POSITION_MAX, Invariants, Violation, demand
from tests.simulation.mortal import Crash, Death
from tests.simulation.world import a_folder, collected_at_once

TRADES_S = 90.0
"""How long it is traded, in the loop's seconds and the gateway's."""
SETTLES_S = 30.0
PATIENCE_S = 240.0
"""What has not come to rest by then is judged as it is; a break that stands has waited for it."""
LOOKS_IN_S = (1.5, 8.0)
PRICES = {"AAPL": (150, 2), "MSFT": (400, 5)}
"""Where they begin, and how far from there they go."""
FAULTS = 8
TICK_S = 0.1


def config_for(seed: int, port: int) -> Config:
    account = {
        "max_order_shares": 60,
        "max_order_usd": 50_000,
        "max_position_shares": POSITION_MAX,
        "max_position_usd": 100_000,
        "max_gross_usd": GROSS_MAX,
        "max_daily_loss_usd": 50_000,
        "max_drawdown": "0.5",
        "max_orders_a_day": 2_000,
        "max_leverage": 4,
        "allow_short": True,
    }
    tree = {
        "mode": "broker-paper",
        "account": "main",
        "dry_run": False,
        "daemon": {"on_stop": "cancel" if seed % 2 else "leave"},
        "symbols": {name: {"exchange": "NASDAQ", "bar_every_s": 10} for name in SYMBOLS},
        "freshness": {"max_age_s": STALE_S, "grace_s": 5, "lift_after_s": 7, "trips_max": 50},
        "strategies": {
            "gambler": {
                "class": "tests.gateway_campaign.gambler:Gambler",
                "params": {"seed": seed, "patience_s": 30},
            }
        },
        "broker": {"kind": "ibkr", "answer_deadline_s": 10},
        "feed": {"kind": "ibkr", "bar_seconds": 5},
        "gateway": {"port": port, "login_zone": "America/New_York"},
        "journal": {"snapshot_every_events": 400, "disk_halt_mb": 1, "disk_look_s": 86_400},
        "control": {"enabled": False},
        "reconciliation": {"every_s": 60, "settle_s": 5},
        "limits": {
            "account": account,
            "orders": {"allow_opposite": True, "require_shortable_data": False},
            "turnover": {"max_a_day": 1_000},
            "margin": {"initial_share": "0.1", "cushion": "0.05", "ask": seed % 3 == 0},
        },
    }
    return msgspec.convert(tree, Config, strict=False)


class World:
    """One seed's world; `struck` counts what went wrong on purpose, and what came of it."""

    running: RunningGateway
    config: Config

    def __init__(
        self, seed: int, folder: Path, kind: type[IbkrBroker], loop: SimulatedLoop
    ) -> None:
        self.seed = seed
        self.kind = kind
        self.loop = loop
        self.journal = folder / "journal.db"
        # The account is locked for the host: other processes run other seeds at the same time.
        self.account = f"DU{os.getpid():07}"
        self.struck: Counter[str] = Counter()
        self.is_killed = self.is_calm = False
        self.life: Life | None = None
        self.rows: list[Row] = []
        self.invariants = Watched(self)
        self.judge = Judge(self)
        self.broken: Violation | None = None
        self._chances: dict[str, Random] = {}
        self._commands = 0

    def chance(self, of: str) -> Random:
        """Return the chance of one part of the world: what one draws moves no other."""
        if of not in self._chances:
            self._chances[of] = Random(f"{self.seed}/{of}")
        return self._chances[of]

    @property
    def now(self) -> datetime:
        return self.running.gateway.now()

    @property
    def floor(self) -> Floor:
        return self.running.gateway.floor

    @property
    def struck_faults(self) -> Sequence[Fault]:
        return self.running.gateway.plan.struck

    # A run.

    async def run(self) -> None:
        """Trade, die and start again; then let it come to rest and judge the books."""
        clock = VirtualClock(TUESDAY, 1, self.loop.time)
        floor = open_floor(None, self.account, CASH, TUESDAY, None, symbols=list(SYMBOLS))
        faults = faults_for(self.seed, self.chance("faults"))
        async with running_gateway(
            floor, clock=clock, faults=faults, tick_s=TICK_S
        ) as self.running:
            self.config = config_for(self.seed, self.running.port)
            for symbol, (price, _) in PRICES.items():
                quote(self.running.gateway, symbol, price)
            beside = [self.loop.create_task(each) for each in (self._prices(), self._operator())]
            try:
                while self.loop.time() < TRADES_S:
                    await self._live(self._next_death())
                    await asyncio.sleep(self.chance("crash").choice((0.05, 0.5, 3.0)))
                await self._come_to_rest()
            except Violation as found:
                self.broken = Violation(f"{found}\n  at {self.now:%H:%M:%S.%f}")
                self.broken.__cause__ = found
            finally:
                self._bury()
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    async def _live(self, death: Death | None, seconds: float = 0.0) -> None:
        life = self.life = Life(self, death)
        chance = self.chance("crash")
        life.main = self.loop.begin(life, life.live())
        ends = seconds or min(chance.uniform(3.0, 70.0), TRADES_S - self.loop.time())
        with suppress(TimeoutError):
            async with asyncio.timeout(ends):
                await life.over.wait()
        if not life.over.is_set() and chance.random() < 0.2:
            self.loop.send_signal(15)
            with suppress(TimeoutError):
                async with asyncio.timeout(20.0):
                    await life.over.wait()
        if not life.over.is_set():
            life.death = Death(life.moments + chance.randint(1, 60))
            await life.over.wait()
        self._bury()
        if life.violation is not None:
            raise life.violation
        self.struck[life.exit] += 1
        wrote = not (life.has_failed_to_write and isinstance(life.failure, JournalWriteFailed))
        demand(life.failure is None or not wrote, f"it ended: {life.failure!r}")

    def _bury(self) -> None:
        if self.life is not None:
            self.life.dead = True
            self.loop.bury(self.life)

    def _next_death(self) -> Death | None:
        """Return how the next process dies: next to an effect, or wherever it is at a time."""
        chance = self.chance("crash")
        if chance.random() < 0.5:
            return None
        return Death(chance.randint(1, 400), at_effects=True)

    def recovered(self, prepared: app.Prepared) -> None:
        """Compare what a start has recovered with what was durable before."""
        found = prepared.recovered
        if self.invariants.seq:
            self.invariants.compare(found.state, "recovered")
        demand(not found.differences, f"decided differently after a restart: {found.differences}")

    async def _come_to_rest(self) -> None:
        """Let the gateway come back, and everything that is under way arrive."""
        self.is_calm = True
        gateway = self.running.gateway
        gateway.mishaps.restore_line()
        gateway.mishaps.log_in()
        gateway.plan = FaultPlan()
        gateway.plan.struck = list(self.struck_faults)
        life = self.life = Life(self, None)
        life.main = self.loop.begin(life, life.live())
        began = self.loop.time()
        while self.loop.time() - began < PATIENCE_S:
            self.say(OperatorReconcileAsked)
            with suppress(TimeoutError):
                async with asyncio.timeout(10.0):
                    await life.over.wait()
            if life.violation is not None:
                raise life.violation
            demand(not life.over.is_set(), f"it ended: {life.failure!r}")
            if self.judge.agrees or self.loop.time() - began > SETTLES_S:
                break
        if life.violation is not None:
            raise life.violation
        engine = life.engine
        assert engine is not None
        demand(engine.core.state.broker.connected, "it is not connected in the end")
        self.judge.judge(self.struck)
        self._bury()
        with JournalReader(self.journal) as reader:
            findings = reader.check()
            self.rows = list(reader.rows())
        demand(not findings, f"the journal is not sound: {findings}")

    @property
    def digest(self) -> bytes:
        """Return a hash of every byte of the journal's rows."""
        return sha256(repr(self.rows).encode()).digest()

    # The market.

    async def _prices(self) -> None:
        """Move prices; now and then a symbol falls silent."""
        chance = self.chance("market")
        silent = dict.fromkeys(PRICES, 0.0)
        price = {symbol: float(begins) for symbol, (begins, _) in PRICES.items()}
        while True:
            await asyncio.sleep(chance.uniform(0.8, 2.4))
            if self.is_calm:
                continue
            self._look()
            for symbol, (begins, width) in PRICES.items():
                if self.loop.time() < silent[symbol]:
                    continue
                if chance.random() < 0.04 and max(silent.values()) < self.loop.time():
                    silent[symbol] = self.loop.time() + chance.uniform(20.0, 45.0)
                moved = price[symbol] + chance.uniform(-0.004, 0.004) * begins
                price[symbol] = min(max(moved, begins - width), begins + width)
                quote(self.running.gateway, symbol, round(price[symbol], 2))

    def _look(self) -> None:
        try:
            self.judge.assert_all_reserved()
        except Violation as found:
            life = self.life
            if life is not None:
                life.violation = life.violation or found
                life.over.set()

    # The disk.

    def next_disk_fault(self) -> DiskFault | None:
        return None

    def during_a_write(self) -> None:
        """Let nothing happen."""

    # The operator.

    async def _operator(self) -> None:
        chance = self.chance("operator")
        while True:
            await asyncio.sleep(chance.uniform(*LOOKS_IN_S))
            if not self.is_calm:
                self._see_to_it()
                if chance.random() < 0.3:
                    self._do_something(chance)

    def _see_to_it(self) -> None:
        """Resolve what is open, lift what stands; what holds an open break goes with the break."""
        life = self.life
        if life is None or life.dead or life.engine is None:
            return
        state = life.engine.core.state
        if state.reconciliation.open:
            self.say(OperatorResolveAsked)
        for hold in list(state.holds.active.values()):
            if hold.cause == DISCONNECTED and state.broker.connected:
                self.say(OperatorLifted, hold_id=hold.hold_id)  # He does not wait.
            if hold.lifts is HoldLifts.OPERATOR and hold.subject not in state.reconciliation.open:
                if hold.cause == KILL_SWITCH:
                    self.say(OperatorResumed)
                else:
                    self.say(OperatorLifted, hold_id=hold.hold_id)

    def _do_something(self, chance: Random) -> None:
        symbol, what = chance.choice(SYMBOLS), chance.randrange(10)
        if what == 0:
            self.say(OperatorKilled)
        elif what == 1:
            self.say(OperatorCancelAsked)
        elif what <= 6:
            if what > 2 and self.life is not None and self.life.session is not None:
                # What closes a position passes every hold: here only the adapter says no.
                self.life.session.doubt("a doubt of the campaign's")
            self.say(OperatorFlattenAsked, symbol=symbol, trust_broker=chance.random() < 0.5)
        elif what == 7:
            self.say(OperatorHeld, scope=HoldScope.ALL, level=HoldLevel.HALT)
        else:
            self.say(
                OperatorOrderAsked,
                symbol=symbol,
                quantity=Decimal(chance.choice((-60, 60))),
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.DAY,
            )

    def say(self, kind: type[Command], **fields: object) -> None:
        """Give one command, if there is a process that listens."""
        if self.life is not None:
            self._commands += 1
            name = f"command-{self._commands}"
            made = kind(name, "operator", 0, "the campaign", **fields)  # type: ignore[arg-type]
            self.life.tell(made)


class Watched(Invariants):
    """The invariants of the journal; the judge looks at its rows as well."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def committed(self, rows: Sequence[Row]) -> None:
        self._world.judge.committed(rows)
        super().committed(rows)


def faults_for(seed: int, chance: Random) -> list[Fault]:
    """Return the faults of a seed: at random, and when an order is sent.

    Those leave an order there and nobody says so, or it never was there; lists that are asked for
    soon afterwards may not show it.
    """
    found = [
        msgspec.structs.replace(each, nth=each.nth * chance.choice((1, 1, 2, 4)))
        for each in plan_from_seed(seed, FAULTS)
    ]
    for nth in chance.sample(range(1, 16), k=4):
        lags = Fault(FaultKind.UNLISTED, "placeOrder", nth, after_s=chance.choice((1.0, 3.0, 8.0)))
        unheard = Fault(FaultKind.RESET_UNHEARD, "placeOrder", nth)
        found += chance.choice(
            (
                *((unheard, lags),) * 4,
                (unheard,),
                (lags, Fault(FaultKind.HALF_OPEN, "placeOrder", nth, after_s=3.0)),
                (Fault(FaultKind.OUTAGE, "placeOrder", nth, after_s=1.0),),
                (Fault(FaultKind.RESET_BEFORE, "placeOrder", nth),),
            )
        )
    return found


def simulate(seed: int, kind: type[IbkrBroker] = IbkrBroker) -> World:
    """Run one seed in a folder of its own, with an adapter of that kind; return its world.

    Raises:
        Violation: what must hold does not; it says the seed, and the command that repeats it.
    """
    random.seed(seed)  # How long it waits until it tries again is drawn from there.
    loop = SimulatedLoop(seed)

    def failed(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        # A refusal that comes in the very moment its waiting is given up is nobody's any more:
        # so `asyncio.wait_for` is in Python 3.11, by which the library connects.
        if not isinstance(context.get("exception"), Crash | Violation | ConnectionRefusedError):
            loop.default_exception_handler(context)

    loop.set_exception_handler(failed)
    with undecoded() as problems, a_folder() as folder, collected_at_once():
        world = World(seed, folder, kind, loop)
        try:
            loop.run_until_complete(world.run())
        finally:
            loop.close()
    broken = world.broken or (Violation(problems[0]) if problems else None)
    if broken is not None:
        again = f"python -m tests.gateway_campaign --seed {seed} --seeds 1"
        raise Violation(f"seed {seed}: {broken}\n  again: {again}") from broken
    return world
