"""The whole past beside what goes on: read once, then gone on with, and never of two journals."""

import asyncio
from decimal import Decimal
from pathlib import Path

from daemon.config.options import WatchConfig
from ops.watch.app import Watch
from ops.watch.past import Past
from projections import State
from tests.builders import a_bar, a_deposit, a_fill, an_intent, records
from tests.journals import a_story, write


def watched(path: Path) -> tuple[Watch, Past]:
    """Return a watch that has looked once at the journal, and its past, nothing of it read."""
    watch = Watch(path, WatchConfig())
    watch.look()
    return watch, Past(watch.seen)


async def read_through(past: Past) -> None:
    running = asyncio.create_task(past.run())
    for _ in range(1_000):  # Far more turns than so few events take.
        await asyncio.sleep(0)
    running.cancel()


def test_counts_are_known_when_all_of_it_was_read_and_not_before(tmp_path: Path) -> None:
    asyncio.run(write(tmp_path / "j.db", *a_story(3)))
    watch, past = watched(tmp_path / "j.db")
    assert past.count("bar.closed") is None
    past.listen(watch.seen, list(records(a_bar(), first=6)))
    assert past.seq == 0, "what is new waits in the file while the past is read"
    asyncio.run(read_through(past))
    assert (past.count("bar.closed"), past.seq) == (3, 5)


def test_what_is_new_is_counted_and_drawn(tmp_path: Path) -> None:
    asyncio.run(write(tmp_path / "j.db", *a_story(3)))
    watch, past = watched(tmp_path / "j.db")
    asyncio.run(read_through(past))
    watch.listeners.append(past.listen)
    asyncio.run(write(tmp_path / "j.db", a_deposit("500", "more")))
    watch.look()
    assert (past.count("cash.moved"), past.seq) == (2, 6)
    assert past.curve.points()[-1].equity_usd == watch.seen.state.pnl.equity


def test_events_of_another_journal_are_not_counted_with_these(tmp_path: Path) -> None:
    asyncio.run(write(tmp_path / "j.db", *a_story(3)))
    watch, past = watched(tmp_path / "j.db")
    asyncio.run(read_through(past))
    watch.seen.state = State()
    past.listen(watch.seen, list(records(a_bar(), first=6)))
    assert past.count("bar.closed") == 3


def test_a_journal_that_cannot_be_read_is_said_and_read_again(tmp_path: Path) -> None:
    asyncio.run(write(tmp_path / "j.db", *a_story(3)))
    _, past = watched(tmp_path / "j.db")
    (tmp_path / "j.db").rename(tmp_path / "away.db")
    asyncio.run(read_through(past))
    assert "j.db" in past.problem
    assert not past.complete


def test_bought_and_sold_are_the_values_of_the_fills(tmp_path: Path) -> None:
    intent = an_intent()
    events = (intent, a_fill("10", "5"), a_fill("-4", "6", execution_id="e2"))
    asyncio.run(write(tmp_path / "j.db", a_deposit(), *events))
    _, past = watched(tmp_path / "j.db")
    asyncio.run(read_through(past))
    # 10 at 5 USD, 4 at 6 USD
    assert (past.bought_usd, past.sold_usd) == (Decimal(50), Decimal(24))
    assert [len(each) for each in past.fills.values()] == [2]
