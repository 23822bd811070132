"""What a look at the broker's books leads to: suspects, breaks, holds, and when the next look is.

The books have 100 of A, bought at 15:02 at 100 out of 1,000,000 dollars: 990,000 are left.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from daemon.core.looks import ReconciliationTerms, is_overdue
from daemon.core.recorder import Effect, LookAtBooks
from events import (
    BreakOpened,
    BreakResolved,
    ClientOrderId,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    LookWhy,
    OperatorFlattenAsked,
    OperatorLifted,
    OperatorReconcileAsked,
    OrderFilled,
    ReconcileCompleted,
    Record,
    Resolution,
    SessionStarted,
    Symbol,
    nanoseconds,
)
from projections import State
from tests.builders import a_fill, utc
from tests.core_desk import OPENING, CoreDesk, Scripted, kinds, of
from tests.looks import a_look, listed, seen
from tests.operators import Told, said, why_refused

LEFT = "990000"
LIVE = (*OPENING, SessionStarted("v", {}, {}, live_feed=True))


class Looking(Told):
    """A core on a live feed, with the looks it has taken."""

    def __init__(self, *strategies: Scripted, **parts: Any) -> None:  # noqa: ANN401 - the desk's
        super().__init__(*strategies, **({"opening": LIVE} | parts))

    def look(
        self,
        held: dict[str, str],
        at: str,
        cash: str | None = LEFT,
        **more: Any,  # noqa: ANN401 - any field
    ) -> list[Record]:
        """Take a look begun and answered at `at`, a time of day."""
        moment = f"2024-01-02T{at}"
        return self.step(a_look(held, cash, at=moment, **more), moment)

    def twice(self, held: dict[str, str], cash: str | None = LEFT, **more: Any) -> list[Record]:  # noqa: ANN401 - any field
        """Take two looks ten seconds apart that show the same; return what the second led to."""
        self.look(held, "16:00:00", cash, **more)
        return self.look(held, "16:00:10", cash, **more)

    @property
    def breaks(self) -> list[str]:
        found = self.state.reconciliation.open.values()
        return [f"{each.difference.kind} {each.difference.symbol}".rstrip() for each in found]

    def next_look(self, before: str = "2024-01-05T00:00") -> tuple[str, LookWhy | None]:
        """Return when the books are looked at next, and why."""
        while True:
            timer = self.core.deadlines.take_due(utc(before))
            assert timer is not None, "there is no next look"
            self.step(timer)
            asked = [each for each in self.effects() if isinstance(each, LookAtBooks)]
            if asked:
                return f"{timer.due:%H:%M:%S}", asked[0].why


def completed(records: Sequence[Record]) -> ReconcileCompleted:
    (found,) = of(records, ReconcileCompleted)
    return found


# Two looks.


def test_books_that_agree_are_recorded_as_that() -> None:
    at = Looking()
    taken = at.look({"A": "100"}, "16:00:00")
    assert kinds(taken) == ["broker.books-reported", "reconcile.completed"]
    done = completed(taken)
    assert (done.checked, done.matched, done.differing, done.waiting) == (2, 2, 0, ())
    assert at.breaks == []


def test_a_look_that_took_a_while_says_how_long() -> None:
    at = Looking()
    took = at.step(a_look({"A": "100"}, LEFT, at="2024-01-02T16:00:00"), "2024-01-02T16:00:01.250")
    assert completed(took).duration_ms == 1250


def test_a_difference_seen_once_is_waited_for_and_stops_nothing() -> None:
    at = Looking()
    done = completed(at.look({"A": "60"}, "16:00:00"))
    assert (done.checked, done.matched, done.differing, len(done.waiting)) == (2, 1, 1, 1)
    assert (at.breaks, at.holds) == ([], [])


def test_a_difference_that_stands_in_two_looks_is_a_break_and_holds_its_symbol() -> None:
    at = Looking()
    taken = at.twice({"A": "60"})
    assert kinds(taken)[1:] == ["break.opened", "hold.placed", "reconcile.completed"]
    (opened,), (hold,) = of(taken, BreakOpened), of(taken, HoldPlaced)
    found = opened.difference
    assert (found.internal, found.broker, found.delta) == (100, 60, -40)
    assert (hold.scope, hold.target, hold.level) == (HoldScope.SYMBOL, "A", HoldLevel.HALT)
    assert (hold.cause, hold.lifts) == ("RECONCILIATION_BREAK", HoldLifts.OPERATOR)
    assert hold.subject == opened.break_id
    assert all(record.cause == taken[0].seq for record in taken[1:])


def test_nothing_is_ordered_in_a_symbol_with_a_break_and_elsewhere_it_is() -> None:
    at = Looking()
    at.twice({"A": "60"})
    holds = at.state.holds
    assert holds.in_scope("trend", Symbol("A")) != []
    assert holds.in_scope("trend", Symbol("B")) == []


def test_cash_that_differs_holds_everything() -> None:
    at = Looking()
    (hold,) = of(at.twice({"A": "100"}, "980000"), HoldPlaced)
    assert (hold.scope, hold.target) == (HoldScope.ALL, "")


def test_two_looks_too_close_together_are_one() -> None:
    at = Looking()
    at.look({"A": "60"}, "16:00:00")
    at.look({"A": "60"}, "16:00:09.9")
    assert at.breaks == []
    at.look({"A": "60"}, "16:00:10")
    assert at.breaks == ["position A"]


def test_ten_seconds_are_ten_whatever_part_of_a_microsecond_they_began_in() -> None:
    at = Looking()
    for second, nanosecond in ((0, 900), (10, 0)):
        moment = f"2024-01-02T16:00:{second:02}"
        at.core.step(a_look({"A": "60"}, LEFT, at=moment), nanoseconds(utc(moment)) + nanosecond)
    assert at.breaks == ["position A"]


def test_lag_that_is_over_in_the_second_look_leaves_nothing_behind() -> None:
    at = Looking()
    at.look({"A": "60"}, "16:00:00")
    at.look({"A": "100"}, "16:00:10")
    # It differs again later: the time counts from there.
    at.look({"A": "60"}, "16:00:20")
    assert at.breaks == []


def test_a_fill_between_two_looks_starts_the_time_anew() -> None:
    at = Looking()
    order_id = at.sends("5")
    at.look({"A": "60"}, "16:00:00", cash=None, orders=[listed(order_id, "5")])
    at.step(_fill_of(order_id), "2024-01-02T16:00:05")
    at.look({"A": "60"}, "16:00:10", cash=None)
    assert at.breaks == []
    at.look({"A": "60"}, "16:00:19", cash=None)
    assert at.breaks == []
    at.look({"A": "60"}, "16:00:20", cash=None)
    assert at.breaks == ["position A"]


def test_what_differs_for_five_minutes_is_a_break_whatever_is_filled_meanwhile() -> None:
    at = Looking()
    at.look({"A": "60"}, "16:00:00", cash=None)
    for minute in range(1, 5):
        at.state.reconciliation.note_fill(Symbol("A"), at.state.at)
        at.look({"A": "60"}, f"16:0{minute}:00", cash=None)
    assert at.breaks == []
    at.state.reconciliation.note_fill(Symbol("A"), at.state.at)
    at.look({"A": "60"}, "16:05:00", cash=None)
    assert at.breaks == ["position A"]


def test_the_broker_trading_on_is_no_reason_to_wait() -> None:
    at = Looking()
    at.look({"A": "60"}, "16:00:00")
    at.look({"A": "50"}, "16:00:10")
    assert at.breaks == ["position A"]


def test_a_list_that_did_not_come_neither_opens_nor_forgets_anything() -> None:
    at = Looking()
    at.look({"A": "60"}, "16:00:00")
    done = completed(at.look({}, "16:00:05", positions=None, missing={"positions": "timeout"}))
    assert len(done.waiting) == 1
    assert "positions" in done.not_compared
    at.look({"A": "60"}, "16:00:10")
    assert at.breaks == ["position A"]
    at.look({}, "16:00:20", positions=None)
    assert at.breaks == ["position A"]


def test_the_same_look_reported_twice_is_one() -> None:
    at = Looking()
    at.look({"A": "60"}, "16:00:00", look_id="look-1")
    assert at.step(a_look({"A": "60"}, LEFT, look_id="look-1"), "2024-01-02T16:01") == []
    assert (at.breaks, at.repeats) == ([], 1)


# A break that stands, and one that ends.


def test_a_break_that_stands_is_not_opened_twice() -> None:
    at = Looking()
    at.twice({"A": "60"})
    taken = at.look({"A": "60"}, "17:00:00")
    assert kinds(taken) == ["broker.books-reported", "reconcile.completed"]
    assert (completed(taken).differing, completed(taken).moved) == (1, {})
    assert len(at.holds) == 1


def test_a_break_that_stands_otherwise_is_kept_up_to_date() -> None:
    at = Looking()
    at.twice({"A": "60"})
    (break_id,) = at.state.reconciliation.open
    done = completed(at.look({"A": "30"}, "17:00:00"))
    assert list(done.moved) == [break_id]
    assert at.state.reconciliation.open[break_id].difference.delta == Decimal(-70)


def test_books_that_agree_again_end_the_break_and_leave_the_hold_to_an_operator() -> None:
    at = Looking()
    at.twice({"A": "60"})
    taken = at.look({"A": "100"}, "16:00:20")
    (resolved,) = of(taken, BreakResolved)
    assert (resolved.how, resolved.by) == (Resolution.AGREEMENT, "core")
    assert at.breaks == []
    (hold,) = at.holds
    assert hold in resolved.why
    at.step(said(OperatorLifted, hold))
    assert at.holds == []
    past = at.state.reconciliation.history
    assert [each.resolved for each in past] == [resolved]


def test_breaks_of_one_look_each_have_their_own_hold() -> None:
    at = Looking()
    at.twice({"A": "60", "XYZ": "5"}, "980000")
    assert at.breaks == ["position A", "position XYZ", "cash"]
    assert len(at.holds) == 3


# Orders.


def test_a_foreign_order_is_no_lag_and_held_at_once() -> None:
    at = Looking()
    taken = at.look({"A": "100"}, "16:00:00", orders=[listed("", "30", symbol="B")])
    (hold,) = of(taken, HoldPlaced)
    assert (at.breaks, hold.target) == (["foreign order B"], "B")


def test_two_live_orders_under_one_reference_are_held_at_once() -> None:
    at = Looking()
    order_id = at.sends("5")
    at.look({"A": "100"}, "16:00:00", orders=[listed(order_id, "5"), listed(order_id, "5")])
    assert at.breaks == ["double order A"]


def test_what_the_broker_has_besides_counts_as_if_it_were_on_order() -> None:
    at = Looking()
    order_id = at.sends("5")
    orders = [listed("", "30", symbol="B", limit_price=Decimal(7)), listed(order_id, "9")]
    at.twice({"A": "160"}, orders=orders)
    elsewhere = [
        (intent.symbol, intent.client_order_id, quantity, intent.limit_price)
        for intent, quantity in at.state.reconciliation.elsewhere
    ]
    # 60 shares of A that are not in the books, and 4 of the order beyond the 5 that are reserved.
    assert sorted(elsewhere) == [
        ("A", "", Decimal(60), None),
        ("A", order_id, Decimal(4), None),
        ("B", "permId-77", Decimal(30), Decimal(7)),
    ]
    at.look({"A": "100"}, "17:00:00", orders=[listed(order_id, "5")])
    assert at.state.reconciliation.elsewhere == []


def test_a_smaller_order_at_the_broker_frees_nothing_and_an_opposite_one_counts_whole() -> None:
    at = Looking()
    order_id = at.sends("5")
    at.twice({"A": "100"}, orders=[listed(order_id, "2")])
    assert at.state.reconciliation.elsewhere == []
    at.look({"A": "100"}, "17:00:00", orders=[listed(order_id, "-2")])
    ((_, quantity),) = at.state.reconciliation.elsewhere
    assert quantity == Decimal(-2)


def test_an_execution_that_is_counted_after_all_ends_its_break_and_a_new_day_does_not() -> None:
    at = Looking()
    order_id = at.sends("5")
    unknown = (seen("e-lost", "5", order_id),)
    at.twice({"A": "100"}, orders=[listed(order_id, "5")], executions=unknown)
    assert at.breaks == ["unknown execution A"]
    at.look({"A": "100"}, "17:00:00", orders=[listed(order_id, "5")], executions=())
    assert at.breaks == ["unknown execution A"]
    at.step(_fill_of(order_id, "e-lost"), "2024-01-02T17:00:05")
    at.look({"A": "105"}, "17:00:20", cash=None, executions=())
    assert at.breaks == []


def test_a_flatten_is_refused_while_the_broker_has_it_differently() -> None:
    at = Looking()
    at.twice({"A": "60"})
    (break_id,) = at.state.reconciliation.open
    refused = why_refused(at.step(said(OperatorFlattenAsked, Symbol("A"))))
    assert refused == (f"the broker has it differently: resolve {break_id}, or say --trust-broker")


# When.


def test_a_live_feed_is_compared_every_hour() -> None:
    at = Looking()
    at.look({"A": "100"}, "16:00:00")
    assert at.next_look() == ("17:00:00", LookWhy.SCHEDULE)
    at.look({"A": "100"}, "17:00:02")
    assert at.next_look() == ("18:00:02", LookWhy.SCHEDULE)


def test_a_look_that_is_not_answered_is_asked_for_again_after_ten_minutes() -> None:
    at = Looking()
    at.look({"A": "100"}, "16:00:00")
    asked = [at.next_look()[0] for _ in range(3)]
    assert asked == ["17:00:00", "17:10:00", "17:20:00"]


def test_a_fill_is_looked_at_once_it_has_settled_and_many_are_looked_at_once() -> None:
    at = Looking()
    order_id = at.sends("5")
    at.look({"A": "100"}, "16:00:00", orders=[listed(order_id, "5")])
    at.step(_fill_of(order_id, "f1", "2"), "2024-01-02T16:00:30")
    at.step(_fill_of(order_id, "f2", "2"), "2024-01-02T16:00:33")
    assert at.next_look("2024-01-02T16:00:41") == ("16:00:40", LookWhy.AFTER_FILL)
    at.look({"A": "104"}, "16:00:41", cash=None, orders=[listed(order_id, "1")])
    assert at.next_look() == ("17:00:41", LookWhy.SCHEDULE)


def test_a_fill_while_the_broker_is_being_asked_is_looked_at_again() -> None:
    at = Looking()
    at.look({"A": "100"}, "16:00:00")
    order_id = at.sends("5")
    at.step(_fill_of(order_id, "f1", "5"), "2024-01-02T16:00:30")
    asked_before = a_look({"A": "105"}, at="2024-01-02T16:00:29")
    at.step(asked_before, "2024-01-02T16:00:31")
    assert at.next_look() == ("16:00:40", LookWhy.AFTER_FILL)


def test_a_difference_is_looked_at_again_after_it_could_have_settled() -> None:
    at = Looking()
    at.look({"A": "60"}, "16:00:00")
    assert at.next_look() == ("16:00:10", LookWhy.SECOND_LOOK)


def test_recorded_bars_are_not_compared_by_the_clock() -> None:
    at = Looking(opening=OPENING)
    at.look({"A": "60"}, "16:00:00")
    assert at.pass_time("2024-01-05T00:00") == []
    assert at.state.reconciliation.filled_at == {}


def test_an_operator_can_ask_for_a_look() -> None:
    at = Looking()
    (asked,) = at.step(said(OperatorReconcileAsked))
    assert at.effects() == [LookAtBooks(f"operator-{asked.seq}", LookWhy.OPERATOR)]


def test_without_a_whole_comparison_for_two_hours_it_is_overdue() -> None:
    at, terms = Looking(), ReconciliationTerms()
    at.look({"A": "100"}, "16:00:00")
    at.look({"A": "100"}, "17:30:00", cash=None)  # Without cash it is no whole one.
    assert not is_overdue(at.state, terms, utc("2024-01-02T18:00:00"))
    assert is_overdue(at.state, terms, utc("2024-01-02T18:00:01"))
    recorded = Looking(opening=OPENING)
    assert not is_overdue(recorded.state, terms, utc("2024-01-05T00:00"))


# Restarts.


def test_a_suspect_and_a_break_outlive_a_restart() -> None:
    at = Looking()
    at.twice({"A": "60"})
    at.look({"A": "60", "XYZ": "3"}, "16:00:20")
    kept = msgspec.json.decode(msgspec.json.encode(at.state), type=State)
    assert kept.reconciliation == at.state.reconciliation
    again = CoreDesk(opening=(), state=kept)
    taken = again.step(
        a_look({"A": "60", "XYZ": "3"}, LEFT, at="2024-01-02T16:00:30"), "2024-01-02T16:00:30"
    )
    (opened,) = of(taken, BreakOpened)
    assert opened.difference.symbol == "XYZ"
    assert len(again.state.reconciliation.open) == 2


def test_a_timer_for_a_look_fires_once_for_one_moment_also_after_a_restart() -> None:
    at = Looking()
    at.look({"A": "100"}, "16:00:00")
    assert LookAtBooks in {type(each) for each in _asked_by(at, "2024-01-02T17:00:01")}
    again = CoreDesk(opening=(), state=at.state)
    assert LookAtBooks not in {type(each) for each in _asked_by(again, "2024-01-02T17:10:00")}
    assert LookAtBooks in {type(each) for each in _asked_by(again, "2024-01-02T17:10:01")}


def _asked_by(desk: CoreDesk, upto: str) -> Sequence[Effect]:
    desk.pass_time(upto)
    return desk.effects()


def _fill_of(order_id: ClientOrderId, execution_id: str = "f1", quantity: str = "5") -> OrderFilled:
    return a_fill(quantity, execution_id=execution_id, order_id=order_id)
