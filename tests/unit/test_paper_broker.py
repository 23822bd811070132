"""The paper broker on hand-made bars. A regular session is 14:30 to 21:00 UTC.

Unless a test says otherwise: no slippage, no fees, a bar may be filled whole.
"""

from decimal import Decimal

import msgspec
import pytest

from daemon.brokers.paper import PaperBroker
from daemon.config.options import BrokerConfig, Commission
from events import (
    CommissionCharged,
    CorporateActionApplied,
    CorporateActionKind,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderType,
    OrderWorking,
    Symbol,
    SymbolTerms,
    TimeInForce,
)
from projections.order_states import OrderState
from tests.broker_desk import (
    BITCOIN,
    PLAIN,
    TERMS,
    A,
    B,
    Desk,
    a_bar,
    a_day,
    an_intent,
)
from tests.builders import a_session, utc

DAY, GTC, IOC = TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC
OPG, CLS = TimeInForce.OPG, TimeInForce.CLS
LIMIT, STOP, STOP_LIMIT = OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT

FLAT = "10 10 10 10"


A_TENTH = msgspec.structs.replace(PLAIN, volume_share_max=Decimal("0.1"))
A_TENTH_FIXED = msgspec.structs.replace(A_TENTH, commission=Commission.FIXED)


# When an order can fill.


def test_an_order_is_acknowledged_then_filled_then_charged() -> None:
    desk = Desk()
    desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert desk.reported() == [OrderAcknowledged, OrderFilled, CommissionCharged]


def test_an_order_decided_on_a_bar_fills_at_the_open_of_the_next_one() -> None:
    desk = Desk()
    desk.see(a_bar("2024-01-02T15:00", "10 10 10 10"))
    desk.place(an_intent("100"))
    desk.see(a_bar("2024-01-02T15:01", "11 12 9 10"))
    assert desk.trades == [("100", "11", "01-02T15:01")]


def test_a_bar_that_started_before_the_decision_fills_nothing() -> None:
    # A's bar of 15:00 ends at 15:01, and so does B's, which comes after the decision.
    desk = Desk()
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.place(an_intent("100", symbol=B))
    desk.see(a_bar("2024-01-02T15:00", "11 12 9 10", symbol=B))
    assert desk.trades == []
    desk.see(a_bar("2024-01-02T15:01", "12 12 12 12", symbol=B))
    assert desk.trades == [("100", "12", "01-02T15:01")]


def test_a_bar_that_is_not_news_fills_nothing() -> None:
    desk = Desk(config=A_TENTH)
    desk.place(an_intent("150"), at="2024-01-02T15:00")
    bar = a_bar("2024-01-02T15:00", FLAT)
    desk.see(bar)
    desk.broker.observe(bar)
    assert desk.trades == [("100", "10", "01-02T15:00")]


def test_a_bar_outside_the_session_fills_nothing() -> None:
    # 14:29 is pre-market; GTC lives through 21:00, and 21:00 to 21:01 is after the close.
    desk = Desk()
    desk.place(an_intent("100", tif=GTC), at="2024-01-02T14:00")
    desk.see(a_bar("2024-01-02T14:29", FLAT))
    assert desk.trades == []
    desk.see(a_bar("2024-01-02T21:00", FLAT))
    assert desk.trades == []
    desk.see(a_bar("2024-01-03T14:30", "11 11 11 11"))
    assert desk.trades == [("100", "11", "01-03T14:30")]


def test_extended_hours_count_where_the_symbol_trades_in_them() -> None:
    terms = {A: SymbolTerms("NYSE", enforce_hours=True, extended_hours=True)}
    desk = Desk(terms=terms)
    desk.place(an_intent("100"), at="2024-01-02T14:00")
    desk.see(a_bar("2024-01-02T14:29", FLAT))
    assert desk.trades == [("100", "10", "01-02T14:29")]


