"""Writes tests/golden/paper.db anew: four days at the paper broker, with all that befalls orders.

Run from the repository's root: `python -m tests.golden.make_paper FOLDER`. It is run once a
release; tests/acceptance/test_golden_journals.py says when, and what to do with what it writes.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from daemon.brokers.faults import with_faults
from daemon.brokers.paper import PaperBroker
from daemon.clock import FeedClock
from daemon.commits import SnapshotTerms
from daemon.config.file import to_event
from daemon.config.options import Config
from daemon.core.core import Core
from daemon.core.recorder import LookAtBooks
from daemon.engine import Engine, EngineSettings
from daemon.history.recovery import build_runs, settings_of
from daemon.history.snapshots import SnapshotFolder
from daemon.stopping.kill_switch import KillSwitch
from daemon.stopping.permit import Permit, permit_path
from daemon.surroundings import DiskTerms
from events import (
    BarClosed,
    BrokerUnparsed,
    CommissionCharged,
    CorporateActionAnnounced,
    CorporateActionKind,
    HoldLevel,
    HoldScope,
    JournalOpened,
    LookWhy,
    Mode,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorHeld,
    OperatorKilled,
    OperatorLifted,
    OperatorOrderAsked,
    OperatorPromoteAsked,
    OperatorResolveAsked,
    OperatorResumed,
    OperatorShadowed,
    OrderFilled,
    OrderType,
    Record,
    SessionEnded,
    SessionStarted,
    Symbol,
    TimeInForce,
    nanoseconds,
)
from events.codec import Input
from events.journal import Journal
from projections import State
from projections.canonical import state_hash
from tests.builders import a_calendar, a_deposit, a_session, utc
from tests.engine_desk import Blocks

A, B = Symbol("A"), Symbol("B")
DAYS = ("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05")
TREE = {
    "mode": "paper",
    "dry_run": False,
    "account": "golden",
    "symbols": {"A": {"exchange": "NYSE"}, "B": {"exchange": "NYSE"}},
    "strategies": {
        "trend": {
            "class": "daemon.strategies.moving_average:MovingAverage",
            "params": {"fast": 2, "slow": 5, "shares": 10},
            "symbols": ["A"],
        },
        "hold": {
            "class": "daemon.strategies.buy_and_hold:BuyAndHold",
            "params": {"shares": 30},
            "symbols": ["B"],
        },
    },
    "broker": {
        "capital_usd": "100000",
        "answer_deadline_s": 30,
        "params": {
            "faults": [
                {"kind": "lost", "message": "order.acknowledged", "nth": 6},
                {"kind": "duplicate", "message": "order.filled", "nth": 3},
            ]
        },
    },
    "promotion": {"min_sessions": 0, "max_refused_share": 1},
    "limits": {
        "account": {
            "max_order_shares": 200,
            "max_order_usd": 50_000,
            "max_position_shares": 1_000,
            "max_position_usd": 100_000,
            "max_daily_loss_usd": 50_000,
            "max_drawdown": "0.9",
        },
        "turnover": {"max_a_day": 1_000},
        "prices": {"outlier_threshold": 1, "max_distance_last": 1, "max_distance_close": 1},
        "orders": {"allow_opposite": True},
    },
}


class Story:
    """The daemon at work on one journal, and a person beside it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.state = engine.core.state
        self.commands = 0
        self.fills: list[OrderFilled] = []
        engine.recorded = self._recorded

    def _recorded(self, records: Sequence[Record]) -> None:
        self.fills += [each.event for each in records if isinstance(each.event, OrderFilled)]

    async def take(self, *events: Input) -> None:
        await self.engine.take(*events)

    def who(self, why: str) -> tuple[str, str, int, str]:
        self.commands += 1
        return f"cmd-{self.commands}", "ann", 1000, why

    async def order(self, quantity: int, kind: OrderType, tif: TimeInForce, **prices: str) -> None:
        limit, stop = (
            Decimal(prices[name]) if name in prices else None
            for name in ("limit_price", "stop_price")
        )
        who = self.who("by hand")
        await self.take(OperatorOrderAsked(*who, A, Decimal(quantity), kind, tif, limit, stop))

    async def minutes(self, day: str, first: int, last: int, factor: int = 1) -> None:
        """Let both trade from one minute after the open to another: 100, 101, ... 106, 100, ..."""
        bars: list[BarClosed] = []
        for minute in range(first, last + 1):
            end = utc(f"{day}T14:30") + timedelta(minutes=minute)
            price = Decimal(100 + minute % 7)
            bars += (_bar(A, end, price / factor), _bar(B, end, Decimal(50 + minute % 3)))
        self.engine.stop_reason = ""
        await self.engine.run(Blocks(bars), lambda _: None)
        await self.engine.commit()

    async def look(self, number: int, why: LookWhy, *, stray: int = 0) -> None:
        """Let the broker show its books, with so many shares of B more than there are."""
        effect = LookAtBooks(f"look-{number}", why)
        if not stray:
            self.engine.recorder.effects.append(effect)
            await self.engine.commit()
            return
        told: list[Input] = []
        broker = PaperBroker(msgspec.convert(TREE, Config, strict=False).broker)
        broker.connect(self.state, told.append)
        told.clear()
        broker.report_books(effect.look_id, why, utc_now(self.engine))
        (shown,) = told
        assert not isinstance(shown, BarClosed)
        held = {each.symbol: each for each in shown.positions or ()}  # type: ignore[union-attr] # a look
        wrong = msgspec.structs.replace(held[B], quantity=held[B].quantity + stray)
        positions = tuple((held | {B: wrong}).values())
        await self.take(msgspec.structs.replace(shown, positions=positions))


