"""Real bars, every file there is: one daemon for all minutes, another for all days.

What is expected is worked out from the files and from the journal's rows by themselves: csv,
sqlite3 and New York's hours written down here. The data has a README of its own; it is not shipped.
"""

import csv
import gzip
import json
import sqlite3
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.command_line import traded
from tests.wide_limits import WIDE_LIMITS

DATA = Path(__file__).parents[2].parent / "shared" / "data"
NEW_YORK = ZoneInfo("America/New_York")
HALF_DAYS = {date(2015, 12, 24), date(2024, 7, 3)}
"""Those with minute bars; the days' fills are all at the open, which is at 9:30 on any day."""

SLOW = 60

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the shared bars are not here: {DATA} does not exist"
)


def hours(moment: datetime) -> tuple[datetime, datetime]:
    """Return when New York's regular session of that day begins and ends."""
    day = moment.astimezone(NEW_YORK).date()
    close = time(13) if day in HALF_DAYS else time(16)
    return (
        datetime.combine(day, time(9, 30), NEW_YORK),
        datetime.combine(day, close, NEW_YORK),
    )


def is_regular(end: datetime) -> bool:
    """Say whether a bar that ends then is one of the regular session."""
    opens, closes = hours(end)
    return opens < end <= closes


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def from_ns(at: int) -> datetime:
    return datetime.fromtimestamp(at // 10**9, UTC)


def files(kind: str) -> list[Path]:
    return sorted((DATA / kind).rglob("*.csv.gz"))


def rows(path: Path) -> Iterator[list[str]]:
    with gzip.open(path, "rt") as text:
        yield from csv.reader(line for line in text if not line.startswith(("ts,", "date,")))


def symbol_of(path: Path) -> str:
    return path.name.split(".")[0].split("_")[0]


@dataclass(frozen=True)
class Row:
    """One row of the journal."""

    seq: int
    at: int
    cause: int | None
    body: dict[str, Any]


@dataclass
class Run:
    """A finished run: its journal's rows by type, and what the command line says of it."""

    folder: Path
    printed: subprocess.CompletedProcess[str]
    by_seq: dict[int, Row] = field(default_factory=dict)
    of_type: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def read(self) -> None:
        connection = sqlite3.connect(f"file:{self.folder / 'j.db'}?mode=ro", uri=True)
        query = "SELECT seq, at, type, cause, body FROM event ORDER BY seq"
        for seq, at, kind, cause, body in connection.execute(query):
            row = Row(seq, at, cause, json.loads(body))
            self.by_seq[seq] = row
            self.of_type[kind].append(row)
        connection.close()

    def traded(self, *words: str) -> subprocess.CompletedProcess[str]:
        return traded(*words, "--journal", "j.db", cwd=self.folder)

    @cached_property
    def decided_on(self) -> dict[str, Row]:
        """The bar each order was decided on, by the order's id."""
        return {
            row.body["client_order_id"]: self.by_seq[row.cause or 0]
            for row in self.of_type["order.intended"]
        }

    @cached_property
    def filled_on(self) -> dict[int, Row]:
        """The bar of each fill, by the fill's seq: the next of its symbol (decision 0004)."""
        found: dict[int, Row] = {}
        waiting: dict[str, list[int]] = defaultdict(list)
        for row in self.by_seq.values():
            match row.body["type"]:
                case "order.filled":
                    waiting[row.body["symbol"]].append(row.seq)
                case "bar.closed":
                    found |= dict.fromkeys(waiting.pop(row.body["symbol"], ()), row)
        return found

    def bars(self, symbol: str) -> list[Row]:
        return [row for row in self.of_type["bar.closed"] if row.body["symbol"] == symbol]


def run(folder: Path, paths: Sequence[Path], more: str, params: str) -> Run:
    symbols = "".join(f"[symbols.{name}]\n" for name in sorted({symbol_of(path) for path in paths}))
    trend = f'class = "daemon.strategies.moving_average:MovingAverage"\nparams = {params}'
    (folder / "traded.toml").write_text(
        f"{symbols}[strategies.trend]\n{trend}\n[feed]\npaths = {[str(path) for path in paths]}\n"
        f"[journal]\npath = 'j.db'\n[broker]\ncapital_usd = 1000000\n{more}{WIDE_LIMITS}"
    )
    done = traded("run", "--config", "traded.toml", "--output", "outcome.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = Run(folder, done)
    found.read()
    return found


@pytest.fixture(scope="module")
def minutes(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("minutes")
    return run(folder, files("minute"), "", f"{{ fast = 20, slow = {SLOW}, shares = 10 }}")


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Every daily file, with the splits and dividends that go with it."""
    folder = tmp_path_factory.mktemp("days")
    lines = ["symbol,ex_date,kind,ratio,cash_per_share_usd,pay_date"]
    with (DATA / "corporate_actions.csv").open(encoding="utf-8") as text:
        for row in csv.DictReader(text):
            if row["kind"] == "dividend":
                cash = row["cash_per_share_usd"]
                lines.append(f"{row['symbol']},{row['ex_date']},dividend,,{cash},{row['ex_date']}")
            elif row["symbol"] != "GOOG":  # 1.0027 for 1: a dividend in shares, and no daily bars.
                ratio = f"{round(Decimal(row['split_ratio_new_per_old']))}:1"
                lines.append(f"{row['symbol']},{row['ex_date']},split,{ratio},,")
    (folder / "actions.csv").write_text("\n".join(lines) + "\n")
    more = "[corporate_actions]\npath = 'actions.csv'\n"
    params = f'{{ fast = 20, slow = {SLOW}, shares = 10, time_in_force = "OPG" }}'
    return run(folder, files("daily"), more, params)


@pytest.fixture(params=["minutes", "days"])
def either(request: pytest.FixtureRequest) -> Run:
    found: Run = request.getfixturevalue(request.param)
    return found


# Both.


def test_every_row_of_every_file_is_in_the_journal_once_and_unchanged(either: Run) -> None:
    kind = "daily" if either.folder.name.startswith("days") else "minute"
    expected = Counter((symbol_of(path), *row[1:6]) for path in files(kind) for row in rows(path))
    numbers = ("open", "high", "low", "close", "volume")
    recorded = Counter(
        (row.body["symbol"], *(row.body[name] for name in numbers))
        for row in either.of_type["bar.closed"]
    )
    assert recorded == expected
    assert recorded.total() == {"daily": 27_360, "minute": 270_396}[kind]


def test_bars_are_in_order_of_their_end_and_none_twice(either: Run) -> None:
    ends = [(row.body["end"], row.body["symbol"]) for row in either.of_type["bar.closed"]]
    assert ends == sorted(set(ends))


def test_every_fill_is_on_a_later_bar_than_its_decision(either: Run) -> None:
    fills = either.of_type["order.filled"]
    assert len(fills) > 300
    for fill in fills:
        decision = either.decided_on[fill.body["client_order_id"]]
        bar = either.filled_on[fill.seq]
        start = moment(bar.body["end"]) - timedelta(seconds=bar.body["span_s"])
        assert decision.body["type"] == "bar.closed"
        assert decision.seq < fill.seq < bar.seq
        assert moment(decision.body["end"]) <= start <= moment(fill.body["executed_at"])
        assert Decimal(bar.body["low"]) <= Decimal(fill.body["price"]) <= Decimal(bar.body["high"])


def test_every_fill_is_in_the_regular_session(either: Run) -> None:
    for fill in either.of_type["order.filled"]:
        assert is_regular(moment(either.filled_on[fill.seq].body["end"]))
        opens, closes = hours(moment(fill.body["executed_at"]))
        assert opens <= moment(fill.body["executed_at"]) <= closes


def test_strategies_are_asked_on_bars_of_the_regular_session_only(either: Run) -> None:
    answers = either.of_type["order.intended"] + either.of_type["strategy.declined"]
    assert len(answers) > 600
    for answer in answers:
        assert is_regular(moment(either.by_seq[answer.cause or 0].body["end"]))


def test_no_symbol_is_traded_before_its_window_is_full(either: Run) -> None:
    traded_symbols = {row.body["symbol"] for row in either.of_type["order.intended"]}
    assert len(traded_symbols) == (5 if either.folder.name.startswith("days") else 15)
    for symbol in traded_symbols:
        first = min(
            row.cause or 0
            for row in either.of_type["order.intended"]
            if row.body["symbol"] == symbol
        )
        seen = [
            bar
            for bar in either.bars(symbol)
            if bar.seq <= first and is_regular(moment(bar.body["end"]))
        ]
        assert len(seen) >= SLOW


def test_positions_are_the_sum_of_their_fills_and_splits(either: Run) -> None:
    held: dict[str, Decimal] = defaultdict(Decimal)
    for row in either.by_seq.values():
        match row.body["type"]:
            case "order.filled":
                held[row.body["symbol"]] += Decimal(row.body["quantity"])
            case "corporate-action.applied" if row.body["kind"] == "split":
                ratio = Decimal(row.body.get("new_shares", 1)) / row.body.get("old_shares", 1)
                held[row.body["symbol"]] *= ratio
    told = json.loads(either.traded("positions", "--json").stdout)
    shown = {each["symbol"]: Decimal(each["quantity"]) for each in told["positions"]}
    assert shown == held


def test_the_run_ends_in_order_and_says_so(either: Run) -> None:
    (ended,) = either.of_type["session.ended"]
    assert ended.body["reason"] == "the feed ended"
    assert "stopped: the feed ended" in either.printed.stdout
    outcome = json.loads((either.folder / "outcome.json").read_text())
    assert outcome["bars"] == len(either.of_type["bar.closed"])
    assert outcome["fills"] == len(either.of_type["order.filled"])
    assert not either.of_type["strategy.failed"]
    assert not either.of_type["hold.placed"]
    assert not either.of_type["intent.refused"]


def test_the_journal_is_sound(either: Run) -> None:
    done = either.traded("verify")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "sound"


def test_every_decision_made_again_is_the_same(either: Run) -> None:
    done = either.traded("replay", "--redecide", "--json")
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)
    outcome = json.loads((either.folder / "outcome.json").read_text())
    assert told["state_hash"] == outcome["state_hash"]
    assert told["different"] == 0
    assert told["decisions"] > 1_000


# Minutes.


def test_bars_off_session_are_recorded_and_decide_nothing(minutes: Run) -> None:
    off = [row for row in minutes.of_type["bar.closed"] if not is_regular(moment(row.body["end"]))]
    # Most of lean's and SPY's bars of March 2011 come from before 9:30 or after 16:00.
    assert len(off) > 15_000
    seqs = {row.seq for row in off}
    assert not any(row.cause in seqs for row in minutes.by_seq.values())


def test_a_market_order_fills_at_its_bars_open_a_basis_point_worse(minutes: Run) -> None:
    cent = Decimal("0.01")
    for fill in minutes.of_type["order.filled"]:
        bar = minutes.filled_on[fill.seq].body
        opened, shares = Decimal(bar["open"]), Decimal(fill.body["quantity"])
        if shares > 0:
            price = (opened * Decimal("1.0001")).quantize(cent, ROUND_CEILING)
            price = min(price, Decimal(bar["high"]))
        else:
            price = (opened * Decimal("0.9999")).quantize(cent, ROUND_FLOOR)
            price = max(price, Decimal(bar["low"]))
        assert Decimal(fill.body["price"]) == price


def test_the_clock_change_moves_what_is_traded_by_an_hour(minutes: Run) -> None:
    def first_answers(day: str) -> datetime:
        fills = [moment(row.body["executed_at"]) for row in minutes.of_type["order.filled"]]
        return min(each for each in fills if f"{each:%Y-%m-%d}" == day)

    # Open at 14:30 on the 8th of March 2024, at 13:30 on the 11th.
    assert first_answers("2024-03-08") >= moment("2024-03-08T14:30Z")
    assert moment("2024-03-11T13:30Z") <= first_answers("2024-03-11") < moment("2024-03-11T14:30Z")


def test_an_order_of_a_sessions_last_bar_waits_for_the_next_session(minutes: Run) -> None:
    last = {}
    for fill in minutes.of_type["order.filled"]:
        decided = moment(minutes.decided_on[fill.body["client_order_id"]].body["end"])
        if decided == hours(decided)[1]:
            last[fill.body["client_order_id"]] = (decided, moment(fill.body["executed_at"]))
    assert len(last) > 5
    for decided, executed in last.values():
        assert executed.astimezone(NEW_YORK).date() > decided.astimezone(NEW_YORK).date()
        assert executed >= hours(executed)[0]


@pytest.mark.parametrize("day", ["2015-12-24", "2024-07-03"])
def test_on_a_half_day_nothing_trades_after_one(minutes: Run, day: str) -> None:
    one = datetime.combine(date.fromisoformat(day), time(13), NEW_YORK)
    late = [
        row
        for row in minutes.of_type["bar.closed"]
        if row.body["end"].startswith(day) and moment(row.body["end"]) > one
    ]
    assert late, "the files have bars after one"
    # An answer is caused by a bar; a fill would be dated in it.
    assert not {row.seq for row in late} & {row.cause for row in minutes.by_seq.values()}
    fills = [moment(row.body["executed_at"]) for row in minutes.of_type["order.filled"]]
    assert not [each for each in fills if f"{each:%Y-%m-%d}" == day and each > one]


@pytest.mark.parametrize(("symbol", "day"), [("CPAY", "2024-03-25"), ("SW", "2024-07-08")])
def test_a_ticker_may_appear_in_mid_run(minutes: Run, symbol: str, day: str) -> None:
    bars = minutes.bars(symbol)
    assert bars[0].body["end"].startswith(day)
    first = next(
        row for row in minutes.of_type["strategy.declined"] if row.body["symbol"] == symbol
    )
    assert first.cause == bars[0].seq
    assert (first.body["stage"], first.body["reason"]) == ("warm-up", "insufficient data")
    assert any(row.body["symbol"] == symbol for row in minutes.of_type["order.filled"])


def test_an_order_that_no_bar_answers_expires_with_its_session(minutes: Run) -> None:
    for row in minutes.of_type["order.expired"]:
        decided = minutes.decided_on[row.body["client_order_id"]]
        symbol = decided.body["symbol"]
        closes = hours(moment(decided.body["end"]))[1]
        if moment(decided.body["end"]) < closes:
            # Then no bar of the symbol began in what was left of the session.
            begun = [moment(bar.body["end"]) - timedelta(minutes=1) for bar in minutes.bars(symbol)]
            assert not [each for each in begun if moment(decided.body["end"]) <= each < closes]


def test_with_extended_hours_early_and_late_bars_are_shown_and_no_market_order_leaves_on_them(
    tmp_path: Path,
) -> None:
    paths = [DATA / "minute" / "lean" / f"{name}.csv.gz" for name in ("SPY", "BAC")]
    more = "[sessions]\nallow_extended_hours = true\n"
    found = run(tmp_path, paths, more, f"{{ fast = 20, slow = {SLOW}, shares = 10 }}")
    outside = []
    for name, bar in found.decided_on.items():
        end = moment(bar.body["end"])
        opens, closes = hours(end)
        if not opens <= end <= closes:  # At both ends an order still meets an open exchange.
            outside.append(name)
    refused = {
        row.body["client_order_id"]: [check[0] for check in row.body["checks"] if not check[1]]
        for row in found.of_type["intent.refused"]
    }
    assert len(outside) > 10
    assert [refused[name] for name in outside] == [["order_hours"]] * len(outside)
    # What was asked for in regular hours was sent, and filled in whichever hours came next.
    assert len(found.of_type["order.filled"]) > 10


# Days.


def test_an_opening_order_fills_at_the_next_rows_open(days: Run) -> None:
    opens: dict[str, dict[str, tuple[str, Decimal]]] = {}
    for path in files("daily"):
        found = [(row[0], Decimal(row[1])) for row in rows(path)]
        opens[symbol_of(path)] = {day: after for (day, _), after in pairwise(found)}
    for fill in days.of_type["order.filled"]:
        symbol = fill.body["symbol"]
        decided = days.decided_on[fill.body["client_order_id"]].body["end"][:10]
        day, price = opens[symbol][decided]
        at_open = datetime.combine(date.fromisoformat(day), time(9, 30), NEW_YORK)
        assert Decimal(fill.body["price"]) == price
        assert moment(fill.body["executed_at"]) == at_open


def test_a_symbol_may_be_missing_for_years(days: Run) -> None:
    # QQQ traded as QQQQ from 2004-12-01 to 2011-03-22: whatever it was told, nothing happened.
    gap = [
        row.body["end"]
        for row in days.bars("QQQ")
        if "2004-12-01" <= row.body["end"][:10] <= "2011-03-22"
    ]
    assert gap == []
    fills = [row for row in days.of_type["order.filled"] if row.body["symbol"] == "QQQ"]
    assert not [
        row for row in fills if "2004-12-01" <= row.body["executed_at"][:10] <= "2011-03-22"
    ]
    assert [row for row in fills if row.body["executed_at"] > "2011-03-23"]


def test_splits_and_dividends_are_applied_once_each(days: Run) -> None:
    applied = [from_ns(row.at) for row in days.of_type["corporate-action.applied"]]
    assert len(applied) == len(days.of_type["corporate-action.announced"]) > 380
    # At New York's midnight: 4 or 5 in the morning in UTC.
    assert {(each.hour, each.minute) for each in applied} == {(4, 0), (5, 0)}
