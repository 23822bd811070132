"""What the gate makes of prices: their age, jumps, and an order's own. New York's winter hours."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from daemon.gate import Limits
from events import BarClosed, ContractResolved, OrderIntended, OrderType, Symbol, SymbolTerms
from projections import State
from tests.builders import (
    a_bar,
    a_calendar,
    a_config,
    a_deposit,
    a_session,
    a_split,
    fold,
    state_after,
    utc,
)
from tests.gate_desk import WIDE, A, an, asked, books, failed, figures, holding, rules

DAYS = (a_session("2024-01-02"), a_session("2024-01-03", close="18:00"), a_session("2024-01-04"))
DATA = Path(__file__).parents[2].parent / "shared" / "data"
LIMIT, STOP = OrderType.LIMIT, OrderType.STOP
HALF_AN_HOUR = rules(prices={"max_data_age_s": 1800})
JUMPS = rules(prices={"outlier_threshold": "0.30"})


def books_of_days(*bars: BarClosed) -> State:
    return state_after(a_config("A"), a_calendar(*DAYS), a_deposit("10000"), *bars)


# Age, in session time.


def test_a_daily_bar_is_no_older_an_hour_after_the_open_than_when_it_came() -> None:
    daily = msgspec.structs.replace(a_bar(end="2024-01-02T21:00"), span_s=23_400)
    days = [a_session(f"2024-01-0{day}") for day in (2, 3, 4)]
    state = state_after(a_config("A"), a_calendar(*days), a_deposit("10000"), daily)
    for moment, age in (("03T15:30", 0), ("03T21:00", 0), ("04T14:40", 600), ("04T15:01", 1860)):
        found = asked(state, an(), now=utc(f"2024-01-{moment}"), under=HALF_AN_HOUR)
        assert figures(found["data_age_s"])[:2] == (age <= 1800, age)


def test_a_day_of_what_always_trades_is_old_a_day_later() -> None:
    state = state_after(a_config("A"), a_deposit("1000"))
    state.symbols = {A: SymbolTerms("24/7", enforce_hours=True, extended_hours=False)}
    fold(state, msgspec.structs.replace(a_bar(end="2024-01-02T00:00"), span_s=86_400))
    for moment, age in (("02T23:00", 0), ("03T00:30", 1800), ("03T00:30:01", 1801)):
        found = asked(state, an(), now=utc(f"2024-01-{moment}"), under=HALF_AN_HOUR)
        assert figures(found["data_age_s"])[:2] == (age <= 1800, age)


@pytest.mark.parametrize(
    ("priced", "asked_at", "age"),
    [
        ("02T15:00", "02T15:00", 0),
        ("02T15:00", "02T15:30", 1800),
        ("02T15:00", "02T15:30:00.000001", 1801),
        # The night counts for nothing: 10 minutes before the close, 20 after the open.
        ("02T20:50", "03T14:50", 1800),
        ("02T20:50", "03T14:51", 1860),
        # A half day ends at 18:00: 5 minutes of it, and 10 of the next.
        ("03T17:55", "04T14:40", 900),
        # The books are at 15:00; a bar that is asked about at its end was there before that.
        ("02T15:00", "02T14:59", 0),
    ],
)
def test_a_price_ages_while_the_exchange_is_open(priced: str, asked_at: str, age: int) -> None:
    state = books_of_days(a_bar(end=f"2024-01-{priced}"))
    checks = asked(state, an(), now=utc(f"2024-01-{asked_at}"), under=HALF_AN_HOUR)
    assert figures(checks["data_age_s"]) == (age <= 1800, age, 1800, 1800 - age)
    assert ("data_age_s" in failed(checks)) is (age > 1800)


def test_a_bar_that_comes_late_is_as_old_as_it_is_when_it_comes() -> None:
    # It ended at 15:00 and was recorded at 15:31; strategies are asked at the time of its end.
    state = books_of_days()
    fold(state, a_bar(end="2024-01-02T15:00"), at="2024-01-02T15:31")
    assert asked(state, an(), under=HALF_AN_HOUR)["data_age_s"].value == 1860


def test_what_always_trades_ages_always_and_hours_of_no_concern_are_no_nights() -> None:
    for terms in (SymbolTerms("24/7", True, False), SymbolTerms("NYSE", False, False)):  # noqa: FBT003 - its hours
        state = state_after(a_config("A"), a_deposit("1000"))
        state.symbols = {A: terms}
        fold(state, a_bar(end="2024-01-02T20:50"))
        checks = asked(state, an(), now=utc("2024-01-03T14:50"), under=HALF_AN_HOUR)
        assert checks["data_age_s"].value == 18 * 3600


def test_beyond_the_calendar_nobody_knows_the_age() -> None:
    state = books_of_days(a_bar(end="2024-01-02T15:00"))
    for moment in ("2024-01-08T15:00", "2024-01-05T02:00"):
        check = asked(state, an(), now=utc(moment), under=HALF_AN_HOUR)["data_age_s"]
        assert (check.passed, check.note) == (False, "the sessions are not known")


def test_while_what_is_held_has_no_fresh_price_only_what_reduces_passes() -> None:
    # B was bought at 15:00, A's minute is of 15:32: B's next minute is 31 minutes late.
    state = state_after(a_config("A", "B"), a_calendar(*DAYS), a_deposit("10000"))
    fold(state, a_bar(end="2024-01-02T15:00"), a_bar(symbol="B", end="2024-01-02T15:00"))
    state.positions.account = dict.fromkeys((A, Symbol("B")), holding("100").positions.held(A))
    for end, fresh in (("15:31", True), ("15:32", False)):
        fold(state, a_bar(end=f"2024-01-02T{end}"))
        found = asked(state, an("1"), now=utc(f"2024-01-02T{end}"), under=HALF_AN_HOUR)
        assert found["equity_known"].passed is fresh
    assert figures(found["equity_known"]) == (False, 1, 0, -1)
    assert found["equity_known"].note == "no fresh price of B"
    assert asked(state, an("-1"), under=HALF_AN_HOUR)["equity_known"].passed


def test_a_day_may_pass_before_the_next_daily_bar_a_half_day_included() -> None:
    half = msgspec.structs.replace(a_bar(end="2024-01-03T18:00"), span_s=12600)
    state = books_of_days(half)
    state.positions.account = dict(holding("100").positions.account)
    for moment, fresh in (("04T21:00", True), ("04T21:30", True), ("05T14:30", False)):
        when = utc(f"2024-01-{moment}")
        found = asked(state, an("1"), now=when, under=HALF_AN_HOUR)
        assert found["equity_known"].passed is found["data_age_s"].passed is fresh


def test_the_bar_after_a_full_day_is_not_late_before_as_long_has_passed() -> None:
    # The half day has 3.5 hours of the 6.5: the others end at 17:30 of the day after it.
    state = books_of_days(msgspec.structs.replace(a_bar(end="2024-01-02T21:00"), span_s=23_400))
    for moment, age in (("03T18:00", 0), ("04T17:30", 0), ("04T17:45", 900), ("04T18:01", 1860)):
        found = asked(state, an("1"), now=utc(f"2024-01-{moment}"), under=HALF_AN_HOUR)
        assert figures(found["data_age_s"])[:2] == (age <= 1800, age)


def test_after_that_day_half_an_hour_of_session_may_pass() -> None:
    # The next bar is due at 21:00 of the 4th; half an hour of session later it is 15:00 on the 5th.
    half = msgspec.structs.replace(a_bar(end="2024-01-03T18:00"), span_s=12600)
    days = (*DAYS, a_session("2024-01-05"))
    state = state_after(a_config("A"), a_calendar(*days), a_deposit("10000"), half)
    state.positions.account = dict(holding("100").positions.account)
    for moment, fresh in (("05T15:00", True), ("05T15:00:00.000001", False)):
        when = utc(f"2024-01-{moment}")
        found = asked(state, an("1"), now=when, under=HALF_AN_HOUR)
        assert found["equity_known"].passed is found["data_age_s"].passed is fresh


def held_beside_b() -> State:
    """Return books with 50 of A at 100, 5,000 dollars, and a price of B."""
    end = "2024-01-02T15:01"
    return fold(holding("50"), a_bar("100", end=end), a_bar("100", symbol="B", end=end))


@pytest.mark.parametrize("tick", ["300", "40"])
def test_on_what_a_bad_tick_makes_of_equity_nothing_is_bought(tick: str) -> None:
    # 40 of B are within 0.9 times equity, 100 are not.
    state = held_beside_b()
    under = rules(account={"max_leverage": "0.9"}, prices={"outlier_threshold": "0.30"})
    buy_b, sell_a = an("40", symbol=Symbol("B")), an("-50")
    assert failed(asked(state, buy_b, under=under)) == []
    assert "leverage" in failed(asked(state, an("100", symbol=Symbol("B")), under=under))
    fold(state, a_bar(tick, end="2024-01-02T15:02"))
    for order in (buy_b, an("100", symbol=Symbol("B"))):
        assert "equity_known" in failed(asked(state, order, under=under))
    note = asked(state, buy_b, under=under)["equity_known"].note
    assert note == "no fresh price of A, which jumped"
    assert asked(state, sell_a, under=under)["equity_known"].passed
    back = fold(state, a_bar("100", end="2024-01-02T15:03"))
    assert failed(asked(back, buy_b, under=under)) == []


def test_a_jump_that_a_second_bar_confirms_is_a_price_to_go_by() -> None:
    state = held_beside_b()
    under = rules(prices={"outlier_threshold": "0.30"})
    assert failed(asked(state, an("1", symbol=Symbol("B")), under=under)) == []
    fold(state, a_bar("40", end="2024-01-02T15:02"))
    assert failed(asked(state, an("1", symbol=Symbol("B")), under=under)) == ["equity_known"]
    fold(state, a_bar("41", end="2024-01-02T15:03"))
    assert failed(asked(state, an("1", symbol=Symbol("B")), under=under)) == []
    unset = rules(prices={"outlier_threshold": None})
    assert failed(asked(state, an("1", symbol=Symbol("B")), under=unset)) == [
        "outlier",
        "equity_known",
    ]


@pytest.mark.parametrize(("back", "known"), [("130", True), ("70", True), ("131", False)])
def test_back_within_the_threshold_of_the_bar_before_the_jump_is_believed(
    back: str,
    known: bool,  # noqa: FBT001 - a table
) -> None:
    # A was at 100, then at 300, which nothing here is near.
    state = fold(held_beside_b(), a_bar("300", end="2024-01-02T15:02"))
    fold(state, a_bar(back, end="2024-01-02T15:03"))
    checks = asked(state, an("1", symbol=Symbol("B")), under=JUMPS)
    assert checks["equity_known"].passed is known


def test_what_is_held_and_not_configured_any_more_has_no_fresh_price_for_long() -> None:
    state = holding("100")
    state.symbols = {Symbol("B"): state.symbols[A]}
    fold(state, a_bar(symbol="B", end="2024-01-02T15:30"))
    order = an("1", symbol=Symbol("B"))
    assert asked(state, order, under=HALF_AN_HOUR)["equity_known"].passed
    fold(state, a_bar(symbol="B", end="2024-01-02T15:31"))
    assert asked(state, order, under=HALF_AN_HOUR)["equity_known"].note == "no fresh price of A"


# Jumps: a crash trades one bar later, a bad tick never.


@pytest.mark.parametrize(
    ("closes", "move"),
    [
        ("100", None),
        ("100 130", "0.30"),
        # At the threshold it is believed, and nobody looks at the bar before.
        ("125 100 130", "0.30"),
        ("100 131", "0.31"),
        ("100 69", "0.31"),
        ("100 50 49", "0.02"),
        ("100 200 101", "0.01"),
        ("100 200 150", "0.25"),
        ("100 200 400", "1"),
        ("100 200 201 100", "0.5"),
    ],
)
def test_a_price_is_believed_that_is_near_one_of_the_two_before(
    closes: str, move: str | None
) -> None:
    state = minutes(closes.split())
    check = asked(state, an("1"), under=JUMPS)["outlier"]
    if move is None:
        assert (check.passed, check.note) == (True, "the first bar")
    else:
        assert round(check.value or 0, 2) == Decimal(move)
        assert check.passed is (Decimal(move) <= Decimal("0.30"))


@pytest.mark.parametrize(
    ("order", "stopped"),
    [
        (an("-50"), []),
        (an("-51"), ["outlier", "equity_known"]),
        (an("1"), ["outlier", "equity_known"]),
        # Its price may be the one that nobody believes.
        (an("-50", order_type=LIMIT, limit_price=Decimal(39)), ["outlier"]),
        (an("-50", order_type=STOP, stop_price=Decimal(39)), ["outlier"]),
    ],
)
def test_out_at_the_market_no_price_has_to_be_believed(
    order: OrderIntended, stopped: list[str]
) -> None:
    state = fold(holding("50"), a_bar("40", end="2024-01-02T15:01"))
    assert failed(asked(state, order, under=JUMPS)) == stopped


def minutes(closes: list[str]) -> State:
    start = utc("2024-01-02T14:31")
    bars = [
        a_bar(close, end=f"{start + timedelta(minutes=number):%Y-%m-%dT%H:%M}")
        for number, close in enumerate(closes)
    ]
    return books_of_days(*bars)


def test_a_split_is_no_jump() -> None:
    state = minutes(["100", "100"])
    fold(state, a_split("2:1", "0", "0"), a_bar("50", end="2024-01-02T14:33"))
    assert asked(state, an("1"), under=JUMPS)["outlier"].value == 0


def real_days(symbol: str, first: str, last: str) -> Iterator[BarClosed]:
    path = DATA / "daily" / f"{symbol}.csv.gz"
    if not path.is_file():
        pytest.skip(f"the shared bars are not here: {path} does not exist")
    with gzip.open(path, "rt") as text:
        for row in csv.DictReader(text):
            if first <= row["date"] <= last:
                day = datetime.fromisoformat(row["date"]).date()
                end = datetime.combine(day, time(16), ZoneInfo("America/New_York")).astimezone(UTC)
                names = ("open", "high", "low", "close", "volume")
                first_, high, low, close, volume = (Decimal(row[name]) for name in names)
                yield BarClosed(Symbol(symbol), 23400, end, first_, high, low, close, volume)


def believed(bars: list[BarClosed]) -> dict[str, bool]:
    """Return for each day of `bars` whether an order on its close passes with the defaults."""
    symbol = bars[0].symbol
    state = state_after(
        a_config(symbol),
        a_calendar(*(a_session(f"{bar.end:%Y-%m-%d}", f"{bar.end:%H:%M}") for bar in bars)),
        a_deposit("100000"),
    )
    under = rules(prices={"outlier_threshold": Limits().prices.outlier_threshold})
    found = {}
    for bar in bars:
        fold(state, bar, at="1998-01-01T00:00")
        found[f"{bar.end:%m-%d}"] = not failed(
            asked(state, an("1", symbol=symbol), now=bar.end, under=under)
        )
    return found


def test_a_real_crash_trades_again_a_bar_later() -> None:
    # AAPL lost 52 % of its price on 29 September 2000, and did not get it back.
    days = believed(list(real_days("AAPL", "2000-09-25", "2000-10-04")))
    assert [day for day, passes in days.items() if not passes] == ["09-29"]


def test_a_real_bad_tick_is_no_price_to_trade_on() -> None:
    # IBM opened at twice its price on 23 December 2002, says the file; as minutes, that is a bar.
    (day,) = real_days("IBM", "2002-12-23", "2002-12-23")
    (before, *_) = real_days("IBM", "2002-12-20", "2002-12-20")
    tape = [before.close, day.open, day.close, day.close]
    assert day.open > before.close * Decimal("1.9")
    state = minutes([str(price) for price in tape[:2]])
    passed = [asked(state, an("1"), under=JUMPS)["outlier"].passed]
    for number, price in enumerate(tape[2:], 33):
        fold(state, a_bar(str(price), end=f"2024-01-02T14:{number}"))
        passed.append(asked(state, an("1"), under=JUMPS)["outlier"].passed)
    assert passed == [False, True, True]


# Steps.


@pytest.mark.parametrize(
    ("price", "step", "passes"),
    [
        ("1.00", None, True),
        ("1.01", None, True),
        ("0.0001", None, True),
        ("1.005", None, False),
        ("0.9999", None, True),
        ("0.99995", None, False),
        ("100.05", "0.05", True),
        ("100.01", "0.05", False),
        ("100.01", "NaN", False),
        ("100.01", "-0.01", False),
    ],
)
def test_a_price_comes_in_steps(price: str, step: str | None, passes: bool) -> None:  # noqa: FBT001 - a table
    state = books()
    if step is not None:
        fold(state, ContractResolved(A, 1, price_increment=Decimal(step)))
    for kind, name in ((LIMIT, "limit_price"), (STOP, "stop_price")):
        order = an("1", order_type=kind, **{name: Decimal(price)})
        assert asked(state, order)["price_step"].passed is passes


@pytest.mark.parametrize(
    ("quantity", "fractions", "step", "passes"),
    [
        ("1", False, None, True),
        ("0.5", False, None, False),
        ("0.5", True, None, True),
        ("0.5", True, "0.1", True),
        ("0.55", True, "0.1", False),
        # The contract can be split up; we have not been allowed to.
        ("0.5", False, "0.1", False),
        ("150", False, "100", False),
        ("200", False, "100", True),
        ("1", False, "1.5", False),
        ("3", False, "1.5", True),
        ("0.5", True, "0", False),
    ],
)
def test_a_size_comes_in_steps(
    quantity: str,
    fractions: bool,  # noqa: FBT001 - a table
    step: str | None,
    passes: bool,  # noqa: FBT001 - a table
) -> None:
    state = books()
    state.symbols = {A: SymbolTerms("NYSE", True, False, fractions)}  # noqa: FBT003 - its hours
    if step is not None:
        fold(state, ContractResolved(A, 1, size_increment=Decimal(step)))
    for side in ("", "-"):
        assert asked(state, an(side + quantity))["size_step"].passed is passes


def test_a_step_of_nothing_is_refused_in_words() -> None:
    state = fold(books(), ContractResolved(A, 1, size_increment=Decimal(0)))
    state.symbols = {A: SymbolTerms("NYSE", True, False, True)}  # noqa: FBT003 - its hours
    assert asked(state, an("1"))["size_step"].note == "it comes in 0"


def test_what_always_trades_has_no_step_until_its_contract_is_known() -> None:
    state = state_after(a_config("A"), a_deposit("1000"))
    state.symbols = {A: SymbolTerms("24/7", True, False, True)}  # noqa: FBT003 - its hours
    fold(state, a_bar("0.12345678"))
    order = an("0.5", order_type=LIMIT, limit_price=Decimal("0.12345678"))
    found = asked(state, order)["price_step"]
    assert (found.passed, found.note) == (True, "the contract's step is not known")
    fold(state, ContractResolved(A, 1, price_increment=Decimal("0.0001")))
    found = asked(state, order)["price_step"]
    assert found.note == "0.12345678 is not a multiple of 0.0001"


def test_every_limit_here_is_wide_where_it_is_not_asked_about() -> None:
    assert failed(asked(minutes(["100", "500", "2"]), an("1"), under=WIDE)) == []
