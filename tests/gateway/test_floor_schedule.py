"""When the simulated gateway is away by the calendar. New York is five hours behind in January."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from ops.gateway_sim.schedule import Occasion, OccasionKind, Schedule

WEDNESDAY = datetime(2024, 1, 3, 17, tzinfo=UTC)
DAY = timedelta(days=1)


def kinds(found: list[Occasion]) -> list[tuple[str, str, str]]:
    """Return each occasion as its kind, and weekday and time (UTC) of its beginning and end."""
    return [(each.kind.value, f"{each.at:%a %H:%M}", f"{each.until:%a %H:%M}") for each in found]


def test_a_night_has_a_restart_and_a_reset_of_the_servers() -> None:
    assert kinds(Schedule().between(WEDNESDAY, WEDNESDAY + DAY)) == [
        ("restart", "Thu 04:45", "Thu 04:46"),
        ("servers", "Thu 05:15", "Thu 06:45"),
    ]


def test_a_weekend_has_a_longer_reset_and_a_restart_that_waits_for_a_person() -> None:
    friday = WEDNESDAY + 2 * DAY
    assert kinds(Schedule().between(friday, friday + 3 * DAY)) == [
        ("servers", "Sat 04:00", "Sat 08:00"),
        ("restart", "Sat 04:45", "Sat 04:46"),
        ("restart", "Sun 04:45", "Sun 04:46"),
        ("servers", "Sun 05:15", "Sun 06:45"),
        # The week's login has expired on Sunday at 06:00 UTC.
        ("login", "Mon 04:45", "Mon 12:45"),
        ("servers", "Mon 05:15", "Mon 06:45"),
    ]


def test_the_login_is_asked_for_once_a_week_whatever_the_host_and_its_hour() -> None:
    for zone in ("America/New_York", "Europe/London", "Asia/Tokyo", "UTC"):
        for hour in range(24):
            schedule = Schedule(restarts_at=time(hour, 30), zone=zone)
            found = schedule.between(WEDNESDAY, WEDNESDAY + 364 * DAY)
            logins = [each for each in found if each.kind is OccasionKind.LOGIN]
            assert len(logins) == 52, (zone, hour)


def test_what_begins_at_a_border_belongs_to_one_side_only() -> None:
    schedule = Schedule()
    whole = schedule.between(WEDNESDAY, WEDNESDAY + 10 * DAY)
    edges = [WEDNESDAY, *(each.at for each in whole), WEDNESDAY + 10 * DAY]
    pieces = [each for since, until in pairwise(edges) for each in schedule.between(since, until)]
    assert pieces == whole


def test_a_schedule_can_be_left_out() -> None:
    still = Schedule(restarts_at=None, has_server_resets=False)
    assert still.between(WEDNESDAY, WEDNESDAY + 30 * DAY) == []
