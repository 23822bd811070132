"""Which orders the gate lets through at which hour. New York's winter: 14:30 to 21:00 UTC."""

from decimal import Decimal

import pytest

from events import (
    ConfigLoaded,
    OrderIntended,
    OrderType,
    SymbolHalted,
    SymbolResumed,
    SymbolTerms,
    TimeInForce,
)
from projections import State
from tests.builders import (
    a_bar,
    a_calendar,
    a_config,
    a_deposit,
    a_session,
    fold,
    state_after,
    utc,
)
from tests.gate_desk import A, an, asked, books, failed, rules

HALF_DAY = a_session("2024-01-03", close="18:00")
DAYS = (a_session("2024-01-02"), HALF_DAY, a_session("2024-01-04"))
HOURS = ("session_open", "order_hours", "auction_cutoff")
OPG, CLS = TimeInForce.OPG, TimeInForce.CLS


def state_at(moment: str, *, extended: bool = False, terms: SymbolTerms | None = None) -> State:
    """Return books whose time is `moment` of January 2024."""
    config = a_config("A", extended_hours=extended)
    config = ConfigLoaded({}, {A: terms}) if terms else config
    state = state_after(config, a_calendar(*DAYS), a_deposit("10000"))
    return fold(state, a_bar(end="2024-01-02T00:30"), at=f"2024-01-{moment}")


AT_100 = {"order_type": OrderType.LIMIT, "limit_price": Decimal(100)}
STOP_100 = {"order_type": OrderType.STOP, "stop_price": Decimal(100)}
BOTH = AT_100 | STOP_100 | {"order_type": OrderType.STOP_LIMIT}
ORDERS = {
    "market": an("1"),
    "stop": an("1", **STOP_100),
    "limit": an("1", **AT_100),
    "limit outside": an("1", outside_rth=True, **AT_100),
    "market outside": an("1", outside_rth=True),
    "stop limit outside": an("1", outside_rth=True, **BOTH),
    "auction outside": an("1", outside_rth=True, time_in_force=OPG, **AT_100),
}


def refused(order: OrderIntended, state: State, moment: str) -> list[str]:
    checks = asked(state, order, now=utc(f"2024-01-{moment}"))
    return [name for name in failed(checks) if name in HOURS]


@pytest.mark.parametrize(
    ("moment", "kind", "found"),
    [
        ("02T15:00", "market", []),
        ("02T15:00", "stop", []),
        ("02T15:00", "limit outside", []),
        ("02T15:00", "market outside", ["order_hours"]),
        ("02T15:00", "stop limit outside", ["order_hours"]),
        ("02T15:00", "auction outside", ["order_hours"]),
        # Before the open, and after the close; at the ends themselves the session counts.
        ("02T14:29", "market", ["order_hours"]),
        ("02T14:29", "stop", ["order_hours"]),
        ("02T14:29", "limit", ["order_hours"]),
        ("02T14:29", "limit outside", []),
        ("02T14:30", "market", []),
        ("02T21:00", "market", []),
        ("02T21:00:00.000001", "market", ["order_hours"]),
        ("02T23:00", "limit outside", []),
        ("03T18:01", "stop", ["order_hours"]),
        # The night.
        ("03T05:00", "limit outside", ["session_open"]),
        ("03T05:00", "market", ["session_open", "order_hours"]),
    ],
)
def test_outside_regular_hours_only_limit_orders_that_say_so_pass(
    moment: str, kind: str, found: list[str]
) -> None:
    assert refused(ORDERS[kind], state_at(moment, extended=True), moment) == found


def test_where_extended_hours_are_not_allowed_no_order_may_ask_for_them() -> None:
    for moment in ("02T15:00", "02T23:00"):
        assert "order_hours" in refused(ORDERS["limit outside"], state_at(moment), moment)