def test_a_sale_is_filled_with_a_negative_quantity() -> None:
    desk = Desk()
    desk.place(an_intent("-100"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert desk.trades == [("-100", "10", "01-02T15:00")]


def test_slippage_comes_from_the_configuration() -> None:
    # 10 bp of 50 = 0.05.
    config = BrokerConfig(slippage_bps=Decimal(10), volume_share_max=Decimal(1))
    desk = Desk(config=config)
    desk.place(an_intent("1"), at="2024-01-02T15:00")
    desk.place(an_intent("-1"))
    desk.see(a_bar("2024-01-02T15:00", "50 51 49 50"))
    assert [price for _, price, _ in desk.trades] == ["50.05", "49.95"]


# Limits and stops through the broker; the prices are test_fill_rules.py's matter.


def test_a_limit_order_rests_until_its_price_comes() -> None:
    desk = Desk()
    desk.place(an_intent("100", order_type=LIMIT, limit="9.50"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", "10 10.20 9.60 10"))
    assert desk.trades == []
    # Somewhere in the minute to 15:02: by its end at the latest.
    desk.see(a_bar("2024-01-02T15:01", "9.80 9.90 9.40 9.70"))
    assert desk.trades == [("100", "9.5", "01-02T15:02")]


def test_a_stop_reports_that_it_triggered_and_fills_in_the_same_bar() -> None:
    desk = Desk()
    desk.place(an_intent("-100", order_type=STOP, stop="9.50"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", "10 10.20 9.60 10"))
    assert desk.reported() == [OrderAcknowledged]
    desk.see(a_bar("2024-01-02T15:01", "9.80 9.90 9.40 9.70"))
    assert desk.trades == [("-100", "9.5", "01-02T15:02")]
    assert desk.reported() == [OrderWorking, OrderFilled, CommissionCharged]


def test_a_stop_gapped_through_fills_at_the_open() -> None:
    desk = Desk()
    desk.place(an_intent("-100", order_type=STOP, stop="9.50"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", "9.10 9.30 9 9.20"))
    assert desk.trades == [("-100", "9.1", "01-02T15:00")]


def test_a_stop_limit_gapped_beyond_its_limit_rests_as_a_limit_order() -> None:
    desk = Desk()
    intent = an_intent("-100", order_type=STOP_LIMIT, stop="9.50", limit="9.40")
    desk.place(intent, at="2024-01-02T15:00")
    # Opens at 9.10, below the limit: the 9.45 high may have come before, so nothing.
    desk.see(a_bar("2024-01-02T15:00", "9.10 9.45 9 9.20"))
    assert desk.reported() == [OrderAcknowledged, OrderWorking]
    # Triggered it stays: no trade at the stop is needed, 9.40 is enough.
    desk.see(a_bar("2024-01-02T15:01", "9.20 9.40 9.20 9.30"))
    assert desk.trades == [("-100", "9.4", "01-02T15:02")]


def test_a_bar_without_volume_neither_fills_nor_triggers() -> None:
    desk = Desk()
    desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.place(an_intent("-100", order_type=STOP, stop="10"))
    desk.see(a_bar("2024-01-02T15:00", FLAT, volume="0"))
    assert desk.reported() == [OrderAcknowledged, OrderAcknowledged]


# Partial fills.


def test_a_bar_fills_its_share_of_volume_and_the_rest_stays() -> None:
    # A tenth of 1,257 is 125.7: 125 whole shares; then 25 are left.
    desk = Desk(config=A_TENTH)
    order_id = desk.place(an_intent("150"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT, volume="1257"))
    assert desk.order(order_id).state is OrderState.PARTIALLY_FILLED
    desk.see(a_bar("2024-01-02T15:01", "11 11 11 11", volume="1257"))
    assert desk.trades == [("125", "10", "01-02T15:00"), ("25", "11", "01-02T15:01")]
    assert desk.order(order_id).state is OrderState.FILLED


def test_all_orders_of_a_symbol_share_its_bar_the_oldest_first() -> None:
    # A tenth of 1,000: 60 for the first, 40 for the second, none for the third.
    desk = Desk(config=A_TENTH)
    first = desk.place(an_intent("60"), at="2024-01-02T15:00")
    second = desk.place(an_intent("-60"))
    third = desk.place(an_intent("60"))
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert [(fill.client_order_id, str(fill.quantity)) for fill in desk.fills] == [
        (first, "60"),
        (second, "-40"),
    ]
    assert desk.order(third).filled == 0


def test_orders_of_other_symbols_have_their_own_bar() -> None:
    desk = Desk(config=A_TENTH)
    desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.place(an_intent("100", symbol=B))
    desk.see(a_bar("2024-01-02T15:00", FLAT), a_bar("2024-01-02T15:00", FLAT, symbol=B))
    assert [(fill.symbol, str(fill.quantity)) for fill in desk.fills] == [(A, "100"), (B, "100")]


def test_a_triggered_stop_that_found_no_room_goes_on_as_a_market_order() -> None:
    # A tenth of 9 is no whole share; the next bar never comes near the stop again.
    desk = Desk(config=A_TENTH)
    desk.place(an_intent("-100", order_type=STOP, stop="9.50"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", "9.60 9.60 9.40 9.60", volume="9"))
    assert desk.trades == []
    desk.see(a_bar("2024-01-02T15:01", "9.90 9.90 9.90 9.90"))
    assert desk.trades == [("-100", "9.9", "01-02T15:01")]


def test_fractions_fill_around_the_clock_and_where_the_order_is_fractional() -> None:
    # A tenth of 7.5 is 0.75, for a whole bitcoin too; of A's shares only for half a share.
    desk = Desk(config=A_TENTH)
    desk.place(an_intent("1", symbol=BITCOIN), at="2024-01-06T15:00")
    desk.see(a_bar("2024-01-06T15:00", FLAT, volume="7.5", symbol=BITCOIN))
    assert desk.trades == [("0.75", "10", "01-06T15:00")]
    desk = Desk(config=A_TENTH)
    desk.place(an_intent("1"), at="2024-01-02T15:00")
    desk.place(an_intent("0.5"))
    desk.see(a_bar("2024-01-02T15:00", FLAT, volume="7.5"))
    assert desk.trades == [("0.5", "10", "01-02T15:00")]


# How orders end.


def test_an_ioc_order_is_cancelled_when_its_first_bar_does_not_fill_it() -> None:
    desk = Desk()
    intent = an_intent("100", order_type=LIMIT, limit="9", tif=IOC)
    desk.place(intent, at="2024-01-02T15:00:30")
    # Not its bar: that one started before the decision.
    desk.see(a_bar("2024-01-02T15:00", "9 9 9 9"))
    assert desk.reported() == [OrderAcknowledged]
    desk.see(a_bar("2024-01-02T15:01", FLAT))
    assert desk.reason() == "IOC: the rest did not fill on its first bar"
    assert desk.reported() == [OrderCancelled]


def test_an_ioc_order_keeps_what_its_first_bar_filled() -> None:
    desk = Desk(config=A_TENTH)
    order_id = desk.place(an_intent("150", tif=IOC), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT), a_bar("2024-01-02T15:01", FLAT))
    assert desk.trades == [("100", "10", "01-02T15:00")]
    assert desk.order(order_id).state is OrderState.CANCELLED


def test_an_ioc_order_filled_by_its_first_bar_is_not_cancelled() -> None:
    desk = Desk()
    desk.place(an_intent("100", tif=IOC), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert desk.reported() == [OrderAcknowledged, OrderFilled, CommissionCharged]


def test_an_ioc_order_that_no_bar_reached_expires_with_its_session() -> None:
    desk = Desk()
    desk.place(an_intent("100", tif=IOC), at="2024-01-02T20:59:30")
    desk.pass_time(utc("2024-01-02T21:01"))
    assert desk.reported() == [OrderAcknowledged, OrderExpired]


def test_a_day_order_can_fill_on_the_bar_that_ends_at_the_close_and_expires_with_it() -> None:
    desk = Desk(config=A_TENTH)
    order_id = desk.place(an_intent("150"), at="2024-01-02T20:50")
    desk.see(a_bar("2024-01-02T20:59", FLAT))
    assert desk.trades == [("100", "10", "01-02T20:59")]
    assert desk.reason() == "DAY: its session is over"
    assert desk.order(order_id).state is OrderState.EXPIRED


def test_a_day_order_expires_once_time_passes_the_close_but_not_at_it() -> None:
    # At 21:00 sharp the bar that ends there may still be on its way.
    desk = Desk()
    desk.place(an_intent("100"), at="2024-01-02T20:50")
    desk.pass_time(utc("2024-01-02T21:00"))
    assert desk.reported() == [OrderAcknowledged]
    desk.pass_time(utc("2024-01-02T21:00:01"))
    assert desk.reported() == [OrderExpired]


def test_a_day_order_is_not_filled_by_a_bar_from_the_close_on() -> None:
    # The minute from 21:00 is after hours; this symbol trades in them, its order does not.
    terms = {A: SymbolTerms("NYSE", enforce_hours=True, extended_hours=True)}
    desk = Desk(terms=terms)
    desk.place(an_intent("100"), at="2024-01-02T20:50")
    desk.see(a_bar("2024-01-02T21:00", FLAT))
    assert desk.reported() == [OrderAcknowledged, OrderExpired]


def test_each_day_order_expires_with_its_own_session() -> None:
    desk = Desk()
    third = desk.place(an_intent("100"), at="2024-01-03T21:00")
    second = desk.place(an_intent("100", symbol=B), at="2024-01-02T21:00")
    first = desk.place(an_intent("100"), at="2024-01-02T20:50")

    def states() -> list[OrderState]:
        return [desk.order(each).state for each in (first, second, third)]

    over, alive = OrderState.EXPIRED, OrderState.ACKNOWLEDGED
    # The second's own close, to the second.
    desk.pass_time(utc("2024-01-03T21:00"))
    assert states() == [over, alive, alive]
    desk.pass_time(utc("2024-01-04T14:30"))
    assert states() == [over, over, alive]
    desk.pass_time(utc("2024-01-04T18:01"))
    assert states() == [over, over, over]


def test_a_day_order_decided_at_the_close_belongs_to_the_next_session() -> None:
    desk = Desk()
    desk.see(a_day("2024-01-02", FLAT))
    desk.place(an_intent("100"))
    desk.see(a_day("2024-01-03", "11 11 11 11"))
    assert desk.trades == [("100", "11", "01-03T14:30")]


def test_a_half_day_ends_day_orders_early() -> None:
    desk = Desk()
    desk.place(an_intent("100"), at="2024-01-04T15:00")
    desk.pass_time(utc("2024-01-04T18:01"))
    assert desk.reported() == [OrderAcknowledged, OrderExpired]


def test_a_gtc_order_outlives_sessions() -> None:
    desk = Desk()
    desk.place(an_intent("100", order_type=LIMIT, limit="9", tif=GTC), at="2024-01-02T15:00")
    desk.see(a_day("2024-01-03", FLAT), a_day("2024-01-05", "9 9 9 9"))
    assert desk.trades == [("100", "9", "01-05T14:30")]


def test_a_day_order_around_the_clock_ends_with_the_utc_day() -> None:
    desk = Desk()
    intent = an_intent("1", symbol=BITCOIN, order_type=LIMIT, limit="9")
    desk.place(intent, at="2024-01-06T15:00")
    desk.pass_time(utc("2024-01-07T00:00"))
    assert desk.reported() == [OrderAcknowledged]
    desk.see(a_bar("2024-01-07T00:00", "9 9 9 9", symbol=BITCOIN))
    assert desk.reported() == [OrderExpired]


# Auctions.


def test_an_opening_order_takes_the_next_open_exactly() -> None:
    # 10 bp would be a cent; an auction has one price for all.
    config = BrokerConfig(slippage_bps=Decimal(10), volume_share_max=Decimal(1))
    desk = Desk(config=config)
    desk.see(a_day("2024-01-02", FLAT))
    desk.place(an_intent("100", tif=OPG))
    desk.see(a_day("2024-01-03", "10.03 12 9 11"))
    assert desk.trades == [("100", "10.03", "01-03T14:30")]


@pytest.mark.parametrize(
    ("decided", "filled"),
    [
        # The opening auction takes orders until 09:28 in New York.
        ("2024-01-03T14:27:59", "01-03T14:30"),
        ("2024-01-03T14:28", "01-04T14:30"),
        ("2024-01-03T15:00", "01-04T14:30"),
    ],
)
def test_an_opening_order_needs_to_be_there_before_the_cut_off(decided: str, filled: str) -> None:
    desk = Desk()
    desk.place(an_intent("100", tif=OPG), at=decided)
    desk.see(a_day("2024-01-03", FLAT), a_day("2024-01-04", FLAT, close="18:00"))
    assert [at for _, _, at in desk.trades] == [filled]


def test_on_minute_bars_the_opening_auction_is_the_open_of_the_first_bar() -> None:
    desk = Desk()
    desk.place(an_intent("100", tif=OPG), at="2024-01-02T14:00")
    desk.see(a_bar("2024-01-02T14:29", FLAT))
    assert desk.trades == []
    desk.see(a_bar("2024-01-02T14:30", "11 12 9 10"))
    assert desk.trades == [("100", "11", "01-02T14:30")]


def test_an_opening_order_expires_when_the_auction_did_not_trade() -> None:
    # The first trade of the day comes at 14:37: no opening print.
    desk = Desk()
    desk.place(an_intent("100", tif=OPG), at="2024-01-02T14:00")
    desk.see(a_bar("2024-01-02T14:37", FLAT))
    assert desk.reason() == "OPG: its auction is over"
    assert desk.reported() == [OrderAcknowledged, OrderExpired]


@pytest.mark.parametrize(
    ("decided", "filled"),
    [
        # The closing auction takes orders until 15:50 in New York, 12:50 on a half day.
        ("2024-01-03T15:00", "01-03T21:00"),
        ("2024-01-03T20:49:59", "01-03T21:00"),
        ("2024-01-03T20:50", "01-04T18:00"),
        ("2024-01-04T17:49:59", "01-04T18:00"),
        ("2024-01-04T17:50", "01-05T21:00"),
    ],
)
def test_a_closing_order_takes_the_close_of_the_first_auction_before_its_cut_off(
    decided: str, filled: str
) -> None:
    # A daily bar started before such a decision, its closing auction did not.
    desk = Desk()
    desk.place(an_intent("100", tif=CLS), at=decided)
    desk.see(
        a_day("2024-01-03", "10 12 9 11"),
        a_day("2024-01-04", "10 12 9 11", close="18:00"),
        a_day("2024-01-05", "10 12 9 11"),
    )
    assert desk.trades == [("100", "11", filled)]


def test_on_minute_bars_the_closing_auction_is_the_close_of_the_bar_ending_at_the_close() -> None:
    desk = Desk()
    desk.place(an_intent("100", tif=CLS), at="2024-01-02T20:00")
    desk.see(a_bar("2024-01-02T20:58", FLAT))
    assert desk.trades == []
    desk.see(a_bar("2024-01-02T20:59", "10 12 9 11"))
    assert desk.trades == [("100", "11", "01-02T21:00")]


def test_a_closing_order_expires_when_no_bar_ends_at_the_close() -> None:
    desk = Desk()
    desk.place(an_intent("100", tif=CLS), at="2024-01-02T20:00")
    desk.see(a_bar("2024-01-02T20:58", FLAT), a_bar("2024-01-02T21:00", FLAT))
    assert desk.reported() == [OrderAcknowledged, OrderExpired]


@pytest.mark.parametrize("tif", [OPG, CLS])
def test_an_auction_order_whose_session_brings_no_bar_expires(tif: TimeInForce) -> None:
    desk = Desk()
    desk.place(an_intent("100", tif=tif), at="2024-01-02T14:00")
    desk.pass_time(utc("2024-01-02T21:00"))
    assert desk.reported() == [OrderAcknowledged]
    desk.pass_time(utc("2024-01-03T14:30"))
    assert desk.reported() == [OrderExpired]


@pytest.mark.parametrize("tif", [OPG, CLS])
@pytest.mark.parametrize(("limit", "fills"), [("10.50", 1), ("10.49", 0)])
def test_a_limit_in_an_auction_fills_at_its_price_or_expires(
    tif: TimeInForce, limit: str, fills: int
) -> None:
    # Open and close are 10.50; the low of 9 does not matter.
    desk = Desk()
    order_id = desk.place(
        an_intent("100", order_type=LIMIT, limit=limit, tif=tif), at="2024-01-02T14:00"
    )
    desk.see(a_day("2024-01-02", "10.50 12 9 10.50"))
    assert len(desk.trades) == fills
    assert desk.order(order_id).state is (OrderState.FILLED if fills else OrderState.EXPIRED)


@pytest.mark.parametrize("tif", [OPG, CLS])
def test_an_auction_fills_the_same_share_of_volume_and_the_rest_expires(tif: TimeInForce) -> None:
    desk = Desk(config=A_TENTH)
    order_id = desk.place(an_intent("150", tif=tif), at="2024-01-02T14:00")
    desk.see(a_day("2024-01-02", FLAT))
    assert [quantity for quantity, _, _ in desk.trades] == ["100"]
    assert desk.order(order_id).state is OrderState.EXPIRED


# Commissions.


def test_the_minimum_counts_once_an_order_however_many_fills_it_takes() -> None:
    # 100 at 10: 0.50, so the minimum of 1.00. 200: exactly 1.00, nothing more.
    # 250: 1.25, so 0.25 more. Each fill has its charge, a charge of nothing too.
    desk = Desk(config=A_TENTH_FIXED)
    order_id = desk.place(an_intent("250"), at="2024-01-02T15:00")
    for minute in ("15:00", "15:01", "15:02"):
        desk.see(a_bar(f"2024-01-02T{minute}", FLAT))
    assert desk.fees == ["1.00", "0.00", "0.25"]
    assert desk.order(order_id).commission == Decimal("1.25")
    assert desk.state.cash.uncharged == {}


def test_the_tiered_plan_counts_the_months_shares() -> None:
    # 300,000 x (0.0035 + 0.0032) = 2,010; the next 1,000 x (0.0020 + 0.0032) = 5.20.
    config = msgspec.structs.replace(PLAIN, commission=Commission.TIERED)
    desk = Desk(config=config)
    desk.place(an_intent("-300000"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT, volume="300000"))
    desk.place(an_intent("1000"))
    desk.see(a_bar("2024-01-02T15:01", FLAT))
    assert desk.fees == ["2010.00", "5.20"]


def test_the_tiered_plan_starts_again_with_the_month() -> None:
    # 1,000 x (0.0035 + 0.0032) = 6.70, as if January had not been.
    config = msgspec.structs.replace(PLAIN, commission=Commission.TIERED)
    desk = Desk(config=config, sessions=[a_session("2024-01-31"), a_session("2024-02-01")])
    desk.place(an_intent("300000"), at="2024-01-31T15:00")
    desk.see(a_bar("2024-01-31T15:00", FLAT, volume="300000"))
    desk.place(an_intent("1000"), at="2024-02-01T15:00")
    desk.see(a_bar("2024-02-01T15:00", FLAT))
    assert desk.fees == ["2010.00", "6.70"]


# What is not taken.


@pytest.mark.parametrize(
    ("intent", "reason"),
    [
        (an_intent("0"), "the quantity is 0: it must be a number other than 0"),
        (an_intent("1", order_type=LIMIT), "a LMT order needs a limit price above 0, not None"),
        (
            an_intent("1", symbol=Symbol("ZZZ")),
            "ZZZ is unknown: add it to the configuration's [symbols]",
        ),
        (
            an_intent("1", symbol=Symbol("LON"), tif=GTC),
            "no calendar of LSE is loaded: nobody knows the sessions of LON",
        ),
        (
            an_intent("1", symbol=BITCOIN, tif=CLS),
            "BTC/USD trades around the clock: there is no auction for CLS",
        ),
        (
            an_intent("1", order_type=STOP, stop="9", tif=OPG),
            "a STP order cannot take part in an auction (OPG)",
        ),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_rejected_with_the_reason(
    intent: OrderIntended, reason: str
) -> None:
    terms = {**TERMS, Symbol("LON"): SymbolTerms("LSE", enforce_hours=True, extended_hours=False)}
    desk = Desk(terms=terms)
    desk.place(intent, at="2024-01-02T15:00")
    assert desk.reason() == reason
    assert desk.reported() == [OrderRejected]


@pytest.mark.parametrize(("tif", "at"), [(DAY, "21:00"), (CLS, "20:50"), (OPG, "14:28")])
def test_an_order_past_the_end_of_the_calendar_is_rejected(tif: TimeInForce, at: str) -> None:
    desk = Desk()
    desk.place(an_intent("1", tif=tif), at=f"2024-01-05T{at}")
    assert desk.reason().startswith(f"the calendar of NYSE ends before a {tif} order")
    assert desk.reported() == [OrderRejected]


def test_a_known_order_is_not_sent_twice() -> None:
    desk = Desk()
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    intent = desk.order(order_id).intent
    desk.submit(intent)
    assert desk.reported() == [OrderAcknowledged]
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.submit(intent)
    desk.see(a_bar("2024-01-02T15:01", FLAT))
    assert desk.reported() == [OrderFilled, CommissionCharged]
    desk.restart()
    desk.submit(intent)
    assert desk.reported() == []


def test_an_order_that_is_over_stays_known_even_if_the_books_never_heard() -> None:
    # Its reports are lost; many more orders end before it is sent again.
    desk = Desk()
    desk.is_deaf = True
    intent = desk.order(desk.place(an_intent("1"), at="2024-01-02T15:00")).intent
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    assert desk.reported() == [OrderAcknowledged, OrderFilled, CommissionCharged]
    desk.is_deaf = False
    for _ in range(1_500):
        desk.cancel(desk.place(an_intent("1", tif=GTC)))
    desk.reported()
    desk.submit(intent)
    assert desk.reported() == []


def test_an_order_whose_sending_is_not_recorded_is_never_taken() -> None:
    desk = Desk()
    with pytest.raises(AssertionError, match="record its sending first"):
        desk.submit(an_intent("1"))


# Cancels and corporate actions.


def test_a_cancel_ends_a_resting_order_at_once() -> None:
    desk = Desk()
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.cancel(order_id)
    assert desk.reported() == [OrderAcknowledged, OrderCancelled]
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.cancel(order_id)
    assert desk.reported() == []


def test_a_cancel_leaves_what_is_filled_and_what_is_unknown_alone() -> None:
    desk = Desk()
    order_id = desk.place(an_intent("100"), at="2024-01-02T15:00")
    desk.see(a_bar("2024-01-02T15:00", FLAT))
    desk.reported()
    desk.broker.cancel(order_id)
    desk.broker.cancel(an_intent("1").client_order_id)
    assert desk.reported() == []


def an_action(kind: CorporateActionKind, new_shares: int = 1) -> CorporateActionApplied:
    return CorporateActionApplied(
        action_id="A-1",
        symbol=A,
        kind=kind,
        quantity_before=Decimal(0),
        quantity_after=Decimal(0),
        new_shares=new_shares,
    )


def test_a_split_cancels_every_resting_order_of_its_symbol() -> None:
    desk = Desk()
    first = desk.place(an_intent("100", tif=GTC), at="2024-01-02T22:00")
    other = desk.place(an_intent("100", symbol=B))
    second = desk.place(an_intent("-50", tif=GTC))
    desk.reported()
    desk.apply_action(an_action(CorporateActionKind.SPLIT, new_shares=7))
    assert desk.reason() == "cancelled for the 7:1 split"
    assert desk.reported() == [OrderCancelled, OrderCancelled]
    assert desk.order(first).state is OrderState.CANCELLED
    assert desk.order(second).state is OrderState.CANCELLED
    assert desk.order(other).state is OrderState.ACKNOWLEDGED


def test_a_dividend_leaves_orders_as_they_are() -> None:
    desk = Desk()
    desk.place(an_intent("100", tif=GTC), at="2024-01-02T22:00")
    desk.apply_action(an_action(CorporateActionKind.DIVIDEND))
    assert desk.reported() == [OrderAcknowledged]


# Construction.


def test_the_paper_broker_has_no_effect_outside_the_process() -> None:
    assert PaperBroker(PLAIN).outside is False


@pytest.mark.parametrize("share", ["0", "-0.1", "1.01"])
def test_a_share_of_volume_outside_zero_to_one_is_refused(share: str) -> None:
    with pytest.raises(ValueError, match=r"broker\.volume_share_max"):
        PaperBroker(BrokerConfig(volume_share_max=Decimal(share)))


@pytest.mark.parametrize("slippage", ["-1", "10000"])
def test_a_slippage_that_makes_no_sense_is_refused(slippage: str) -> None:
    with pytest.raises(ValueError, match=r"broker\.slippage_bps"):
        PaperBroker(BrokerConfig(slippage_bps=Decimal(slippage)))
