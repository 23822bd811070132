"""One file of bars: every kind of bad row is named by its line, and only a sound file is read."""

import gzip
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.feeds.bar_file import BadBars, BarFile, Problem, inspect, read, symbol_of
from events import Symbol
from tests.builders import a_session, utc

NOW = utc("2024-06-01T00:00")
HEADER = "ts,open,high,low,close,volume\n"
DAILY = "date,open,high,low,close,volume\n"
MANY = "Ticker,Date,Open,High,Low,Close,Volume,Adj Close\n"
FIRST = "2024-01-02T14:30:00Z,10,12,9,11,500\n"


def write(folder: Path, text: str | bytes, name: str = "A.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems(folder: Path, text: str | bytes, name: str = "A.csv") -> list[str]:
    """Return what is said about a file of `text`, its path left out."""
    path = write(folder, text, name)
    found, wrong = inspect(path, NOW)
    assert found is None, "a file with a problem is no file to read"
    assert {problem.path for problem in wrong} == {path}
    return [str(problem).removeprefix(f"{path}:") for problem in wrong]


def sound(folder: Path, text: str | bytes, name: str = "A.csv") -> BarFile:
    found, wrong = inspect(write(folder, text, name), NOW)
    assert wrong == []
    assert found is not None
    return found


# Rows.


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("2024-01-02T14:31:00Z,NaN,12,9,11,500", "a number is NaN"),
        ("2024-01-02T14:31:00Z,10,12,9,nan,500", "a number is NaN"),
        ("2024-01-02T14:31:00Z,10,12,9,11,NaN", "a number is NaN"),
        ("2024-01-02T14:31:00Z,10,inf,9,11,500", "a number is infinite"),
        ("2024-01-02T14:31:00Z,10,1e400,9,11,500", "a number is infinite"),
        ("2024-01-02T14:31:00Z,10,12,9,11,inf", "'10,12,9,11,inf' are not five plain numbers"),
        ("2024-01-02T14:31:00Z,10,12,0,11,500", "a price is zero or negative"),
        ("2024-01-02T14:31:00Z,0,0,0,0,500", "a price is zero or negative"),
        ("2024-01-02T14:31:00Z,-10,12,-10,11,500", "a price is zero or negative"),
        ("2024-01-02T14:31:00Z,10,9,12,11,500", "high 9.0 is below low 12.0"),
        ("2024-01-02T14:31:00Z,13,12,9,11,500", "open 13.0 or close 11.0 is outside low 9.0 to"),
        ("2024-01-02T14:31:00Z,10,12,9,8,500", "open 10.0 or close 8.0 is outside low 9.0 to"),
        ("2024-01-02T14:31:00Z,10,12,9,11,-1", "the volume is negative"),
        ("2024-01-02T14:31:00Z,1_0,12,9,11,500", "'1_0,12,9,11,500' are not five plain numbers"),
        ("2024-01-02T14:31:00Z,10,12,9,11,5_00", "'10,12,9,11,5_00' are not five plain numbers"),
        ("2024-01-02T14:31:00Z,\u0661\u0660,12,9,11,5", "'\u0661\u0660,12,9,11,5' are not five"),
        ("2024-01-02T14:31:00Z,10,12,,11,500", "'10,12,,11,500' are not five numbers"),
        ("2024-01-02T14:31:00Z,10,12,9,eleven,500", "'10,12,9,eleven,500' are not five numbers"),
        ('2024-01-02T14:31:00Z,10,12,9,"1,100",500', "'10,12,9,1,100,500' are not five numbers"),
        ("2024-01-02T14:31:00Z,10,12,9,11", "5 columns, not 6"),
        ("2024-01-02T14:31:00Z,10,12,9,11,500,7", "7 columns, not 6"),
        ("", "0 columns, not 6"),
        ("2024-01-02T14:30:00Z,10,12,9,11,500", "2024-01-02T14:30:00Z comes twice"),
        ("2024-01-02T09:30:00-05:00,10,12,9,11,500", "2024-01-02T09:30:00-05:00 comes twice"),
        ("2024-01-02T14:29:00Z,10,12,9,11,500", "2024-01-02T14:29:00Z comes after a later bar"),
        ("2024-01-02T14:31:00,10,12,9,11,500", "'2024-01-02T14:31:00' names no time zone"),
        ("2024-01-02,10,12,9,11,500", "'2024-01-02' names no time zone"),
        ("2024-06-01T00:01:00Z,10,12,9,11,500", "2024-06-01T00:01:00Z is in the future"),
        ("1969-12-31T23:59:00Z,10,12,9,11,500", "1969-12-31T23:59:00Z is before 1970"),
        ("02.01.2024 14:31,10,12,9,11,500", "'02.01.2024 14:31' is not a time"),
        (",10,12,9,11,500", "'' is not a time"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: str, what: str) -> None:
    (told,) = problems(tmp_path, f"{HEADER}{FIRST}{row}\n")
    assert told.startswith(f"3: {what}")


def test_a_bar_as_good_as_can_be_asked_for_passes(tmp_path: Path) -> None:
    file = sound(
        tmp_path,
        HEADER
        + FIRST
        + "2024-01-02T14:31:00Z,10,10,10,10,0\n"  # Nothing traded: the last price stands.
        + "2024-01-02T14:35:00Z,0.0001,0.0001,0.0001,0.0001,0.5\n"
        + "2024-05-31T23:59:00Z,700000,700000.01,700000,700000.01,3\n",
    )
    series = file.series[Symbol("A")]
    assert (series.bars, series.step_s) == (4, 60)
    assert (series.first, series.last) == (utc("2024-01-02T14:30"), utc("2024-05-31T23:59"))


def test_everything_that_is_wrong_with_one_row_is_said(tmp_path: Path) -> None:
    told = problems(tmp_path, f"{HEADER}{FIRST}2024-01-02T14:30:00Z,NaN,12,9,11,500\n")
    assert told == ["3: a number is NaN", "3: 2024-01-02T14:30:00Z comes twice"]


def test_all_bad_rows_are_listed_each_with_its_own_line(tmp_path: Path) -> None:
    text = (
        HEADER
        + "2024-01-02T14:30:00Z,10,12,9,11,-1\n"
        + "2024-01-02T14:31:00Z,10,12,9,11,5\n"
        + "\n"
        + '"2024-01-02T14:32:00Z\n",10,12,9,11,5\n'  # A cell over two lines: 5 and 6.
        + "2024-01-02T14:33:00Z,10,12,9,8,5\n"
    )
    lines = [told.split(":")[0] for told in problems(tmp_path, text)]
    assert lines == ["2", "4", "6", "7"]


# Files.


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", " is empty"),
        (HEADER, " has a header and no bars"),
        (MANY, " has a header and no bars"),
        (FIRST, "1: the header '2024-01-02T14:30:00Z,10,12,9,11,500' is none we know"),
        ("time,o,h,l,c,v\n", "1: the header 'time,o,h,l,c,v' is none we know"),
        (f"\ufeff{HEADER}", "1: the header '\\ufeffts,open,high,low,close,volume' is none we know"),
        (f"{HEADER[:-1]},Volume,Adj Close\n", "1: the header 'ts,open,high,low,close,volume,Vol"),
        ("ts,open,high,low,close\n", "1: the header 'ts,open,high,low,close' is none we know"),
        ("\n" + HEADER, "1: the header '' is none we know"),
        (bytes(range(128)) * 9, "1: the header '\\x00\\x01\\x02\\x03"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), " is not UTF-8: "),
        (f"{HEADER}{FIRST}".encode() + b"\xe9,10,12,9,11,5\n", " is not UTF-8: "),
        (f"{HEADER}{FIRST}".encode("utf-16"), " is not UTF-8: "),
        (f'{HEADER}{FIRST}2024-01-02T14:31:00Z,10,12,9,11,"5', "3: cannot be read: unexpected end"),
        (f"{HEADER}{FIRST}{'7' * 10_000_000}", "3: cannot be read: field larger than field limit"),
        ("7" * 10_000_000, "1: cannot be read: field larger than field limit"),
    ],
)
def test_a_file_that_is_none_says_why(tmp_path: Path, text: str | bytes, what: str) -> None:
    (told,) = problems(tmp_path, text)
    assert told.startswith(what)


