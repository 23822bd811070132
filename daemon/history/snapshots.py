"""Snapshot files beside the journal: written whole or not at all, the newest usable one found."""

import os
from collections.abc import Iterable
from pathlib import Path

from daemon.core.strategy_runs import StrategyRun
from daemon.history.code_hash import fold_code_hash
from events.journal import Head, JournalReader
from events.witness import fsync_folder
from projections import State, snapshot
from projections.snapshot import Snapshot, SnapshotOutdated, SnapshotUnusable


class SnapshotFolder:
    """The snapshots of the journal at `journal`. `skipped` says which were unusable, and why.

    `doubtful` are those among them that no upgrade explains.
    """

    def __init__(self, journal: Path) -> None:
        """Bind to the folder beside `journal`; it is made with the first snapshot."""
        self.path = journal.with_name(journal.name + ".snapshots")
        self.skipped: list[str] = []
        self.doubtful: list[str] = []

    def write(self, seq: int, content: bytes, keep: int) -> None:
        """Write one snapshot, taken at `seq`, durably, and drop all but the newest `keep`.

        It is of the journal's end, so what is ahead of it is of a history that was lost.
        """
        self.path.mkdir(mode=0o700, exist_ok=True)
        target = self.path / f"{seq:015d}.json"
        unfinished = target.with_suffix(".new")
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(target)
        fsync_folder(self.path)
        files = self._files()
        ahead = [file for file in files if int(file.stem) > seq]
        left_by_a_crash = self.path.glob("*.new")
        for needless in (*ahead, *files[len(ahead) + keep :], *left_by_a_crash):
            needless.unlink()

    def newest(self, reader: JournalReader, upto: int | None = None) -> Snapshot | None:
        """Return the newest snapshot that the journal itself confirms, at or before `upto`."""
        self.skipped, self.doubtful = [], []
        for file in self._files():
            if upto is not None and int(file.stem) > upto:
                continue
            try:
                found = snapshot.decode(file.read_bytes(), fold_code_hash())
            except OSError as error:
                self._doubt(file, f"it cannot be read ({error.strerror})")
                continue
            except SnapshotOutdated as error:
                self.skipped.append(f"{file.name}: {error}")
                continue
            except SnapshotUnusable as error:
                self._doubt(file, str(error))
                continue
            row_hash = reader.hash_at(found.seq)
            if found.seq != int(file.stem):
                self._doubt(file, f"it is of event {found.seq}")
            elif row_hash is None or row_hash.hex() != found.row_hash:
                self._doubt(file, f"the journal has another row at {found.seq}")
            else:
                return found
        return None

    def _doubt(self, file: Path, why: str) -> None:
        self.skipped.append(f"{file.name}: {why}")
        self.doubtful.append(f"{file.name}: {why}")

    def _files(self) -> list[Path]:
        """Return the snapshot files, newest first."""
        if not self.path.is_dir():
            return []
        named = (file for file in self.path.glob("*.json") if file.stem.isdecimal())
        return sorted(named, key=lambda file: int(file.stem), reverse=True)


def snapshot_of(state: State, runs: Iterable[StrategyRun], head: Head) -> Snapshot:
    """Return the snapshot of opened books and their strategies as of the row at `head`."""
    assert state.identity.opened is not None, "the first event opens them"
    return Snapshot(
        journal_id=state.identity.opened.journal_id,
        seq=head.seq,
        row_hash=head.hash.hex(),
        fold_code=fold_code_hash(),
        state=state,
        strategies={run.name: part for run in runs if (part := run.snapshot_part()) is not None},
    )
