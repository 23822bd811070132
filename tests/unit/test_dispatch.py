"""What an operator is told of his command by a daemon at work, and what a token confirms."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.config.options import Config
from daemon.control.dispatch import Dispatch
from daemon.control.protocol import VERSION, Answer, Request
from daemon.control.server import Caller
from daemon.exit_codes import ExitCode
from events.journal import Journal
from tests.builders import a_fill
from tests.core_desk import Scripted, buy
from tests.engine_desk import Works, minutes, works
from tests.unit.test_engine_live import Quiet, Silent, until

ANN = Caller(1000, "ann")
ORDER = {"symbol": "A", "quantity": "5", "type": "LMT", "limit_price": "99"}
Tell = Callable[..., Awaitable[Answer]]


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


@asynccontextmanager
async def told(journal: Journal) -> AsyncIterator[tuple[Works, Quiet, Tell]]:
    """Have an engine at work that holds 10 of A, and somebody to tell it something."""
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")])) as at:
        running = asyncio.create_task(at.take(Silent(*minutes(0, 0))))
        await until(lambda: len(broker.submitted) == 1)
        fill = a_fill("10", order_id=broker.submitted[0], executed_at="2024-01-02T15:00")
        broker.report(fill)
        await until(lambda: not at.state.orders.open)
        dispatch = Dispatch(at.engine, asyncio.get_running_loop(), Config(), Config)

        async def tell(
            verb: str, command_id: str, args: Mapping[str, str | bool], token: str = ""
        ) -> Answer:
            request = Request(VERSION, verb, command_id, "a test", token, dict(args))
            return await asyncio.to_thread(dispatch, request, ANN)

        yield at, broker, tell
        at.engine.request_stop("enough")
        await running


async def test_a_token_confirms_once(journal: Journal) -> None:
    async with told(journal) as (_, broker, tell):
        token = (await tell("order", "cmd-00001", ORDER)).token
        assert (await tell("order", "cmd-00002", ORDER, token)).exit_code == 0
        # The same line again, from the shell's history.
        again = await tell("order", "cmd-00003", ORDER, token)
        assert (again.exit_code, again.lines[0][:27]) == (
            ExitCode.REFUSED,
            "the token is not the one fo",
        )
        assert len(broker.submitted) == 2
        assert (await tell("order", "cmd-00004", ORDER, again.token)).exit_code == 0
        assert len(broker.submitted) == 3


async def test_who_sends_a_confirmed_command_again_for_want_of_an_answer_is_told_so(
    journal: Journal,
) -> None:
    async with told(journal) as (_, broker, tell):
        token = (await tell("order", "cmd-00001", ORDER)).token
        for _ in range(2):
            answer = await tell("order", "cmd-00001", ORDER, token)
            assert answer.exit_code == 0
        assert answer.lines == ("nothing to do: it was done before",)
        assert len(broker.submitted) == 2


async def test_what_is_kept_back_at_the_last_look_is_not_said_to_be_sent(
    journal: Journal,
) -> None:
    async with told(journal) as (at, broker, tell):
        at.engine.switch.permit.revoke()
        token = (await tell("flatten", "cmd-00001", {"symbol": "A"})).token
        answer = await tell("flatten", "cmd-00002", {"symbol": "A"}, token)
        assert len(broker.submitted) == 1
        assert answer.exit_code == ExitCode.REFUSED
        assert answer.lines[-1].startswith("not sent: A-")
        assert answer.lines[-1].endswith(": the permit file is gone")
