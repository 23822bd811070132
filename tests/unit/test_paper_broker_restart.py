"""The paper broker after a crash: its book is a fold of the journal, so nothing is different.

A regular session is 14:30 to 21:00 UTC.
"""

import random
from decimal import Decimal

import msgspec
import pytest

from daemon.config.options import BrokerConfig, Commission
from events import (
    BarClosed,
    Event,
    OrderAcknowledged,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderType,
    TimeInForce,
)
from tests.broker_desk import PLAIN, Desk, RandomTrader, a_bar, an_intent
from tests.builders import utc

FLAT = "10 10 10 10"
LIMIT, STOP_LIMIT = OrderType.LIMIT, OrderType.STOP_LIMIT

A_TENTH = msgspec.structs.replace(PLAIN, volume_share_max=Decimal("0.1"))
A_TENTH_FIXED = msgspec.structs.replace(A_TENTH, commission=Commission.FIXED)


def test_a_send_that_a_crash_left_unanswered_is_acknowledged_and_lives_on() -> None:
    desk = Desk()
    desk.now = utc("2024-01-02T15:00")
    desk.record_sending(an_intent("100"))
    desk.restart()
    assert desk.reported() == [OrderAcknowledged]
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert desk.trades == [("100", "10", "01-02T15:00")]


def test_a_send_that_a_crash_left_unanswered_can_still_be_rejected() -> None:
    desk = Desk()
    desk.record_sending(an_intent("0"))
    desk.restart()
    assert desk.reported() == [OrderRejected]


def test_a_cancel_that_a_crash_left_unanswered_is_answered() -> None:
    desk = Desk()
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.cancel(order_id)
    desk.reported()
    desk.restart(losing=1)
    assert desk.reported() == [OrderCancelled]
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert desk.reported() == []


def test_a_fill_that_a_crash_left_uncharged_is_charged_once() -> None:
    # 250 shares: 1.25 in all. The charges of the second and third fill were never written.
    desk = Desk(config=A_TENTH_FIXED)
    order_id = desk.place(an_intent("250"), at="2024-01-02T15:00")
    for minute in ("15:00", "15:01"):
        desk.see(a_bar(f"2024-01-02T{minute}", FLAT))
    desk.restart(losing=2)  # The second commission and its bar.
    assert desk.fees == ["1.00", "0.00", "0.00"]
    desk.see(a_bar("2024-01-02T15:02", FLAT))
    desk.restart(losing=2)
    assert desk.fees[3:] == ["0.25", "0.25"]
    assert desk.order(order_id).commission == Decimal("1.25")
    assert desk.state.cash.uncharged == {}
    desk.restart()
    assert desk.fees[5:] == []


