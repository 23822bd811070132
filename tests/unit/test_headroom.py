"""The room each limit leaves: worked out by hand here, asked of the gate there."""

from decimal import Decimal

import pytest

from daemon.config.file import to_event
from daemon.config.options import Config
from daemon.gate.limits import AccountLimits, Limits, MarginLimits, OrderLimits, not_set
from events import ConfigLoaded
from events.codec import JournalEvent
from ops.headroom import Headroom, headrooms, limits_of, margin_use
from projections import State
from tests.builders import (
    TUESDAY,
    a_bar,
    a_calendar,
    a_commission,
    a_config,
    a_deposit,
    a_fill,
    a_session,
    an_order,
    fold,
    utc,
)

LIMITS = Limits(
    account=AccountLimits(
        max_order_shares=Decimal(1_000),
        max_order_usd=Decimal(100_000),
        max_position_shares=Decimal(200),
        max_position_usd=Decimal(50_000),
        max_daily_loss_usd=Decimal(1_000),
        max_drawdown=Decimal("0.20"),
        max_leverage=Decimal(2),
    ),
    strategies={"trend": OrderLimits(max_position_shares=Decimal(120))},
)
OPENING: tuple[JournalEvent, ...] = (
    a_config("A", "B"),
    a_calendar(a_session("2024-01-02")),
    a_deposit("10000"),
    a_bar("100"),
)
HELD: tuple[JournalEvent, ...] = (
    *an_order("o1", "60"),
    a_fill("60", "100", order_id="o1"),
    a_commission("0", order_id="o1"),
    *an_order("o2", "40"),
)
"""60 of A are held at 100, and 40 more are on order."""


def found(*events: JournalEvent, limits: Limits = LIMITS) -> dict[str, Headroom]:
    state = fold(State(), *OPENING, *events, at=TUESDAY)
    rooms = headrooms(state, limits, utc(TUESDAY))
    shares = [each.share for each in rooms]
    assert shares == sorted(shares, reverse=True), "the tightest first"
    assert len({each.limit_name for each in rooms}) == len(rooms)
    return {each.limit_name: each for each in rooms}


def figures(room: Headroom) -> tuple[str, Decimal, Decimal, Decimal]:
    return room.of, room.value, room.limit, room.headroom


def test_positions_count_what_is_held_and_what_is_on_order() -> None:
    rooms = found(*HELD)
    # 60 held and 40 on order are 100 shares, 10,000 dollars.
    assert figures(rooms["position_shares"]) == ("A", 100, 200, 100)
    assert figures(rooms["position_usd"]) == ("A", 10_000, 50_000, 40_000)
    assert figures(rooms["strategy_position"]) == ("trend A", 100, 120, 20)
    # Twice the equity of 10,000 may be held and ordered.
    assert figures(rooms["gross_usd"]) == ("", 10_000, 20_000, 10_000)
    assert figures(rooms["leverage"]) == ("", 1, 2, 1)
    assert rooms["leverage"].share == Decimal("0.5")


def test_counts_are_those_with_one_more_order() -> None:
    rooms = found(*HELD)
    # Two orders were sent today, by `trend` in A: the next is the third.
    assert figures(rooms["orders_a_day"])[1:] == (3, 500, 497)
    assert figures(rooms["turnover"]) == ("trend A", 3, 10, 7)
    assert figures(rooms["runaway"])[:2] == ("trend", 2)


def test_a_loss_uses_up_the_room_of_the_day() -> None:
    # 60 shares fell from 100 to 95: 300 dollars of the 1,000, and 3 % of the peak.
    rooms = found(*HELD, a_bar("95", end="2024-01-02T15:01"))
    assert figures(rooms["daily_loss"]) == ("", 300, 1_000, 700)
    assert rooms["drawdown"].value == Decimal("0.03")


def test_of_many_symbols_the_one_nearest_to_its_limit_is_named() -> None:
    more = (
        a_bar("100", symbol="B"),
        *an_order("o3", "150", symbol="B"),
        *an_order("o4", "1", symbol="A", strategy="other"),
    )
    rooms = found(*HELD, *more)
    assert figures(rooms["position_shares"]) == ("B", 150, 200, 50)


def test_where_nothing_is_held_the_account_still_has_its_limits() -> None:
    rooms = found()
    assert figures(rooms["gross_usd"]) == ("", 0, 20_000, 20_000)
    assert not {"turnover", "runaway", "strategy_position"} & rooms.keys()
    assert figures(rooms["daily_loss"]) == ("", 0, 1_000, 1_000)


def test_what_nothing_can_be_held_against_is_not_there() -> None:
    assert "position_usd" not in found(limits=Limits())
    assert headrooms(State(), LIMITS, utc(TUESDAY)) == []


def test_the_limits_without_which_no_order_passes_are_named() -> None:
    assert not_set(LIMITS) == []
    assert not_set(Limits()) == [
        "max_order_shares",
        "max_order_usd",
        "max_position_shares",
        "max_position_usd",
        "max_daily_loss_usd",
        "max_drawdown",
    ]


@pytest.mark.parametrize(("shares", "is_high"), [("119", False), ("120", True)])
def test_margin_in_use_is_a_share_of_all_there_is_and_high_from_the_alert_on(
    shares: str, *, is_high: bool
) -> None:
    limits = Limits(account=LIMITS.account, margin=MarginLimits())
    state = fold(State(), *OPENING, *an_order("o1", shares), at=TUESDAY)
    use = margin_use(headrooms(state, limits, utc(TUESDAY)), limits)
    assert use is not None
    # Half of 100 dollars a share, of equity of 10,000: 120 shares need 0.60 of it.
    assert (use.share, use.alert_share) == (Decimal(shares) / 200, Decimal("0.60"))
    assert use.is_high is is_high


def test_the_limits_are_those_the_journal_has() -> None:
    config = to_event(Config(limits=LIMITS))
    loaded = ConfigLoaded(config.config, a_config("A").symbols)
    assert limits_of(fold(State(), loaded)) == LIMITS
