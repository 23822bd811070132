"""What a message comes to: a command, words for why it is none, or silence. Pure.

Times are Telegram's and the machine's: both in seconds since 1970.
"""

from collections import deque
from enum import StrEnum
from typing import Final

import msgspec

from ops.chat.bot import ChatMessage, Update

AGE_MAX_S: Final = 60
"""A message that was longer under way is not what somebody wants now."""
WINDOW_S: Final = 60.0
REMEMBERED_MAX: Final = 10_000
STRANGERS_NAMED: Final = 10
"""So many chats that are not allowed are named once in the log; all are counted."""
_USAGE: Final = "There are two commands: `status`, and `kill` with a reason behind it if you like."


class Verb(StrEnum):
    """What somebody wants."""

    KILL = "kill"
    STATUS = "status"
    NOTHING = "nothing"


ALLOWANCE: Final = {Verb.KILL: 6, Verb.STATUS: 10, Verb.NOTHING: 10}
"""So many of each are answered to one chat in a minute: none takes from what another has."""


class Heard(msgspec.Struct, frozen=True):
    """What `chat_id` wants; `text` is the reason for a kill, or the answer where it is nothing."""

    chat_id: int
    verb: Verb
    text: str = ""


class Counts(msgspec.Struct):
    """Messages since the start: commands that were taken, what was ignored, and what nobody sees.

    `strangers` came from chats that are not allowed, `repeated` had come before, `flooded` were
    more than are answered, `unreadable` were none as we know them.
    """

    commands: int = 0
    ignored: int = 0
    strangers: int = 0
    repeated: int = 0
    flooded: int = 0
    unreadable: int = 0


class Hearing:
    """Listens for the chats that are `allowed`, since `started`."""

    def __init__(self, allowed: tuple[int, ...], started: float) -> None:
        """Begin; what was written before is not a command any more."""
        self.counts = Counts()
        self.named: list[int] = []
        self._allowed = frozenset(allowed)
        self._started = int(started)
        self._remembered: dict[tuple[int, int, bool], None] = {}
        self._answered: dict[tuple[int, Verb], deque[float]] = {}

    def hear(self, update: Update, now: float) -> Heard | None:
        """Return what `update` comes to at `now`; None where nobody is answered."""
        message = update.message or update.edited_message
        if message is None:
            self.counts.unreadable += 1
            return None
        if not self._may(message):
            self.counts.strangers += 1
            self._name(message.chat.id)
            return None
        if self._is_repeated(message, edited=update.message is None):
            self.counts.repeated += 1
            return None
        heard = self._heard(message, now, edited=update.message is None)
        flood = self._flood(heard, now)
        if flood is not None:
            self.counts.flooded += 1
            return flood if flood.text else None
        if heard.verb is Verb.NOTHING:
            self.counts.ignored += 1
        else:
            self.counts.commands += 1
        return heard

    def _may(self, message: ChatMessage) -> bool:
        """Say whether it is the chat of one person who may command, written by that person."""
        chat, sender = message.chat, message.sender
        is_own = chat.type == "private" and sender is not None and sender.id == chat.id
        return is_own and chat.id in self._allowed

    def _name(self, chat_id: int) -> None:
        if chat_id not in self.named and len(self.named) < STRANGERS_NAMED:
            self.named.append(chat_id)

    def _is_repeated(self, message: ChatMessage, *, edited: bool) -> bool:
        key = (message.chat.id, message.message_id, edited)
        if key in self._remembered:
            return True
        self._remembered[key] = None
        while len(self._remembered) > REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]
        return False

    def _heard(self, message: ChatMessage, now: float, *, edited: bool) -> Heard:
        chat_id = message.chat.id
        why = "an edited message is no command" if edited else self._too_old(message, now)
        if why:
            return _nothing(chat_id, f"Ignored: {why}. Nothing was done: write it anew.")
        word, *rest = message.text.split(maxsplit=1) or [""]
        match word.lower().removeprefix("/"):
            case "kill":
                return Heard(chat_id, Verb.KILL, " ".join(rest).strip())
            case "status":
                return Heard(chat_id, Verb.STATUS)
            case _:
                return _nothing(chat_id, f"Nothing was done. {_USAGE}")

    def _too_old(self, message: ChatMessage, now: float) -> str:
        """Return why a message is not of now, empty where it is."""
        age = now - message.date
        if message.date < self._started:
            return "it was written before this chat was started"
        if age > AGE_MAX_S:
            return f"it was {age:.0f} s under way, and {AGE_MAX_S} are taken"
        if age < -AGE_MAX_S:
            return f"the clock of this machine is {-age:.0f} s behind Telegram's"
        return ""

    def _flood(self, heard: Heard, now: float) -> Heard | None:
        """Return None where it is within the allowance, else what is said to the first too many."""
        times = self._answered.setdefault((heard.chat_id, heard.verb), deque())
        while times and not 0 <= now - times[0] < WINDOW_S:
            times.popleft()
        most = ALLOWANCE[heard.verb]
        if len(times) < most:
            times.append(now)
            return None
        if len(times) == most:
            times.append(now)
            more = f"Not taken: more than {most} in a minute. I am silent until it is over."
            return _nothing(heard.chat_id, more)
        return _nothing(heard.chat_id, "")


def _nothing(chat_id: int, text: str) -> Heard:
    return Heard(chat_id, Verb.NOTHING, text)
