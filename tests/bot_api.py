"""Telegram's bot API in small: a real web server that keeps messages and hands them out."""

import asyncio
import itertools
import threading
import time
from concurrent.futures import Future
from typing import Any, Self

from aiohttp import web

TOKEN = "123456789:planted-token_of-the-bot-0123456789"  # noqa: S105 - of a bot that is none
ANN = 4711
"""The number of the person who may."""


class BotApi:
    """Serves the bot of TOKEN; `said` is what the bot wrote, `offsets` what it called done with.

    `faults` are answers to getUpdates before any other: a code and a body each. `forgets` lets it
    hand out everything again, whatever was done with; `mute` is the code sendMessage ends with.
    `elsewhere` is where it sends who asks for messages.
    """

    def __init__(self) -> None:
        self.said: list[tuple[int, str]] = []
        self.offsets: list[int | None] = []
        self.faults: list[tuple[int, bytes]] = []
        self.forgets = False
        self.mute = 200
        self.elsewhere = ""
        self.asked = 0
        self._waiting: list[dict[str, object]] = []
        self._numbers = itertools.count(500)
        self._loop = asyncio.new_event_loop()
        self._port: Future[int] = Future()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self._port.result()}"

    @property
    def texts(self) -> str:
        """All that the bot wrote."""
        return "\n".join(text for _, text in self.said)

    def write(self, text: object, *, chat: int = ANN, **fields: object) -> None:
        """Let somebody write; `fields` are of the message, `of` its chat, `by` whom."""
        number = next(self._numbers)
        kind = str(fields.pop("kind", "message"))
        message = {
            "message_id": number,
            "date": int(time.time()),
            "chat": fields.pop("of", {"id": chat, "type": "private", "first_name": "Ann"}),
            "from": fields.pop("by", {"id": chat, "is_bot": False}),
            "text": text,
        }
        self.hand_out({"update_id": number, kind: message | fields})

    def hand_out(self, *updates: dict[str, object]) -> None:
        """Hand these updates out as they are."""
        self._waiting += updates

    def __enter__(self) -> Self:
        self._thread.start()
        self._port.result(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    async def _run(self) -> None:
        self._end = asyncio.Event()
        app = web.Application()
        app.router.add_post("/bot{token}/{method}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._port.set_result(runner.addresses[0][1])
        await self._end.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != TOKEN:
            return web.json_response({"ok": False, "error_code": 401}, status=401)
        given = await request.json()
        if request.match_info["method"] == "sendMessage":
            if self.mute != 200:
                return web.json_response({"ok": False}, status=self.mute)
            self.said.append((given["chat_id"], given["text"]))
            return web.json_response({"ok": True, "result": {}})
        return await self._updates(given)

    async def _updates(self, given: dict[str, Any]) -> web.Response:
        self.asked += 1
        if self.elsewhere:
            return web.Response(status=307, headers={"Location": self.elsewhere})
        self.offsets.append(given.get("offset"))
        if self.faults:
            code, body = self.faults.pop(0)
            return web.Response(status=code, body=body)
        if not self.forgets and "offset" in given:
            self._waiting = [
                each for each in self._waiting if _number(each) >= int(given["offset"])
            ]
        for _ in range(20):
            if self._waiting or self._end.is_set():
                break
            await asyncio.sleep(0.02)
        return web.json_response({"ok": True, "result": self._waiting[: given["limit"]]})


def _number(update: dict[str, object]) -> int:
    return int(str(update["update_id"]))
