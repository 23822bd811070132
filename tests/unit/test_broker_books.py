"""What a broker says of its own books: whole, under the name it was asked with, and by itself.

The paper broker keeps its book beside the daemon's. As long as nothing is lost both have the same,
whatever is traded, split, paid or crashed; what is lost between them shows.
"""

import random
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from daemon.brokers import Broker
from daemon.brokers.faults import Fault, FaultKind, FaultyBroker, Message
from daemon.brokers.paper import PaperBroker
from daemon.brokers.paper_book import LISTED_MAX
from daemon.config.options import BrokerConfig, Commission
from events import BooksReported, LookWhy, OrderType, Symbol, TimeInForce
from projections.differences import Comparison, compare
from tests.broker_desk import PLAIN, Desk, RandomTrader, a_bar, an_intent
from tests.builders import a_dividend, a_payment, a_split, utc

FEES = msgspec.structs.replace(PLAIN, commission=Commission.TIERED, slippage_bps=Decimal(3))
FLAT = "10 10 10 10"
EXACT = Decimal(0)


def paper(config: BrokerConfig = FEES, *plan: Fault) -> Callable[[], Broker]:
    return lambda: FaultyBroker(PaperBroker(config), plan) if plan else PaperBroker(config)


def look(desk: Desk) -> BooksReported:
    """Have the broker say what it has; nothing else is reported by that."""
    before = len(desk.reports)
    desk.broker.report_books("look-1", LookWhy.OPERATOR, desk.now)
    (report,) = desk.reports[before:]
    assert isinstance(report, BooksReported)
    return report


def differing(desk: Desk) -> list[str]:
    return sorted(each.kind.value for each in compared(desk).differences)


def compared(desk: Desk) -> Comparison:
    return compare(desk.state, look(desk), EXACT)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_traded_the_brokers_own_book_is_that_of_the_journal(seed: int) -> None:
    desk = Desk(paper())
    trader = RandomTrader(desk, random.Random(seed))
    for minute in range(RandomTrader.MINUTES):
        trader.step(minute)
        found = compared(desk)
        assert (found.differences, found.not_compared) == ((), ())
    desk.restart(losing=0)
    assert differing(desk) == []
    assert desk.state.orders.fills > 5


def test_a_look_has_everything_under_the_name_it_was_asked_with() -> None:
    desk = Desk(paper(PLAIN))
    filled = desk.place(an_intent("100"), at="2024-01-02T15:00")
    resting = desk.place(
        an_intent("-50", order_type=OrderType.LIMIT, limit="12", tif=TimeInForce.GTC)
    )
    ended = desk.place(an_intent("1", order_type=OrderType.LIMIT, limit="9"))
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.cancel(ended)
    said = look(desk)
    assert (said.look_id, said.why, said.began_at) == ("look-1", LookWhy.OPERATOR, desk.now)
    assert said.positions is not None
    ((position,), cash) = said.positions, said.cash
    assert (position.symbol, position.quantity, position.average_cost) == ("A", 100, 10)
    assert cash is not None
    assert cash.total == 10_000_000 - 1_000
    assert said.open_orders is not None
    (order,) = said.open_orders
    assert (order.order_ref, order.quantity, order.remaining) == (resting, -50, -50)
    assert (order.order_type, order.time_in_force, order.limit_price) == ("LMT", "GTC", 12)
    assert order.is_ours
    assert said.completed_orders is not None
    assert [(each.order_ref, each.status) for each in said.completed_orders] == [
        (ended, "cancelled")
    ]
    assert said.executions is not None
    assert [each.order_ref for each in said.executions] == [filled]


def test_splits_dividends_and_their_payment_move_both_books_alike() -> None:
    desk = Desk(paper(PLAIN))
    desk.place(an_intent("101"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    # 101 at 1 for 2 are 50, and 10 dollars for the half share at 20.
    desk.apply_action(a_split("1:2", "101", "50", in_lieu="10", price="10"))
    assert differing(desk) == []
    desk.apply_action(a_dividend("0.50", "50", "25"))
    assert differing(desk) == []
    assert a_payment("0.50", "25").amount == 25


def test_a_fill_that_is_lost_shows_in_shares_cash_order_and_execution() -> None:
    desk = Desk(paper(PLAIN, Fault(FaultKind.LOST, Message.FILLED)))
    desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert differing(desk) == ["cash", "missing order", "position", "unknown execution"]


def test_a_commission_that_is_lost_shows_in_cash_once_it_cannot_come_any_more() -> None:
    desk = Desk(paper(FEES, Fault(FaultKind.LOST, Message.COMMISSION)))
    desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert differing(desk) == []  # It may still come, and is no more than it can be.


def test_a_send_that_is_lost_is_an_order_missing_there() -> None:
    desk = Desk(paper(PLAIN, Fault(FaultKind.LOST, Message.SUBMIT)))
    desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.now = utc("2024-01-02T15:01")
    assert differing(desk) == ["missing order"]


def test_a_cancel_of_which_nobody_heard_is_an_order_missing_there_and_over_there() -> None:
    desk = Desk(paper(PLAIN, Fault(FaultKind.LOST, Message.CANCELLED)))
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.now = utc("2024-01-02T15:01")
    desk.cancel(order_id)
    (found,) = compared(desk).differences
    assert found.note == "the broker has it as cancelled"


def test_what_is_listed_of_the_past_is_bounded() -> None:
    desk = Desk(paper(msgspec.structs.replace(PLAIN, volume_share_max=Decimal("0.001"))))
    desk.place(an_intent(str(LISTED_MAX + 50)), at="2024-01-02T14:30")
    bars = [a_bar(f"2024-01-02T{15 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}", FLAT, span_s=1)
            for n in range(LISTED_MAX + 20)]  # fmt: skip
    desk.see(*bars)
    said = look(desk)
    assert desk.state.orders.fills > LISTED_MAX
    assert said.executions is not None
    assert len(said.executions) == LISTED_MAX
    assert said.executions[-1].symbol == Symbol("A")