def test_a_header_nobody_knows_is_told_with_one_that_is_known(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, "time,o,h,l,c,v\n")
    assert told.endswith("is none we know, such as ts,open,high,low,close,volume")


def test_what_would_be_waited_for_for_ever_is_no_file_of_bars(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "SPY.csv")
    found, (told,) = inspect(tmp_path / "SPY.csv", utc("2024-01-03T00:00"))
    assert (found, str(told).endswith("SPY.csv: cannot be read: it is no file")) == (None, True)


def test_a_line_of_ten_megabytes_does_not_fill_the_screen(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, ",".join("x" * 5_000_000))
    assert told.startswith("1: the header 'x,x,x,")
    assert len(told) < 250


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],  # A download that broke off.
        lambda whole: whole[:-8] + b"12345678",  # Another checksum.
        lambda whole: whole[:15] + b"\xff\xff\xff" + whole[18:],  # Damaged in the middle.
        lambda whole: whole + b"junk",
        lambda _whole: b"<html>404 Not Found</html>",
    ],
)
def test_a_damaged_gzip_file_cannot_be_read(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    minutes = (f"2024-01-02T14:{minute}:00Z,10,12,9,11,{minute}\n" for minute in range(10, 60))
    whole = gzip.compress((HEADER + "".join(minutes)).encode())
    assert sound(tmp_path, whole, "A.csv.gz").series[Symbol("A")].bars == 50
    told = problems(tmp_path, damage(whole), "A.csv.gz")
    assert told[-1].startswith(" cannot be read: ")


def test_an_empty_gzip_file_is_empty(tmp_path: Path) -> None:
    assert problems(tmp_path, b"", "A.csv.gz") == [" is empty"]
    assert problems(tmp_path, gzip.compress(b""), "A.csv.gz") == [" is empty"]


def test_a_file_that_is_not_there_or_a_folder_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        found, (problem,) = inspect(path, NOW)
        assert found is None
        assert str(problem).startswith(f"{path}: cannot be read: ")


@pytest.mark.parametrize("name", ["spy.csv", "_.csv", "Ä.csv", f"{'A' * 21}.csv", ".csv"])
def test_a_file_name_that_is_no_symbol_is_refused(tmp_path: Path, name: str) -> None:
    (told,) = problems(tmp_path, HEADER + FIRST, name)
    named = name.removesuffix(".csv").split("_", maxsplit=1)[0]
    assert told == f" the file name gives the symbol {named!r}, which is none"


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("SPY.csv", "SPY"),
        ("SPY.csv.gz", "SPY"),
        ("SPY_2011-03.csv.gz", "SPY"),
        ("BRK B.csv", "BRK B"),
        ("BRK.B.csv", "BRK.B"),
        ("BRK.B_2024.csv.gz", "BRK.B"),
    ],
)
def test_a_file_is_named_after_its_symbol(name: str, symbol: str) -> None:
    assert symbol_of(Path("folder.d") / name) == symbol


