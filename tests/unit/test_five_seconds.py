"""Five-second bars put together: whole bars or none."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from daemon.feeds.five_seconds import Builder, Gap, Part
from events import BarClosed, Symbol
from tests.builders import utc

A = Symbol("A")
TEN = utc("2024-01-02T15:00")


def part(number: int, price: str = "100", volume: str = "10", high: str | None = None) -> Part:
    """Return the part that begins `number` times five seconds after ten in New York."""
    at, top = Decimal(price), Decimal(high or price)
    start = TEN + timedelta(seconds=5 * number)
    return Part(start, at, top, at, at, Decimal(volume))


def made(builder: Builder, parts: Iterable[Part]) -> list[BarClosed | Gap]:
    return [each for one in parts for each in builder.take(one)]


def test_twelve_parts_are_a_minute() -> None:
    parts = [part(number, str(100 + number), high="120" if number == 5 else None)
             for number in range(12)]  # fmt: skip
    (bar,) = made(Builder(A, 60), parts)
    assert isinstance(bar, BarClosed)
    assert (bar.open, bar.high, bar.low, bar.close) == (100, 120, 100, 111)
    assert (bar.volume, bar.start, bar.past) == (120, TEN, False)


def test_a_minute_begun_in_the_middle_is_a_gap_and_the_next_is_whole() -> None:
    found = made(Builder(A, 60), map(part, range(5, 24)))
    assert [type(each) for each in found] == [Gap, BarClosed]
    assert found[0].end == TEN + timedelta(minutes=1)


def test_a_part_that_is_missing_makes_the_minute_a_gap() -> None:
    found = made(Builder(A, 60), [part(number) for number in range(24) if number != 7])
    assert [type(each) for each in found] == [Gap, BarClosed]


def test_the_last_part_missing_shows_with_the_next_minute() -> None:
    found = made(Builder(A, 60), [part(number) for number in range(13) if number != 11])
    assert found == [Gap(TEN + timedelta(minutes=1))]


def test_parts_told_twice_or_late_change_nothing() -> None:
    numbers = [*range(12), 3, 11, *range(12, 18), 14, *range(18, 24)]
    found = made(Builder(A, 60), map(part, numbers))
    assert [type(each) for each in found] == [BarClosed, BarClosed]
    assert [each.volume for each in found if isinstance(each, BarClosed)] == [120, 120]


def test_a_minute_without_its_end_is_due_after_the_grace() -> None:
    builder = Builder(A, 60)
    made(builder, map(part, range(11)))
    grace = timedelta(seconds=3)
    assert not builder.is_due(TEN + timedelta(seconds=62), grace)
    assert builder.is_due(TEN + timedelta(seconds=63), grace)
    assert list(builder.close()) == [Gap(TEN + timedelta(minutes=1))]
    assert list(builder.close()) == []


def test_a_five_second_bar_is_its_one_part() -> None:
    (bar,) = made(Builder(A, 5), [part(0)])
    assert isinstance(bar, BarClosed)
    assert bar.span_s == 5
