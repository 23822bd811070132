"""Real splits and dividends, raw prices: the books go through them without a jump.

The daily bars are the demo's own. The minutes of AAPL's 7:1 are shared data with a trap: the first
bar of 2014-06-09 opens at 645.57, Friday's price, though a share is worth 92 by then. Whatever is
expected here is reckoned from the bars' files, the fills' prices and the terms of the action.
"""

import csv
import gzip
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from events import (
    BarClosed,
    CashMoved,
    CashMovementKind,
    CommissionCharged,
    CorporateActionApplied,
    OrderCancelled,
    OrderFilled,
    OrderSending,
    Symbol,
)
from events.codec import JournalEvent
from events.journal import JournalReader
from projections import State
from tests.builders import utc
from tests.command_line import traded
from tests.wide_limits import WIDE_LIMITS

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "ops" / "demo"
MINUTES = ROOT.parent / "shared" / "data" / "minute" / "lean" / "AAPL.csv.gz"
CAPITAL = Decimal(1_000_000)
CENT = Decimal("0.01")

needs_minutes = pytest.mark.skipif(
    not MINUTES.is_file(), reason=f"the shared bars are not here: {MINUTES} does not exist"
)

STRATEGIES = '''
"""Strategies that do one thing."""

from collections.abc import Sequence
from decimal import Decimal

from daemon.strategies import Answer, Every, Intent, Schedule, Strategy, View
from events import BarClosed, OrderType, TimeInForce, TimerFired


class Once(Strategy):
    """Trade `shares` (negative: short) at the first bar, for ever."""

    shares: Decimal = Decimal(0)

    def on_bar(self, bar: BarClosed, view: View) -> Answer:
        if view.quantity(bar.symbol) or view.pending(bar.symbol):
            return None
        return Intent(bar.symbol, self.shares)


class Resting(Strategy):
    """Leave four orders in the market that nothing reaches: two that wait, two protective."""

    state_fields = ("is_done",)
    is_done: bool = False

    def on_bar(self, bar: BarClosed, view: View) -> Answer:
        if self.is_done or bar.end.hour < 14:
            return None  # Stops are for regular hours.
        self.is_done = True
        ten, gtc = Decimal(10), TimeInForce.GTC
        far, near = bar.close * 2, bar.close / 2
        far, near = round(far, 2), round(near, 2)
        return [
            Intent(bar.symbol, ten, OrderType.LIMIT, gtc, limit_price=near),
            Intent(bar.symbol, -ten, OrderType.LIMIT, gtc, limit_price=far),
            Intent(bar.symbol, ten, OrderType.STOP, gtc, stop_price=far),
            Intent(bar.symbol, -ten, OrderType.STOP, gtc, stop_price=near),
        ]


class Night(Strategy):
    """Sell 70 the moment New York's early hours begin, at 4:00."""

    def schedules(self) -> Sequence[Schedule]:
        return (Schedule("night", Every.SESSION, offset_s=-19_800),)

    def on_timer(self, timer: TimerFired, view: View) -> Answer:
        price = view.price("AAPL")
        if price is None:
            return None
        low = round(price * Decimal("0.99"), 2)
        return Intent("AAPL", Decimal(-70), OrderType.LIMIT, limit_price=low, outside_rth=True)
'''


class Moment(NamedTuple):
    """The books right after one event."""

    event: JournalEvent
    at: str
    held: Decimal
    cash: Decimal
    owed: Decimal
    equity: Decimal


