"""The broker's trading hours against the calendar's: every difference is said, with both sides."""

from datetime import date
from pathlib import Path

import msgspec

from events import JournalOpened, Mode, ReportedHours, Symbol, TradingHoursReported
from events.codec import JournalEvent
from ops.readiness import Point, checklist
from ops.sentences import sentence
from ops.standing import status_of
from projections import State
from projections.hours_doubts import hours_doubts
from tests.builders import a_calendar, a_config, a_session, fold, utc
from tests.journals import write

A, B = Symbol("A"), Symbol("B")
NOW = utc("2024-01-02T12:00")
DAYS = ("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05")


def hours(day: str, begins: str = "14:30", ends: str = "21:00") -> ReportedHours:
    return ReportedHours(date.fromisoformat(day), utc(f"{day}T{begins}"), utc(f"{day}T{ends}"))


def closed(day: str) -> ReportedHours:
    return ReportedHours(date.fromisoformat(day))


def reported(*days: ReportedHours, symbol: Symbol = A) -> TradingHoursReported:
    return TradingHoursReported(symbol, days, days)


def books(*events: JournalEvent) -> State:
    return fold(
        State(),
        JournalOpened("j", Mode.BROKER_PAPER, "main"),
        a_config("A", "B"),
        a_calendar(*(a_session(day) for day in DAYS)),
        *events,
    )


def doubts(*events: JournalEvent) -> list[str]:
    return [each.text for each in hours_doubts(books(*events), NOW)]


def test_the_same_hours_are_no_doubt_nor_is_a_broker_that_said_nothing() -> None:
    assert doubts() == []
    weekend = (closed("2024-01-06"), closed("2024-01-07"))
    assert doubts(reported(*map(hours, DAYS), *weekend)) == []


def test_a_day_the_broker_has_closed_is_a_doubt() -> None:
    assert doubts(reported(hours(DAYS[0]), closed(DAYS[1]), hours(DAYS[2]))) == [
        "2024-01-03: 14:30 to 21:00 UTC in the calendar, closed at the broker (A)"
    ]


def test_an_early_close_of_the_brokers_is_a_doubt() -> None:
    assert doubts(reported(hours(DAYS[0], ends="18:00"))) == [
        "2024-01-02: 14:30 to 21:00 UTC in the calendar, 14:30 to 18:00 UTC at the broker (A)"
    ]


def test_a_day_the_calendar_has_closed_is_a_doubt() -> None:
    assert doubts(reported(hours(DAYS[3]), hours("2024-01-06"))) == [
        "2024-01-06: closed in the calendar, 14:30 to 21:00 UTC at the broker (A)"
    ]


def test_a_session_the_broker_does_not_name_between_others_is_a_doubt() -> None:
    assert doubts(reported(hours(DAYS[0]), hours(DAYS[2]))) == [
        "2024-01-03: 14:30 to 21:00 UTC in the calendar, closed at the broker (A)"
    ]


def test_a_break_in_the_day_is_a_doubt() -> None:
    lunch = (hours(DAYS[0], ends="17:00"), hours(DAYS[0], begins="18:00"))
    (doubt,) = doubts(reported(*lunch))
    assert doubt.endswith("14:30 to 17:00 UTC and 18:00 to 21:00 UTC at the broker (A)")


def test_hours_that_cannot_be_read_are_a_doubt() -> None:
    unread = TradingHoursReported(A, unread="no hours: '' in 'Mars'")
    assert doubts(unread) == ["the broker's hours of A cannot be read: no hours: '' in 'Mars'"]


def test_symbols_that_differ_alike_are_one_doubt() -> None:
    short = hours(DAYS[0], ends="18:00")
    assert [each.endswith("(A, B)") for each in doubts(reported(short), reported(short, symbol=B))]
    assert len(doubts(reported(short), reported(short, symbol=B))) == 1


def test_what_is_over_is_no_doubt_any_more() -> None:
    state = books(reported(closed(DAYS[0]), hours(DAYS[1])))
    assert len(hours_doubts(state, NOW)) == 1
    assert hours_doubts(state, utc("2024-01-03T02:00")) == []


def test_extended_hours_are_compared_where_they_are_traded() -> None:
    extended = a_config("A", extended_hours=True)
    both = TradingHoursReported(A, (hours(DAYS[0]),), (hours(DAYS[0], "09:00", "22:00"),))
    assert doubts(both) == []
    # New York's extended session ends at 20:00, which is 01:00 UTC of the next day.
    (doubt,) = doubts(extended, both)
    both_sides = "09:00 to 01:00 UTC in the calendar, 09:00 to 22:00 UTC at the broker"
    assert doubt == f"2024-01-02: {both_sides} (A)"


def test_where_hours_do_not_count_nothing_is_compared() -> None:
    config = a_config("A")
    terms = msgspec.structs.replace(config.symbols[A], enforce_hours=False)
    free = msgspec.structs.replace(config, symbols={A: terms})
    assert doubts(free, reported(closed(DAYS[0]))) == []


def test_status_has_the_doubt_and_the_event_is_told_in_words() -> None:
    event = reported(closed(DAYS[0]), hours(DAYS[1]))
    status = status_of(books(event), Path("j.db"), None, NOW)
    assert [each.day for each in status.hours_doubts] == [date(2024, 1, 2)]
    assert sentence(event) == (
        "the broker says when it trades, 2024-01-02 to 2024-01-03; closed: 2024-01-02"
    )


async def test_a_difference_fails_the_readiness_check_with_both_sides_in_words(
    tmp_path: Path,
) -> None:
    day = "2099-01-05"

    async def checked(name: str, *told: TradingHoursReported) -> list[Point]:
        await write(tmp_path / name, a_config("A"), a_calendar(a_session(day)), *told)
        return [each for each in checklist(tmp_path / name) if each.name.startswith("hours")]

    assert await checked("a.db") == []
    (agree,) = await checked("b.db", reported(hours(day)))
    assert (agree.name, agree.passed) == ("hours NYSE", True)
    (differ,) = await checked("c.db", reported(closed(day)))
    assert not differ.passed
    assert differ.found == (
        "2099-01-05: 14:30 to 21:00 UTC in the calendar, closed at the broker (A)"
    )
    assert "sessions.extra_closures" in differ.next
