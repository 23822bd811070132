"""How many rows the writer puts into a statement: each size it has used stays in memory."""

from pathlib import Path

from events.journal_connection import ALWAYS_ROWS
from tests.builders import a_bar, records
from tests.journals import OPENED, writing

TURN = 1_100


async def largest_statements(path: Path, *turns: int) -> list[int]:
    """Write turns of so many events; return how many rows the largest statement of each had."""
    said: list[str] = []
    found: list[int] = []
    bars = [a_bar(str(number)) for number in range(1, sum(turns) + 1)]
    written = list(records(OPENED, *bars))
    async with writing(path) as journal:
        await journal.append(written[:1])
        await journal._connection.set_trace_callback(said.append)  # noqa: SLF001 - as SQLite sees it
        start = 1
        for rows in turns:
            await journal.append(written[start : start + rows])
            start += rows
            found.append(max(each.count("nullif(") // 3 for each in said))
            said.clear()
    return found


async def test_a_large_turn_that_comes_once_leaves_no_large_statement(tmp_path: Path) -> None:
    found = await largest_statements(tmp_path / "journal.db", 2, TURN, 2)

    assert found == [2, ALWAYS_ROWS, 2]


async def test_who_writes_many_rows_turn_after_turn_gets_large_ones(tmp_path: Path) -> None:
    found = await largest_statements(tmp_path / "journal.db", TURN, TURN, TURN)

    assert found == [ALWAYS_ROWS, 1_024, 1_024]