# Daily bars, and many symbols in one file.


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ("2024-01-02T14:30:00Z,10,12,9,11,5\n", "2: '2024-01-02T14:30:00Z' is not a date"),
        ("2024-02-30,10,12,9,11,5\n", "2: '2024-02-30' is not a date"),
        ("2024-06-02,10,12,9,11,5\n", "2: 2024-06-02 is in the future"),
        ("0001-01-02,10,12,9,11,5\n", "2: 0001-01-02 is before 1970"),
    ],
)
def test_a_day_that_is_none_is_named(tmp_path: Path, rows: str, what: str) -> None:
    assert problems(tmp_path, DAILY + rows) == [what]


def test_each_symbol_of_a_file_of_many_has_its_own_order_of_time(tmp_path: Path) -> None:
    rows = "A,2024-01-02,10,12,9,11,5,1\nA,2024-01-03,10,12,9,11,5,1\nB,2024-01-02,10,12,9,11,5,1\n"
    file = sound(tmp_path, MANY + rows, "whatever.csv")
    assert {name: series.bars for name, series in file.series.items()} == {"A": 2, "B": 1}
    more = f"{MANY}{rows}A,2024-01-03,1,1,1,1,1,1\nb,2024-01-03,1,1,1,1,1,1\n"
    assert problems(tmp_path, more) == ["5: 2024-01-03 comes twice", "6: 'b' is not a symbol"]


