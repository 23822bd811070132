"""The first bar after a split may open with the last price of before it: nothing trades there.

AAPL, 7:1, ex 2014-06-09: the last close is 645.57, the first bar opens there and closes at 92.42.
"""

from decimal import Decimal

import pytest

from daemon.config.options import BrokerConfig
from events import (
    ClientOrderId,
    CorporateActionApplied,
    CorporateActionKind,
    OrderCancelled,
    OrderExpired,
    OrderType,
    TimeInForce,
)
from tests.broker_desk import PLAIN, A, Desk, a_bar, a_day, an_intent

CLOSED = a_bar("2024-01-02T20:59", "645.43 645.68 645.3 645.57")
STALE = "645.57 645.57 92.23 92.42"


def a_split(new: int, old: int) -> CorporateActionApplied:
    return CorporateActionApplied(
        f"{new}:{old}", A, CorporateActionKind.SPLIT, Decimal(0), Decimal(0), new, old
    )


def a_desk(new: int = 7, old: int = 1, *, config: BrokerConfig = PLAIN) -> Desk:
    """Return a desk in the night after `CLOSED`, with the split applied."""
    desk = Desk(config=config)
    desk.see(CLOSED)
    desk.apply_action(a_split(new, old))
    return desk


def test_orders_of_before_the_split_are_cancelled_whatever_they_are() -> None:
    desk = Desk()
    desk.see(CLOSED)
    at = "2024-01-02T21:00"
    desk.place(an_intent("10", tif=TimeInForce.GTC, order_type=OrderType.LIMIT, limit="600"), at=at)
    desk.place(an_intent("-10", tif=TimeInForce.GTC, order_type=OrderType.STOP, stop="600"))
    desk.place(an_intent("10", tif=TimeInForce.OPG))
    desk.reported()
    desk.apply_action(a_split(7, 1))
    assert desk.reported() == [OrderCancelled] * 3
    desk.see(a_bar("2024-01-03T14:30", STALE), a_bar("2024-01-03T14:31", "92.5 92.5 92.5 92.5"))
    assert desk.fills == []


@pytest.mark.parametrize(
    ("order_type", "quantity", "limit", "stop"),
    [
        (OrderType.MARKET, "-70", None, None),
        (OrderType.MARKET, "70", None, None),
        (OrderType.LIMIT, "-70", "100", None),  # 645.57 would be a gift.
        (OrderType.STOP, "70", None, "100"),  # It never traded at 100.
        (OrderType.STOP_LIMIT, "70", "700", "100"),
    ],
)
def test_nothing_fills_on_the_bar_with_the_stale_open(
    order_type: OrderType, quantity: str, limit: str | None, stop: str | None
) -> None:
    desk = a_desk()
    intent = an_intent(quantity, order_type=order_type, limit=limit, stop=stop)
    order_id = desk.place(intent, at="2024-01-03T09:30")
    desk.see(a_bar("2024-01-03T14:30", STALE))
    assert desk.fills == []
    assert order_id in desk.state.orders.open


def test_the_next_bar_fills_at_its_own_price() -> None:
    desk = a_desk()
    desk.place(an_intent("-70"), at="2024-01-03T09:30")
    desk.see(a_bar("2024-01-03T14:30", STALE), a_bar("2024-01-03T14:31", "92.46 92.5 92.4 92.46"))
    assert desk.trades == [("-70", "92.46", "01-03T14:31")]


def test_an_auction_with_a_stale_price_is_none() -> None:
    desk = a_desk()
    desk.place(an_intent("-70", tif=TimeInForce.OPG), at="2024-01-03T09:30")
    desk.reported()
    desk.see(a_day("2024-01-03", "645.57 646 92.23 92.42"))
    assert desk.reported() == [OrderExpired]


@pytest.mark.parametrize(
    ("new", "old", "prices", "fills"),
    [
        (7, 1, "92.69 92.95 92.5 92.72", True),  # As it should be.
        (7, 1, "200 210 60 90", True),  # Wild, but nearer to 92 than to 645.
        (7, 1, "300 310 90 90", False),
        (2, 1, "645.57 645.57 320 322.5", False),
        (2, 1, "420 425 320 322.5", True),  # 322.785 x 1.414 = 456.49 is half way.
        (2, 1, "457 460 320 322.5", False),
        (3, 2, "640 645 420 430", False),
        (1, 20, "645.57 12950 640 12900", False),  # A reverse split: 12911.40 is the new scale.
        (1, 20, "12900 12950 12890 12900", True),
        (1, 20, "3000 12950 2900 12900", True),  # 12911.40 / 4.47 = 2887.08 is half way.
        # All of it in old shares: no split seems to have happened; the bar is taken at its word.
        (7, 1, "645.57 646 645 645.5", True),
    ],
)
def test_the_scale_a_price_is_nearer_to_is_its_own(
    new: int, old: int, prices: str, *, fills: bool
) -> None:
    desk = a_desk(new, old)
    desk.place(an_intent("10"), at="2024-01-03T09:30")
    desk.see(a_bar("2024-01-03T14:30", prices))
    assert bool(desk.fills) is fills


def test_only_the_first_bar_after_the_split_is_doubted() -> None:
    desk = a_desk()
    desk.place(an_intent("10"), at="2024-01-03T14:31")
    desk.see(a_bar("2024-01-03T14:30", "92 92 92 92"), a_bar("2024-01-03T14:31", STALE))
    assert desk.trades == [("10", "645.57", "01-03T14:31")]


def test_a_bar_off_session_does_not_count_as_the_first() -> None:
    desk = a_desk()
    desk.place(an_intent("10"), at="2024-01-03T09:30")
    desk.see(a_bar("2024-01-03T12:00", "92 92 92 92"), a_bar("2024-01-03T14:30", STALE))
    assert desk.fills == []


def test_without_a_price_of_before_nothing_is_doubted() -> None:
    desk = Desk()
    desk.apply_action(a_split(7, 1))
    desk.place(an_intent("10"), at="2024-01-03T09:30")
    desk.see(a_bar("2024-01-03T14:30", STALE))
    assert [fill.client_order_id for fill in desk.fills] == [ClientOrderId("order1")]


def test_a_restart_in_the_night_doubts_the_same_bar() -> None:
    desk = a_desk()
    desk.place(an_intent("-70"), at="2024-01-03T09:30")
    desk.restart()
    desk.see(a_bar("2024-01-03T14:30", STALE))
    assert desk.fills == []
