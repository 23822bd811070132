"""Killed with SIGKILL anywhere, the daemon goes on as if nothing had been.

The campaign is in tests/kill_campaign.py, and does more kills from the command line. The last tests
here tamper with a journal that survived: what the campaign asks for can be missed.
"""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from events import Record
from events.codec import decode
from events.rows import rows_after
from events.witness import Witness, WitnessFile, read_witness, witness_path
from tests.journals import changed, unprotected
from tests.kill_campaign import Round, Unharmed, findings, rounds, run_unharmed

KILLS = 25
SEED = 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def unharmed(folder: Path) -> Unharmed:
    return run_unharmed(folder / "unharmed")


@pytest.fixture(scope="module")
def campaign(folder: Path, unharmed: Unharmed) -> list[Round]:
    return list(rounds(folder, unharmed, KILLS, SEED))


@pytest.fixture(scope="module")
def found(campaign: list[Round], unharmed: Unharmed) -> list[dict[str, list[str]]]:
    return [findings(each, unharmed) for each in campaign]


def of(found: list[dict[str, list[str]]], what: str) -> list[str]:
    return [text for each in found for text in each[what]]


def test_the_kills_struck_at_the_start_and_while_trading(campaign: list[Round]) -> None:
    struck = [place for each in campaign for place in each.kills]
    assert len(struck) == KILLS
    assert struck.count("trading") >= 3
    assert sum(place.startswith(("starting", "before")) for place in struck) >= 3


def test_no_row_that_was_ever_seen_committed_is_lost(
    campaign: list[Round], found: list[dict[str, list[str]]], unharmed: Unharmed
) -> None:
    assert of(found, "lost") == []
    assert all(len(each.seen) >= unharmed.rows for each in campaign)


def test_no_order_is_intended_twice_and_none_is_sent_twice(
    found: list[dict[str, list[str]]],
) -> None:
    assert of(found, "twice") == []


def test_the_books_are_those_of_the_run_nobody_killed(found: list[dict[str, list[str]]]) -> None:
    assert of(found, "books") == []


def test_what_happened_is_what_happens_without_a_kill(
    found: list[dict[str, list[str]]], unharmed: Unharmed
) -> None:
    assert of(found, "story") == []
    assert len(unharmed.story) > 16_000


def test_the_journal_is_sound(found: list[dict[str, list[str]]]) -> None:
    assert of(found, "unsound") == []


# Is the campaign able to see anything? A journal is tampered with, as cleverly as can be.


@pytest.fixture
def copied(campaign: list[Round], tmp_path: Path) -> Round:
    """Return a round whose journal may be spoilt."""
    source = campaign[0]
    with sqlite3.connect(source.journal) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    shutil.copytree(source.journal.parent, tmp_path / "copy")
    return replace(source, journal=tmp_path / "copy" / source.journal.name)


def last_rows_deleted(journal: Path) -> None:
    changed(journal, "DELETE FROM event WHERE seq > (SELECT max(seq) - 5 FROM event)")


def a_row_changed(journal: Path) -> None:
    changed(
        journal,
        'UPDATE event SET body = replace(body, \'"price":"\', \'"price":"1\') '
        "WHERE seq = (SELECT max(seq) FROM event WHERE type = 'order.filled')",
    )


def an_intent_twice(journal: Path) -> None:
    repeat(journal, "order.intended")


def a_sending_twice(journal: Path) -> None:
    repeat(journal, "order.sending")


def repeat(journal: Path, kind: str) -> None:
    """Append the last event of `kind` again, with a right hash and a witness of it."""
    changed(journal, "DROP INDEX event_identity")
    chosen = f"SELECT max(seq) FROM event WHERE type = '{kind}'"  # noqa: S608 - written here
    rewrite(journal, chosen, lambda bodies: [*bodies, bodies[0]])


def history_rewritten(journal: Path) -> None:
    """Take back the last filled order, and hash and witness the journal as if it had never been."""
    chosen = "SELECT max(seq) FROM event WHERE type = 'order.filled'"
    rewrite(journal, chosen, lambda bodies: bodies[2:])


def rewrite(journal: Path, start: str, change: Callable[[list[str]], list[str]]) -> None:
    """Replace the rows from `start` on by others, in a chain and with a witness that are right."""
    with unprotected(journal) as connection:
        (first,) = connection.execute(start).fetchone()
        past = connection.execute("SELECT at, hash FROM event WHERE seq = ?", (first - 1,))
        at, previous = past.fetchone()
        rest = connection.execute("SELECT body FROM event WHERE seq >= ? ORDER BY seq", (first,))
        bodies = change([body for (body,) in rest])
        made = [Record(seq, at, decode(body)) for seq, body in enumerate(bodies, first)]
        rows = rows_after(previous, made)
        connection.execute("DELETE FROM event WHERE seq >= ?", (first,))
        connection.executemany(
            "INSERT INTO event VALUES (?, ?, ?, nullif(?, ''), nullif(?, 0), nullif(?, 0), ?, ?)",
            rows,
        )
    was = read_witness(witness_path(journal))
    assert was is not None
    witness_path(journal).unlink()
    file = WitnessFile(witness_path(journal))
    file.write(Witness(was.journal_id, was.epoch, rows[-1][0], rows[-1][7].hex()))
    file.close()


def test_the_copy_itself_is_in_order(copied: Round, unharmed: Unharmed) -> None:
    assert not any(findings(copied, unharmed).values())


@pytest.mark.parametrize(
    ("tamper", "seen_as"),
    [
        (last_rows_deleted, {"lost", "unsound"}),
        (a_row_changed, {"books", "story", "unsound"}),
        (an_intent_twice, {"twice", "story"}),
        (a_sending_twice, {"twice", "story"}),
        (history_rewritten, {"lost", "books", "story"}),
    ],
)
def test_the_campaign_sees(
    tamper: Callable[[Path], None], seen_as: set[str], copied: Round, unharmed: Unharmed
) -> None:
    tamper(copied.journal)
    seen = {what for what, texts in findings(copied, unharmed).items() if texts}
    assert seen >= seen_as


def test_the_campaign_sees_a_run_that_ended_with_other_books(
    copied: Round, unharmed: Unharmed
) -> None:
    other = replace(copied, ended={**copied.ended, "state_hash": "0" * 64})
    assert findings(other, unharmed)["books"]


def test_the_same_seed_aims_at_the_same_moments(unharmed: Unharmed) -> None:
    def aims() -> Iterator[object]:
        chance = random.Random(SEED)
        return (unharmed.aim(chance, reached) for reached in range(0, 16_000, 1_000))

    assert list(aims()) == list(aims())
