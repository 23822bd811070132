"""Many files together: all are sound and go together, or no bar of any of them is delivered."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from daemon.config.options import Exchange, SessionsConfig, SymbolConfig
from daemon.exit_codes import ExitCode
from daemon.feeds.bar_file import BadBars
from daemon.feeds.file import BLOCK_BARS, FileFeed
from events import BarClosed, Symbol
from tests.builders import utc
from tests.command_line import traded

NOW = utc("2024-06-01T00:00")
HEADER = "ts,open,high,low,close,volume\n"
DAILY = "date,open,high,low,close,volume\n"


def minutes(first: str, count: int, *, step_s: int = 60) -> str:
    """Return the rows of `count` bars of 10 dollars, from `first` on."""
    starts = (utc(first) + number * timedelta(seconds=step_s) for number in range(count))
    return "".join(f"{start:%Y-%m-%dT%H:%M:%SZ},10,10,10,10,5\n" for start in starts)


def days(*each: str) -> str:
    return "".join(f"{day},10,10,10,10,5\n" for day in each)


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def a_feed(
    *paths: Path,
    symbols: str = "A B",
    bar_seconds: int | None = None,
    now: datetime = NOW,
    exchange: Exchange = Exchange.NYSE,
) -> FileFeed:
    terms = {Symbol(name): SymbolConfig(exchange=exchange) for name in symbols.split()}
    return FileFeed(paths, terms, SessionsConfig(), now=now, bar_seconds=bar_seconds)


def refused(*paths: Path, symbols: str = "A B", bar_seconds: int | None = None) -> list[str]:
    """Return why the files are refused, a line a problem, the folder left out."""
    with pytest.raises(BadBars) as error:
        a_feed(*paths, symbols=symbols, bar_seconds=bar_seconds)
    folder = paths[0] if paths[0].is_dir() else paths[0].parent
    return str(error.value).replace(f"{folder}/", "").splitlines()


async def blocks(
    feed: FileFeed, newest: Mapping[Symbol, datetime] | None = None
) -> list[Sequence[BarClosed]]:
    return [block async for block in feed.blocks(newest or {})]


async def ends(feed: FileFeed, newest: Mapping[Symbol, datetime] | None = None) -> list[str]:
    """Return each bar's symbol and end, in the order of delivery."""
    return [
        f"{bar.symbol} {bar.end:%d %H:%M}" for block in await blocks(feed, newest) for bar in block
    ]


# Order.


async def test_bars_come_in_order_of_their_end_then_symbol_over_all_files(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "B.csv": HEADER + minutes("2024-01-02T14:30", 3),
            "A_later.csv": HEADER + minutes("2024-01-02T14:32", 1),
            "deeper/A.csv": HEADER + minutes("2024-01-02T14:29", 2),
        },
    )
    assert await ends(a_feed(tmp_path)) == [
        "A 02 14:30",
        "A 02 14:31",
        "B 02 14:31",
        "B 02 14:32",
        "A 02 14:33",
        "B 02 14:33",
    ]


async def test_a_bar_comes_when_it_has_ended_whatever_its_size(tmp_path: Path) -> None:
    # A's hours from 14:00 end at 15:00 and 16:00; B's minutes end in between.
    write(
        tmp_path,
        {
            "A.csv": HEADER + minutes("2024-01-02T14:00", 2, step_s=3600),
            "B.csv": HEADER + minutes("2024-01-02T14:58", 3),
        },
    )
    feed = a_feed(tmp_path)
    assert await ends(feed) == [
        "B 02 14:59",
        "A 02 15:00",
        "B 02 15:00",
        "B 02 15:01",
        "A 02 16:00",
    ]
    assert (feed.starts_at, feed.ends_at) == (utc("2024-01-02T14:00"), utc("2024-01-02T16:00"))


async def test_blocks_are_bounded_and_lose_nothing(tmp_path: Path) -> None:
    count = BLOCK_BARS + 1
    write(tmp_path, {"A.csv": HEADER + minutes("2024-01-02T00:00", count)})
    feed = a_feed(tmp_path)
    assert [len(block) for block in await blocks(feed)] == [BLOCK_BARS, 1]
    assert feed.bars_total == count


