"""What the simulated gateway answers who asks for a contract, and when it says it is open."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from daemon.new_york import moment
from events import SessionHours
from ops.gateway_sim.contracts import Contracts, Listing, made_up_id, mexican_twin, us_stock
from ops.gateway_sim.hours import Hours
from ops.gateway_sim.order_rules import moment_of
from ops.gateway_sim.terms import Contract, ContractDetails

NOON = datetime(2024, 1, 3, 17, tzinfo=UTC)
NOT_FOUND = (200, "No security definition has been found for the request")


def contracts(hours: Hours | None = None) -> Contracts:
    """Return two US stocks, each also listed in Mexico."""
    listings = [us_stock("AAPL"), us_stock("ABC")]
    return Contracts([*listings, *map(mexican_twin, listings)], hours or Hours())


def details_of(wanted: Contract) -> list[ContractDetails]:
    found = contracts().details(wanted, NOON)
    return [each for each in found if isinstance(each, ContractDetails)]


def test_a_stock_in_dollars_is_one_contract_with_its_real_id() -> None:
    wanted = Contract(symbol="AAPL", security_type="STK", exchange="SMART", currency="USD")
    (details,) = details_of(wanted)
    known = details.contract
    assert (known.con_id, known.primary_exchange, known.exchange) == (265598, "NASDAQ", "SMART")
    assert (known.local_symbol, known.trading_class) == ("AAPL", "NMS")
    assert (details.min_tick, details.long_name) == (Decimal("0.01"), "APPLE INC")
    assert len(details.market_rule_ids.split(",")) == len(details.valid_exchanges.split(","))


def test_an_invented_id_is_the_same_each_time_and_fits_31_bits() -> None:
    assert us_stock("ABC").con_id == us_stock("ABC").con_id == made_up_id("ABC.USD")
    for number in range(2_000):
        assert 1_000_000_000 <= us_stock(f"X{number}").con_id < 2**31


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Contract(symbol="AAPL", security_type="STK"), 2),
        (Contract(symbol="AAPL", security_type="STK", currency="MXN"), 1),
        (Contract(symbol="AAPL", security_type="STK", exchange="SMART"), 1),
        (Contract(symbol="AAPL", security_type="STK", primary_exchange="MEXI"), 1),
        (Contract(con_id=265598), 1),
        (Contract(local_symbol="AAPL", currency="USD"), 1),
    ],
)
def test_everything_that_fits_is_found(wanted: Contract, count: int) -> None:
    assert len(details_of(wanted)) == count


@pytest.mark.parametrize(
    "wanted",
    [
        Contract(symbol="NOSUCH", security_type="STK", currency="USD"),
        Contract(symbol="AAPL", security_type="OPT", currency="USD"),
        Contract(symbol="AAPL", security_type="STK", currency="EUR"),
        Contract(symbol="AAPL", security_type="STK", primary_exchange="NYSE", currency="USD"),
        Contract(con_id=7),
        Contract(con_id=265598, symbol="ABC"),
        Contract(),
    ],
)
def test_what_nothing_fits_is_error_200(wanted: Contract) -> None:
    assert contracts().details(wanted, NOON) == NOT_FOUND
    assert contracts().resolve(wanted) == NOT_FOUND


def test_an_order_for_what_is_ambiguous_is_refused_until_the_exchange_decides() -> None:
    known = contracts()
    second = Listing("AAPL", made_up_id("AAPL.again"), "PINK", "APPLE AGAIN INC")
    known.add(second)
    wanted = Contract(symbol="AAPL", security_type="STK", exchange="SMART", currency="USD")
    refused = known.resolve(wanted)
    assert isinstance(refused, tuple)
    assert refused == (200, "The contract description specified for AAPL is ambiguous.")
    told = Contract(
        symbol="AAPL",
        security_type="STK",
        exchange="SMART",
        primary_exchange="PINK",
        currency="USD",
    )
    found = known.resolve(told)
    assert isinstance(found, Contract)
    assert found.con_id == second.con_id
    with pytest.raises(ValueError, match="is taken"):
        known.add(second)


def test_an_order_goes_where_it_says_and_must_say_it() -> None:
    known = contracts()
    routed = known.resolve(Contract(con_id=265598, exchange="ISLAND"))
    assert isinstance(routed, Contract)
    assert (routed.exchange, routed.primary_exchange) == ("ISLAND", "NASDAQ")
    nowhere = known.resolve(Contract(symbol="AAPL", security_type="STK", currency="USD"))
    assert isinstance(nowhere, tuple)
    assert nowhere[0] == 321


def test_symbols_are_found_by_their_beginning() -> None:
    found = contracts().beginning_with("a", NOON)
    assert {each.contract.symbol for each in found} == {"AAPL", "ABC"}
    assert contracts().beginning_with("", NOON) == []


def test_hours_are_spelled_for_the_days_to_come() -> None:
    (details,) = details_of(Contract(con_id=265598))
    assert details.time_zone == "US/Eastern"
    # Wednesday to Monday.
    assert details.liquid_hours == (
        "20240103:0930-20240103:1600;20240104:0930-20240104:1600;20240105:0930-20240105:1600;"
        "20240106:CLOSED;20240107:CLOSED;20240108:0930-20240108:1600"
    )
    assert details.trading_hours.startswith("20240103:0400-20240103:2000;")


def test_a_holiday_and_a_half_day_are_known_between_the_sessions_that_are() -> None:
    def session(day: int, closes: int) -> SessionHours:
        on = date(2024, 7, day)
        opens, ends = moment(on, time(9, 30)), moment(on, time(closes))
        return SessionHours(on, opens, ends, moment(on, time(4)), moment(on, time(closes + 4)))

    hours = Hours([session(3, 13), session(5, 16)])
    assert hours.spelled(date(2024, 7, 3), 3, regular=True) == (
        "20240703:0930-20240703:1300;20240704:CLOSED;20240705:0930-20240705:1600"
    )
    half = datetime(2024, 7, 3, 17, tzinfo=UTC)
    # It closes at one o'clock, 17:00 UTC in summer.
    assert hours.is_regular(half - timedelta(seconds=1))
    assert not hours.is_regular(half)
    assert hours.next_session(half).day == date(2024, 7, 5)
    # Outside of what it was told, every weekday is a session.
    assert hours.session(date(2024, 7, 8)) is not None
    assert hours.session(date(2024, 7, 6)) is None


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("20240103 12:00:00 US/Eastern", 17),
        ("20240103 12:00:00 UTC", 12),
        ("20240103-12:00:00", 12),
        ("20240103 12:00:00", 17),
    ],
)
def test_a_moment_is_read_in_every_spelling(text: str, hour: int) -> None:
    assert moment_of(text) == datetime(2024, 1, 3, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "noon", "20241303 12:00:00", "20240103 12:00:00 Mars/Olympus", "20240103 12"]
)
def test_what_is_no_moment_is_none(text: str) -> None:
    assert moment_of(text) is None
