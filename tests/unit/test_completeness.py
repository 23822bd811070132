"""Certificates of completeness: bars in, what is missing of each session out."""

from events import (
    BarClosed,
    ConfigLoaded,
    Record,
    SessionEnded,
    SessionStarted,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    SymbolTerms,
    nanoseconds,
)
from events.codec import JournalEvent
from projections.completeness import Certificate, Completeness
from tests.builders import a_bar, a_calendar, a_session, utc

TUESDAY = "2024-01-02"


def a_config(every_s: int = 60, **others: int) -> ConfigLoaded:
    """Return a configuration of A, and of `others`, each with how often a bar of it is expected."""
    symbols = {"A": every_s, **others}
    return ConfigLoaded(
        {},
        {
            Symbol(name): SymbolTerms(
                "NYSE", enforce_hours=True, extended_hours=False, bar_every_s=s
            )
            for name, s in symbols.items()
        },
    )


def book(*events: JournalEvent | str, config: ConfigLoaded | None = None) -> Completeness:
    """Return the fold of two short days, started before the open; a text is what the time is."""
    fold, now = Completeness(), nanoseconds(utc(f"{TUESDAY}T12:00"))
    days = (a_session(TUESDAY, close="14:40"), a_session("2024-01-03", close="14:35"))
    started = SessionStarted("1", {}, {})
    for event in (config or a_config(), started, a_calendar(*days), *events):
        if isinstance(event, str):
            now = nanoseconds(utc(event))
            continue
        if isinstance(event, BarClosed):
            now = max(now, nanoseconds(event.end))
        fold.apply(Record(1, now, event))
    return fold


def bars(*minutes: int, symbol: str = "A", day: str = TUESDAY) -> list[BarClosed]:
    """Return the bars that end so many minutes after 14:00."""
    return [a_bar(symbol=symbol, end=f"{day}T14:{minute:02d}") for minute in minutes]


OVER = ("2024-01-02T18:00", SessionEnded("over"))


def only(fold: Completeness, every_s: int | None = None) -> Certificate:
    (found,) = fold.certificates(every_s=every_s)
    return found


def gaps(certificate: Certificate) -> list[str]:
    return [f"{each.start:%H:%M}-{each.end:%H:%M}" for each in certificate.missing]


def test_a_session_with_every_bar_is_complete() -> None:
    found = only(book(*bars(*range(31, 41)), *OVER))
    assert found.complete
    assert (found.bars, found.possible, found.expected, found.off_session) == (10, 10, 10, 0)
    assert (found.first, found.last) == (utc(f"{TUESDAY}T14:31"), utc(f"{TUESDAY}T14:40"))


def test_what_is_missing_is_named() -> None:
    found = only(book(*bars(31, 32, 35, 36, 37, 38, 39), *OVER))
    assert not found.complete
    assert (found.bars, found.expected) == (7, 10)
    assert gaps(found) == ["14:32-14:33", "14:33-14:34", "14:39-14:40"]


def test_a_thin_name_is_complete_by_its_own_policy_and_not_by_another() -> None:
    fold = book(*bars(33, 38), *OVER, config=a_config(300))
    assert only(fold).complete
    assert (only(fold).expected, only(fold).possible) == (2, 10)
    assert len(only(fold, every_s=60).missing) == 8


def test_what_nobody_expects_is_not_missing() -> None:
    assert only(book(*OVER, config=a_config(0))).complete
    assert only(book(*OVER, config=a_config(0)), every_s=60).expected == 10


def test_bars_off_session_are_counted_apart() -> None:
    found = only(book(*bars(29, 30, *range(31, 41), 41, 50), *OVER))
    assert (found.bars, found.off_session, found.complete) == (10, 4, True)


def test_what_comes_after_the_journals_end_or_before_its_start_is_not_expected() -> None:
    found = only(book(*bars(31, 32, 33)))
    assert (found.expected, found.complete) == (3, True)
    # Started in mid-session: from 14:35 on.
    fold = Completeness()
    for at, event in (
        ("14:35", a_config()),
        ("14:35", SessionStarted("1", {}, {})),
        ("14:35", a_calendar(a_session(TUESDAY, close="14:40"))),
        ("14:37", bars(37)[0]),
        ("14:40", SessionEnded("over")),
    ):
        fold.apply(Record(1, nanoseconds(utc(f"{TUESDAY}T{at}")), event))
    assert gaps(only(fold)) == ["14:35-14:36", "14:37-14:38", "14:38-14:39", "14:39-14:40"]


def test_an_outage_is_no_excuse() -> None:
    down = (SessionEnded("stop"), f"{TUESDAY}T14:38", SessionStarted("1", {}, {}))
    found = only(book(*bars(31, 32), *down, *bars(39, 40), *OVER))
    assert gaps(found)[0] == "14:32-14:33"
    assert len(found.missing) == 6


