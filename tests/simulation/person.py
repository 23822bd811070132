"""The operator: looks in now and then, says a few things on purpose, and some at a bad moment."""

from decimal import Decimal
from typing import TYPE_CHECKING

from daemon.engine import Engine
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
from events.codec import Command
from tests.simulation.market import SYMBOLS

if TYPE_CHECKING:
    from tests.simulation.world import World

LOOKS_IN_EVERY_S = (600, 5_400)
AT_A_WRITE = 0.004
WITH_BARS = 0.03
"""How often a command comes in the middle of a write, and in the very moment that bars do."""


class Person:
    """Speaks to whatever process there is."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = world.chance("operator")
        self._look_in_later()

    def _look_in_later(self) -> None:
        self._world.timeline.after(self._chance.uniform(*LOOKS_IN_EVERY_S), self._look_in)

    def _look_in(self) -> None:
        process = self._world.process
        if self._world.is_calm:
            return
        self._look_in_later()
        if process is None or process.dead or process.engine is None:
            return
        engine = process.engine
        if self._chance.random() < 0.7:
            self._see_to_it(engine)
        if self._chance.random() < 0.15:
            self._do_something()

    def _see_to_it(self, engine: Engine) -> None:
        """Resolve what is open, lift what stands; what holds an open break goes with the break."""
        state = engine.core.state
        if state.reconciliation.open:
            self.say(self._chance.choice((OperatorReconcileAsked, OperatorResolveAsked)))
        for hold in list(state.holds.active.values()):
            if hold.lifts is HoldLifts.OPERATOR and hold.subject not in state.reconciliation.open:
                if hold.cause == KILL_SWITCH:
                    self.say(OperatorResumed)
                else:
                    self.say(OperatorLifted, hold_id=hold.hold_id)

    def _do_something(self) -> None:
        symbol = self._chance.choice(SYMBOLS)
        what = self._chance.randrange(6)
        if what == 0:
            self.say(OperatorKilled)
        elif what == 1:
            self.say(OperatorCancelAsked)
        elif what == 2:
            self.say(OperatorFlattenAsked, symbol=symbol, trust_broker=self._chance.random() < 0.5)
        elif what == 3:
            quantity = Decimal(self._chance.choice((-5, 5)))
            self.say(
                OperatorOrderAsked,
                symbol=symbol,
                quantity=quantity,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.DAY,
            )
        else:
            self.say(OperatorReconcileAsked)

    def during_a_write(self) -> None:
        """Say something now and then while the daemon waits for its disk."""
        self._burst_in("command during a write", AT_A_WRITE)

    def as_bars_come(self) -> None:
        """Say something now and then that the daemon hears together with new bars."""
        self._burst_in("command with the bars", WITH_BARS)

    def _burst_in(self, what: str, how_often: float) -> None:
        if self._world.is_calm or self._chance.random() >= how_often:
            return
        self._world.struck[what] += 1
        if self._chance.random() < 0.3:
            self.say(OperatorKilled)
        else:
            self.say(OperatorHeld, scope=HoldScope.ALL, level=HoldLevel.HALT)

    def say(self, kind: type[Command], **fields: object) -> None:
        """Give one command, if there is a process that listens."""
        world = self._world
        if world.process is not None:
            name = f"command-{world.number()}"
            made = kind(name, "operator", 0, "the simulation", **fields)  # type: ignore[arg-type]
            world.process.tell(made)
