"""Telegram's bot API as far as it is used: what was written to the bot, and what it answers.

What comes from there is bounded and decoded strictly. The address has the token in it: no text that
is made here has any part of it, nor anything that the other side said.
"""

import re
from collections.abc import Mapping
from typing import Final, Self

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from daemon.secrets.names import CHAT_TOKEN, BadSecret

POLL_S: Final = 25
"""How long the other side keeps a question open while nothing is written."""
ANSWER_S: Final = 10.0
"""How long it may take besides."""
BATCH: Final = 100
"""So many messages are taken at once, as many as there may be."""
SIZE_MAX_BYTES: Final = 8_000_000
"""A hundred of the largest messages there are."""
_TOKEN: Final = re.compile(r"[0-9]{5,20}:[A-Za-z0-9_-]{20,100}")
_KINDS: Final = ("message", "edited_message")
_WHY: Final = {
    401: "the token is not known there: see the secret traded_chat_token",
    403: "it may not write to that chat: it was blocked, or never written to",
    404: "the token is not known there: see the secret traded_chat_token",
    409: "another program asks with the same token, or the bot has a webhook",
    429: "it was asked too often",
}


class BotError(Exception):
    """It did not work, in our words; `wait_s` is how long the other side wants to be left alone."""

    def __init__(self, why: str, wait_s: float = 0) -> None:
        """Keep both."""
        super().__init__(why)
        self.wait_s = wait_s


class TooLarge(BotError):
    """There is more than is taken at once."""


class Chat(msgspec.Struct, frozen=True):
    """Where a message was written: a `private` chat, with one person, has that person's id."""

    id: int
    type: str


class Sender(msgspec.Struct, frozen=True):
    """Who wrote it."""

    id: int


class ChatMessage(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """A message; `date` is when it came, in seconds since 1970 by Telegram's clock."""

    message_id: int
    date: int
    chat: Chat
    sender: Sender | None = None
    text: str = ""


class Update(msgspec.Struct, frozen=True):
    """One thing that happened: something was written, or changed."""

    update_id: int
    message: ChatMessage | None = None
    edited_message: ChatMessage | None = None


class Batch(msgspec.Struct, frozen=True):
    """What was read at once: `unreadable` of it was none of ours; `last` is its highest number."""

    updates: list[Update]
    unreadable: int
    last: int | None


class _Numbered(msgspec.Struct, frozen=True):
    update_id: int


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: int = 0


class _Answer(msgspec.Struct, frozen=True):
    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    parameters: _Parameters = _Parameters()


def checked_chat_token(token: str) -> str:
    """Return `token`, which can be one.

    Raises:
        BadSecret: it cannot.
    """
    if not _TOKEN.fullmatch(token):
        raise BadSecret(f"{CHAT_TOKEN} is no token of a bot, which reads NUMBER:LETTERS")
    return token


class Bot:
    """Asks and answers as the bot of `token` at `server`. No proxy, no redirect, no compression."""

    def __init__(self, server: str, token: str) -> None:
        """Bind; nothing is asked yet."""
        self._base = f"{server}/bot{token}"
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Be ready to ask."""
        headers = {"Accept-Encoding": "identity"}
        self._session = ClientSession(trust_env=False, auto_decompress=False, headers=headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End what is open."""
        assert self._session is not None, "entered before"
        await self._session.close()

    async def batch(self, offset: int | None, limit: int = BATCH) -> Batch:
        """Return what was written, waiting for it; what is below `offset` is done with.

        Raises:
            BotError: it cannot be had.
        """
        asked = {"timeout": POLL_S, "limit": limit, "allowed_updates": _KINDS}
        given = asked if offset is None else {**asked, "offset": offset}
        result = await self._ask("getUpdates", given, POLL_S + ANSWER_S)
        try:
            parts = msgspec.json.decode(result, type=list[msgspec.Raw])
            numbers = [msgspec.json.decode(part, type=_Numbered).update_id for part in parts]
        except msgspec.MsgspecError:
            raise BotError("its answer is not what a bot is told") from None
        updates = list(filter(None, map(_update, parts)))
        return Batch(updates, len(parts) - len(updates), max(numbers, default=None))

    async def say(self, chat_id: int, text: str) -> None:
        """Write `text` into a chat.

        Raises:
            BotError: it may not be there.
        """
        await self._ask("sendMessage", {"chat_id": chat_id, "text": text}, ANSWER_S)

    async def _ask(self, method: str, given: Mapping[str, object], wait_s: float) -> msgspec.Raw:
        assert self._session is not None, "asked inside of `async with`"
        try:
            async with self._session.post(
                f"{self._base}/{method}",
                json=given,
                allow_redirects=False,
                timeout=ClientTimeout(wait_s),
            ) as answer:
                code, body = answer.status, b""
                async for part in answer.content.iter_any():
                    body += part
                    if len(body) > SIZE_MAX_BYTES:
                        raise TooLarge(f"its answer has more than {SIZE_MAX_BYTES:,} bytes")
        except (ClientError, OSError, TimeoutError, ValueError) as error:
            # The text of an error may have the address in it: its kind has to do.
            raise BotError(f"it does not answer: {type(error).__name__}") from None
        return _result(code, body)


def _result(code: int, body: bytes) -> msgspec.Raw:
    try:
        found = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BotError(f"code {code}, and no answer of a bot's server") from None
    if code != 200 or not found.ok:  # noqa: PLR2004 - HTTP's way to say yes
        why = f": {_WHY[code]}" if code in _WHY else ""
        raise BotError(f"code {code}{why}", max(0, found.parameters.retry_after))
    return found.result


def _update(part: msgspec.Raw) -> Update | None:
    """Return the update in `part`, None where it is none as we know them."""
    try:
        return msgspec.json.decode(part, type=Update)
    except msgspec.MsgspecError:
        return None
