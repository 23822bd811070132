"""Builds the floor of the simulated gateway: from bar files, or empty and for a script."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from daemon.calendar import load_calendar
from daemon.config.options import SessionsConfig
from daemon.feeds import bar_file
from daemon.feeds.bar_file import DEFAULT_SPAN_S, BadBars, BarFile, read
from events import BarClosed, SessionHours
from ops.gateway_sim import store
from ops.gateway_sim.contracts import Contracts, mexican_twin, us_stock
from ops.gateway_sim.floor import Floor
from ops.gateway_sim.hours import Hours
from ops.gateway_sim.ledger import new_ledger
from ops.gateway_sim.market_data import DataRules
from ops.gateway_sim.prices import Market
from ops.gateway_sim.working_orders import BookRules

_EXCHANGE = "NYSE"
_MARGIN = timedelta(days=30)
"""Sessions are known from so long before the first bar to so long after the last."""


def open_floor(  # noqa: PLR0913 - what a person may choose
    bars: Sequence[Path] | None,
    account: str,
    cash: Decimal,
    start: datetime | None,
    state: Path | None,
    *,
    symbols: Iterable[str] = (),
    order_rules: BookRules | None = None,
    data_rules: DataRules | None = None,
) -> Floor:
    """Return a floor that plays `bars` (files and folders) from `start` on.

    Without bars its prices are scripted and every weekday is a session. `start` None is when the
    first bar's session opens. The account goes on as `state` holds it, where that file exists.

    Raises:
        BadBars: a file is not sound, or there is none.
        BadState: `state` is no state, or another account's.
    """
    played = read_bars(bars) if bars is not None else {}
    hours = Hours(_sessions(played)) if played else Hours()
    begins = start or _first_open(played, hours)
    listings = [us_stock(symbol) for symbol in sorted({*symbols, *played})]
    contracts = Contracts([*listings, *map(mexican_twin, listings)], hours)
    ids = {listing.symbol: listing.con_id for listing in listings}
    market = Market({ids[symbol]: each for symbol, each in played.items()}, begins)
    ledger = store.load(state) if state is not None else None
    if ledger is not None and ledger.account != account:
        raise store.BadState(f"{state} is the account {ledger.account}'s, not {account}'s")
    ledger = ledger or new_ledger(account, cash)
    return Floor(begins, ledger, market, contracts, hours, order_rules, data_rules)


def read_bars(paths: Sequence[Path]) -> dict[str, list[BarClosed]]:
    """Return all bars by symbol, in order.

    Raises:
        BadBars: any row of any file is wrong, two files overlap, or there is no bar.
    """
    files, problems = [], []
    for path in _files(paths):
        file, wrong = bar_file.inspect(path, datetime.max.replace(tzinfo=UTC))
        problems += wrong
        files += [file] if file is not None else []
    if problems:
        raise BadBars(problems)
    if not files:
        raise BadBars([f"there are no bar files in {', '.join(map(str, paths))}"])
    days = _days_of(files)
    found: dict[str, list[BarClosed]] = {}
    for symbol in sorted({symbol for file in files for symbol in file.series}):
        mine = [file for file in files if symbol in file.series]
        mine.sort(key=lambda file: file.series[symbol].first)
        span_s = _span_s(mine)
        found[symbol] = [bar for file in mine for bar in read(file, symbol, span_s, days)]
        if any(late.start < bar.end for bar, late in pairwise(found[symbol])):
            raise BadBars([f"the files with bars of {symbol} overlap"])
    return found


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted([*path.rglob("*.csv"), *path.rglob("*.csv.gz")])
        else:
            yield path


def _span_s(files: Sequence[BarFile]) -> int:
    steps = [series.step_s for file in files for series in file.series.values()]
    smallest = min(steps)
    return DEFAULT_SPAN_S if smallest == float("inf") else max(1, int(smallest))


def _days_of(files: Sequence[BarFile]) -> dict[date, SessionHours]:
    """Return the sessions that daily bars fall on."""
    days = [day for file in files for series in file.series.values() for day in series.days]
    return {hours.day: hours for hours in _calendar(min(days), max(days))} if days else {}


def _sessions(played: Mapping[str, Sequence[BarClosed]]) -> Sequence[SessionHours]:
    first = min(bars[0].start for bars in played.values()) - _MARGIN
    last = max(bars[-1].end for bars in played.values()) + _MARGIN
    return _calendar(first.date(), last.date())


def _calendar(first: date, last: date) -> Sequence[SessionHours]:
    return load_calendar(_EXCHANGE, first, last, SessionsConfig()).sessions


def _first_open(played: Mapping[str, Sequence[BarClosed]], hours: Hours) -> datetime:
    if not played:
        raise ValueError("a gateway without bars must be told when to start")
    first = min(bars[0].start for bars in played.values())
    return hours.next_session(first).open
