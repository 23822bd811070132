"""What a start finds lost or doubtful of its journal, though nothing that refuses the start.

What refuses it is the journal's own: a broken chain, a witness that is ahead or missing.
"""

from collections.abc import Sequence
from pathlib import Path

from daemon.history.recovery import Recovered
from daemon.stopping.side_file import Offline
from events import OperatorKilled
from events.codec import TAGS
from events.witness import read_witness, witness_path


def journal_doubts(
    recovered: Recovered, journal: Path, aside: Sequence[Offline]
) -> tuple[str, ...]:
    """Return each doubt in a sentence; `aside` is what the side file had."""
    doubts = []
    seen = read_witness(witness_path(journal))
    # A crash may come before the witness of its last rows; an end in order comes behind it.
    if seen is not None and seen.seq < recovered.head.seq and recovered.state.identity.ended:
        found = f"the journal ended in order at event {recovered.head.seq}"
        doubts.append(f"{found}, its witness remembers only {seen.seq}: run `traded verify`")
    doubts += [f"snapshot {each}: look at the disk" for each in recovered.snapshots_doubtful]
    own = [each for each in recovered.differences if not each.strategy]
    if own:
        found = f"{len(own)} decisions of the core come out otherwise, the first at {own[0].seq}"
        doubts.append(f"{found}: see `traded replay --redecide`")
    # A kill among them stops everything already.
    if aside and not any(isinstance(each, OperatorKilled) for each in aside):
        said = ", ".join(dict.fromkeys(TAGS[type(each)] for each in aside))
        found = f"{said} was kept in the side file, for the journal could not be written"
        doubts.append(f"{found}: see why in the log")
    return tuple(doubts)
