"""Small runs of the real daemon, in this process: a few bars in blocks, some strategies.

A journal cut behind some row is the journal of a daemon killed right after it wrote that row.
"""

import asyncio
import importlib
import linecache
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from textwrap import indent

import msgspec

from daemon import app
from daemon.config.options import Config
from daemon.history.recovery import Recovered, Recovery
from daemon.history.snapshots import SnapshotFolder
from daemon.stopping.permit import Permit, permit_path
from events import BarClosed, Record, Symbol
from events.chain import Row
from events.journal import Journal, JournalReader
from projections.canonical import state_hash

A, B = Symbol("A"), Symbol("B")
BEGIN = datetime(2024, 1, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BLOCK_BARS = 10

Table = Mapping[str, object]
TREND: Table = {
    "class": "daemon.strategies.moving_average:MovingAverage",
    "params": {"fast": 2, "slow": 5, "shares": 10},
}
HOLD: Table = {"class": "daemon.strategies.buy_and_hold:BuyAndHold", "params": {"shares": 3}}


class Minutes:
    """A feed of `minutes` minutes of A and B in blocks of ten bars; prices wander up and down."""

    live = False

    def __init__(self, minutes: str) -> None:
        """Read how many there are from the file at `minutes`: a run can go on when it grows."""
        self._minutes = int(Path(minutes).read_text(encoding="utf-8"))
        self.bars_total = 2 * self._minutes
        self.starts_at = BEGIN
        self.ends_at = BEGIN + self._minutes * MINUTE

    async def blocks(self, newest: Mapping[Symbol, datetime]) -> AsyncIterator[Sequence[BarClosed]]:
        bars = [
            bar
            for bar in every_bar(self._minutes)
            if bar.symbol not in newest or bar.end > newest[bar.symbol]
        ]
        for start in range(0, len(bars), BLOCK_BARS):
            yield bars[start : start + BLOCK_BARS]


def every_bar(minutes: int) -> Iterator[BarClosed]:
    for minute in range(minutes):
        for symbol, period in ((A, 7), (B, 11)):
            # A saw tooth: 100, 101, ... up to the period, and back to 100.
            price = Decimal(100 + minute % period)
            end = BEGIN + (minute + 1) * MINUTE
            yield BarClosed(symbol, 60, end, price, price + 1, price - 1, price, Decimal(10_000))


def config(
    folder: Path, strategies: Mapping[str, Table], snapshots_kept: int, every: int = 1
) -> Config:
    """Return a configuration that reads its minutes from `folder` and may trade a little."""
    account = {
        "max_order_shares": 100,
        "max_order_usd": 50_000,
        "max_position_shares": 1_000,
        "max_position_usd": 100_000,
        "max_daily_loss_usd": 50_000,
        "max_drawdown": "0.9",
    }
    tree = {
        "symbols": {"A": {"exchange": "24/7"}, "B": {"exchange": "24/7"}},
        "strategies": strategies,
        "feed": {
            "kind": "tests.small_runs:Minutes",
            "params": {"minutes": str(folder / "minutes")},
        },
        "journal": {"snapshot_every_events": every, "snapshots_kept": snapshots_kept},
        "limits": {"account": account, "turnover": {"max_a_day": 1_000}},
    }
    return msgspec.convert(tree, Config, strict=False)


class Place:
    """A folder with a journal, and the daemon that writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.journal = folder / "journal.db"

    def run(
        self,
        strategies: Mapping[str, Table],
        minutes: int = 40,
        *,
        snapshots_kept: int = 1_000,
        every: int = 1,
    ) -> app.Outcome:
        """Start the daemon, and let it take the bars of the first `minutes` minutes.

        It makes a snapshot `every` so many events, and at its end.
        """
        (self.folder / "minutes").write_text(str(minutes), encoding="utf-8")
        made = config(self.folder, strategies, snapshots_kept, every)
        interval = sys.getswitchinterval()
        try:
            return asyncio.run(
                app.run(
                    made,
                    self.folder,
                    self.journal,
                    started=self._started,
                    progress=lambda _: None,
                )
            )
        finally:
            sys.setswitchinterval(interval)

    def _started(self, prepared: app.Prepared) -> None:
        self.prepared = prepared

    @property
    def snapshots(self) -> SnapshotFolder:
        return SnapshotFolder(self.journal)

    def cut(self, seq: int, folder: Path) -> "Place":
        """Return the place as a kill right after row `seq` would have left it, in `folder`.

        Snapshots are made behind the rows they are of, so those of later rows are not there yet.
        """
        other = self.rewritten(folder, lambda record: record if record.seq <= seq else None)
        other.snapshots.path.mkdir()
        for file in self.snapshot_files():
            if int(file.stem) <= seq:
                (other.snapshots.path / file.name).write_bytes(file.read_bytes())
        return other

    def rewritten(self, folder: Path, change: Callable[[Record], Record | None]) -> "Place":
        """Return a place in `folder` whose journal has what `change` makes of each record."""
        other = Place(folder)
        Permit(permit_path(other.journal)).grant()
        with JournalReader(self.journal) as reader:
            records = [made for each in reader.records() if (made := change(each)) is not None]

        async def write() -> None:
            journal = await Journal.open(other.journal)
            # The daemon's first commit, too, is the first event alone.
            for part in filter(None, (records[:1], records[1:])):
                await journal.append(part)
            await journal.close()

        asyncio.run(write())
        return other

    def snapshot_files(self) -> list[Path]:
        """Return the files, newest last."""
        return sorted(self.snapshots.path.glob("*.json"))

    def recover(self, upto: int | None = None, *, from_snapshot: bool) -> Recovered:
        with JournalReader(self.journal) as reader:
            recovery = Recovery(reader, self.snapshots)
            return recovery.recover(upto, from_snapshot=from_snapshot)

    def rows(self, kind: str = "") -> list[Row]:
        """Return the rows, of one type where one is given."""
        with JournalReader(self.journal) as reader:
            return [row for row in reader.rows() if kind in {"", row[2]}]


def everything(recovered: Recovered) -> tuple[bytes, dict[str, bytes], set[str]]:
    """Return all that is known after a recovery: books, strategies' fields, the failed ones."""
    return (
        msgspec.json.encode(recovered.state),
        {run.name: run.fields() for run in recovered.runs},
        {run.name for run in recovered.runs if run.failed},
    )


def hash_of(recovered: Recovered) -> str:
    return state_hash(recovered.state, {run.name: run.fields() for run in recovered.runs})


BUY = "return Intent(bar.symbol, Decimal(self.size))"
"""What an own strategy does where it does not matter."""


class OwnStrategy:
    """A user's strategy in a file of its own, which may be rewritten between two starts.

    Every ten minutes it takes `do` about A; `asked` is how often it was called in this process.
    """

    _numbers = count(1)

    def __init__(self, folder: Path, do: str) -> None:
        self.folder = folder
        self.module = f"own_strategy_{next(self._numbers)}"
        self.write(do)

    def write(self, do: str) -> None:
        """Write it anew; `do` is the body of a method, with `bar` and `view` at hand."""
        self.forget()
        source = _OWN.format(do=indent(do, " " * 8))
        (self.folder / f"{self.module}.py").write_text(source, encoding="utf-8")

    def forget(self) -> None:
        """Forget the module, so that the next start imports what the file says by then."""
        sys.modules.pop(self.module, None)
        shutil.rmtree(self.folder / "__pycache__", ignore_errors=True)
        importlib.invalidate_caches()
        linecache.clearcache()

    def table(self, **params: object) -> Table:
        return {"class": f"{self.module}:Own", "params": params}

    @property
    def asked(self) -> int:
        asked: list[str] = sys.modules[self.module].ASKED
        return len(asked)


_OWN = '''
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

from daemon.strategies import Intent, NoTrade, Strategy

ASKED: list[str] = []


class Own(Strategy):
    """Counts its bars, and does something every ten minutes."""

    state_fields: ClassVar[tuple[str, ...]] = ("bars",)

    size: int = 1
    note: str = ""
    bars: int = 0

    def on_bar(self, bar, view):
        ASKED.append(bar.symbol)
        self.bars += 1
        if bar.symbol != "A" or view.now.minute % 10:
            return None
{do}
'''
