"""From a journal back to the state it ended in: newest good snapshot, then the tail, re-decided."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from daemon.config import Config
from daemon.config_file import from_event
from daemon.core import CoreSettings
from daemon.loading import build_strategy, code_hash
from daemon.replay import Difference, ReplayCore, turns
from daemon.snapshots import SnapshotFolder
from daemon.strategy_runs import StrategyRun
from events import ConfigLoaded
from events.journal import Head, JournalReader
from projections import State
from projections.snapshot import Snapshot


class Recovered(msgspec.Struct):
    """The books and strategies as the journal's last row left them, and what was noticed."""

    state: State
    runs: list[StrategyRun]
    settings: CoreSettings
    head: Head
    decisions: int
    differences: list[Difference]
    events_folded: int
    snapshot_seq: int = 0
    snapshots_skipped: list[str] = []


def settings_of(config: Config) -> CoreSettings:
    """Return what the core needs of `config`."""
    return CoreSettings(config.limits, config.broker.answer_deadline_s, config.promotion)


def build_runs(config: Config) -> list[StrategyRun]:
    """Return a fresh run for each configured strategy, in the order of the configuration."""
    runs = []
    for name, table in config.strategies.items():
        strategy = build_strategy(name, table, tuple(config.symbols))
        identity = (code_hash(type(strategy)), table.params, table.symbols)
        digest = sha256(msgspec.json.encode(identity, order="deterministic")).hexdigest()
        symbols = frozenset(table.symbols or config.symbols)
        runs.append(StrategyRun(name, strategy, digest, symbols))
    return runs


class Recovery:
    """Rebuilds state from the journal behind `reader`."""

    def __init__(
        self, reader: JournalReader, snapshots: SnapshotFolder, *, compare_all: bool = False
    ) -> None:
        """Bind to a journal; see `ReplayCore` for `compare_all`."""
        self._reader = reader
        self._snapshots = snapshots
        self._compare_all = compare_all

    def recover(self, upto: int | None = None, *, from_snapshot: bool = True) -> Recovered:
        """Return the state after row `upto` (None: the last one).

        Raises:
            JournalDamaged: a row read on the way is not what the chain says.
        """
        found = self._snapshots.newest(self._reader, upto) if from_snapshot else None
        core, start = self._core_at(found)
        folded = 0
        for turn in turns(self._reader.verified_records(start, upto)):
            core.follow(turn)
            folded += 1 + len(turn.decisions)
        state = core.core.state
        return Recovered(
            state=state,
            runs=core.runs,
            settings=core.settings,
            head=Head(state.seq, self._reader.hash_at(state.seq) or b""),
            decisions=core.comparing.decisions,
            differences=core.comparing.differences,
            events_folded=folded,
            snapshot_seq=start.seq,
            snapshots_skipped=self._snapshots.skipped,
        )

    def renew(
        self, loaded: ConfigLoaded, runs: Sequence[StrategyRun], seq: int
    ) -> tuple[list[StrategyRun], CoreSettings]:
        """Return the runs under `loaded`: unchanged ones go on, the others are built afresh.

        A strategy that is new or changed is shown the history up to `seq`, so that it starts with
        the windows it would have had; what it answers on the way counts for nothing.
        """
        config = from_event(loaded)
        before = {run.name: run for run in runs}
        after, fresh = [], []
        for run in build_runs(config):
            known = before.get(run.name)
            if known is not None and known.code_hash == run.code_hash:
                after.append(known)
            else:
                after.append(run)
                fresh.append(run)
        if fresh and seq:
            self.show_history(fresh, seq)
        return after, settings_of(config)

    def show_history(self, runs: Sequence[StrategyRun], upto: int) -> None:
        """Run `runs` alone over the journal up to `upto`, their answers ignored."""
        settings = CoreSettings()
        core = ReplayCore(
            State(), runs, settings, lambda _loaded, _runs, _seq: (runs, settings), compare_all=True
        )
        core.comparing.muted = frozenset(run.name for run in runs)
        for turn in turns(self._reader.verified_records(Head(), upto)):
            core.follow(turn)

    def _core_at(self, found: Snapshot | None) -> tuple[ReplayCore, Head]:
        if found is None:
            core = ReplayCore(
                State(), [], CoreSettings(), self.renew, compare_all=self._compare_all
            )
            return core, Head()
        config = from_event(ConfigLoaded(found.state.identity.config, found.state.symbols))
        runs, changed = build_runs(config), []
        for run in runs:
            part = found.strategies.get(run.name)
            if part is not None and part.code_hash == run.code_hash:
                run.restore(bytes(part.fields))
                run.failed = bool(found.state.strategies.of(run.name).failed)
            else:
                changed.append(run)
        if changed:
            self.show_history(changed, found.seq)
        core = ReplayCore(
            found.state, runs, settings_of(config), self.renew, compare_all=self._compare_all
        )
        core.comparing.muted = frozenset(run.name for run in changed)
        return core, Head(found.seq, bytes.fromhex(found.row_hash))


def open_recovery(path: Path, reader: JournalReader, *, compare_all: bool = False) -> Recovery:
    """Return a recovery of the journal at `path`, its snapshots beside it."""
    return Recovery(reader, SnapshotFolder(path), compare_all=compare_all)
