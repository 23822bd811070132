"""Splits and dividends that cannot be so: they hold their symbol and move no book."""

from decimal import Decimal

import msgspec
import pytest

from events import (
    CorporateActionAnnounced,
    CorporateActionApplied,
    CorporateActionKind,
    HoldLevel,
    HoldPlaced,
    HoldScope,
    Record,
    SessionStarted,
    Symbol,
)
from tests.builders import a_fill, utc
from tests.core_desk import A, CoreDesk, Scripted, buy, kinds, of

EX = utc("2024-01-03T00:00").date()
NEVER = "2024-03-01T00:00"


def a_split(new: int, old: int) -> CorporateActionAnnounced:
    return CorporateActionAnnounced("A-split", A, EX, CorporateActionKind.SPLIT, new, old)


def a_dividend(a_share: str) -> CorporateActionAnnounced:
    kind, cash = CorporateActionKind.DIVIDEND, Decimal(a_share)
    return CorporateActionAnnounced("A-dividend", A, EX, kind, cash_per_share=cash)


def holding(close: str = "100") -> CoreDesk:
    """Return a desk that holds 10 of A, last seen at `close`."""
    desk = CoreDesk(Scripted(bars=[buy("10")]))
    order_id = desk.order(desk.minute("15:00")).client_order_id
    desk.step(a_fill("10", order_id=order_id))
    desk.minute("15:01", close=close)
    return desk


def the_hold(records: list[Record]) -> HoldPlaced:
    (hold,) = of(records, HoldPlaced)
    assert (hold.scope, hold.level, hold.target) == (HoldScope.SYMBOL, HoldLevel.HALT, "A")
    assert hold.cause == "impossible corporate action"
    return hold


@pytest.mark.parametrize(
    ("action", "what"),
    [
        (a_split(0, 1), "a split of 0:1"),
        (a_split(1, 0), "a split of 1:0"),
        (a_split(-2, 1), "a split of -2:1"),
        (a_split(-2, -1), "a split of -2:-1"),
        (a_split(1001, 1), "a split of 1001:1: not between 1:1000 and 1000:1"),
        (a_split(1, 1001), "a split of 1:1001: not between 1:1000 and 1000:1"),
        (a_dividend("0"), "a dividend of 0 a share: not an amount above 0"),
        (a_dividend("-1"), "a dividend of -1 a share"),
        (a_dividend("NaN"), "a dividend of NaN a share"),
        (a_dividend("Infinity"), "a dividend of Infinity a share"),
    ],
)
def test_an_action_that_is_none_is_refused_as_soon_as_it_is_announced(
    action: CorporateActionAnnounced, what: str
) -> None:
    desk = holding()
    books = (desk.state.positions, desk.state.cash, desk.state.market.last, desk.state.pnl)
    before = msgspec.json.encode(books)
    records = desk.step(action)
    assert kinds(records) == ["corporate-action.announced", "hold.placed"]
    assert what in the_hold(records).why
    assert desk.state.corporate_actions.pending == {}
    # Not now, not on its day, not after a restart.
    desk.step(SessionStarted("1", {}, {}))
    assert desk.pass_time(NEVER) == []
    assert msgspec.json.encode(books) == before


@pytest.mark.parametrize("action", [a_split(1000, 1), a_split(1, 1000), a_dividend("100")])
def test_what_is_just_possible_is_applied(action: CorporateActionAnnounced) -> None:
    desk = holding()
    assert kinds(desk.step(action)) == ["corporate-action.announced"]
    assert kinds(desk.pass_time(NEVER)) == ["timer.fired", "corporate-action.applied"]
    assert desk.state.holds.active == {}


def test_a_dividend_of_more_than_the_share_is_worth_is_refused_on_its_day() -> None:
    # What it is worth is known only then: it was announced at 100 a share, and fell.
    desk = holding()
    dividend = a_dividend("30")
    assert kinds(desk.step(dividend)) == ["corporate-action.announced"]
    desk.minute("15:02", close="29.99")
    equity, cash = desk.state.pnl.equity, desk.state.cash.balance
    records = desk.pass_time(NEVER)
    assert kinds(records) == ["timer.fired", "hold.placed"]
    assert the_hold(records).why == (
        "A-dividend of A is a dividend of 30 a share, more than the last price of 29.99; "
        "it is not booked: compare what is held with the broker"
    )
    assert (desk.state.pnl.equity, desk.state.cash.balance) == (equity, cash)
    assert desk.state.cash.receivables == {}


def test_what_was_refused_is_waited_for_no_more_and_announced_again_it_is_a_repeat() -> None:
    desk = holding(close="1")
    dividend = a_dividend("30")
    desk.step(dividend)
    assert len(desk.pass_time(NEVER)) == 2
    # Its timer has a key in the journal: a second one would stop the daemon.
    desk.step(SessionStarted("1", {}, {}))
    assert desk.pass_time(NEVER) == []
    assert desk.step(dividend) == []
    assert desk.repeats == 1


def test_the_hold_stops_that_symbol_alone() -> None:
    desk = holding()
    desk.step(a_split(0, 1))
    holds = desk.state.holds
    assert len(holds.in_scope("trend", A)) == 1
    assert holds.in_scope("trend", Symbol("B")) == []


def test_without_a_price_a_dividend_is_taken_at_its_word() -> None:
    desk = CoreDesk()
    desk.step(a_dividend("30"))
    assert of(desk.pass_time(NEVER), CorporateActionApplied)[0].cash_per_share == 30
