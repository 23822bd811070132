"""The gateway's trading hours, read into UTC: what it writes, and what nobody can read."""

from datetime import date

import pytest

from daemon.brokers.gateway.hours import hours_report
from events import ReportedHours, Symbol
from tests.builders import utc

A = Symbol("A")
NEW_YORK = "US/Eastern"


def read(regular: str, zone: str = NEW_YORK) -> tuple[ReportedHours, ...]:
    report = hours_report(A, regular, regular, zone)
    assert not report.unread, report.unread
    assert report.extended == report.regular
    return report.regular


def test_a_week_with_a_weekend_and_a_half_day() -> None:
    # 2024-07-03 closes at 13:00, the fourth is a holiday; in summer New York is 4 hours behind.
    text = (
        "20240702:0930-20240702:1600;20240703:0930-20240703:1300;20240704:CLOSED;"
        "20240705:0930-20240705:1600"
    )
    assert read(text) == (
        ReportedHours(date(2024, 7, 2), utc("2024-07-02T13:30"), utc("2024-07-02T20:00")),
        ReportedHours(date(2024, 7, 3), utc("2024-07-03T13:30"), utc("2024-07-03T17:00")),
        ReportedHours(date(2024, 7, 4)),
        ReportedHours(date(2024, 7, 5), utc("2024-07-05T13:30"), utc("2024-07-05T20:00")),
    )


def test_the_older_way_to_write_them_with_several_stretches_a_day() -> None:
    # 20240105 names the day once; in winter New York is 5 hours behind.
    assert read("20240105:0930-1200,1300-1600") == (
        ReportedHours(date(2024, 1, 5), utc("2024-01-05T14:30"), utc("2024-01-05T17:00")),
        ReportedHours(date(2024, 1, 5), utc("2024-01-05T18:00"), utc("2024-01-05T21:00")),
    )


@pytest.mark.parametrize("zone", ["EST (Eastern Standard Time)", "EST5EDT", "America/New_York"])
def test_other_names_of_new_york_know_of_summer(zone: str) -> None:
    (hours,) = read("20240702:0930-20240702:1600", zone)
    assert hours.open == utc("2024-07-02T13:30")


def test_hours_over_midnight_are_of_the_day_they_end() -> None:
    (hours,) = read("20240104:2000-20240105:1600")
    assert (hours.day, hours.open) == (date(2024, 1, 5), utc("2024-01-05T01:00"))


def test_a_semicolon_at_the_end_is_no_day() -> None:
    assert len(read("20240105:0930-20240105:1600;")) == 1


@pytest.mark.parametrize(
    ("text", "zone", "why"),
    [
        ("", NEW_YORK, "no hours"),
        ("20240105:0930-20240105:1600", "Mars/Olympus", "no time zone"),
        ("20240105:0930-20240105:1600", "", "no time zone"),
        ("20240105:0930", NEW_YORK, "is no time"),
        ("20240105:930pm-20240105:1600", NEW_YORK, "is no time"),
        ("20241305:CLOSED", NEW_YORK, "is no date"),
    ],
)
def test_what_cannot_be_read_is_kept_word_for_word(text: str, zone: str, why: str) -> None:
    report = hours_report(A, text, text, zone)
    assert why in report.unread
    assert repr(text) in report.unread
    assert report.regular == report.extended == ()