async def test_what_is_known_is_not_delivered_again(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "A.csv": HEADER + minutes("2024-01-02T14:30", 2),
            "B.csv": HEADER + minutes("2024-01-02T14:30", 2),
        },
    )
    newest = {Symbol("A"): utc("2024-01-02T14:31"), Symbol("B"): utc("2024-01-02T14:32")}
    assert await ends(a_feed(tmp_path), newest) == ["A 02 14:32"]
    assert await ends(a_feed(tmp_path), {Symbol("A"): utc("2024-01-03T00:00")}) == [
        "B 02 14:31",
        "B 02 14:32",
    ]


async def test_only_the_configured_symbols_are_delivered(tmp_path: Path) -> None:
    rows = HEADER + minutes("2024-01-02T14:30", 1)
    write(tmp_path, {"A.csv": rows, "B.csv": rows, "C.csv": rows})
    feed = a_feed(tmp_path, symbols="B D")
    assert await ends(feed) == ["B 02 14:31"]
    assert feed.bars_total == 1


# The size of a bar.


@pytest.mark.parametrize(
    ("rows", "bar_seconds", "size"),
    [
        (minutes("2024-01-02T14:30", 3, step_s=300), None, 300),
        # Sparse: the smallest step counts, not the usual one.
        (minutes("2024-01-02T14:30", 9, step_s=600) + minutes("2024-01-02T16:00", 2), None, 60),
        (minutes("2024-01-02T14:30", 1), None, 60),
        (minutes("2024-01-02T14:30", 3, step_s=300), 60, 60),
    ],
)
async def test_the_size_of_a_bar_is_the_smallest_step_or_as_configured(
    tmp_path: Path, rows: str, bar_seconds: int | None, size: int
) -> None:
    feed = a_feed(write(tmp_path, {"A.csv": HEADER + rows}), bar_seconds=bar_seconds)
    (block,) = await blocks(feed)
    assert {bar.span_s for bar in block} == {size}
    assert block[0].start == utc("2024-01-02T14:30")


def test_bars_closer_together_than_they_are_long_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"A.csv": HEADER + minutes("2024-01-02T14:30", 2)})
    assert refused(tmp_path, bar_seconds=300) == [
        "A.csv: its bars are 60 s apart: feed.bar_seconds = 300 is wrong"
    ]


def test_bars_of_less_than_a_second_are_refused(tmp_path: Path) -> None:
    rows = "2024-01-02T14:30:00Z,1,1,1,1,1\n2024-01-02T14:30:00.5Z,1,1,1,1,1\n"
    write(tmp_path, {"A.csv": HEADER + rows})
    assert refused(tmp_path) == ["A.csv: its bars are 0.5 s apart: a second is the shortest bar"]


async def test_daily_bars_span_their_sessions_whatever_bar_seconds_says(tmp_path: Path) -> None:
    # 2012-11-23, the day after Thanksgiving, closes at 13:00 New York: 18:00 UTC.
    write(tmp_path, {"A.csv": DAILY + days("2012-11-21", "2012-11-23")})
    feed = a_feed(tmp_path, bar_seconds=60)
    assert await ends(feed) == ["A 21 21:00", "A 23 18:00"]
    assert (feed.starts_at, feed.ends_at) == (utc("2012-11-21T14:30"), utc("2012-11-23T18:00"))


# Files that do not go together.


def test_overlapping_files_of_one_symbol_are_refused(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "A_1.csv": HEADER + minutes("2024-01-02T14:30", 10),
            "A_2.csv": HEADER + minutes("2024-01-02T14:39", 10),
            "B.csv": HEADER + minutes("2024-01-02T14:30", 10),
        },
    )
    assert refused(tmp_path) == ["A_2.csv: its bars of A overlap A_1.csv"]


def test_the_same_file_twice_overlaps_itself(tmp_path: Path) -> None:
    write(tmp_path, {"A.csv": HEADER + minutes("2024-01-02T14:30", 1)})
    assert refused(tmp_path, tmp_path / "A.csv") == ["A.csv: its bars of A overlap A.csv"]


async def test_files_that_touch_do_not_overlap(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "A_1.csv": HEADER + minutes("2024-01-02T14:31", 1),
            "A_2.csv": HEADER + minutes("2024-01-02T14:30", 1),
        },
    )
    assert await ends(a_feed(tmp_path)) == ["A 02 14:31", "A 02 14:32"]


def test_daily_and_minute_bars_of_one_symbol_are_refused(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "A_minute.csv": HEADER + minutes("2024-01-03T14:30", 2),
            "A.csv": DAILY + days("2024-01-02"),
        },
    )
    assert refused(tmp_path) == [
        "A.csv: A has daily and shorter bars, here and in A_minute.csv: feed one size at a time"
    ]


