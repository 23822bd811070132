"""Runs the chat: listens, obeys, answers: a task each, so that a kill waits for none of them."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar

import msgspec

from ops.chat.answering import bounded, killed, status_told
from ops.chat.bot import BATCH, Batch, Bot, BotError, TooLarge
from ops.chat.hearing import STRANGERS_NAMED, Heard, Hearing, Verb
from ops.chat.standing import EVERY_S, ChatBeat, write_chat_beat
from ops.log.lines import Level, Log
from ops.log.redaction import Redaction

WAITING_MAX: Final = 20
"""So many answers, and questions for the status, wait at once; what is more is dropped."""

_Item = TypeVar("_Item")


class Pace(msgspec.Struct, frozen=True):
    """How long is waited between two questions, behind failed ones, and how often is answered."""

    between_s: float = 0.2
    wait_max_s: float = 30.0
    attempts: int = 3


PACE: Final = Pace()


class ChatApp:
    """Obeys the chats that are `allowed`, for the daemon of `journal`."""

    def __init__(  # noqa: PLR0913 - everything that is outside of it
        self,
        journal: Path,
        allowed: tuple[int, ...],
        bot: Bot,
        log: Log,
        redaction: Redaction,
        *,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pace: Pace = PACE,
    ) -> None:
        """Begin to count; nothing is asked before `run`."""
        self._journal, self._bot, self._log, self._redaction = journal, bot, log, redaction
        self._environment, self._clock, self._pace = environment, clock, pace
        self.hearing = Hearing(allowed, clock().timestamp())
        self.problem = "nothing was asked yet"
        self._unsaid = ""
        self._named = 0
        self._asked: asyncio.Queue[int] = asyncio.Queue(WAITING_MAX)
        self._answers: asyncio.Queue[tuple[int, str]] = asyncio.Queue(WAITING_MAX)

    async def run(self) -> None:
        """Listen until a signal comes."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with self._bot, asyncio.TaskGroup() as tasks:
            every = (self._listen, self._tell_status, self._answer, self._beat)
            running = [tasks.create_task(each(), name=each.__name__) for each in every]
            await stop.wait()
            for each in running:
                each.cancel()

    async def _listen(self) -> None:
        offset: int | None = None
        limit, failures = BATCH, 0
        while True:
            began = monotonic()
            try:
                batch = await self._bot.batch(offset, limit)
            except BotError as error:
                failures += 1
                limit = 1 if isinstance(error, TooLarge) else limit
                self._hears(str(error))
                longest = self._pace.wait_max_s
                await asyncio.sleep(min(max(error.wait_s, 2.0 ** min(failures, 10)), longest))
                continue
            limit, failures = BATCH, 0
            self._hears("")
            # Numbers begin anew after a quiet week: one that is done with is said only once.
            offset = None if batch.last is None else batch.last + 1
            await self._obey(batch)
            await asyncio.sleep(max(0.0, self._pace.between_s - (monotonic() - began)))

    async def _obey(self, batch: Batch) -> None:
        """Carry out what is in `batch`, kills first."""
        now, hearing = self._clock().timestamp(), self.hearing
        hearing.counts.unreadable += batch.unreadable
        found = [hearing.hear(update, now) for update in batch.updates]
        self._name_strangers()
        heard = [each for each in found if each is not None]
        for each in sorted(heard, key=lambda each: each.verb is not Verb.KILL):
            match each.verb:
                case Verb.KILL:
                    await self._kill(each)
                case Verb.STATUS:
                    self._put(self._asked, each.chat_id)
                case Verb.NOTHING:
                    self._put(self._answers, (each.chat_id, each.text))

    async def _kill(self, heard: Heard) -> None:
        def kill() -> str:
            return bounded(killed(self._journal, heard.chat_id, heard.text))

        try:
            said = await asyncio.to_thread(kill)
        except Exception as error:  # noqa: BLE001 - whatever it is, who wants a kill must know
            said = f"The kill FAILED: {type(error).__name__}. Do it where the daemon runs."
        self._log.line(f"kill by chat:{heard.chat_id}: {said}", Level.WARNING)
        self._put(self._answers, (heard.chat_id, said))

    async def _tell_status(self) -> None:
        def status() -> str:
            return bounded(status_told(self._journal))

        while True:
            chat_id = await self._asked.get()
            try:
                said = await asyncio.to_thread(status)
            except Exception as error:  # noqa: BLE001 - a journal that is damaged, say
                self._log.line(f"the status cannot be told: {error}", Level.ERROR)
                said = f"The status cannot be told: {type(error).__name__}; see `traded status`."
            self._put(self._answers, (chat_id, said))

    async def _answer(self) -> None:
        while True:
            chat_id, text = await self._answers.get()
            why = await self._say(chat_id, self._redaction.text(text))
            if why != self._unsaid:
                self._unsaid = why
                said = f"an answer did not arrive: {why}" if why else "answers arrive again"
                self._log.line(said, Level.WARNING if why else Level.NOTICE)

    async def _say(self, chat_id: int, text: str) -> str:
        """Write into a chat, again where that fails; return why it did not arrive at last."""
        why = ""
        for attempt in range(self._pace.attempts):
            try:
                await self._bot.say(chat_id, text)
            except BotError as error:
                why = str(error)
                wait_s = min(max(error.wait_s, 2.0**attempt), self._pace.wait_max_s)
                await asyncio.sleep(wait_s)
            else:
                return ""
        return why

    async def _beat(self) -> None:
        """Say now and then that it lives, and whether it hears."""
        told = ""
        while True:
            unsaid = f"answers do not arrive: {self._unsaid}" if self._unsaid else ""
            problem = self.problem or unsaid
            beat = ChatBeat(1, os.getpid(), self._clock(), problem, self.hearing.counts)
            failed = write_chat_beat(self._journal, self._environment, beat)
            if failed and failed != told:
                self._log.line(failed, Level.WARNING)
            told = failed
            await asyncio.sleep(EVERY_S)

    def _hears(self, why: str) -> None:
        if why and why != self.problem:
            self._log.line(f"the chat hears nobody: {why}", Level.WARNING)
        elif self.problem and not why:
            self._log.line("the chat hears what is written", Level.NOTICE)
        self.problem = why

    def _name_strangers(self) -> None:
        """Say once of each chat that is not allowed, of a few, that it is not."""
        for chat_id in self.hearing.named[self._named :]:
            who = f"chat {chat_id} is not on watch.chat.allowed, and is not answered"
            self._log.line(f"{who}; if it is yours, put that number there", Level.NOTICE)
            self._named += 1
            if self._named == STRANGERS_NAMED:
                self._log.line("of further chats like that nothing is said: they are counted")

    def _put(self, queue: asyncio.Queue[_Item], what: _Item) -> None:
        try:
            queue.put_nowait(what)
        except asyncio.QueueFull:
            self.hearing.counts.flooded += 1
