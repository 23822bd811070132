"""The watch over the data, at a core: what is missing is recorded, what is stale holds itself."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from events import (
    BarMissing,
    ConfigLoaded,
    FreshnessMode,
    FreshnessTerms,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentRefused,
    Record,
    SessionStarted,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    SymbolTerms,
    Trip,
)
from events.codec import Input
from tests.builders import a_bar, a_calendar, a_deposit, a_session, utc
from tests.core_desk import OPENED, A, CoreDesk, Scripted, buy, kinds, of

LIVE = SessionStarted("1", {}, {}, live_feed=True)
RECORDED = SessionStarted("1", {}, {})


def opening(
    started: SessionStarted = LIVE,
    terms: FreshnessTerms | None = None,
    *,
    exchange: str = "NYSE",
    **every_s: int,
) -> list[Input]:
    """Return what a session starts with, symbols as named in `every_s`."""
    symbols = {
        Symbol(name): SymbolTerms(exchange, enforce_hours=True, extended_hours=False, bar_every_s=s)
        for name, s in every_s.items()
    }
    days = [a_session(f"2024-01-0{day}") for day in (2, 3, 4, 5)]
    return [
        OPENED,
        ConfigLoaded({}, symbols, terms or FreshnessTerms()),
        started,
        a_calendar(*days, exchange=exchange),
        a_deposit("1000000"),
    ]


class Watch(CoreDesk):
    """A core on which time passes up to each bar, as the engine lets it; all is remembered."""

    def __init__(self, events: Sequence[Input], *strategies: Scripted) -> None:
        super().__init__(*strategies, opening=events)
        self.told: list[Record] = []

    def bars(self, *ends: str, symbol: str = "A", day: int = 2) -> None:
        """Take minutes that end at `ends` of that day, each after what came due before."""
        for end in ends:
            self.wait(f"2024-01-0{day}T{end}")
            self.told += self.step(a_bar(symbol=symbol, end=f"2024-01-0{day}T{end}"))

    def operator_lifts(self, hold_id: str) -> None:
        self.recorder.emit(HoldLifted(hold_id, "operator", "had a look"))
        self.told += self.recorder.records
        self.recorder.records = []

    def every_minute(self, first: str, last: str, *symbols: str, day: int = 2) -> None:
        """Take a bar of each symbol for every minute from `first` to `last`."""
        end = utc(f"2024-01-0{day}T{first}")
        while end <= utc(f"2024-01-0{day}T{last}"):
            for symbol in symbols or ("A",):
                self.bars(f"{end:%H:%M}", symbol=symbol, day=day)
            end += timedelta(minutes=1)

    def wait(self, upto: str) -> None:
        self.told += self.pass_time(upto)

    @property
    def missing(self) -> list[str]:
        return [
            f"{each.symbol} {each.start:%d %H:%M}-{each.end:%H:%M}"
            for each in of(self.told, BarMissing)
        ]

    @property
    def holds(self) -> list[str]:
        """Return every hold placed (+) and lifted (-), with its target and its time of day."""
        shown = []
        targets: dict[str, str] = {}
        for record in self.told:
            at = f"{utc('1970-01-01') + timedelta(microseconds=record.at // 1000):%H:%M}"
            match record.event:
                case HoldPlaced(cause="DATA_STALE") as hold:
                    targets[hold.hold_id] = hold.target or "all"
                    shown.append(f"+{targets[hold.hold_id]} {at}")
                case HoldLifted() as lifted if lifted.hold_id in targets:
                    shown.append(f"-{targets[lifted.hold_id]} {at}")
        return shown


# Bars that never came.


def test_a_minute_that_is_missing_is_recorded_when_the_next_one_passes_it_over() -> None:
    at = Watch(opening(A=60))
    at.bars("14:31", "14:32", "14:35", "14:36")
    assert at.missing == ["A 02 14:32-14:33", "A 02 14:33-14:34"]
    assert at.state.freshness.missed == 2


def test_in_silence_a_minute_is_missing_at_its_deadline() -> None:
    at = Watch(opening(A=60))
    at.bars("14:31")
    at.wait("2024-01-02T14:33:00")  # The minute to 14:32 may come until 14:33:00.
    assert at.missing == []
    at.wait("2024-01-02T14:33:01")
    assert at.missing == ["A 02 14:31-14:32"]
    assert kinds(at.told)[-2:] == ["timer.fired", "bar.missing"]
    missing = at.told[-1]
    assert missing.cause == at.told[-2].seq
    # It comes after all: recorded as every bar, and the next minute is waited for as before.
    at.bars("14:32")
    at.wait("2024-01-02T14:34:01")
    assert at.missing == ["A 02 14:31-14:32", "A 02 14:32-14:33"]


def test_every_minute_of_a_silent_session_is_missing_once() -> None:
    at = Watch(opening(A=60))
    at.wait("2024-01-03T03:00")
    assert len(at.missing) == len(set(at.missing)) == 390
    assert (at.missing[0], at.missing[-1]) == ("A 02 14:30-14:31", "A 02 20:59-21:00")


def test_a_thin_name_owes_a_bar_in_so_many_minutes_and_no_more() -> None:
    at = Watch(opening(A=300))
    # One bar in 14:30-14:35 and 14:40-14:45, none in 14:35-14:40.
    at.bars("14:34", "14:41")
    at.wait("2024-01-02T14:46:01")
    assert at.missing == ["A 02 14:35-14:40"]


def test_a_daily_bar_is_missing_after_the_close() -> None:
    at = Watch(opening(A=86_400))
    at.wait("2024-01-02T21:01:00")
    assert at.missing == []
    at.wait("2024-01-02T21:01:01")
    assert at.missing == ["A 02 14:30-21:00"]


def test_neither_a_night_nor_a_bar_off_session_counts() -> None:
    at = Watch(opening(A=60))
    at.every_minute("14:31", "21:00")
    at.bars("21:01", "22:10")
    at.bars("14:00", "14:31", "14:32", day=3)
    assert at.missing == []


def test_nothing_is_missing_of_a_symbol_that_owes_nothing() -> None:
    at = Watch(opening(A=0))
    at.wait("2024-01-04T00:00")
    assert at.missing == []


def test_past_the_end_of_the_calendar_nothing_is_expected() -> None:
    at = Watch(opening(A=86_400))
    at.wait("2024-02-01T00:00")
    assert len(at.missing) == 4


def test_what_was_due_before_the_start_is_not_said_to_be_missing() -> None:
    events = opening(A=60)
    at = Watch(events)
    at.bars("14:31")
    at.told += at.step(LIVE, "2024-01-02T16:00:30")
    at.wait("2024-01-02T16:02:30")
    # At 16:00:30 the minutes that end at 16:00 and later may still come in time.
    assert at.missing == ["A 02 15:59-16:00", "A 02 16:00-16:01"]
    # Of a symbol never seen, only whole minutes after the start are.
    at = Watch([*events[:2], events[3]])
    at.told += at.step(LIVE, "2024-01-02T16:00:30")
    at.wait("2024-01-02T16:03:30")
    assert at.missing == ["A 02 16:01-16:02"]


def test_a_restart_says_nothing_twice() -> None:
    at = Watch(opening(A=60))
    at.bars("14:31")
    at.wait("2024-01-02T14:33:01")
    at.told += at.step(LIVE, "2024-01-02T14:33:01")
    at.wait("2024-01-02T14:34:01")
    assert at.missing == ["A 02 14:31-14:32", "A 02 14:32-14:33"]
    keys = [(kinds([each])[0], each.event.key()) for each in at.told if each.event.key()]
    assert len(keys) == len(set(keys))


def test_a_halted_symbol_misses_nothing_and_is_not_stale() -> None:
    at = Watch(opening(A=60, B=60))
    at.bars("14:31", symbol="A")
    at.bars("14:31", symbol="B")
    at.step(SymbolHalted(A), "2024-01-02T14:31")
    at.wait("2024-01-02T16:00")
    assert {each[0] for each in at.missing} == {"B"}
    # One of one that counts is stale: everything is, but A itself was never held.
    assert at.holds == ["+all 15:01", "+B 15:01"]
    at.step(SymbolResumed(A), "2024-01-02T16:00")
    at.wait("2024-01-02T16:02:01")
    assert [each for each in at.missing if each[0] == "A"] == ["A 02 16:00-16:01"]


def test_the_hold_on_a_stale_symbol_outlasts_its_halt() -> None:
    at = Watch(opening(LIVE, loosely(), A=0, B=0))
    at.every_minute("14:31", "14:40", "A", "B")
    at.every_minute("14:41", "15:20", "B")
    at.step(SymbolHalted(A), "2024-01-02T15:20")
    at.every_minute("15:21", "15:30", "B")
    # B pauses meanwhile and is held and free again: what is A's stays.
    at.wait("2024-01-02T16:05")
    at.every_minute("16:06", "16:20", "B")
    at.step(SymbolResumed(A), "2024-01-02T16:20")
    at.every_minute("16:21", "16:30", "A", "B")
    assert [each for each in at.holds if "A" in each] == ["+A 15:10", "-A 16:26"]


# What is stale.


def loosely(**changes: Any) -> FreshnessTerms:  # noqa: ANN401 - any field
    """Return the defaults, but with half of the symbols enough."""
    return FreshnessTerms(**{"fresh_share_min": Decimal("0.5"), **changes})


def test_a_silent_symbol_holds_itself_and_is_free_after_a_while() -> None:
    at = Watch(opening(LIVE, loosely(), A=0, B=0))
    at.every_minute("14:31", "14:40", "A", "B")
    at.every_minute("14:41", "15:30", "B")
    # The last bar ended at 14:40, so it is half an hour old at 15:10.
    assert at.holds == ["+A 15:10"]
    (hold,) = of(at.told, HoldPlaced)
    assert (hold.scope, hold.level) == (HoldScope.SYMBOL, HoldLevel.REDUCE)
    assert hold.cause == Trip.DATA_STALE
    assert (hold.lifts, hold.by) == (HoldLifts.CONDITION, "core")
    assert "2024-01-02 14:40:00 UTC" in hold.why
    # Fresh again from 15:31 on; five minutes later that counts.
    at.every_minute("15:31", "15:40", "A", "B")
    assert at.holds == ["+A 15:10", "-A 15:36"]
    assert at.state.holds.active == {}


def test_only_the_time_in_which_the_exchange_is_open_counts() -> None:
    at = Watch(opening(LIVE, loosely(), A=0, B=0))
    at.every_minute("14:31", "21:00", "A", "B")
    # Ten minutes before the close, twenty after the next open.
    at.every_minute("14:31", "15:30", "B", day=3)
    assert at.holds == ["+A 15:00"]
    at = Watch(opening(LIVE, loosely(), A=0, B=0))
    at.every_minute("14:31", "20:50", "A", "B")
    at.every_minute("20:51", "21:00", "B")
    at.every_minute("14:31", "15:30", "B", day=3)
    assert at.holds == ["+A 14:50"]


def test_data_that_is_old_when_the_daemon_starts_is_held_at_once_but_not_at_night() -> None:
    at = Watch(opening(LIVE, loosely(), A=0, B=0))
    at.every_minute("14:31", "15:00", "A", "B")
    at.told += at.step(LIVE, "2024-01-04T02:00")
    at.wait("2024-01-04T14:30")
    assert at.holds == []
    at.wait("2024-01-04T14:30:01")
    assert at.holds == ["+A 14:30", "+all 14:30", "+B 14:30"]


def test_a_share_of_fresh_symbols_below_the_minimum_holds_everything() -> None:
    at = Watch(opening(A=0, B=0, C=0, D=0, E=0, F=0, G=0, H=0, I=0, J=0))
    names = "ABCDEFGHIJ"
    at.every_minute("14:31", "14:31", *names)
    at.every_minute("14:32", "14:41", *names[1:])
    at.every_minute("14:42", "15:05", *names[1:])
    # Nine of ten are fresh: that is 0.90, the least there must be.
    assert at.holds == ["+A 15:01"]
    at.every_minute("15:06", "15:40", *names[2:])
    # B's last bar ended at 15:05: at 15:35 eight of ten are left.
    assert at.holds == ["+A 15:01", "+all 15:35", "+B 15:35"]
    (everything,) = [each for each in of(at.told, HoldPlaced) if each.scope is HoldScope.ALL]
    assert (everything.level, everything.cause) == (HoldLevel.REDUCE, Trip.DATA_STALE)
    assert everything.why == "8 of 10 symbols are fresh (per_symbol)"
    at.every_minute("15:41", "15:50", *names[1:])
    assert at.holds[3:] == ["-all 15:46", "-B 15:46"]


@pytest.mark.parametrize(
    ("mode", "fresh", "stops"),
    [
        (FreshnessMode.LATEST, "A", False),
        (FreshnessMode.LATEST, "", True),
        (FreshnessMode.MEDIAN, "AB", False),
        (FreshnessMode.MEDIAN, "A", True),
        (FreshnessMode.OLDEST, "ABC", True),
        (FreshnessMode.OLDEST, "ABCD", False),
        (FreshnessMode.PER_SYMBOL, "ABC", True),
    ],
)
def test_by_the_age_of_one_symbol_all_are_stopped_or_none(
    mode: FreshnessMode, fresh: str, *, stops: bool
) -> None:
    at = Watch(opening(LIVE, FreshnessTerms(mode=mode), A=0, B=0, C=0, D=0))
    at.every_minute("14:31", "14:31", *"ABCD")
    if fresh:
        at.every_minute("14:32", "15:10", *fresh)
    at.wait("2024-01-02T15:10:30")
    targets = {hold.target for hold in at.state.holds.active.values()}
    assert ("" in targets) == stops
    own = set("ABCD") - set(fresh) if mode is FreshnessMode.PER_SYMBOL else set()
    assert targets - {""} == own
    now = utc("2024-01-02T15:10:30")
    told_apart = {name: at.state.is_stale(Symbol(name), now) for name in "ABCD"}
    if mode is FreshnessMode.PER_SYMBOL:
        assert told_apart == {name: name not in fresh for name in "ABCD"}
    else:
        assert set(told_apart.values()) == {stops}


def test_what_comes_and_goes_is_not_free_before_it_has_stayed() -> None:
    terms = loosely(max_age_s=120, lift_after_s=300)
    at = Watch(opening(LIVE, terms, A=0, B=0))
    at.every_minute("14:31", "14:31", "A", "B")
    at.every_minute("14:32", "14:35", "B")
    assert at.holds == ["+A 14:33"]
    # Fresh from 14:36 on, but for two minutes without a bar from 14:38 on: from 14:41 on again.
    at.every_minute("14:36", "14:38", "A", "B")
    at.every_minute("14:39", "14:40", "B")
    at.every_minute("14:41", "14:50", "A", "B")
    assert at.holds == ["+A 14:33", "-A 14:46"]


def test_what_keeps_failing_is_left_to_an_operator() -> None:
    at = Watch(opening(LIVE, loosely(max_age_s=120, lift_after_s=60, trips_max=2), A=0, B=0))
    at.every_minute("14:31", "14:32", "A", "B")
    for hour in (15, 16, 17):
        at.every_minute(f"{hour}:00", f"{hour}:05", "A")
    holds = [hold for hold in of(at.told, HoldPlaced) if hold.target == "A"]
    # Stale at 14:34, lifted 15:01; stale 15:07, lifted 16:01; stale 16:07, and that stays.
    assert [hold.lifts for hold in holds] == [
        HoldLifts.CONDITION,
        HoldLifts.CONDITION,
        HoldLifts.OPERATOR,
    ]
    assert [each for each in at.holds if "A " in each] == [
        "+A 14:34",
        "-A 15:01",
        "+A 15:07",
        "-A 16:01",
        "+A 16:07",
    ]
    # The next session starts to count afresh, once an operator has lifted that one.
    at.wait("2024-01-03T03:00")
    at.operator_lifts(holds[-1].hold_id)
    at.every_minute("14:31", "14:40", "A", day=3)
    at.wait("2024-01-03T15:00")
    holds = [hold for hold in of(at.told, HoldPlaced) if hold.target == "A"]
    assert (len(holds), holds[-1].lifts) == (4, HoldLifts.CONDITION)


def test_a_lifted_hold_of_something_still_stale_comes_back_at_the_next_look() -> None:
    at = Watch(opening(LIVE, loosely(), A=0, B=0))
    at.every_minute("14:31", "14:31", "A", "B")
    at.every_minute("14:32", "15:02", "B")
    (hold,) = of(at.told, HoldPlaced)
    at.operator_lifts(hold.hold_id)
    at.told += at.step(LIVE, "2024-01-02T15:03")
    assert at.holds[-1] == "+A 15:03"


def test_recorded_bars_are_watched_only_where_that_is_asked_for() -> None:
    at = Watch(opening(RECORDED, A=60, B=60))
    at.bars("14:31")
    at.wait("2024-01-02T20:00")
    assert at.told[-1].event == at.told[0].event
    assert not at.state.is_stale(A, utc("2024-01-02T20:00"))
    at = Watch(opening(RECORDED, FreshnessTerms(recorded=True), A=60, B=60))
    at.bars("14:31")
    at.wait("2024-01-02T20:00")
    assert at.missing
    assert at.state.is_stale(A, utc("2024-01-02T20:00"))


def test_around_the_clock_every_hour_counts() -> None:
    events = opening(LIVE, exchange="24/7", A=0)
    at = Watch(events)
    at.bars("23:50")
    at.wait("2024-01-03T00:20:01")
    assert at.holds[-2:] == ["+all 00:20", "+A 00:20"]


def test_a_symbol_with_daily_bars_is_not_stale_in_the_session_that_follows() -> None:
    at = Watch(opening(LIVE, A=0))
    at.told += at.step(msgspec.structs.replace(a_bar(end="2024-01-02T21:00"), span_s=23_400))
    at.wait("2024-01-03T21:00")
    assert at.holds == []
    # Its bar of the 3rd is not there a minute after the close: held from the next open on.
    at.wait("2024-01-04T14:30:01")
    assert at.holds == ["+all 14:30", "+A 14:30"]


def test_a_symbol_that_is_traded_no_more_holds_nothing() -> None:
    at = Watch(opening(LIVE, loosely(), A=0, B=0))
    at.every_minute("14:31", "14:31", "A", "B")
    at.every_minute("14:32", "15:02", "B")
    assert at.holds == ["+A 15:01"]
    without = opening(LIVE, loosely(), B=0)
    at.told += at.step(without[1], "2024-01-02T15:05")
    at.told += at.step(LIVE, "2024-01-02T15:05")
    assert at.holds == ["+A 15:01", "-A 15:05"]


def test_an_order_that_would_add_is_refused_while_the_hold_stands() -> None:
    strategy = Scripted(bars=[buy("10")])
    at = Watch(opening(LIVE, A=0, B=0), strategy)
    at.every_minute("14:31", "14:31", "B")
    at.wait("2024-01-02T16:00")
    at.bars("16:00")
    (refused,) = of(at.told, IntentRefused)
    (holds,) = [check for check in refused.checks if check.name == "holds"]
    assert "DATA_STALE" in holds.note


def test_a_bar_is_not_late_before_it_can_be_there() -> None:
    # Minutes, and data that may be a minute old: the next may still take its minute of grace.
    at = Watch(opening(LIVE, loosely(max_age_s=60), A=0, B=0))
    at.every_minute("14:31", "14:32", "A", "B")
    at.wait("2024-01-02T14:34:00")
    assert at.holds == []
    at.wait("2024-01-02T14:34:01")
    assert at.holds[0] == "+A 14:34"