def test_a_daily_bar_on_a_day_without_a_session_is_refused(tmp_path: Path) -> None:
    # New Year's Day, and a Saturday.
    write(tmp_path, {"A.csv": DAILY + days("2024-01-01", "2024-01-02", "2024-01-06")})
    assert refused(tmp_path) == [
        "A.csv: A has a bar on 2024-01-01, no session",
        "A.csv: A has a bar on 2024-01-06, no session",
    ]


def test_around_the_clock_every_day_is_a_session(tmp_path: Path) -> None:
    write(tmp_path, {"A.csv": DAILY + days("2024-01-01", "2024-01-06")})
    feed = a_feed(tmp_path, exchange=Exchange.ALWAYS)
    assert (feed.starts_at, feed.ends_at) == (utc("2024-01-01T00:00"), utc("2024-01-07T00:00"))


@pytest.mark.parametrize(
    ("rows", "now", "is_over"),
    [
        (HEADER + minutes("2024-01-02T14:30", 2), "2024-01-02T14:32", True),
        (HEADER + minutes("2024-01-02T14:30", 2), "2024-01-02T14:31:59", False),
        (DAILY + days("2024-01-02"), "2024-01-02T21:00", True),
        (DAILY + days("2024-01-02"), "2024-01-02T20:59", False),
    ],
)
def test_a_bar_that_is_not_over_yet_is_refused(
    tmp_path: Path, rows: str, now: str, *, is_over: bool
) -> None:
    write(tmp_path, {"A.csv": rows})
    if is_over:
        assert a_feed(tmp_path, now=utc(now)).ends_at == utc(now)
    else:
        with pytest.raises(BadBars, match=r"A\.csv: its last bar of A ends in the future"):
            a_feed(tmp_path, now=utc(now))


def test_no_bars_at_all_is_said_plainly(tmp_path: Path) -> None:
    assert refused(tmp_path) == [f"there are no bar files in {tmp_path}"]
    write(tmp_path, {"C.csv": HEADER + minutes("2024-01-02T14:30", 1)})
    assert refused(tmp_path) == ["none of the configured symbols is in the files; they have C"]


# One bad row never half-loads.


def test_all_problems_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    bad = "2024-01-02T14:30:00Z,10,10,10,10,-1\n"
    write(
        tmp_path,
        {
            "A.csv": HEADER + 15 * bad,  # 15 volumes, and 14 times the same time.
            "B.csv": HEADER + minutes("2024-01-02T14:30", 2),
            "C.csv": "",
            "c.csv": HEADER,
        },
    )
    told = refused(tmp_path)
    assert told[:3] == [
        "A.csv:2: the volume is negative",
        "A.csv:3: the volume is negative",
        "A.csv:3: 2024-01-02T14:30:00Z comes twice",
    ]
    assert len(told) == 21
    assert told[-1] == "... and 11 more"  # 15 + 14 + 2 files, less 20.


async def test_a_file_that_changes_before_it_is_read_ends_the_feed(tmp_path: Path) -> None:
    write(tmp_path, {"A.csv": HEADER + minutes("2024-01-02T14:30", 2)})
    feed = a_feed(tmp_path)
    write(tmp_path, {"A.csv": HEADER + minutes("2024-01-02T14:30", 3)})
    with pytest.raises(BadBars, match=r"A\.csv: changed while it was being read"):
        await blocks(feed)


def test_a_run_on_one_bad_row_among_many_records_nothing(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "bars/A.csv": HEADER + minutes("2024-01-02T14:30", 200),
            "bars/B.csv": HEADER + minutes("2024-01-02T14:30", 200) + "2024-01-03,1,1,1,1,1\n",
            "traded.toml": '[symbols.A]\n[feed]\npaths = ["bars"]\n[journal]\npath = "j.db"\n',
        },
    )
    done = traded("run", "--config", "traded.toml", cwd=tmp_path)
    assert done.returncode == ExitCode.FAILURE
    # Even a symbol nobody trades: a folder with a bad file in it is not to be trusted.
    assert "B.csv:202: '2024-01-03' names no time zone" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "j.db").exists()


def test_symbols_without_any_bar_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"A.csv": HEADER + minutes("2024-01-02T14:30", 3)})
    assert a_feed(tmp_path, symbols="A B C").notices == ("there are no bars of B, C",)
    assert a_feed(tmp_path, symbols="A").notices == ()
