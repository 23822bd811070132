"""Works out every example of ops/profit-and-loss.md again."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.core.corporate_actions import applied_action
from events import CorporateActionAnnounced, CorporateActionKind, Symbol
from projections import State
from tests.builders import (
    a_bar,
    a_calendar,
    a_commission,
    a_config,
    a_deposit,
    a_fill,
    a_payment,
    a_session,
    a_withdrawal,
    an_order,
    fold,
    state_after,
    utc,
)

PAGE = (Path(__file__).parents[2] / "ops" / "profit-and-loss.md").read_text()
A = Symbol("A")
DAYS = ("2024-01-02", "2024-01-03", "2024-01-04")

COLUMNS: dict[str, Callable[[State], Decimal | None]] = {
    "quantity": lambda state: state.positions.held(A).quantity,
    "cost": lambda state: state.positions.held(A).cost,
    "average": lambda state: state.positions.held(A).average_entry_price,
    "realised": lambda state: state.positions.held(A).realised_pnl,
    "unrealised": lambda state: state.pnl.unrealised_pnl(A, state.positions.held(A)),
    "mark": lambda state: state.pnl.marks.get(A),
    "cash": lambda state: state.cash.balance,
    "fees": lambda state: state.cash.fees,
    "fees to come": lambda state: state.cash.uncharged_max,
    "receivable": lambda state: state.cash.receivable,
    "equity": lambda state: state.pnl.equity,
    "day": lambda state: state.pnl.day_pnl,
    "peak": lambda state: state.pnl.peak_equity,
    "drawdown": lambda state: state.pnl.drawdown,
}


def examples() -> list[tuple[str, list[list[str]]]]:
    """Return each table that starts with an event, under its heading."""
    found = []
    for section in PAGE.split("\n## ")[1:]:
        for table in re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE):
            rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
            if rows[0][0] == "event":
                found.append((section.partition("\n")[0], [rows[0], *rows[2:]]))
    return found


class Account:
    """An account to which the examples' events happen, a minute apart."""

    def __init__(self) -> None:
        self.now = utc(f"{DAYS[0]}T15:00")
        self.state = state_after(a_config("A"), a_calendar(*(a_session(day) for day in DAYS)))
        self.serial = 0

    def happens(self, event: str) -> None:
        self.now += timedelta(minutes=1)
        self.serial += 1
        moment, name = f"{self.now:%Y-%m-%dT%H:%M}", f"{self.serial}"
        match event.split():
            case ["deposit", amount]:
                fold(self.state, a_deposit(amount, name))
            case ["withdraw", amount]:
                fold(self.state, a_withdrawal(amount, name))
            case ["buy" | "sell" as side, quantity, "at", price]:
                signed = quantity if side == "buy" else f"-{quantity}"
                fold(self.state, *an_order(name, signed))
                fill = a_fill(signed, price, order_id=name, execution_id=name, executed_at=moment)
                fold(self.state, fill)
            case ["fee", amount]:
                (execution_id,) = self.state.cash.uncharged or [name]
                fold(self.state, a_commission(amount, execution_id=execution_id))
            case ["price", price]:
                fold(self.state, a_bar(price, end=moment))
            case ["split", ratio]:
                new, old = map(int, ratio.split(":"))
                self.applies(CorporateActionKind.SPLIT, new_shares=new, old_shares=old)
            case ["dividend", a_share]:
                self.applies(CorporateActionKind.DIVIDEND, cash_per_share=Decimal(a_share))
            case ["paid", a_share]:
                (due,) = self.state.cash.receivables.values()
                fold(self.state, a_payment(a_share, str(due)))
            case ["next", "day"]:
                self.now += timedelta(days=1)
                fold(self.state, *an_order(name), at=f"{self.now:%Y-%m-%dT%H:%M}")
            case _:
                pytest.fail(f"the page says {event!r}, which this test does not know")

    def applies(self, kind: CorporateActionKind, **terms: int | Decimal) -> None:
        action_id = f"{kind} {terms['cash_per_share']}" if "cash_per_share" in terms else "split"
        announced = CorporateActionAnnounced(action_id, A, date(2024, 1, 2), kind, **terms)  # type: ignore[arg-type] # by name
        fold(self.state, announced, applied_action(announced, self.state))


@pytest.mark.parametrize(
    ("name", "rows"),
    [pytest.param(name, rows, id=f"{n} {name}") for n, (name, rows) in enumerate(examples())],
)
def test_the_example_is_right(name: str, rows: list[list[str]]) -> None:
    account = Account()
    headings, *body = rows
    for event, *figures in body:
        account.happens(event)
        for heading, figure in zip(headings[1:], figures, strict=True):
            expected = None if figure == "-" else Decimal(figure)
            assert COLUMNS[heading](account.state) == expected, f"{name}: {heading} at {event!r}"


def test_every_kind_of_example_is_there() -> None:
    names = [name.partition(",")[0] for name, _ in examples()]
    # Under "Split" there are two tables: forward, and in reverse with cash in lieu.
    expected = "Long, Short, Flip, Fees, Split, Split, Dividend, A day, Drawdown"
    assert ", ".join(names) == expected
