from decimal import Decimal

import pytest

from events import CorporateActionApplied, Symbol
from projections.market import Market, restated
from tests.builders import (
    a_bar,
    a_calendar,
    a_config,
    a_dividend,
    a_session,
    a_split,
    state_after,
    utc,
)

A = Symbol("A")


def test_a_bar_is_news_when_it_ends_after_all_bars_of_its_symbol() -> None:
    market = Market()
    assert market.is_news(a_bar(end="2024-01-02T15:00"))
    market.close_bar(a_bar(end="2024-01-02T15:00"), in_session=True)
    assert not market.is_news(a_bar(end="2024-01-02T15:00"))
    assert not market.is_news(a_bar(end="2024-01-02T14:59"))
    assert market.is_news(a_bar(end="2024-01-02T15:01"))
    assert market.is_news(a_bar(end="2024-01-02T14:59", symbol="B"))


def test_a_bar_off_session_is_counted_and_moves_no_price() -> None:
    market = Market()
    market.close_bar(a_bar("10", end="2024-01-02T20:59"), in_session=True)
    market.close_bar(a_bar("11", end="2024-01-02T22:00"), in_session=False)
    assert market.price(A) == Decimal(10)
    assert (market.bars, market.off_session) == (2, 1)
    # What came off session is not news when it comes again.
    assert not market.is_news(a_bar("11", end="2024-01-02T22:00"))


def test_there_is_no_price_before_the_first_bar() -> None:
    market = Market()
    assert market.price(A) is None
    assert market.age_s(A, utc("2024-01-02T15:00")) is None


def test_the_age_of_a_price_is_counted_from_the_end_of_its_bar() -> None:
    market = Market()
    market.close_bar(a_bar(end="2024-01-02T15:00"), in_session=True)
    assert market.age_s(A, utc("2024-01-02T15:01:30")) == 90


def test_extended_hours_count_where_the_configuration_says_so() -> None:
    calendar, early = a_calendar(a_session("2024-01-02")), a_bar("9", end="2024-01-02T12:00")
    regular = state_after(a_config("A"), calendar, early)
    extended = state_after(a_config("A", extended_hours=True), calendar, early)
    assert regular.market.price(A) is None
    assert extended.market.price(A) == Decimal(9)


def test_a_split_restates_the_last_bar_in_new_shares() -> None:
    # 645.57 / 7 = 92.224285714...; 1000 shares traded are 7000 new ones.
    market = Market()
    market.close_bar(a_bar("645.57"), in_session=True)
    market.restate(a_split("7:1", "0", "0"))
    bar = market.last[A]
    assert bar.close == bar.open == bar.high == bar.low == Decimal("92.22428571")
    assert bar.volume == Decimal(7000)
    assert bar.end == a_bar().end


def test_a_split_of_what_was_never_seen_restates_nothing() -> None:
    market = Market()
    market.restate(a_split("7:1", "0", "0"))
    assert market.price(A) is None


def test_a_dividend_leaves_the_last_price() -> None:
    market = Market()
    market.close_bar(a_bar("100"), in_session=True)
    market.restate(a_dividend("2.65", "0", "0"))
    assert market.price(A) == Decimal("97.35")
    assert market.last[A].volume == Decimal(1000)


@pytest.mark.parametrize(
    ("price", "action", "after"),
    [
        ("30", a_split("3:2", "0", "0"), "20"),
        ("4", a_split("1:20", "0", "0"), "80"),
        ("10", a_dividend("10", "0", "0"), "0.0001"),
        ("10", a_dividend("25", "0", "0"), "0.0001"),
        ("0.00005", a_dividend("1", "0", "0"), "0.00005"),
        ("0.00000001", a_split("1000:1", "0", "0"), "0.00000001"),
    ],
)
def test_no_action_makes_a_price_zero(
    price: str, action: CorporateActionApplied, after: str
) -> None:
    assert restated(Decimal(price), action) == Decimal(after)
