"""One start behind a crash: recovered for real, run against a script, its promises looked at.

The daemon's own recovery, core and engine do it; only the broker and the file are stand-ins.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from daemon.clock import FeedClock
from daemon.commits import SnapshotTerms
from daemon.core.core import Core
from daemon.core.recorder import LookAtBooks
from daemon.engine import Engine, EngineSettings
from daemon.history.recovery import Recovered
from daemon.history.snapshots import SnapshotFolder
from daemon.stopping.kill_switch import KillSwitch
from daemon.stopping.permit import Permit, permit_path
from daemon.surroundings import DiskTerms
from events import (
    BarClosed,
    ClientOrderId,
    LookWhy,
    OrderIntended,
    OrderSending,
    Record,
    Trip,
    utc_from_nanoseconds,
)
from events.journal import Head, Journal
from ops.drills.script import Script, Step, Variant, played
from ops.drills.scripted_broker import Account, ScriptedBroker
from projections import State
from projections.order_states import OrderState
from projections.orders import Order

_SECOND_NS = 10**9
_NEVER_DUE = 10**12
"""Events or seconds until something that a drill has no use for."""


class Unwritten(Journal):
    """A journal whose commits reach no file: what is durable in a drill is what was given here."""

    def __init__(self, path: Path, head: Head) -> None:
        """Go on behind `head`; nothing is opened at `path`."""
        self.path = path
        self.poisoned = False
        self.head = head
        self.sendings: set[ClientOrderId] = set()

    @property
    def checkpoint_due(self) -> bool:
        """Say that there is no log to be folded back."""
        return False

    async def append(self, records: Sequence[Record]) -> None:
        """Take `records` as durable."""
        assert records[0].seq == self.head.seq + 1, "the records must follow the head"
        self.head = Head(records[-1].seq)
        for record in records:
            if isinstance(record.event, OrderSending):
                self.sendings.add(record.event.client_order_id)


class Rehearsal:
    """A daemon that starts from `recovered` while the broker plays `script` by `variant`.

    `findings` are the promises it broke, each in a sentence.
    """

    def __init__(
        self, recovered: Recovered, script: Script, variant: Variant, seed: int, place: Path
    ) -> None:
        """Prepare it; the permit file is in `place`."""
        steps = script.steps
        self.findings: list[str] = []
        self.state = recovered.state
        self._recovered = recovered
        self._variant = variant
        self._steps = played(steps, variant, seed)
        self._sent_before = sent(self.state)
        self._overfilled_before = {o.client_order_id for o in known(self.state) if is_overfilled(o)}
        self.doubtful = unanswered(self.state, steps if variant is not Variant.UNANSWERED else ())
        self.broker = ScriptedBroker(
            self.state,
            self.doubtful,
            {step.order_id for step in steps if step.order_id},
            script.margins,
            self._order_leaves,
            acknowledges=variant is not Variant.UNACKNOWLEDGED,
        )
        self._journal = Unwritten(place / "journal.db", recovered.head)
        switch = KillSwitch(Permit(permit_path(self._journal.path)))
        self._engine = Engine(
            Core(self.state, recovered.runs, recovered.settings),
            self._journal,
            self.broker,
            FeedClock(self.state.at),
            SnapshotFolder(self._journal.path),
            EngineSettings(
                self.state.identity.is_dry_run,
                SnapshotTerms(_NEVER_DUE, 1),
                DiskTerms(0, _NEVER_DUE),
            ),
            switch,
        )

    async def run(self) -> list[str]:
        """Start, play the script to its end, wait for what is due then; return the findings."""
        try:
            await self._start()
            for step in self._steps:
                await self._play(step)
            await self._settle()
        except Exception as error:  # noqa: BLE001 - whatever stops the daemon is the finding
            self.findings.append(f"the daemon stops: {error!r}")
        else:
            self._look_at_orders()
            self._look_at_books()
        return self.findings

    async def _start(self) -> None:
        started = self.state.identity.started
        assert started is not None, "a drill begins behind the first session's start"
        await self._engine.take(msgspec.structs.replace(started, diverged={}, doubts=()))
        await self._engine.connect_broker()
        await self._look(LookWhy.START, "start")

    async def _play(self, step: Step) -> None:
        await self._let_pass(step.at)
        if isinstance(step.event, BarClosed):
            self._engine.take_bar(step.event)
        elif step.order_id:
            self.broker.tell(step)
        else:
            self._engine.hear(step.event)
        await self._engine.commit()

    async def _let_pass(self, at: int) -> None:
        """Let time pass up to `at`: what the daemon waits for comes due."""
        engine = self._engine
        while (timer := engine.core.deadlines.take_due(utc_from_nanoseconds(at))) is not None:
            engine.fire(timer)
            await engine.commit()
        engine.clock.set(at)

    async def _settle(self) -> None:
        """Wait until every answer is overdue, and have both books compared twice."""
        settings = self._recovered.settings
        wait = (settings.answer_deadline_s + 1) * _SECOND_NS
        await self._let_pass(self._engine.clock.now() + wait)
        for number in (1, 2):
            await self._look(LookWhy.SCHEDULE, f"end-{number}")
            wait = (settings.reconciliation.settle_s + 1) * _SECOND_NS
            await self._let_pass(self._engine.clock.now() + wait)

    async def _look(self, why: LookWhy, name: str) -> None:
        look_id = f"drill-{name}-{self.state.seq}"
        self._engine.recorder.effects.append(LookAtBooks(look_id, why))
        await self._engine.commit()

    # The promises.

    def _order_leaves(self, intent: OrderIntended) -> None:
        order_id = intent.client_order_id
        if order_id in self._sent_before or order_id in self.broker.sent:
            self.findings.append(f"{order_id} is sent a second time")
        elif order_id not in self._journal.sendings:
            self.findings.append(f"{order_id} is sent before its sending is recorded")

    def _look_at_orders(self) -> None:
        for order in known(self.state):
            is_news = order.client_order_id not in self._overfilled_before
            if is_news and is_overfilled(order) and not self._is_held("over-fill"):
                of = f"{order.filled:f} of {order.terms.quantity:f}"
                self.findings.append(f"{order.client_order_id} is filled {of}")
            if order.state is OrderState.SENDING:
                name = order.client_order_id
                self.findings.append(f"{name} has no answer in time, and is not UNKNOWN")
        for order_id in self.doubtful:
            self._look_at_doubtful(self.state.orders.find(order_id), order_id)

    def _look_at_doubtful(self, order: Order | None, order_id: ClientOrderId) -> None:
        if order is None:
            self.findings.append(f"{order_id} was never answered, and is in the books no more")
        elif order.state is OrderState.UNKNOWN and order.reserved != order.remaining:
            what = f"{order.reserved:f} of {order.remaining:f}"
            self.findings.append(f"{order_id} is UNKNOWN and reserves {what}")
        elif order.state not in {OrderState.UNKNOWN, OrderState.EXPIRED}:
            self.findings.append(f"{order_id} was never answered, and is {order.state}")

    def _look_at_books(self) -> None:
        # The script keeps nothing back, so that no break can be an excuse: it is only told of.
        held = "a break holds" if self._is_held(Trip.RECONCILIATION_BREAK) else "nothing holds"
        self.findings += [
            f"{each}; {held}" for each in differences(self.state, self.broker.account)
        ]

    def _is_held(self, cause: str) -> bool:
        return any(hold.cause == cause for hold in self.state.holds.active.values())


def known(state: State) -> Sequence[Order]:
    """Return the orders of the books, open and over."""
    return (*state.orders.open.values(), *state.orders.closed.values())


def sent(state: State) -> frozenset[ClientOrderId]:
    """Return the orders of the books whose sending is recorded."""
    return frozenset(order.client_order_id for order in known(state) if order.sending_seq)


def is_overfilled(order: Order) -> bool:
    """Say whether more is filled than was ordered."""
    return abs(order.filled) > abs(order.terms.quantity)


def unanswered(state: State, steps: Collection[Step]) -> frozenset[ClientOrderId]:
    """Return the orders sent without an answer so far that `steps` have no answer to either."""
    answered = {step.order_id for step in steps}
    return frozenset(
        order.client_order_id
        for order in state.orders.open.values()
        if order.state in {OrderState.SENDING, OrderState.UNKNOWN}
        and order.client_order_id not in answered
        and not order.filled
    )


def differences(state: State, account: Account) -> Sequence[str]:
    """Return what the books and the broker's account have differently."""
    found = []
    for symbol in sorted({*state.positions.account, *account.shares} - {""}):
        here, there = state.positions.held(symbol).quantity, account.shares.get(symbol, 0)
        if here != there:
            found.append(f"{symbol}: {here:f} in the books, {there:f} at the broker")
    if state.cash.balance != account.dollars:
        here, there = state.cash.balance, account.dollars
        found.append(f"cash: {here:f} in the books, {there:f} at the broker")
    return found
