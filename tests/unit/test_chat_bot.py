"""The bot's side of Telegram's API: strict, bounded, and with never a word of the token."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from daemon.secrets.names import BadSecret
from ops.chat import bot as bot_module
from ops.chat.bot import Bot, BotError, TooLarge, checked_chat_token
from tests.bot_api import ANN, TOKEN, BotApi

Found = TypeVar("Found")


def asked(server: str, work: Callable[[Bot], Awaitable[Found]], token: str = TOKEN) -> Found:
    async def run() -> Found:
        async with Bot(server, token) as bot:
            return await work(bot)

    return asyncio.run(run())


def failure(api: BotApi, code: int, body: bytes) -> BotError:
    api.faults.append((code, body))
    with pytest.raises(BotError) as found:
        asked(api.url, lambda bot: bot.batch(None))
    assert "planted" not in f"{found.value}{found.value.__cause__}"
    return found.value


def test_what_was_written_comes_with_its_number_until_it_is_called_done_with() -> None:
    with BotApi() as api:
        api.write("status")
        first = asked(api.url, lambda bot: bot.batch(None))
        again = asked(api.url, lambda bot: bot.batch(None))
        done = asked(api.url, lambda bot: bot.batch(501))
    message = first.updates[0].message
    assert message is not None
    assert (message.text, message.chat.id, message.chat.type) == ("status", ANN, "private")
    assert message.sender is not None
    assert message.sender.id == ANN
    assert (first.last, again, done.updates, done.last) == (500, first, [], None)


def test_updates_of_another_shape_are_counted_and_the_others_are_read() -> None:
    with BotApi() as api:
        api.hand_out(
            {"update_id": 1, "message": {"message_id": 1, "date": "now", "chat": {"id": 1}}},
            {"update_id": 2, "message": ["kill"]},
            {"update_id": 3, "message": {"message_id": 1, "date": 1, "chat": {"id": "4711"}}},
            {"update_id": 4, "inline_query": {}},
        )
        api.write(None)
        api.write(["kill"])
        api.write("kill")
        found = asked(api.url, lambda bot: bot.batch(None))
    assert [each.update_id for each in found.updates] == [4, 502]
    assert (found.unreadable, found.last) == (5, 502)


@pytest.mark.parametrize(
    ("code", "body", "why"),
    [
        (200, b"", "no answer of a bot's server"),
        (200, b"<html>planted</html>", "no answer of a bot's server"),
        (200, b"\xff\xfe", "no answer of a bot's server"),
        (200, b'{"ok": "yes", "result": []}', "no answer of a bot's server"),
        (200, b'{"ok": true, "result": {}}', "not what a bot is told"),
        (200, b'{"ok": true}', "not what a bot is told"),
        (200, b'{"ok": true, "result": [{}]}', "not what a bot is told"),
        (200, b'{"ok": true, "result": [{"update_id": "7"}]}', "not what a bot is told"),
        (200, b"[" * 100_000, "no answer of a bot's server"),
        (200, b'{"ok": false, "result": []}', "code 200"),
        (302, b'{"ok": true, "result": []}', "code 302"),
        (401, b'{"ok": false, "description": "planted"}', "the token is not known there"),
        (409, b'{"ok": false}', "another program asks with the same token"),
        (500, b"planted", "code 500"),
    ],
)
def test_an_answer_that_is_none_is_an_error_in_our_words(code: int, body: bytes, why: str) -> None:
    with BotApi() as api:
        assert why in str(failure(api, code, body))


def test_what_the_other_side_wants_to_be_left_alone_for_is_told() -> None:
    with BotApi() as api:
        told = failure(api, 429, b'{"ok": false, "parameters": {"retry_after": 17}}')
        assert told.wait_s == 17
        assert failure(api, 429, b'{"ok": false, "parameters": {"retry_after": -5}}').wait_s == 0


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with BotApi() as api:
        body = b'{"ok": true, "result": [' + b" " * bot_module.SIZE_MAX_BYTES + b"]}"
        assert isinstance(failure(api, 200, body), TooLarge)


def test_a_redirect_is_not_followed_with_the_token_in_hand() -> None:
    with BotApi() as api, BotApi() as elsewhere:
        api.elsewhere = f"{elsewhere.url}/bot{TOKEN}/getUpdates"
        with pytest.raises(BotError, match="code 307"):
            asked(api.url, lambda bot: bot.batch(None))
        assert elsewhere.asked == 0


def test_nobody_there_and_a_wrong_token_are_told_without_the_address() -> None:
    with BotApi() as api:
        gone = api.url
        other = TOKEN.replace("planted", "plantet")
        with pytest.raises(BotError, match="code 401: the token is not known there") as refused:
            asked(api.url, lambda bot: bot.batch(None), other)
    with pytest.raises(BotError, match=r"it does not answer: ClientConnectorError$") as away:
        asked(gone, lambda bot: bot.batch(None))
    assert "plante" not in f"{refused.value}{away.value}"


@pytest.mark.parametrize("token", ["", "1", "12345:short", f"{TOKEN} x", f"{TOKEN}/../", "é" * 40])
def test_a_token_that_is_none_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(BadSecret) as found:
        checked_chat_token(token)
    assert str(found.value) == "traded_chat_token is no token of a bot, which reads NUMBER:LETTERS"
    assert checked_chat_token(TOKEN) == TOKEN