def test_where_hours_are_of_no_concern_only_what_is_asked_outside_must_be_a_limit_order() -> None:
    for terms in (SymbolTerms("NYSE", False, False), SymbolTerms("24/7", True, True)):  # noqa: FBT003 - its hours
        state = state_at("03T05:00", terms=terms)
        found = {
            kind: refused(ORDERS[kind], state, "03T05:00")
            for kind in ("market", "stop", "limit", "limit outside", "market outside")
        }
        assert found.pop("market outside") == ["order_hours"]
        assert set(map(tuple, found.values())) == {()}


# Auctions: two minutes before the opening, ten before the closing one.


@pytest.mark.parametrize(
    ("tif", "moment", "passes"),
    [
        (OPG, "02T14:27:59", True),
        (OPG, "02T14:28", False),
        (OPG, "02T14:29:59", False),
        (OPG, "02T14:30", True),
        (CLS, "02T20:49:59.999999", True),
        (CLS, "02T20:50", False),
        (CLS, "02T20:59", False),
        # At the close it waits for the next one, which is at 18:00, and the one behind it at 21:00.
        (CLS, "02T21:00", True),
        (CLS, "03T17:49", True),
        (CLS, "03T17:50", False),
        (CLS, "03T18:00", True),
        (CLS, "04T20:49", True),
        # After the last session that is known there is no auction.
        (CLS, "04T21:00", False),
        (OPG, "04T14:30", False),
        (OPG, "04T14:27", True),
    ],
)
def test_an_auction_order_comes_before_its_cut_off(
    tif: TimeInForce,
    moment: str,
    passes: bool,  # noqa: FBT001 - a table
) -> None:
    order = an("1", time_in_force=tif)
    checks = asked(state_at(moment), order, now=utc(f"2024-01-{moment}"))
    assert checks["auction_cutoff"].passed is passes
    assert checks["session_open"].passed
    assert checks["order_hours"].passed


def test_a_cut_off_is_as_long_as_configured() -> None:
    under = rules(orders={"open_cutoff_s": 60, "close_cutoff_s": 3600})
    for tif, moment, passes in ((OPG, "02T14:28", True), (CLS, "02T20:00", False)):
        checks = asked(
            state_at(moment),
            an("1", time_in_force=tif),
            now=utc(f"2024-01-{moment}"),
            under=under,
        )
        assert checks["auction_cutoff"].passed is passes


def test_an_auction_order_is_late_by_the_clock_not_by_the_bar_it_answers() -> None:
    checks = asked(state_at("02T20:50"), an("1", time_in_force=CLS), now=utc("2024-01-02T20:49"))
    note = "orders for the auction at 21:00 UTC ended at 20:50"
    assert checks["auction_cutoff"].note == note


@pytest.mark.parametrize("tif", [OPG, CLS])
def test_what_always_trades_has_no_auction_and_an_auction_takes_no_stop(tif: TimeInForce) -> None:
    always = state_at("02T15:00", terms=SymbolTerms("24/7", True, False))  # noqa: FBT003 - its hours
    assert failed(asked(always, an("1", time_in_force=tif))) == ["auction_cutoff"]
    of_no_concern = state_at("02T15:00", terms=SymbolTerms("NYSE", False, False))  # noqa: FBT003 - its hours
    assert failed(asked(of_no_concern, an("1", time_in_force=tif))) == []
    stop = an("1", time_in_force=tif, order_type=OrderType.STOP, stop_price=Decimal(100))
    checks = asked(state_at("02T15:00"), stop)
    assert checks["valid_input"].note == "an auction takes no STP order"


def test_a_lost_calendar_has_no_auction() -> None:
    state = state_after(a_config("A"), a_deposit("1000"), a_bar())
    check = asked(state, an("1", time_in_force=CLS))["auction_cutoff"]
    assert check.note == "no session with that auction is known"


# Halts.


def test_what_is_halted_is_not_traded_until_it_is_resumed() -> None:
    state = books(SymbolHalted(A, "T1"))
    check = asked(state, an("-1"))["symbol_halted"]
    assert (check.passed, check.note) == (False, "trading is halted T1")
    fold(state, SymbolHalted(A))
    assert asked(state, an("1"))["symbol_halted"].note == "trading is halted"
    fold(state, SymbolResumed(A))
    assert failed(asked(state, an("1"))) == []
