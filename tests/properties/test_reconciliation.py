"""A break if and only if the books differ, held against plain addition over random books.

Whatever is looked at in whatever order, nothing is corrected, replay comes to the same, and an
operator's adopting makes the books those of the broker.
"""

from collections.abc import Mapping
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.core import CoreSettings
from daemon.history.replay import Renewed, ReplayCore, turns
from events import BreakOpened, OperatorResolveAsked, Record, Symbol
from events.codec import decode, encode
from projections import State
from projections.canonical import state_hash
from tests.builders import a_commission, a_fill, an_order
from tests.core_desk import OPENING, CoreDesk
from tests.gate_desk import WIDE
from tests.looks import a_look, listed
from tests.operators import said

Book = Mapping[str, int]

BOOKS: st.SearchStrategy[Book] = st.dictionaries(
    st.sampled_from(["A", "B", "C", "D"]), st.integers(-50, 50), max_size=4
)
ORDERS: st.SearchStrategy[Book] = st.dictionaries(
    st.sampled_from(["o1", "o2", "o3"]), st.integers(1, 9), max_size=3
)
CASH = st.integers(-3, 3)


class Books(CoreDesk):
    """Books with the given shares at 100 and open orders, and all that was recorded from there."""

    def __init__(self, held: Book, orders: Book) -> None:
        super().__init__()
        self.all: list[Record] = []
        for symbol, shares in held.items():
            if shares:
                self.fill(symbol, shares)
        for order_id, quantity in orders.items():
            for event in an_order(order_id, str(quantity)):
                # As a strategy's: what the gate says of it is not asked here.
                self.recorder.decide(event, self.recorder.root)  # type: ignore[arg-type] # decisions
        self.recorder.records.clear()

    def fill(self, symbol: str, shares: int) -> None:
        fill = a_fill(
            str(shares), execution_id=f"x-{symbol}", order_id=f"f-{symbol}", symbol=symbol
        )
        self.step(fill, "2024-01-02T15:00")
        charged = a_commission("0", execution_id=f"x-{symbol}", order_id=f"f-{symbol}")
        self.step(charged, "2024-01-02T15:00")

    def twice(self, held: Book, orders: Book, cash: Decimal) -> list[BreakOpened]:
        """Take two looks, ten seconds apart, at such books; return the breaks they open."""
        shares = {symbol: str(number) for symbol, number in held.items()}
        there = [listed(name, str(quantity)) for name, quantity in orders.items()]
        for at in ("2024-01-02T16:00:00", "2024-01-02T16:00:10"):
            look = a_look(shares, str(cash), there, at=at, costs=dict.fromkeys(shares, "101"))
            self.all += self.step(look, at)
        return [each.event for each in self.all if isinstance(each.event, BreakOpened)]


def nonzero(book: Book) -> dict[str, int]:
    return {name: number for name, number in book.items() if number}


@settings(max_examples=60, deadline=None)
@given(held=BOOKS, there=BOOKS, ours=ORDERS, theirs=ORDERS, off=CASH)
def test_there_is_a_break_for_each_thing_that_differs_and_for_no_other(
    held: Book, there: Book, ours: Book, theirs: Book, off: int
) -> None:
    desk = Books(held, ours)
    cash = desk.state.cash.balance
    opened = desk.twice(there, theirs, cash + off)
    found = {(each.difference.symbol, each.difference.subject) for each in opened}

    here, broker = nonzero(held), nonzero(there)
    expected = {
        (symbol, "") for symbol in {*here, *broker} if here.get(symbol, 0) != broker.get(symbol, 0)
    }
    expected |= {("A", name) for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    expected |= {("", "")} if abs(off) > 1 else set()
    assert found == expected
    assert len(opened) == len(expected)
    assert len(desk.state.holds.active) == len(expected) + _held_before(held)
    # Nothing is corrected.
    assert desk.state.cash.balance == cash
    assert {
        symbol: int(each.quantity)
        for symbol, each in desk.state.positions.account.items()
        if each.quantity
    } == here


@settings(max_examples=30, deadline=None)
@given(held=BOOKS, there=BOOKS, ours=ORDERS, theirs=ORDERS, off=CASH)
def test_what_is_adopted_is_what_the_broker_has_and_the_sums_stay_exact(
    held: Book, there: Book, ours: Book, theirs: Book, off: int
) -> None:
    desk = Books(held, ours)
    cash = desk.state.cash.balance + off
    day_pnl = desk.state.pnl.day_pnl
    if not desk.twice(there, theirs, cash):
        return
    desk.step(said(OperatorResolveAsked, None))
    state = desk.state
    assert not state.reconciliation.open
    shares = {symbol: each.quantity for symbol, each in state.positions.account.items()}
    assert nonzero({symbol: int(number) for symbol, number in shares.items()}) == nonzero(there)
    assert {name: int(each.remaining) for name, each in state.orders.open.items()} == dict(theirs)
    assert abs(state.cash.balance - cash) <= 1
    flows = state.cash.external_flows + state.positions.realised_pnl
    assert state.cash.balance == flows - state.positions.cost
    assert state.pnl.day_pnl == day_pnl
    for symbol, held_now in shares.items():
        parts = [book.get(Symbol(symbol)) for book in state.positions.by_strategy.values()]
        foreign = Decimal(held.get(symbol, 0))  # Filled by nobody's order: no part of it.
        assert sum((part.quantity for part in parts if part), Decimal(0)) + foreign == held_now


@settings(max_examples=25, deadline=None)
@given(there=BOOKS, theirs=ORDERS, off=CASH)
def test_made_again_from_the_journal_every_decision_and_the_books_are_the_same(
    there: Book, theirs: Book, off: int
) -> None:
    desk = CoreDesk(opening=())
    written: list[Record] = []
    for event in OPENING:
        written += desk.step(event, "2024-01-02T12:00")
    shares = {symbol: str(number) for symbol, number in there.items()}
    orders = [listed("", str(size), perm_id=name) for name, size in theirs.items()]
    cash = str(1_000_000 + off * 10)
    for second in (0, 10, 20):
        at = f"2024-01-02T16:00:{second:02}"
        look = a_look(shares, cash, orders, at=at, costs=dict.fromkeys(shares, "101"))
        written += desk.step(look, at)
    written += desk.step(said(OperatorResolveAsked, None), "2024-01-02T16:01")

    read = [Record(r.seq, r.at, decode(encode(r.event)), r.trace, r.cause) for r in written]
    nothing = Renewed((), CoreSettings(WIDE, 30), {})
    again = ReplayCore(State(), nothing, lambda *_: nothing, compare_all=True)
    for turn in turns(read):
        again.follow(turn)
    assert again.comparing.differences == []
    assert state_hash(again.core.state, {}) == state_hash(desk.state, {})
    assert again.core.state.reconciliation == desk.state.reconciliation


def _held_before(held: Book) -> int:
    """Return how many holds the fills of nobody's orders have placed."""
    return len(nonzero(held))
