"""Journals of other versions: older forms come to the same books, newer ones are left alone.

The older form is made up: a release long ago called a fill `fill.v0`, with other fields.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.keeping.archiving import archive
from events import BarClosed, OrderFilled
from events.chain import GENESIS, row_hash
from events.codec import decode, encode, tags_of
from events.errors import JournalNewer, UnknownEvent
from events.journal import JournalReader
from events.upcast import UPCASTS, Fields, Upcast
from events.witness import Witness, WitnessFile, read_witness, witness_path
from projections import State
from projections.canonical import state_hash
from tests.builders import a_bar, a_calendar, a_commission, a_config, a_deposit, a_fill, an_order
from tests.journals import raw_rows, unprotected, write

STORY = (
    a_config(),
    a_calendar(),
    a_deposit(),
    a_bar("100"),
    *an_order("o1", "100"),
    a_fill("60", "100", execution_id="e1"),
    a_fill("40", "101", execution_id="e2"),
    a_commission("1", execution_id="e1"),
    a_bar("103", end="2024-01-02T15:01"),
)


def fill_of_old(fields: Fields) -> Fields:
    """Make of `fill.v0`, which had a side and no sign, a fill as it is now."""
    sign = {"BOT": 1, "SLD": -1}[fields["side"]]
    return {
        "client_order_id": fields["order"],
        "execution_id": fields["id"],
        "symbol": fields["symbol"],
        "quantity": str(sign * int(fields["shares"])),
        "price": fields["price"],
        "executed_at": fields["at"],
    }


def old_form(body: str) -> str:
    """Return a fill's body as `fill.v0` had it."""
    now = json.loads(body)
    return json.dumps(
        {
            "type": "fill.v0",
            "order": now["client_order_id"],
            "id": now["execution_id"],
            "symbol": now["symbol"],
            "side": "BOT",
            "shares": int(now["quantity"]),
            "price": now["price"],
            "at": now["executed_at"],
        },
        separators=(",", ":"),
    )


@pytest.fixture
def upcaster() -> Iterator[None]:
    """Have an upcaster of `fill.v0`, as the release that changed it would have brought."""
    UPCASTS["fill.v0"] = Upcast("order.filled", fill_of_old)
    yield
    del UPCASTS["fill.v0"]


def written_long_ago(path: Path) -> None:
    """Give the journal the older form of its fills, and a chain that is right."""
    rows = raw_rows(path)
    previous = GENESIS
    with unprotected(path) as connection:
        connection.execute("DELETE FROM event")
        for seq, at, tag, key, trace, cause, body, _ in rows:
            is_fill = tag == "order.filled"
            then, said = ("fill.v0", old_form(body)) if is_fill else (tag, body)
            previous = row_hash(previous, seq, at, key, trace, cause, said.encode())
            row = (seq, at, then, key, trace, cause, said, previous)
            connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    seen = read_witness(witness_path(path))
    assert seen is not None
    witness = WitnessFile(witness_path(path))
    witness.path.unlink()
    witness.write(Witness(seen.journal_id, seen.epoch, seen.seq, previous.hex()))
    witness.close()


def books(path: Path) -> str:
    state = State()
    with JournalReader(path) as reader:
        for record in reader.records():
            state.apply(record)
    return state_hash(state, {})


@pytest.mark.usefixtures("upcaster")
async def test_a_journal_of_an_older_form_comes_to_the_same_books(tmp_path: Path) -> None:
    now, then = tmp_path / "now.db", tmp_path / "then.db"
    for path in (now, then):
        await write(path, *STORY)
    written_long_ago(then)
    assert [row[2] for row in raw_rows(then)].count("fill.v0") == 2
    assert books(then) == books(now)
    with JournalReader(then) as reader:
        # The chain is over what is stored, not over what it is read as.
        assert reader.check() == []


@pytest.mark.usefixtures("upcaster")
@pytest.mark.parametrize("and_then", [Path, archive], ids=["in the file", "sealed"])
def test_questions_by_kind_find_the_older_forms_too(
    tmp_path: Path, and_then: Callable[[Path], object]
) -> None:
    now, then = tmp_path / "now.db", tmp_path / "then.db"
    for path in (now, then):
        asyncio.run(write(path, *STORY))
    written_long_ago(then)
    # A fill of today behind those of long ago.
    for path in (now, then):
        asyncio.run(write(path, a_fill("-10", "104", execution_id="e3")))
    and_then(then)
    for ask in (
        lambda reader: reader.of_kind(OrderFilled),
        lambda reader: reader.find(OrderFilled, "e1"),
        lambda reader: list(reader.records_back(kinds=[OrderFilled, BarClosed])),
        lambda reader: reader.keys_of(OrderFilled, "e", 10),
    ):
        with JournalReader(now) as of_now, JournalReader(then) as of_then:
            assert ask(of_then) == ask(of_now)
    with JournalReader(then) as reader:
        assert [record.event.key() for record in reader.of_kind(OrderFilled)] == ["e1", "e2", "e3"]


@pytest.mark.usefixtures("upcaster")
def test_the_older_form_of_an_older_form_is_of_the_kind_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(UPCASTS, "fill", Upcast("fill.v0", dict))
    assert tags_of(OrderFilled) == ("order.filled", "fill.v0", "fill")
    older = json.loads(old_form(encode(a_fill("60", "100")).decode())) | {"type": "fill"}
    assert decode(json.dumps(older)) == a_fill("60", "100")
    assert tags_of(BarClosed) == ("bar.closed",)


async def test_an_unknown_event_is_refused_and_the_file_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "then.db"
    await write(path, *STORY)
    written_long_ago(path)
    before = path.read_bytes()
    with pytest.raises(UnknownEvent, match=r"row 9: .*fill\.v0"):
        books(path)
    assert path.read_bytes() == before


async def test_a_newer_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    await write(path, *STORY)
    with unprotected(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(JournalNewer, match="form 99"):
        books(path)
    with pytest.raises(JournalNewer):
        await write(path, a_bar("104", end="2024-01-02T15:02"))
    assert path.read_bytes() == before