def test_a_late_charge_counts_against_the_orders_next_one() -> None:
    # 100 shares: 1.00, charged after the restart; 250 in all: 1.25, so 0.25 is left.
    desk = Desk(config=A_TENTH_FIXED)
    desk.place(an_intent("250"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.restart(losing=2)
    desk.reports.clear()
    desk.see(a_bar("2024-01-02T15:01", FLAT, volume="1500"))
    assert desk.fees == ["0.25"]


def test_orders_that_never_left_are_not_taken_up() -> None:
    desk = Desk()
    desk.record_sending(an_intent("100"))
    desk.restart(losing=1)  # Approved, not sent.
    desk.restart(losing=1)  # Intended, not approved.
    assert desk.reported() == []


def test_a_resting_order_of_a_symbol_that_is_gone_is_cancelled() -> None:
    desk = Desk()
    desk.place(an_intent("100", tif=TimeInForce.GTC), at="2024-01-02T15:00")
    desk.state.symbols = {}
    desk.connect()
    assert desk.reason() == "A is unknown: add it to the configuration's [symbols]"
    assert desk.reported() == [OrderAcknowledged, OrderCancelled]


def test_a_triggered_stop_limit_is_still_triggered_after_a_restart() -> None:
    desk = Desk()
    intent = an_intent("-100", order_type=STOP_LIMIT, stop="9.50", limit="9.40")
    desk.place(intent, at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", "9.10 9.45 9 9.20"))
    desk.restart()
    # Never at 9.50 or below again.
    desk.see(a_bar("2024-01-02T15:01", "9.60 9.60 9.60 9.60"))
    assert desk.trades == [("-100", "9.6", "01-02T15:01")]


def test_a_restart_keeps_the_orders_in_the_order_they_were_sent() -> None:
    # Whatever order the books list them in.
    desk = Desk(config=A_TENTH)
    desk.now = utc("2024-01-02T15:00")
    first = desk.place(an_intent("100"))
    desk.place(an_intent("100"))
    opened = desk.state.orders.open
    desk.state.orders.open = dict(reversed(opened.items()))
    desk.connect()
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert [fill.client_order_id for fill in desk.fills] == [first]


def test_the_tiered_month_survives_a_restart() -> None:
    config = msgspec.structs.replace(PLAIN, commission=Commission.TIERED)
    desk = Desk(config=config)
    desk.place(an_intent("300000"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT, volume="300000"))
    desk.restart()
    desk.place(an_intent("1000"))
    desk.see(a_bar("2024-01-02T15:01", FLAT))
    assert desk.fees == ["2010.00", "5.20"]


def test_execution_ids_name_order_and_fill_and_go_on_after_a_restart() -> None:
    # Not `.01`, `.02`: at IBKR the second would be a correction of the first.
    desk = Desk(config=A_TENTH)
    desk.place(an_intent("150"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.restart()
    desk.see(a_bar("2024-01-02T15:01", FLAT))
    assert [fill.execution_id for fill in desk.fills] == ["paper-order1-1", "paper-order1-2"]


def a_random_run(seed: int, *, restarts: bool) -> tuple[list[Event], bytes]:
    """Return all reports and the books of a run, restarted after every minute or never."""
    config = BrokerConfig(
        commission=Commission.TIERED, slippage_bps=Decimal(3), volume_share_max=Decimal("0.1")
    )
    desk = Desk(config=config)
    trader = RandomTrader(desk, random.Random(seed))
    for minute in range(RandomTrader.MINUTES):
        trader.step(minute)
        if restarts:
            desk.restart()
    desk.pass_time(utc("2024-01-03T21:01"))
    return desk.reports, msgspec.json.encode(desk.state, order="deterministic")


@pytest.mark.parametrize("seed", range(25))
def test_a_run_restarted_every_minute_reports_and_ends_the_same(seed: int) -> None:
    reports, books = a_random_run(seed, restarts=False)
    assert len({type(report) for report in reports}) >= 6
    assert a_random_run(seed, restarts=True) == (reports, books)


@pytest.mark.parametrize("seed", range(25))
def test_no_fill_is_better_than_its_bar_or_its_limit_nor_larger_than_its_share(seed: int) -> None:
    config = BrokerConfig(slippage_bps=Decimal(3), volume_share_max=Decimal("0.1"))
    desk = Desk(config=config)
    trader = RandomTrader(desk, random.Random(seed))
    checked = 0
    for minute in range(RandomTrader.MINUTES):
        known = len(desk.records)
        trader.step(minute)
        filled: list[OrderFilled] = []
        for record in desk.records[known:]:
            if isinstance(record.event, OrderFilled):
                filled.append(record.event)
            elif isinstance(record.event, BarClosed):
                bar = record.event
                assert sum(abs(fill.quantity) for fill in filled) <= bar.volume / 10
                for fill in filled:
                    intent = desk.order(fill.client_order_id).intent
                    assert bar.low <= fill.price <= bar.high
                    assert bar.start <= fill.executed_at <= bar.end
                    if intent.order_type in {LIMIT, STOP_LIMIT} and intent.limit_price is not None:
                        better = (fill.price - intent.limit_price) * intent.quantity <= 0
                        assert better, (intent, fill)
                checked += len(filled)
                filled = []
    assert checked >= 5
    for order in [*desk.state.orders.open.values(), *desk.state.orders.closed.values()]:
        assert abs(order.filled) <= abs(order.intent.quantity)
        assert order.filled * order.intent.quantity >= 0
