"""A session in stretches: every minute, one bar in five, one a session; nothing is left over."""

from datetime import timedelta
from itertools import pairwise

import pytest

from events import SessionHours
from projections.calendar import Sessions
from projections.stretches import (
    Stretch,
    first_ending_from,
    first_starting_from,
    stretches_of,
)
from tests.builders import a_session, utc

FULL = a_session("2024-01-02")
HALF = a_session("2024-07-03", close="17:00", open_="13:30")
MINUTE, HALF_HOUR, DAY = 60, 1_800, 86_400


def sessions(*days: SessionHours) -> Sessions:
    return Sessions(list(days), [day.extended_close for day in days])


def shown(stretch: Stretch | None) -> str | None:
    return f"{stretch.start:%d %H:%M} to {stretch.end:%d %H:%M}" if stretch else None


@pytest.mark.parametrize(
    ("hours", "every_s", "count"),
    [
        (FULL, MINUTE, 390),
        (HALF, MINUTE, 210),
        (FULL, HALF_HOUR, 13),
        (HALF, HALF_HOUR, 7),
        (FULL, DAY, 1),
        (HALF, DAY, 1),
        (FULL, 3_600, 6),  # 6.5 hours: the last one is an hour and a half.
        (FULL, 23_400, 1),
        (FULL, 23_401, 1),
    ],
)
def test_a_session_is_cut_into(hours: SessionHours, every_s: int, count: int) -> None:
    cut = list(stretches_of(hours, every_s))
    assert len(cut) == count
    assert (cut[0].start, cut[-1].end) == (hours.open, hours.close)
    for before, after in pairwise(cut):
        assert before.end == after.start
    # None is shorter than a bar may take, and only the last may be longer.
    lengths = [(each.end - each.start) // timedelta(seconds=1) for each in cut]
    assert all(length == every_s for length in lengths[:-1])
    assert every_s <= lengths[-1] < 2 * every_s or count == 1


TWO_DAYS = sessions(a_session("2024-01-02"), a_session("2024-01-03"))


@pytest.mark.parametrize(
    ("moment", "every_s", "starting"),
    [
        ("2024-01-02T14:30", MINUTE, "02 14:30 to 02 14:31"),
        ("2024-01-02T14:31", MINUTE, "02 14:31 to 02 14:32"),
        ("2024-01-02T14:31:01", MINUTE, "02 14:32 to 02 14:33"),
        ("2024-01-02T20:59", MINUTE, "02 20:59 to 02 21:00"),
        ("2024-01-02T20:59:01", MINUTE, "03 14:30 to 03 14:31"),
        ("2024-01-02T21:00", MINUTE, "03 14:30 to 03 14:31"),
        ("2024-01-02T03:00", MINUTE, "02 14:30 to 02 14:31"),
        ("2024-01-02T15:00", DAY, "03 14:30 to 03 21:00"),
        ("2024-01-02T19:30", 3_600, "02 19:30 to 02 21:00"),
        ("2024-01-02T19:31", 3_600, "03 14:30 to 03 15:30"),
        ("2024-01-03T20:59:01", MINUTE, None),
        ("2024-01-03T21:00", MINUTE, None),
    ],
)
def test_the_first_stretch_that_starts_at_a_moment_or_later(
    moment: str, every_s: int, starting: str | None
) -> None:
    assert shown(first_starting_from(TWO_DAYS, utc(moment), every_s)) == starting


@pytest.mark.parametrize(
    ("moment", "every_s", "ending"),
    [
        ("2024-01-02T14:30", MINUTE, "02 14:30 to 02 14:31"),
        ("2024-01-02T14:31", MINUTE, "02 14:30 to 02 14:31"),
        ("2024-01-02T14:31:01", MINUTE, "02 14:31 to 02 14:32"),
        ("2024-01-02T21:00", MINUTE, "02 20:59 to 02 21:00"),
        ("2024-01-02T21:00:01", MINUTE, "03 14:30 to 03 14:31"),
        ("2024-01-02T20:45", 3_600, "02 19:30 to 02 21:00"),
        ("2024-01-02T21:00", DAY, "02 14:30 to 02 21:00"),
        ("2024-01-03T21:00:01", MINUTE, None),
    ],
)
def test_the_first_stretch_that_ends_at_a_moment_or_later(
    moment: str, every_s: int, ending: str | None
) -> None:
    assert shown(first_ending_from(TWO_DAYS, utc(moment), every_s)) == ending


@pytest.mark.parametrize("every_s", [MINUTE, 420, HALF_HOUR, 3_600, DAY])
def test_both_find_what_a_walk_over_all_stretches_finds(every_s: int) -> None:
    every = [each for hours in TWO_DAYS.hours for each in stretches_of(hours, every_s)]
    moment = utc("2024-01-02T14:00")
    while moment < utc("2024-01-03T21:30"):
        starting = next((each for each in every if each.start >= moment), None)
        ending = next((each for each in every if each.end >= moment), None)
        assert first_starting_from(TWO_DAYS, moment, every_s) == starting, moment
        assert first_ending_from(TWO_DAYS, moment, every_s) == ending, moment
        moment += timedelta(seconds=97)
