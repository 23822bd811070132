"""The journals of this release, kept: they are verified, replayed and decided again for ever.

What to do when one of these tests fails is in `WHAT_TO_DO`. Never is it to record them anew.
"""

import json
import shutil
from pathlib import Path

import pytest

from events.codec import TAGS
from events.journal import JournalReader
from tests.command_line import shown, traded
from tests.gateway_desk import ACCOUNT

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDED = json.loads((GOLDEN / "recorded.json").read_text(encoding="utf-8"))
SIZE_MAX = 300_000
WHAT_TO_DO = """
A golden journal is what the journals of this release's users are: do not record it anew, and do
not change the recorded hash. What this change does to it, it does to theirs.
- The hash differs: the books, or the view of them, are others now. If the fold is wrong, mend it.
  If the view shall be another one, it is `state_hash.v2`, and the old one stays computable.
- An event cannot be read: a changed event is a new tag (`.v2`) and an upcaster (events/upcast.py).
- A decision is another one: a fault, unless this release means to decide otherwise. Then say so
  under Changed in the CHANGELOG, with the check or strategy that differs, record a further journal
  with the scripts beside these, and let this one be decided again only up to there.
"""
ALL_OF_A_PAPER_LIFE = {
    *("order.intended", "intent.approved", "intent.refused", "order.sending", "order.withheld"),
    *("order.acknowledged", "order.working", "order.filled", "fill.corrected", "order.cancelled"),
    *("order.expired", "order.unknown", "cancel.sending", "commission.corrected", "cash.moved"),
    *("hold.placed", "hold.lifted", "operator.killed", "operator.resumed", "operator.held"),
    *("operator.lifted", "operator.cancel-asked", "operator.flatten-asked", "permit.lost"),
    *("operator.order-asked", "operator.shadowed", "strategy.promoted", "command.refused"),
    *("operator.resolve-asked", "break.opened", "break.resolved", "position.adjusted"),
    *("corporate-action.announced", "corporate-action.applied", "broker.unparsed"),
}

each_journal = pytest.mark.parametrize("name", sorted(RECORDED))


def a_copy(name: str, folder: Path) -> Path:
    """Copy a golden journal: a reader of the file itself would leave its lock files there."""
    for file in (f"{name}.db", f"{name}.db.witness"):
        shutil.copy(GOLDEN / file, folder / file)
    return folder / f"{name}.db"


@each_journal
def test_a_golden_journal_is_sound(name: str, tmp_path: Path) -> None:
    verdict = shown("verify", "--journal", a_copy(name, tmp_path))
    assert (verdict["sound"], verdict["events"]) == (True, RECORDED[name]["events"]), WHAT_TO_DO


@each_journal
def test_a_golden_journal_replays_to_its_hash_and_every_decision_is_made_again(
    name: str, tmp_path: Path
) -> None:
    said = traded("replay", "--redecide", "--journal", a_copy(name, tmp_path), "--json")
    assert said.returncode == 0, f"{said.stdout}{said.stderr}{WHAT_TO_DO}"
    replayed = json.loads(said.stdout)
    found = {
        "events": replayed["seq"],
        "decisions": replayed["decisions"],
        "state_hash": replayed["state_hash"],
    }
    assert found == RECORDED[name], WHAT_TO_DO
    assert (replayed["different"], replayed["not_compared"]) == (0, {}), WHAT_TO_DO


@each_journal
def test_a_golden_journal_names_no_account_no_place_and_is_small(name: str) -> None:
    whole = (GOLDEN / f"{name}.db").read_bytes()
    assert len(whole) < SIZE_MAX
    for private in (ACCOUNT, "/dev/", "/tmp/", "/home/", "/work/", "/root/"):  # noqa: S108 - looked for
        assert private.encode() not in whole, private


def test_the_golden_paper_journal_has_all_that_can_befall_an_order(tmp_path: Path) -> None:
    with JournalReader(a_copy("paper", tmp_path)) as reader:
        kinds = {row[2] for row in reader.rows()}
    assert kinds <= set(TAGS.values())
    assert ALL_OF_A_PAPER_LIFE - kinds == set()