def utc_now(engine: Engine) -> datetime:
    return utc("1970-01-01T00:00") + timedelta(microseconds=engine.clock.now() // 1000)


def _bar(symbol: Symbol, end: datetime, price: Decimal) -> BarClosed:
    return BarClosed(symbol, 60, end, price, price + 1, price - 1, price, Decimal(500))


async def first_day(story: Story) -> None:
    """Strategies trade, orders by hand rest, are cancelled, refused, rejected and expire."""
    day, limit = DAYS[0], OrderType.LIMIT
    await story.minutes(day, 1, 9)
    await story.order(20, limit, TimeInForce.DAY, limit_price="80")
    await story.order(15, limit, TimeInForce.GTC, limit_price="81")
    await story.order(900, OrderType.MARKET, TimeInForce.DAY)
    await story.order(5, OrderType.STOP, TimeInForce.OPG, stop_price="120")
    await story.minutes(day, 10, 12)
    resting = [o.client_order_id for o in story.state.orders.open.values() if o.remaining == 15]
    await story.take(OperatorCancelAsked(*story.who("enough"), resting[0]))
    await story.order(120, OrderType.MARKET, TimeInForce.IOC)
    await story.order(7, OrderType.STOP, TimeInForce.DAY, stop_price="105")
    await story.minutes(day, 13, 18)


async def second_day(story: Story) -> None:
    """See holds, a kill, a shadow and a promotion, a lost permit."""
    day, switch = DAYS[1], story.engine.switch
    await story.minutes(day, 1, 6)
    held = OperatorHeld(*story.who("odd"), HoldScope.STRATEGY, HoldLevel.REDUCE, "trend")
    await story.take(held)
    await story.minutes(day, 7, 12)
    (hold_id,) = story.state.holds.active
    await story.take(OperatorLifted(*story.who("fine again"), hold_id))
    await story.order(11, OrderType.LIMIT, TimeInForce.GTC, limit_price="70")
    await story.take(OperatorKilled(*story.who("a look first")))
    await story.minutes(day, 13, 14)
    await story.take(OperatorResumed(*story.who("looked")))
    await story.take(OperatorShadowed(*story.who("new parameters"), "trend"))
    await story.minutes(day, 15, 19)
    await story.take(OperatorPromoteAsked(*story.who("does well"), "trend"))
    await story.take(OperatorLifted(*story.who("no such hold"), "hold-1"))
    switch.permit.revoke()
    await story.order(3, OrderType.MARKET, TimeInForce.DAY)
    switch.permit.grant()
    await story.take(OperatorResumed(*story.who("it was me")))
    await story.minutes(day, 20, 22)


async def third_day(story: Story) -> None:
    """See a split and a dividend; the broker corrects a fill, says what none can read, strays."""
    day = DAYS[2]
    await story.minutes(day, 1, 12, factor=2)
    fill = story.fills[0]
    cheaper = msgspec.structs.replace(fill, price=fill.price - Decimal("0.01"), revision=2)
    order_id, execution = fill.client_order_id, fill.execution_id
    await story.take(cheaper, CommissionCharged(order_id, execution, Decimal("1.05"), revision=2))
    await story.take(BrokerUnparsed("status ??", "no such status"))
    await story.take(
        OperatorLifted(*story.who("a known oddity"), next(iter(story.state.holds.active)))
    )
    for number, (stray, minute) in enumerate(((4, 13), (4, 15), (-3, 17), (-3, 19))):
        await story.minutes(day, minute, minute + 1, factor=2)
        await story.look(number, LookWhy.SCHEDULE, stray=stray)
        if number == 1:
            await story.take(OperatorResolveAsked(*story.who("the broker is right")))
            lifted = next(iter(story.state.holds.active), "")
            if lifted:
                await story.take(OperatorLifted(*story.who("resolved"), lifted))
    opened = next(iter(story.state.reconciliation.open))
    words = story.who("three were moved out")
    await story.take(OperatorResolveAsked(*words, opened, Decimal(-3), Decimal(50)))


async def fourth_day(story: Story) -> None:
    """See the dividend paid, one more order, and everything flattened."""
    day = DAYS[3]
    for hold_id in tuple(story.state.holds.active):
        await story.take(OperatorLifted(*story.who("resolved"), hold_id))
    await story.minutes(day, 1, 12, factor=2)
    await story.order(9, OrderType.LIMIT, TimeInForce.GTC, limit_price="30")
    await story.take(OperatorFlattenAsked(*story.who("the week is over")))
    await story.minutes(day, 13, 16, factor=2)
    await story.look(9, LookWhy.STOP)


async def tell(path: Path) -> str:
    """Write the journal at `path`; return the hash of its books."""
    config = msgspec.convert(TREE, Config, strict=False)
    runs = build_runs(config)
    switch = KillSwitch(Permit(permit_path(path)))
    switch.permit.grant()
    journal = await Journal.open(path)
    engine = Engine(
        Core(State(), runs, settings_of(config)),
        journal,
        with_faults(PaperBroker(config.broker), config.broker.params),
        FeedClock(nanoseconds(utc("2024-01-02T12:00"))),
        SnapshotFolder(path),
        EngineSettings(dry_run=False, snapshots=SnapshotTerms(10**6, 1), disk=DiskTerms(0, 10**6)),
        switch,
    )
    try:
        await _tell(Story(engine), config, {run.name: run.code_hash for run in runs})
    finally:
        await journal.close()
    return state_hash(engine.core.state, {run.name: run.fields() for run in runs})


async def _tell(story: Story, config: Config, code: dict[str, str]) -> None:
    await story.take(JournalOpened("601de7a9e12b4c5d", Mode.PAPER, "golden"))
    split = CorporateActionAnnounced(
        "A split 2:1", A, date(2024, 1, 4), CorporateActionKind.SPLIT, new_shares=2
    )
    dividend = CorporateActionAnnounced(
        "B dividend",
        B,
        date(2024, 1, 4),
        CorporateActionKind.DIVIDEND,
        cash_per_share=Decimal("0.24"),
        pay_date=date(2024, 1, 5),
    )
    await story.take(
        to_event(config),
        SessionStarted("golden", code, {}),
        a_calendar(*map(a_session, (*DAYS, "2024-01-08"))),
        a_deposit(),
        split,
        dividend,
    )
    await story.engine.connect_broker()
    await story.look(100, LookWhy.START)
    for day in (first_day, second_day, third_day, fourth_day):
        await day(story)
    await story.take(SessionEnded("the feed ended"))


if __name__ == "__main__":
    os.chdir(sys.argv[1])  # What is recorded of the permit file names its path.
    sys.stdout.write(asyncio.run(tell(Path("paper.db"))) + "\n")
