"""The demo's figures worked out a second time, from the rows themselves and in exact fractions.

Nothing of the project is used to read or to reckon: the rows come through sqlite3 and json, a
position is a list of what was paid, and a fill is added or taken away by hand.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from events.journal import Head, JournalReader
from projections import State
from tests.command_line import shown, traded

CENT = Fraction(1, 100)


@dataclass
class Holding:
    """Shares of one symbol: how many, what they cost, what was won on those sold."""

    shares: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)
    realised: Fraction = Fraction(0)

    def fill(self, shares: Fraction, price: Fraction) -> None:
        closing = Fraction(0)
        if self.shares and (shares > 0) != (self.shares > 0):
            closing = min(abs(shares), abs(self.shares)) * (1 if self.shares > 0 else -1)
            average = self.cost / self.shares
            self.realised += closing * (price - average)
            self.cost -= closing * average
            self.shares -= closing
        opening = shares + closing
        self.shares += opening
        self.cost += opening * price


@dataclass
class Ledger:
    """The account, straightforward."""

    cash: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    deposits: Fraction = Fraction(0)
    dividends: Fraction = Fraction(0)
    owed: Fraction = Fraction(0)
    bought: Fraction = Fraction(0)
    holdings: dict[str, Holding] = field(default_factory=lambda: defaultdict(Holding))
    last: dict[str, Fraction] = field(default_factory=dict)

    def take(self, body: dict[str, Any]) -> None:
        match body["type"]:
            case "bar.closed":
                self.last[body["symbol"]] = Fraction(body["close"])
            case "order.filled":
                shares, price = Fraction(body["quantity"]), Fraction(body["price"])
                self.holdings[body["symbol"]].fill(shares, price)
                self.cash -= shares * price
                # At the open, before the day's bar: the newest price there is.
                self.last[body["symbol"]] = price
            case "commission.charged":
                self.cash -= Fraction(body["amount"])
                self.fees += Fraction(body["amount"])
            case "cash.moved":
                amount = Fraction(body["amount"])
                self.cash += amount
                if body["kind"] == "dividend":
                    self.dividends += amount
                    self.owed -= amount
                else:
                    self.deposits += amount
            case "corporate-action.applied" if body["kind"] == "split":
                holding = self.holdings[body["symbol"]]
                holding.shares *= Fraction(body.get("new_shares", 1), body.get("old_shares", 1))
                assert holding.shares.denominator == 1, "the demo's splits leave no fraction"
                self.last[body["symbol"]] /= Fraction(
                    body.get("new_shares", 1), body.get("old_shares", 1)
                )
            case "corporate-action.applied":
                per_share = Fraction(body["cash_per_share"])
                self.owed += self.holdings[body["symbol"]].shares * per_share
                # From here a share is worth less by what it has paid.
                self.last[body["symbol"]] -= per_share

    @property
    def equity(self) -> Fraction:
        value = sum(each.shares * self.last[name] for name, each in self.holdings.items())
        return self.cash + self.owed + value


def bodies(journal: Path) -> Iterator[dict[str, Any]]:
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as connection:
        for (body,) in connection.execute("SELECT body FROM event ORDER BY seq"):
            yield json.loads(body)
    connection.close()


def near(shown: object, exact: Fraction) -> bool:
    return abs(Fraction(str(shown)) - exact) < CENT / 2


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    done = traded("demo", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "var" / "demo" / "journal.db"


def test_the_demos_figures_are_those_of_the_fills_to_the_cent(journal: Path) -> None:
    ledger = Ledger()
    for body in bodies(journal):
        ledger.take(body)
    told = shown("positions", "--journal", journal)
    assert len(told["positions"]) == 5
    for position in told["positions"]:
        holding = ledger.holdings[position["symbol"]]
        assert Fraction(position["quantity"]) == holding.shares
        assert near(position["average_entry_price"], holding.cost / holding.shares)
        assert near(position["realised_usd"], holding.realised)
        unrealised = holding.shares * ledger.last[position["symbol"]] - holding.cost
        assert near(position["unrealised_usd"], unrealised)
    assert Fraction(told["cash_usd"]) == ledger.cash
    assert Fraction(told["fees_usd"]) == ledger.fees
    assert Fraction(told["dividends_usd"]) == ledger.dividends
    assert Fraction(told["deposits_less_withdrawals_usd"]) == ledger.deposits
    assert near(told["equity_usd"], ledger.equity)
    assert ledger.fees > 400
    assert sum(each.realised for each in ledger.holdings.values()) > 100_000


def test_after_every_event_the_books_balance_and_agree_with_the_fills(journal: Path) -> None:
    state, ledger = State(), Ledger()
    looked = 0
    with JournalReader(journal) as reader:
        for record, body in zip(reader.verified_records(Head()), bodies(journal), strict=True):
            state.apply(record)
            ledger.take(body)
            assert state.cash.balance == ledger.cash
            assert state.cash.fees == ledger.fees
            positions = state.positions.account.values()
            # What is paid for what is held, and what was won, is all that ever went in.
            paid_in = ledger.deposits + ledger.dividends
            held = sum(Fraction(position.cost) for position in positions)
            won = sum(Fraction(position.realised_pnl) for position in positions)
            assert Fraction(state.cash.balance + state.cash.fees) + held - won == paid_in
            if body["type"] in {"order.filled", "corporate-action.applied"}:
                looked += 1
                shares = {name: each.shares for name, each in ledger.holdings.items()}
                assert {name: p.quantity for name, p in state.positions.account.items()} == shares
                assert near(state.pnl.equity, ledger.equity)
    assert looked == 407 + 6  # Fills, and splits and dividends.


def test_each_share_bought_is_in_one_strategys_book(journal: Path) -> None:
    with JournalReader(journal) as reader:
        state = State()
        for record in reader.records():
            state.apply(record)
    for symbol, position in state.positions.account.items():
        books = [book[symbol] for book in state.positions.by_strategy.values() if symbol in book]
        assert sum(each.quantity for each in books) == position.quantity
        # Whatever each book calls won or still held, the money that went in is the account's.
        put_in = sum((Fraction(each.cost - each.realised_pnl) for each in books), Fraction(0))
        assert near(position.cost - position.realised_pnl, put_in)


def test_the_ledger_of_this_test_can_tell_a_wrong_book() -> None:
    ledger = Ledger()
    for body in (
        {"type": "cash.moved", "kind": "deposit", "amount": "1000"},
        {"type": "order.filled", "symbol": "A", "quantity": "10", "price": "20"},
        {"type": "order.filled", "symbol": "A", "quantity": "-15", "price": "30"},
    ):
        ledger.take(body)
    # Ten shares won 10 each, five are sold short at 30; 1000 - 200 + 450 is in cash.
    assert ledger.holdings["A"] == Holding(Fraction(-5), Fraction(-150), Fraction(100))
    assert ledger.cash == Decimal(1250)
