"""From a journal back to the state it ended in: newest good snapshot, then the tail, re-decided.

What the journal says of strategies and configurations may be of another time: nothing in it that
today's code has no use for stops the books from coming back. It is said, and left out.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from daemon.config.file import Recorded, from_event
from daemon.config.loading import LoadError, build_strategy, code_hash
from daemon.config.options import Config, StrategyConfig
from daemon.core.core import CoreSettings
from daemon.core.strategy_runs import StrategyRun
from daemon.history.replay import Difference, Renewed, ReplayCore, Turn, turns
from daemon.history.snapshots import SnapshotFolder
from daemon.strategies import Strategy
from events import ConfigLoaded
from events.journal import Head, JournalReader
from projections import State
from projections.snapshot import Snapshot, StrategyPart

_A_WHILE: Final = 5_000
"""After so many turns, a fraction of a second, whoever waits is told that it gets on."""


class Uncompared(msgspec.Struct, frozen=True):
    """How many recorded decisions of a strategy were not made again, and why."""

    decisions: int
    why: str


class Recovered(msgspec.Struct):
    """The books and strategies as the journal's last row left them, and what was noticed.

    `notices` are what an operator should know of how they came back.
    """

    state: State
    runs: list[StrategyRun]
    settings: CoreSettings
    head: Head
    decisions: int
    differences: list[Difference]
    events_folded: int
    snapshot_seq: int = 0
    snapshots_skipped: list[str] = []
    snapshots_doubtful: list[str] = []
    uncompared: dict[str, Uncompared] = {}
    notices: list[str] = []


def settings_of(config: Config) -> CoreSettings:
    """Return what the core needs of `config`."""
    return CoreSettings(
        config.limits, config.broker.answer_deadline_s, config.promotion, config.reconciliation
    )


def build_runs(config: Config) -> list[StrategyRun]:
    """Return a fresh run for each configured strategy, in the order of the configuration.

    Raises:
        LoadError: one of them cannot be built as configured.
    """
    return [_build_run(name, table, config) for name, table in config.strategies.items()]


def _build_run(name: str, table: StrategyConfig, config: Config) -> StrategyRun:
    strategy = build_strategy(name, table, tuple(config.symbols))
    identity = (code_hash(type(strategy)), table.params, table.symbols)
    digest = sha256(msgspec.json.encode(identity, order="deterministic")).hexdigest()
    return StrategyRun(name, strategy, digest, frozenset(table.symbols or config.symbols))


def build_recorded_runs(loaded: ConfigLoaded) -> Renewed:
    """Return fresh runs under a configuration of the journal's; it refuses nothing.

    A strategy that cannot be built any more stands there as one that answers nothing, without the
    hash of any code.
    """
    recorded = from_event(loaded)
    runs, incomparable = [], {}
    tables = loaded.config.get("strategies")
    for name in tables if isinstance(tables, Mapping) else ():
        unread = _unread_by(name, recorded)
        if unread:
            what = ", ".join(unread)
            incomparable[name] = f"they were made under {what}, which this version cannot read"
        try:
            run = _build_run(name, recorded.config.strategies[name], recorded.config)
        except Exception as error:  # noqa: BLE001 - whatever became of it, the books come back
            if name in recorded.config.strategies:
                incomparable[name] = _in_one_line(error)
            run = StrategyRun(name, Strategy(), "", frozenset())
        runs.append(run)
    return Renewed(runs, settings_of(recorded.config), incomparable)


def _in_one_line(error: Exception) -> str:
    text = "; ".join(str(error).splitlines())
    return text if isinstance(error, LoadError) else f"{type(error).__name__}: {text}"


def _unread_by(strategy: str, recorded: Recorded) -> list[str]:
    """Return the options this version cannot read that `strategy` was under."""
    tables = ("limits", f"strategies.{strategy}")
    return [
        option
        for option in recorded.unread
        if any(option == table or option.startswith(f"{table}.") for table in tables)
    ]


def _nothing() -> None:
    pass


class Recovery:
    """Rebuilds state from the journal behind `reader`."""

    def __init__(
        self,
        reader: JournalReader,
        snapshots: SnapshotFolder,
        *,
        compare_all: bool = False,
        gets_on: Callable[[], None] = _nothing,
    ) -> None:
        """Bind to a journal; see `ReplayCore` for `compare_all`. `gets_on` is told now and then."""
        self._reader = reader
        self._snapshots = snapshots
        self._compare_all = compare_all
        self._gets_on = gets_on

    def recover(self, upto: int | None = None, *, from_snapshot: bool = True) -> Recovered:
        """Return the state after row `upto` (None: the last one).

        Raises:
            JournalDamaged: a row read on the way is not what the chain says.
        """
        found = self._snapshots.newest(self._reader, upto) if from_snapshot else None
        notices: list[str] = []
        core = self._core_at(found, notices) if found else self._core_at_the_beginning()
        start = Head(found.seq, bytes.fromhex(found.row_hash)) if found else Head()
        folded = 0
        for turn in self._turns(start, upto):
            core.follow(turn)
            folded += 1 + len(turn.decisions)
        state, comparing = core.core.state, core.comparing
        return Recovered(
            state=state,
            runs=core.runs,
            settings=core.settings,
            head=Head(state.seq, self._reader.hash_at(state.seq) or b""),
            decisions=comparing.decisions,
            differences=comparing.differences,
            events_folded=folded,
            snapshot_seq=start.seq,
            snapshots_skipped=self._snapshots.skipped,
            snapshots_doubtful=self._snapshots.doubtful,
            uncompared={
                name: Uncompared(comparing.uncompared[name], why)
                for name, why in core.incomparable.items()
            },
            notices=notices
            + [
                f"decisions of strategy {name} are not compared: {why}"
                for name, why in core.incomparable.items()
            ],
        )

    def renew(
        self, loaded: ConfigLoaded, runs: Sequence[StrategyRun], seq: int
    ) -> tuple[list[StrategyRun], CoreSettings]:
        """Return the runs under `loaded`, the operator's: unchanged ones of `runs` go on.

        The others are built afresh. One that is new or changed is shown the history up to `seq`,
        so that it starts with the windows it would have had; what it answers on the way counts for
        nothing.

        Raises:
            LoadError: a strategy cannot be built as configured.
        """
        config = from_event(loaded).config
        return self._going_on(build_runs(config), runs, seq), settings_of(config)

    def show_history(self, runs: Sequence[StrategyRun], upto: int) -> None:
        """Run `runs` alone over the journal up to `upto`, their answers ignored."""
        alone = Renewed(runs, CoreSettings(), {run.name: "" for run in runs})
        core = ReplayCore(State(), alone, lambda _loaded, _runs, _seq: alone, compare_all=True)
        for turn in self._turns(Head(), upto):
            core.follow(turn)

    def _turns(self, start: Head, upto: int | None) -> Iterator[Turn]:
        for count, turn in enumerate(turns(self._reader.verified_records(start, upto))):
            if count % _A_WHILE == 0:
                self._gets_on()
            yield turn

    def _renew_recorded(
        self, loaded: ConfigLoaded, runs: Sequence[StrategyRun], seq: int
    ) -> Renewed:
        """Return what ran under `loaded`, the journal's own, as `renew` does."""
        built = build_recorded_runs(loaded)
        return msgspec.structs.replace(built, runs=self._going_on(built.runs, runs, seq))

    def _going_on(
        self, built: Sequence[StrategyRun], runs: Sequence[StrategyRun], seq: int
    ) -> list[StrategyRun]:
        before = {run.name: run for run in runs}
        after, fresh = [], []
        for run in built:
            known = before.get(run.name)
            if known is not None and known.code_hash == run.code_hash:
                after.append(known)
                continue
            after.append(run)
            if run.code_hash:
                fresh.append(run)
        if fresh and seq:
            self.show_history(fresh, seq)
        return after

    def _core_at_the_beginning(self) -> ReplayCore:
        nothing = Renewed((), CoreSettings(), {})
        return ReplayCore(State(), nothing, self._renew_recorded, compare_all=self._compare_all)

    def _core_at(self, found: Snapshot, notices: list[str]) -> ReplayCore:
        state = found.state
        built = build_recorded_runs(ConfigLoaded(state.identity.config, state.symbols))
        changed, lost = [], []
        for run in built.runs:
            if not run.code_hash:
                continue
            books, part = state.strategies.of(run.name), found.strategies.get(run.name)
            if run.code_hash != (part.code_hash if part else books.code_hash):
                changed.append(run)
            elif part is None or not _is_restored(run, part):
                lost.append(run.name)
            else:
                run.failed = bool(books.failed)
        if changed:
            self.show_history(changed, found.seq)
        if lost:
            notices += [_lost_text(name, found.seq) for name in lost]
            built = msgspec.structs.replace(built, runs=self._rebuilt(built.runs, lost, found.seq))
        return ReplayCore(
            state,
            built,
            self._renew_recorded,
            compare_all=self._compare_all,
            changed=[run.name for run in changed],
        )

    def _rebuilt(
        self, runs: Sequence[StrategyRun], lost: Collection[str], seq: int
    ) -> list[StrategyRun]:
        """Return `runs` with those in `lost` as the journal alone makes them."""
        whole = Recovery(self._reader, self._snapshots).recover(seq, from_snapshot=False)
        again = {run.name: run for run in whole.runs if run.name in lost}
        return [again.get(run.name, run) for run in runs]


def _is_restored(run: StrategyRun, part: StrategyPart) -> bool:
    try:
        run.restore(bytes(part.fields))
    except msgspec.DecodeError:
        return False
    return True


def _lost_text(name: str, seq: int) -> str:
    return (
        f"strategy {name} does not come back from the snapshot at {seq}: it held what JSON cannot, "
        "such as NaN; it was rebuilt from the journal"
    )


def open_recovery(path: Path, reader: JournalReader, *, compare_all: bool = False) -> Recovery:
    """Return a recovery of the journal at `path`, its snapshots beside it."""
    return Recovery(reader, SnapshotFolder(path), compare_all=compare_all)
