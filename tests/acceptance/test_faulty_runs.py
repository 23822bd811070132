"""Whole runs over a broker whose messages go wrong, one plan a seed.

Reports come late, twice, swapped or never; sends and cancels get lost. The sums are made from the
journal's own rows, by plain addition.
"""

import asyncio
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from daemon.brokers.faults import FaultyBroker, seeded_plan
from daemon.brokers.paper import PaperBroker
from daemon.config.options import BrokerConfig
from daemon.gate import RiskApproved
from daemon.strategies import Answer, Intent, Strategy, View
from events import (
    BarClosed,
    ClientOrderId,
    CommissionCharged,
    OrderFilled,
    OrderIntended,
    OrderSending,
    OrderType,
    OrderUnknown,
    Record,
    TimeInForce,
)
from events.journal import Journal
from projections import State
from projections.order_states import TERMINAL, OrderState
from tests.broker_desk import a_bar
from tests.core_desk import OPENING, A, of
from tests.engine_desk import works

SEEDS = range(20)
CAPITAL = 1_000_000
ANSWER_DEADLINE_NS = 30 * 10**9
SIZES = [-7, -3, 3, 7]
TIFS = [TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC]


class Restless(Strategy):
    """Trades every other minute, at the market or with a limit that may rest for two minutes."""

    seed: int = 0

    def on_bar(self, bar: BarClosed, view: View) -> Answer:
        chance = Random(f"{self.seed} {view.now}")
        if chance.random() < 0.5:
            return None
        intent = Intent(A, Decimal(chance.choice(SIZES)), time_in_force=chance.choice(TIFS))
        if chance.random() < 0.5:
            return intent
        return Intent(
            A,
            intent.quantity,
            OrderType.LIMIT,
            chance.choice(TIFS[:2]),
            limit_price=bar.close - chance.randint(-1, 1),
            cancel_after_s=120,
        )


class Noting(FaultyBroker):
    """A faulty broker that notes what it was asked to send."""

    def __init__(self, seed: int) -> None:
        config = BrokerConfig(slippage_bps=Decimal(0), volume_share_max=Decimal("0.1"))
        super().__init__(PaperBroker(config), seeded_plan(seed))
        self.asked: list[ClientOrderId] = []

    def submit(self, approved: RiskApproved) -> None:
        self.asked.append(approved.intent.client_order_id)
        super().submit(approved)


def a_market(seed: int) -> list[BarClosed]:
    """Return the last forty minutes of a session and the first forty of the next."""
    chance, bars, price = Random(seed), [], 100
    for day, start in (("2024-01-02", 20 * 60 + 20), ("2024-01-03", 14 * 60 + 30)):
        for minute in range(start, start + 40):
            opened, price = price, max(price + chance.choice([-1, 0, 1]), 50)
            prices = f"{opened} {max(opened, price)} {min(opened, price)} {price}"
            at = f"{day}T{minute // 60:02}:{minute % 60:02}"
            bars.append(a_bar(at, prices, volume=str(chance.choice([20, 60, 500]))))
    return bars


class Run:
    """What one seed came to: the books, and every record of the journal."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.broker = Noting(seed)
        self.state, self.records = asyncio.run(self._trade(folder / f"{seed}.db", seed))

    async def _trade(self, path: Path, seed: int) -> tuple[State, list[Record]]:
        journal = await Journal.open(path)
        bars = a_market(seed)
        blocks = [bars[start : start + 16] for start in range(0, len(bars), 16)]
        strategies = (Restless(seed=seed), Restless(seed=-seed - 1))
        async with works(journal, self.broker, *strategies) as at:
            await at.run(*blocks)
            found = at.state, at.written()
        await journal.close()
        return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("faults")
    return [Run(folder, seed) for seed in SEEDS]


def test_the_faults_struck(runs: list[Run]) -> None:
    unknown = sum(len(of(run.records, OrderUnknown)) for run in runs)
    fills = sum(len(of(run.records, OrderFilled)) for run in runs)
    ends = {order.state for run in runs for order in run.state.orders.closed.values()}
    assert unknown > 10
    assert fills > 200
    assert {OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED} <= ends


def test_every_fill_counts_once_in_the_position_and_in_cash(runs: list[Run]) -> None:
    for run in runs:
        fills, fees = of(run.records, OrderFilled), of(run.records, CommissionCharged)
        assert len({fill.execution_id for fill in fills}) == len(fills)
        held = sum(fill.quantity for fill in fills)
        assert run.state.positions.held(A).quantity == held
        parts = [run.state.positions.held_by(name, A).quantity for name in ("trend", "other")]
        assert sum(parts) == held
        spent = sum(fill.quantity * fill.price for fill in fills) + sum(fee.amount for fee in fees)
        assert run.state.cash.balance == CAPITAL - spent


def test_no_order_is_sent_twice_and_none_without_its_record(runs: list[Run]) -> None:
    for run in runs:
        sendings = [each.client_order_id for each in of(run.records, OrderSending)]
        assert run.broker.asked == sendings
        assert max(Counter(run.broker.asked).values()) == 1
        intended = [each.client_order_id for each in of(run.records, OrderIntended)]
        assert len(set(intended)) == len(intended)


def test_every_order_has_ended_or_is_open_with_all_that_may_still_fill_reserved(
    runs: list[Run],
) -> None:
    for run in runs:
        filled: Counter[ClientOrderId] = Counter()
        for fill in of(run.records, OrderFilled):
            filled[fill.client_order_id] += fill.quantity  # type: ignore[assignment] # a Decimal
        for intended in of(run.records, OrderIntended):
            order = run.state.orders.find(intended.client_order_id)
            assert order is not None
            assert order.filled == filled[intended.client_order_id]
            left = intended.quantity - order.filled
            assert left * intended.quantity >= 0, "never filled beyond what was asked for"
            assert order.reserved == (0 if order.state in TERMINAL else left)
            if order.state is OrderState.SENDING:
                assert run.state.at - order.sent_at <= ANSWER_DEADLINE_NS


def test_no_fault_stops_a_strategy_or_the_account(runs: list[Run]) -> None:
    for run in runs:
        assert run.state.holds.active == {}
        assert run.state.orders.impossible == 0
        assert run.state.seq == len(OPENING) + len(run.records)
