"""On which terms a position may be closed: as configured, else where a broker outside knows it."""

import pytest

from events import CalendarLoaded, ContractResolved, JournalOpened, Mode, SymbolTerms
from events.codec import JournalEvent
from projections import State
from projections.closing import closing_terms
from tests.builders import a_config, fold
from tests.core_desk import A

NAMED = ContractResolved(A, 265598)
WHOLE_SHARES_IN_HOURS = SymbolTerms("NASDAQ", enforce_hours=True, extended_hours=False)


def books(mode: Mode, *events: JournalEvent) -> State:
    return fold(State(), JournalOpened("j" * 16, mode, "a"), *events)


def a_calendar(exchange: str) -> CalendarLoaded:
    return CalendarLoaded(exchange, "a test", ())


@pytest.mark.parametrize("mode", [Mode.BROKER_PAPER, Mode.LIVE])
def test_what_a_broker_outside_has_named_may_be_closed_in_whole_shares_and_hours(
    mode: Mode,
) -> None:
    found = books(mode, a_calendar("NASDAQ"), NAMED)
    assert closing_terms(found, A) == WHOLE_SHARES_IN_HOURS


@pytest.mark.parametrize(
    ("mode", "events"),
    [
        (Mode.LIVE, (a_calendar("NASDAQ"),)),
        (Mode.LIVE, (NAMED,)),
        (Mode.LIVE, (a_calendar("24/7"), NAMED)),
        (Mode.PAPER, (a_calendar("NASDAQ"), NAMED)),
        (Mode.BACKTEST, (a_calendar("NASDAQ"), NAMED)),
    ],
)
def test_without_contract_hours_or_a_broker_outside_it_may_not(
    mode: Mode, events: tuple[JournalEvent, ...]
) -> None:
    assert closing_terms(books(mode, *events), A) is None


def test_what_is_configured_is_closed_on_its_own_terms() -> None:
    found = books(Mode.LIVE, a_config(), NAMED)
    assert closing_terms(found, A) == a_config().symbols[A]