def test_a_symbol_counts_as_long_as_it_is_configured() -> None:
    change = (f"{TUESDAY}T14:35", a_config(60, B=60))
    back = (f"{TUESDAY}T14:38", a_config(60))
    fold = book(*bars(31), *change, *bars(36, 37, symbol="B"), *back, *OVER)
    of_a, of_b = fold.certificates()
    assert (of_a.expected, len(of_a.missing)) == (10, 9)
    assert (of_b.symbol, of_b.expected, gaps(of_b)) == ("B", 3, ["14:37-14:38"])


def test_a_symbol_that_comes_back_is_expected_again() -> None:
    gone = (f"{TUESDAY}T14:33", ConfigLoaded({}, {}))
    fold = book(*bars(31, 32, 33), *gone, *OVER)
    assert (only(fold).expected, only(fold).complete) == (3, True)
    fold = book(*bars(31, 32, 33), *gone, f"{TUESDAY}T14:35", a_config(), *OVER)
    assert len(only(fold).missing) == 7


def test_each_day_has_its_own_certificate_and_half_days_expect_less() -> None:
    late = "2024-01-03T18:00"
    fold = book(*bars(*range(31, 41)), *bars(32, day="2024-01-03"), late, SessionEnded("over"))
    first, second = fold.certificates()
    assert (first.day.day, first.complete) == (2, True)
    assert (second.expected, gaps(second)[0], len(second.missing)) == (5, "14:30-14:31", 4)
    assert [each.day for each in fold.certificates([second.day])] == [second.day]


def test_a_later_table_is_the_last_word_on_its_days_and_on_no_other() -> None:
    # The 2nd turns out to be closed; the 3rd is out of the new table's range and stays.
    fold = book(a_calendar(a_session("2024-01-01"), a_session("2024-01-02", close="14:32")), *OVER)
    assert only(fold).expected == 2
    assert [str(day) for day in fold.days()] == [TUESDAY]
    # A table that spans a day and lacks it closes it.
    fold = book(a_calendar(a_session("2024-01-01"), a_session("2024-01-03")), *OVER)
    assert fold.days() == []
    fold = book(a_calendar(), "2024-01-03T18:00", SessionEnded("over"))
    assert [str(day) for day in fold.days()] == [TUESDAY, "2024-01-03"]


def test_the_picture_shows_full_thin_empty_and_unknown_quarters() -> None:
    fold = Completeness()
    hours = a_session(TUESDAY, close="15:30")
    half = [a_bar(end=f"{TUESDAY}T14:{minute}") for minute in range(46, 56, 2)]
    events: list[JournalEvent] = [a_config(), SessionStarted("1", {}, {}), a_calendar(hours)]
    events += [*bars(*range(31, 46)), *half]
    for event in events:
        at = event.end if isinstance(event, BarClosed) else utc(f"{TUESDAY}T14:00")
        fold.apply(Record(1, nanoseconds(at), event))
    fold.apply(Record(1, nanoseconds(utc(f"{TUESDAY}T15:20")), SessionEnded("over")))
    # 15 of 15 bars, 5 of 15, none in a quarter that is over, and one that was cut off.
    assert only(fold).shares == [1.0, 5 / 15, 0.0, None]


def test_no_bar_is_expected_of_a_stretch_with_a_halt_in_it() -> None:
    halted, resumed = SymbolHalted(Symbol("A"), "news"), SymbolResumed(Symbol("A"))
    more = (bars(31), f"{TUESDAY}T14:32:30", halted, f"{TUESDAY}T14:35", resumed, bars(37, 38))
    events = [each for part in more for each in (part if isinstance(part, list) else [part])]
    found = only(book(*events, *OVER))
    # Between 14:31 and 14:32 it traded, and from 14:35 on.
    assert gaps(found) == ["14:31-14:32", "14:35-14:36", "14:38-14:39", "14:39-14:40"]
    assert (found.expected, found.bars) == (7, 3)


def test_a_halt_that_does_not_end_excuses_the_rest_and_another_symbol_nothing() -> None:
    config = a_config(60, B=60)
    halts = (SymbolHalted(Symbol("A")), SymbolHalted(Symbol("A")), SymbolResumed(Symbol("B")))
    fold = book(*bars(31), f"{TUESDAY}T14:31", *halts, *OVER, config=config)
    a, b = fold.certificates()
    assert (gaps(a), a.expected) == ([], 1)
    assert b.expected == len(b.missing) == 10
    # Nor is a cell of that session one that was covered.
    assert only(book(SymbolHalted(Symbol("A")), *OVER)).cells == [None]
