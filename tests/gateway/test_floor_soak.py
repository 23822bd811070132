"""The floor under chance: several clients, every kind of order, two days, restarts in between.

What must hold always is checked after each call; what a restart must not change, at the end.
"""

import random
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ops.gateway_sim import store
from ops.gateway_sim.floor import Floor
from ops.gateway_sim.ledger import OVER
from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.reports import (
    EVERYONE,
    CommissionReport,
    ExecutionReport,
    Notice,
    OpenOrder,
    OrderStatus,
    To,
)
from ops.gateway_sim.terms import OrderTerms, Side
from tests.gateway_floor import ACCOUNT, DAY, IBM, MINUTE, OPEN, SPY, terms, write_bars

CASH = Decimal(1_000_000)
CLIENTS = (0, 1, 2)
KINDS = ("MKT", "LMT", "LMT", "STP", "STP LMT", "TRAIL", "TRAIL LIMIT", "MOC", "LOC")
TIFS = ("DAY", "DAY", "GTC", "IOC", "FOK", "OPG")


class Witness:
    """Sees everything that is told, and nothing else."""

    def __init__(self) -> None:
        """Have seen nothing."""
        self.cash = CASH
        self.shares = Counter[str]()
        self.executed: dict[int, Decimal] = {}
        self.over: dict[int, str] = {}
        self.execution_ids: set[str] = set()

    def see(self, told: list[To]) -> None:
        """Check each report against those before it."""
        for report in (each.report for each in told if each.client_id != EVERYONE):
            match report:
                case ExecutionReport(execution=done):
                    assert done.execution_id not in self.execution_ids
                    self.execution_ids.add(done.execution_id)
                    signed = done.shares if done.side == Side.BUY else -done.shares
                    self.cash -= signed * done.price
                    self.shares[done.contract.symbol] += int(signed)
                    before = self.executed.get(done.perm_id, Decimal(0))
                    self.executed[done.perm_id] = before + done.shares
                    assert done.cumulative == self.executed[done.perm_id]
                case CommissionReport(commission=cost):
                    self.cash -= cost.commission
                case OpenOrder(order=line) | OrderStatus(order=line):
                    if line.perm_id:
                        assert line.filled == self.executed.get(line.perm_id, 0)
                        assert 0 <= line.filled <= line.terms.quantity
                        # What is over stays as it was.
                        assert self.over.get(line.perm_id, line.status) == line.status
                    if line.status in OVER:
                        self.over[line.perm_id] = line.status
                case Notice(code=code):
                    assert code in {103, 111, 201, 202, 399, 2109, 10006, 10147, 10148}, report
                case _:
                    pass


def an_order(chance: random.Random, order_id: int, parent_id: int, shares_max: int) -> OrderTerms:
    """Return any order; prices lie around those of the bars."""
    kind = chance.choice(KINDS)
    price = str(Decimal(chance.randint(9_900, 10_900)) / 100)
    trail = chance.choice(["0.10", "0.50"]) if kind.startswith("TRAIL") else None
    return terms(
        order_id,
        chance.choice(["BUY", "SELL"]),
        chance.randint(1, shares_max),
        kind,
        limit=price if kind in {"LMT", "STP LMT", "LOC"} else None,
        stop=trail or (price if kind.startswith("STP") else None),
        tif=chance.choice(TIFS),
        oca_group=chance.choice(["", "", "", "one", "two"]),
        oca_type=chance.randint(0, 3),
        parent_id=parent_id if chance.random() < 0.3 else 0,
        limit_price_offset=Decimal("0.05") if kind == "TRAIL LIMIT" else None,
    )


def restarted(floor: Floor, folder: Path) -> Floor:
    """Return the floor as a new process finds it."""
    path = folder / "state.json"
    store.save(path, floor.state())
    return open_floor([folder], ACCOUNT, CASH, floor.now, path)


def lived(folder: Path, seed: int, shares_max: int, *, restarts: bool) -> tuple[Floor, Witness]:
    """Let two days pass with orders at every minute; return what there is in the end."""
    chance, witness = random.Random(seed), Witness()
    floor = open_floor([folder], ACCOUNT, CASH, OPEN - 2 * MINUTE, None)
    for day in range(2):
        for minute in range(-1, 45):
            now: datetime = OPEN + day * DAY + minute * MINUTE
            witness.see(floor.advance(now))
            if restarts and minute % 7 == 3:
                floor = restarted(floor, folder)
            client_id, contract = chance.choice(CLIENTS), chance.choice([SPY, IBM])
            order_id = floor.next_valid_id(client_id)
            wanted = an_order(chance, order_id, order_id - 1, shares_max)
            witness.see(floor.submit(now, client_id, contract, wanted))
            if chance.random() < 0.2:
                victim = chance.randint(1, order_id)
                witness.see(floor.cancel(now, client_id, victim))
    witness.see(floor.advance(OPEN + 2 * DAY + timedelta(hours=1)))
    return floor, witness


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the bars of two symbols for two days."""
    folder = tmp_path_factory.mktemp("bars")
    for symbol in ("SPY", "IBM"):
        for day in range(2):
            write_bars(folder, f"{symbol}_{day}", OPEN - 2 * MINUTE + day * DAY, 60)
    return folder


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_asked_the_books_agree_with_what_was_told(bars: Path, seed: int) -> None:
    # In five seconds 100 shares trade, so that many orders fill in parts.
    floor, witness = lived(bars, seed, 300, restarts=False)
    held = {line.contract.symbol: line.quantity for line in floor.positions()}
    assert held == {symbol: shares for symbol, shares in witness.shares.items() if shares}
    assert len(witness.execution_ids) > 10
    assert len(witness.over) > 10
    assert len(witness.execution_ids) > len(witness.executed)
    assert not {line.perm_id for line in floor.all_open_orders()} & set(witness.over)
    values = {(v.tag, v.currency): v.value for v in floor.account_values()}
    assert Decimal(values["TotalCashValue", "USD"]) == round(witness.cash, 2)


@pytest.mark.parametrize("seed", range(6))
def test_a_gateway_that_restarts_goes_on_as_if_it_had_not(bars: Path, seed: int) -> None:
    # Small enough that none of the 100 shares is left out that a restart offers anew.
    plain, _ = lived(bars, seed, 10, restarts=False)
    broken, _ = lived(bars, seed, 10, restarts=True)
    assert broken.positions() == plain.positions()
    assert broken.all_open_orders() == plain.all_open_orders()
    assert broken.account_values() == plain.account_values()
