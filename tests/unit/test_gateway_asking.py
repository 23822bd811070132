"""Lists without a request number: an answer that comes late is not taken for the next one's."""

import asyncio

import pytest

from daemon.brokers.gateway.asking import Asking, ConnectionLost, Row

ROW, END = 5, 53
ANSWER_S = 0.05
ROWS = frozenset({ROW})


def a_list(asking: Asking) -> "asyncio.Task[list[Row]]":
    return asyncio.ensure_future(asking.listed(lambda: None, END, ROWS))


async def asked_in_vain() -> Asking:
    asking = Asking(lambda _lane, write: write(), ANSWER_S)
    with pytest.raises(TimeoutError):
        await a_list(asking)
    return asking


def hear(asking: Asking, *names: str) -> None:
    """Hear rows of those names, and the end of their list."""
    for name in names:
        asking.take(ROW, [str(ROW), name])
    asking.take(END, [str(END), "1"])


def names(rows: list[Row]) -> list[str]:
    return [fields[1] for _, fields in rows]


async def test_a_late_answer_ends_no_list_that_was_asked_for_after_it() -> None:
    asking = await asked_in_vain()
    again = a_list(asking)
    await asyncio.sleep(0)
    hear(asking, "old")
    hear(asking, "new", "newer")
    assert names(await again) == ["new", "newer"]


async def test_one_that_came_before_anybody_asked_again_is_over() -> None:
    asking = await asked_in_vain()
    hear(asking, "old")
    again = a_list(asking)
    await asyncio.sleep(0)
    hear(asking, "new")
    await asyncio.sleep(0)
    assert again.done(), "nothing is waited for"
    assert names(await again) == ["new"]


async def test_an_answer_whose_end_was_lost_keeps_no_later_one_away() -> None:
    asking = await asked_in_vain()
    again = a_list(asking)
    await asyncio.sleep(0)
    hear(asking, "new")
    assert names(await again) == ["new"]
    third = a_list(asking)
    await asyncio.sleep(0)
    hear(asking, "newest")
    await asyncio.sleep(0)
    assert third.done(), "nothing is waited for"


async def test_another_connection_owes_nothing() -> None:
    asking = await asked_in_vain()
    lost = a_list(asking)
    await asyncio.sleep(0)
    asking.lost("gone")
    with pytest.raises(ConnectionLost):
        await lost
    again = a_list(asking)
    await asyncio.sleep(0)
    hear(asking, "new")
    await asyncio.sleep(0)
    assert again.done()