# Reading.


def test_a_row_is_a_bar_that_ends_a_span_after_its_start(tmp_path: Path) -> None:
    text = HEADER[:-1] + ",vwap\n" + "2024-01-02T14:30:00Z,10.0001,12,9,11.50,500,10.7\n"
    (bar,) = read(sound(tmp_path, text), Symbol("A"), 60, {})
    assert (bar.symbol, bar.span_s) == ("A", 60)
    assert (bar.start, bar.end) == (utc("2024-01-02T14:30"), utc("2024-01-02T14:31"))
    numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    assert [str(each) for each in numbers] == ["10.0001", "12", "9", "11.50", "500"]


def test_a_time_of_another_zone_becomes_utc(tmp_path: Path) -> None:
    text = HEADER + "2024-01-02T09:30:00-05:00,10,12,9,11,500\n"
    (bar,) = read(sound(tmp_path, text), Symbol("A"), 60, {})
    # Of an order, the text of this time is part of the name.
    assert bar.natural_key == "A|60|2024-01-02T14:31:00+00:00"
    assert bar.end.tzinfo is UTC


def test_a_daily_bar_spans_its_session_shorter_on_a_half_day(tmp_path: Path) -> None:
    sessions = {
        date(2024, 7, 2): a_session("2024-07-02", open_="13:30", close="20:00"),
        date(2024, 7, 3): a_session("2024-07-03", open_="13:30", close="17:00"),
    }
    path = write(tmp_path, DAILY + "2024-07-02,10,12,9,11,5\n2024-07-03,11,12,9,10,5\n")
    file, _ = inspect(path, datetime(2024, 8, 1, tzinfo=UTC))
    assert file is not None
    full, half = read(file, Symbol("A"), 60, sessions)
    assert (full.end, full.span_s) == (utc("2024-07-02T20:00"), 23_400)  # 6.5 hours.
    assert (half.end, half.span_s) == (utc("2024-07-03T17:00"), 12_600)  # 3.5 hours.


def test_of_many_symbols_only_the_one_asked_for_is_read(tmp_path: Path) -> None:
    text = MANY + "A,2024-01-02,10,12,9,11,5,0.1\nB,2024-01-02,20,22,19,21,6,0.2\n"
    sessions = {date(2024, 1, 2): a_session("2024-01-02")}
    (bar,) = read(sound(tmp_path, text, "all.csv"), Symbol("B"), 60, sessions)
    assert (bar.symbol, bar.close, bar.volume) == ("B", Decimal(21), Decimal(6))


def test_a_file_changed_after_its_inspection_is_not_read(tmp_path: Path) -> None:
    file = sound(tmp_path, HEADER + FIRST)
    write(tmp_path, HEADER + FIRST.replace("500", "501"))
    os.utime(file.path, ns=(0, file.stamp[1] + 1))
    with pytest.raises(BadBars, match=r"A\.csv: changed while it was being read"):
        next(read(file, Symbol("A"), 60, {}))


def test_a_file_changed_while_it_is_read_is_noticed_at_its_end(tmp_path: Path) -> None:
    file = sound(tmp_path, HEADER + FIRST)
    bars = read(file, Symbol("A"), 60, {})
    assert next(bars).end == utc("2024-01-02T14:31")
    with file.path.open("a", encoding="utf-8") as more:
        more.write("2024-01-02T14:31:00Z,NaN,12,9,11,500\n")
    with pytest.raises(BadBars, match="changed while it was being read"):
        list(bars)


def test_twenty_problems_are_shown_and_the_rest_is_counted() -> None:
    every = [Problem(Path("A.csv"), line, "is bad") for line in range(2, 27)]
    lines = str(BadBars(every)).splitlines()
    assert lines[0] == "A.csv:2: is bad"
    assert lines[19:] == ["A.csv:21: is bad", "... and 5 more"]
    assert str(BadBars(every[:20])).splitlines() == lines[:20]