def run(folder: Path, bars: Path, actions: str, strategies: str, more: str = "") -> list[Moment]:
    """Run the daemon over `bars` and return the books after every event."""
    (folder / "one_thing.py").write_text(STRATEGIES)
    header = "symbol,ex_date,kind,ratio,cash_per_share_usd,pay_date"
    (folder / "actions.csv").write_text(f"{header}\n{actions}\n")
    symbol = actions.split(",", maxsplit=1)[0]
    (folder / "traded.toml").write_text(
        f"""
        [symbols.{symbol}]
        exchange = "NASDAQ"
        {strategies}
        [feed]
        paths = ["{bars}"]
        [corporate_actions]
        path = "actions.csv"
        [journal]
        path = "j.db"
        [broker]
        capital_usd = {CAPITAL}
        {WIDE_LIMITS}
        {more}
        """
    )
    done = traded("run", "--config", "traded.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    moments = list(books(folder / "j.db", Symbol(symbol)))
    replayed = traded("replay", "--redecide", "--journal", "j.db", cwd=folder)
    assert replayed.returncode == 0, replayed.stdout
    return moments


def books(journal: Path, symbol: Symbol) -> Iterator[Moment]:
    state = State()
    with JournalReader(journal) as reader:
        for record in reader.records():
            state.apply(record)
            at = utc("1970-01-01T00:00") + timedelta(microseconds=record.at // 1000)
            yield Moment(
                record.event,
                f"{at:%Y-%m-%dT%H:%M}",
                state.positions.held(symbol).quantity,
                state.cash.balance,
                state.cash.receivable,
                state.pnl.equity,
            )


def of(moments: list[Moment], kind: type) -> list[int]:
    """Return where the events of `kind` are."""
    return [index for index, each in enumerate(moments) if isinstance(each.event, kind)]


def paid(moments: list[Moment]) -> Decimal:
    """Return what the fills cost and what was charged, from the events alone."""
    cost = Decimal(0)
    for each in moments:
        match each.event:
            case OrderFilled(quantity=quantity, price=price):
                cost += quantity * price
            case CommissionCharged(amount=amount):
                cost += amount
    return cost


def once(shares: int) -> str:
    return f'[strategies.once]\nclass = "one_thing:Once"\nparams = {{ shares = {shares} }}'


# The demo's daily bars.


def daily_rows() -> Iterator[dict[str, str]]:
    with gzip.open(DEMO / "us-equities-daily-2000-2013.csv.gz", "rt") as text:
        yield from csv.DictReader(text)


def some_days(folder: Path, symbol: str, first: str, last: str) -> Path:
    """Write the demo's rows of `symbol` between two days to a file of its own, unchanged."""
    rows = [row for row in daily_rows() if row["Ticker"] == symbol and first <= row["Date"] <= last]
    with (folder / "some.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return folder / "some.csv"


def test_the_demos_prices_are_raw_and_its_list_has_every_split_in_them() -> None:
    splits = set()
    with (DEMO / "corporate-actions.csv").open() as file:
        for row in csv.DictReader(file):
            if row["kind"] == "split":
                splits.add((row["symbol"], row["ex_date"], row["ratio"]))
    steps: set[tuple[str, str, str]] = set()
    before: dict[str, Decimal] = {}
    for row in daily_rows():
        name, opened = row["Ticker"], Decimal(row["Open"])
        if name in before and not Decimal("0.6") < opened / before[name] < Decimal("1.6"):
            # How many times the price went into the one before: 2 after a split by 2.
            steps.add((name, row["Date"], f"{round(before[name] / opened)}:1"))
        before[name] = Decimal(row["Close"])
    # 2000-09-29: Apple's warning, half its value gone overnight. No share became two.
    fall = ("AAPL", "2000-09-29", "2:1")
    assert steps == splits | {fall}
    assert len(splits) == 3


@pytest.mark.parametrize(
    ("symbol", "ex", "before", "after", "shares"),
    [
        # Close before, close on the ex date, from the file.
        ("AAPL", "2000-06-21", "101.25", "55.63", 101),
        ("AAPL", "2000-06-21", "101.25", "55.63", -101),
        ("MSFT", "2003-02-18", "48.3", "24.96", 101),
        ("AAPL", "2005-02-28", "88.99", "44.86", 101),
    ],
)
def test_a_two_for_one_split_doubles_the_shares_and_moves_no_money(  # noqa: PLR0913, PLR0917 - a case
    tmp_path: Path, symbol: str, ex: str, before: str, after: str, shares: int
) -> None:
    bars = some_days(tmp_path, symbol, f"{ex[:7]}-01", f"{ex[:7]}-28")
    moments = run(tmp_path, bars, f"{symbol},{ex},split,2:1,,", once(shares))
    (index,) = of(moments, CorporateActionApplied)
    earlier, applied = moments[index - 1], moments[index]
    cash = CAPITAL - paid(moments[:index])
    assert (earlier.held, applied.held) == (shares, 2 * shares)
    assert earlier.cash == applied.cash == cash
    # 101 x 101.25 = 202 x 50.625, and so on.
    assert earlier.equity == applied.equity == cash + shares * Decimal(before)
    bar = next(each for each in moments[index:] if isinstance(each.event, BarClosed))
    assert bar.equity == cash + 2 * shares * Decimal(after)
    assert moments[-1].held == 2 * shares


@pytest.mark.parametrize("shares", [100, -100])
def test_a_dividend_is_owed_from_the_ex_date_and_paid_on_its_day(
    tmp_path: Path, shares: int
) -> None:
    bars = some_days(tmp_path, "AAPL", "2012-08-01", "2012-08-20")
    action = "AAPL,2012-08-09,dividend,,2.65,2012-08-16"
    moments = run(tmp_path, bars, action, once(shares))
    (index,) = of(moments, CorporateActionApplied)
    earlier, ex = moments[index - 1], moments[index]
    cash = CAPITAL - paid(moments[:index])
    owed = shares * Decimal("2.65")  # Who is short owes it: -265.
    # Midnight in New York. The close of the 8th is 619.86; what a share loses is owed.
    assert ex.at == "2012-08-09T04:00"
    assert (ex.cash, ex.owed) == (cash, owed)
    assert earlier.equity == ex.equity == cash + shares * Decimal("619.86")
    bar = next(each for each in moments[index:] if isinstance(each.event, BarClosed))
    assert bar.equity == cash + owed + shares * Decimal("620.73")
    (payment,) = (
        number
        for number in of(moments, CashMoved)
        if getattr(moments[number].event, "kind", None) is CashMovementKind.DIVIDEND
    )
    # Before the first bar of the 16th: nothing happens between two daily bars.
    around = [number for number in of(moments, BarClosed) if abs(number - payment) == 1]
    assert [moments[number].at for number in around] == ["2012-08-15T20:00", "2012-08-16T20:00"]
    assert (moments[payment].cash, moments[payment].owed) == (cash + owed, 0)
    assert moments[payment].equity == moments[payment - 1].equity
    assert moments[-1].equity == cash + owed + shares * Decimal("665.15")


def test_a_dividend_of_shares_bought_on_the_ex_date_is_not_paid(tmp_path: Path) -> None:
    bars = some_days(tmp_path, "AAPL", "2012-08-09", "2012-08-20")
    # Decided on the 9th and bought at the open of the 10th: too late for the dividend of the 10th.
    action = "AAPL,2012-08-10,dividend,,2.65,2012-08-16"
    moments = run(tmp_path, bars, action, once(100))
    (index,) = of(moments, CorporateActionApplied)
    assert moments[index].owed == 0
    assert moments[-1].cash == CAPITAL - paid(moments)


# AAPL's minutes, 7:1 over the weekend before 2014-06-09.


SEVEN = "AAPL,2014-06-09,split,7:1,,"
EXTENDED = "[sessions]\nallow_extended_hours = true"


def session_closes(*, extended: bool) -> Iterator[tuple[str, Decimal]]:
    """Yield end and close of the file's bars; 9:30 to 16:00 New York is 13:30 to 20:00 UTC."""
    with gzip.open(MINUTES, "rt") as text:
        for row in csv.DictReader(text):
            end = utc(row["ts"].removesuffix("Z")) + timedelta(minutes=1)
            if extended or "13:30" < f"{end:%H:%M}" <= "20:00":
                yield f"{end:%Y-%m-%dT%H:%M}", Decimal(row["close"])


@needs_minutes
@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("shares", [100, -100])
def test_over_the_weekend_of_the_split_equity_moves_as_the_price_does(
    tmp_path: Path, shares: int, *, extended: bool
) -> None:
    moments = run(tmp_path, MINUTES, SEVEN, once(shares), EXTENDED if extended else "")
    closes = dict(session_closes(extended=extended))
    start = of(moments, CommissionCharged)[-1]
    cash = CAPITAL - paid(moments)
    looked = 0
    for each in moments[start:]:
        if isinstance(each.event, BarClosed) and each.at in closes:
            factor = 7 if each.at >= "2014-06-09" else 1
            assert each.equity == cash + factor * shares * closes[each.at], each.at
            looked += 1
    assert looked > 1_000
    (index,) = of(moments, CorporateActionApplied)
    assert moments[index].at == "2014-06-09T04:00"
    assert (moments[index].held, moments[index].cash) == (7 * shares, cash)
    assert moments[index].equity == moments[index - 1].equity
    # From Friday's last price to Monday's first: what the real price moved, and nothing else.
    friday, monday = ("645.7", "92.42") if extended else ("645.57", "92.72")
    jump = shares * (7 * Decimal(monday) - Decimal(friday))
    after = next(
        each for each in moments[index:] if isinstance(each.event, BarClosed) and each.at in closes
    )
    assert after.equity - moments[index].equity == jump


@needs_minutes
@pytest.mark.parametrize("extended", [False, True])
def test_the_broker_cancels_what_rests_at_the_split_and_the_stale_price_fills_nothing(
    tmp_path: Path, *, extended: bool
) -> None:
    resting = '[strategies.resting]\nclass = "one_thing:Resting"'
    moments = run(tmp_path, MINUTES, SEVEN, resting, EXTENDED if extended else "")
    (index,) = of(moments, CorporateActionApplied)
    cancelled = of(moments, OrderCancelled)
    assert cancelled == [index + 1, index + 2, index + 3, index + 4]
    for number in cancelled:
        event = moments[number].event
        assert isinstance(event, OrderCancelled)
        assert event.reason == "cancelled for the 7:1 split"
    assert of(moments, OrderFilled) == []
    assert moments[-1].equity == CAPITAL


@needs_minutes
def test_an_order_of_the_night_does_not_fill_at_the_stale_price(tmp_path: Path) -> None:
    strategies = f'{once(100)}\n[strategies.night]\nclass = "one_thing:Night"'
    moments = run(tmp_path, MINUTES, SEVEN, strategies, EXTENDED)
    (split,) = of(moments, CorporateActionApplied)
    # Sent at 08:00, just before the bar that opens at 645.57.
    sent = next(number for number in of(moments, OrderSending) if number > split)
    assert moments[sent].at == "2014-06-09T08:00"
    fill = next(number for number in of(moments, OrderFilled) if number > split)
    event = moments[fill].event
    assert isinstance(event, OrderFilled)
    # The bar of 08:01 opens at 92.46, better than the limit. It traded 59 shares, a tenth of which
    # is for us.
    assert (event.quantity, event.price) == (-5, Decimal("92.46"))
    assert event.executed_at == utc("2014-06-09T08:01")
    # No equity came of it: what was sold was worth what it brought, but for the fee.
    assert abs(moments[fill].equity - moments[fill - 1].equity) < Decimal(100)


@needs_minutes
def test_without_its_line_in_the_list_the_split_looks_like_a_loss(tmp_path: Path) -> None:
    # The trap these tests are about is in the data: the same run, ten years early.
    moments = run(tmp_path, MINUTES, "AAPL,2004-06-09,split,7:1,,", once(100))
    assert of(moments, CorporateActionApplied) == []
    lost = moments[-1].equity - CAPITAL
    assert lost < -50_000
