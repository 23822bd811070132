"""What a strategy learns of shares that a split, or an operator's word, has changed under it.

`trend` has bought 100 of A at 100.
"""

from decimal import Decimal

import msgspec

from daemon.strategies import View
from events import (
    CorporateActionAnnounced,
    CorporateActionApplied,
    CorporateActionKind,
    OperatorResolveAsked,
    PositionAdjusted,
)
from tests.builders import utc
from tests.core_desk import A, B, Scripted
from tests.operators import said
from tests.unit.test_reconciliation import Looking


class Adjusted(Scripted):
    """Notes what it is told of adjustments, and what the view shows then."""

    adjusted: list[tuple[str, Decimal, Decimal]] = msgspec.field(default_factory=list)
    fails: bool = False

    def on_adjusted(self, change: PositionAdjusted, view: View) -> None:
        assert not self.fails, "it fails"
        own, there = view.quantity(change.symbol), view.account_quantity(change.symbol)
        self.adjusted.append((f"{view.now:%H:%M:%S}", own, there))


def resolved(strategy: Adjusted, held: str = "60") -> Looking:
    """Return books in which an operator has taken over that the broker has so many of A."""
    at = Looking(strategy)
    at.twice({"A": held})
    (break_id,) = at.state.reconciliation.open
    at.step(said(OperatorResolveAsked, break_id), "2024-01-02T16:00:30")
    return at


def test_a_strategy_is_told_of_shares_an_operator_took_out_and_sees_what_is_left() -> None:
    strategy = Adjusted()
    resolved(strategy)
    # What it has traded stays its own: the 40 that are gone are the operator's.
    assert strategy.adjusted == [("16:00:30", Decimal(100), Decimal(60))]


def test_one_whose_symbol_it_is_not_is_told_nothing() -> None:
    strategy = Adjusted()
    at = Looking(strategy)
    at.twice({"A": "100", "B": "5"}, costs={"B": "100"})
    (break_id,) = at.state.reconciliation.open
    at.step(said(OperatorResolveAsked, break_id))
    assert at.state.positions.held(B).quantity == 5
    assert strategy.adjusted == []


def test_a_command_that_is_refused_tells_nothing() -> None:
    strategy = Adjusted()
    at = Looking(strategy)
    at.step(said(OperatorResolveAsked, "no-such-break"))
    assert strategy.adjusted == []


def test_one_that_fails_over_it_is_stopped_and_the_shares_are_booked() -> None:
    at = resolved(Adjusted(fails=True))
    assert at.state.positions.held(A).quantity == 60
    assert "it fails" in at.state.strategies.of("trend").failed


def test_a_split_is_told_and_the_view_shows_the_shares_after_it() -> None:
    strategy = Adjusted()
    at = Looking(strategy)
    day = utc("2024-01-03T00:00").date()
    at.step(CorporateActionAnnounced("s", A, day, CorporateActionKind.SPLIT, 2, 1))
    at.pass_time("2024-01-03T14:00")
    (told,) = [each for each in strategy.heard if isinstance(each, CorporateActionApplied)]
    assert (told.new_shares, told.old_shares) == (2, 1)
    at.minute("20:00")
    view = at.core.desk._views["trend"]  # noqa: SLF001 - what it is shown
    assert (view.quantity(A), view.account_quantity(A)) == (200, 200)
