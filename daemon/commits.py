"""What the engine makes durable: one commit after the other, and with them snapshots of the books.

While bars are written that nothing outside follows from, the engine goes on to the next ones: what
it takes meanwhile shares the next commit. Its rows are made at once, while the processor has it at
hand.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from daemon.clock import monotonic_s
from daemon.core.core import Core
from daemon.history.snapshots import SnapshotFolder, snapshot_of
from daemon.timing import Timing
from events import Record
from events.journal import Journal
from events.rows import BoundRow, Head, rows_after
from projections import snapshot

Told = Callable[[Sequence[Record]], None]

BLOCKS_MAX = 4
"""So many blocks wait at most while others are written, before the bars wait for that too."""


class SnapshotTerms(msgspec.Struct, frozen=True):
    """After how many events a snapshot is taken, and how many are kept."""

    every_events: int
    kept: int


class _Taken(msgspec.Struct, frozen=True):
    seq: int
    content: bytes


class _Block(msgspec.Struct, frozen=True, gc=False):
    rows: list[BoundRow]
    told: Callable[[], None] | None
    snapshot: _Taken | None
    began_s: float
    input_s: float


class Commits:
    """The one who writes the journal. `snapshot_seq` is where the last snapshot was taken."""

    def __init__(
        self,
        core: Core,
        journal: Journal,
        snapshots: SnapshotFolder,
        terms: SnapshotTerms,
        timing: Timing,
    ) -> None:
        """Bind the parts; nothing is written before the first commit."""
        self.snapshots = snapshots
        self.snapshot_seq = core.state.seq  # A start says which one it has recovered from.
        self.snapshot_problem = ""
        self._core = core
        self._journal = journal
        self._terms = terms
        self._timing = timing
        self._end = journal.head
        self._waiting: list[_Block] = []
        self._has_room = asyncio.Event()
        self._under_way: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> frozenset[asyncio.Task[None]]:
        """What writes the blocks taken and was not waited for yet, if anything does."""
        return frozenset() if self._under_way is None else frozenset({self._under_way})

    async def write(self, records: Sequence[Record], input_s: float) -> None:
        """Make `records` durable; the oldest input they answer came at `input_s`."""
        assert self._under_way is None, "one behind the other"
        began_s = monotonic_s()
        await self._journal.append(records)
        self._end = self._journal.head
        self._timing.durable(began_s, input_s)

    def take(self, records: Sequence[Record], input_s: float, tell: Told | None) -> None:
        """Have `records`, the last there are, written behind those before; then `tell` of them.

        A snapshot that is due is taken of the books as they are now, and kept once they are
        durable. Raises what a write that has ended since has failed with.
        """
        rows = rows_after(self._end.hash, records)
        self._end = Head.of(rows)
        taken = self._taken(self._end) if self._is_snapshot_due else None
        told = partial(tell, records) if tell is not None else None
        self._waiting.append(_Block(rows, told, taken, monotonic_s(), input_s))
        if self._under_way is not None and self._under_way.done():
            ended, self._under_way = self._under_way, None
            ended.result()
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._write_blocks(), name="journal append")

    async def room(self) -> None:
        """Wait while so much waits to be written that no more should be taken."""
        if len(self._waiting) >= BLOCKS_MAX:
            self._has_room.clear()
            await self._has_room.wait()

    async def done(self) -> None:
        """Wait until all that was taken is durable, and fail where writing it failed."""
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            await under_way

    async def _write_blocks(self) -> None:
        try:
            while self._waiting:
                blocks, self._waiting = self._waiting, []
                self._has_room.set()
                await self._journal.write([row for block in blocks for row in block.rows])
                for block in blocks:
                    self._timing.durable(block.began_s, block.input_s)
                    if block.told is not None:
                        block.told()
                    if block.snapshot is not None:
                        self._keep(block.snapshot)
                await self._fold_back()
        finally:
            self._has_room.set()  # Who waits for it is told by the next call what has failed.

    async def tidy_up(self) -> None:
        """Between commits, snapshot and fold the write-ahead log back where it is time."""
        if self._under_way is not None:
            return
        if self._is_snapshot_due:
            self.snapshot()
        await self._fold_back()

    def snapshot(self) -> None:
        """Snapshot the books where all that is in them is durable and they are new."""
        head = self._journal.head
        if head.seq == self._core.state.seq != self.snapshot_seq:
            taken = self._taken(head)
            if taken is not None:
                self._keep(taken)

    @property
    def _is_snapshot_due(self) -> bool:
        return self._core.state.seq - self.snapshot_seq >= self._terms.every_events

    def _taken(self, head: Head) -> _Taken | None:
        """Return the books as they are, at `head`; None where no journal was opened in them."""
        state = self._core.state
        if state.identity.opened is None:
            return None
        self.snapshot_seq = head.seq
        made = snapshot_of(state, self._core.desk.runs.values(), head)
        return _Taken(head.seq, snapshot.encode(made))

    def _keep(self, taken: _Taken) -> None:
        try:
            self.snapshots.write(taken.seq, taken.content, self._terms.kept)
        except OSError as error:
            # A snapshot only saves time at the next start: the run goes on, and says so.
            self.snapshot_problem = f"the snapshot at {taken.seq} was not written: {error}"
        else:
            self.snapshot_problem = ""

    async def _fold_back(self) -> None:
        if self._journal.checkpoint_due:
            await self._journal.checkpoint()
