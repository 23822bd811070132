"""What was asked of the gateway and is not answered yet: rows up to an end marker, or an error.

Requests with a number go side by side. A list without one is asked for alone, or two answers would
be taken for one. One that did not come in time may come later: it is not taken for the next one.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.messages import Notice
from daemon.brokers.gateway.pacing import Lane

Row = tuple[int, Sequence[str]]
"""One message: its number, and its fields, the number included."""

FIRST_REQUEST: Final = 1_500_000_000
"""Requests are numbered from here on, so that no error about one is taken for an order's."""
READ_ONLY: Final = 321
_REMARKS: Final = frozenset({165, 2_104, 2_106, 2_107, 2_108, 2_158, 10_167})
_NUMBERED: Final = {
    messages.EXECUTION: 1,
    messages.EXECUTIONS_END: 2,
    messages.CONTRACT_DETAILS: 1,
    messages.CONTRACT_DETAILS_END: 2,
    messages.HISTORICAL_DATA: 1,
}
"""Messages with a request number, and which field it is."""


class ConnectionLost(Exception):
    """The connection ended, or said that it may have missed something, while it was used."""


class RequestFailed(Exception):
    """The gateway answered a request with an error."""

    def __init__(self, notice: Notice) -> None:
        """Keep what it said."""
        super().__init__(f"{notice.code}: {notice.text}")
        self.notice = notice


class Asking:
    """Sends with `send`, and waits no longer than `answer_s` for each answer."""

    def __init__(self, send: Callable[[Lane, Callable[[], None]], None], answer_s: float) -> None:
        """Have asked nothing yet."""
        self._send = send
        self._answer_s = answer_s
        self._next_request = FIRST_REQUEST
        self._answers: dict[int, _Answer] = {}
        self._lists: dict[int, _Answer] = {}
        self._owed: dict[int, int] = {}
        """How many answers may still come that nobody waits for any more, by their end."""
        self._one = asyncio.Lock()

    def number(self) -> int:
        """Return a request number that was never used."""
        request = self._next_request
        self._next_request += 1
        return request

    async def numbered(
        self, write: Callable[[int], None], end: int, rows: frozenset[int]
    ) -> list[Row]:
        """Ask with a request number and return the messages of `rows` up to the one of `end`.

        Raises:
            RequestFailed, ConnectionLost, TimeoutError: it did not come to that.
        """
        request = self.number()
        answer = self._answers[request] = _Answer(rows, end)
        try:
            self._write(lambda: write(request))
            async with asyncio.timeout(self._answer_s):
                return await answer.future
        finally:
            self._answers.pop(request, None)

    async def listed(self, write: Callable[[], None], end: int, rows: frozenset[int]) -> list[Row]:
        """Ask for a list that has no request number: one at a time, or answers get mixed up.

        Raises:
            RequestFailed, ConnectionLost, TimeoutError: it did not come to its end.
        """
        async with self._one:
            answer = self._lists[end] = _Answer(rows, end, self._owed.get(end, 0))
            try:
                self._write(write)
                async with asyncio.timeout(self._answer_s):
                    found = await answer.future
            except TimeoutError:
                if answer.last is None:
                    self._owed[end] = self._owed.get(end, 0) + 1
                    raise
                # So it was this one that came: an earlier one has lost its end for good.
                found = answer.last
            finally:
                self._lists.pop(end, None)
            self._owed.pop(end, None)
            return found

    def _write(self, write: Callable[[], None]) -> None:
        try:
            self._send(Lane.REQUEST, write)
        except ConnectionError as error:
            # Whoever asks may have waited for something else while the connection ended.
            raise ConnectionLost(f"{error}") from error

    def expect(self, end: int) -> "asyncio.Future[list[Row]]":
        """Return what is done when a message of kind `end` comes; `forget` it then."""
        answer = self._lists[end] = _Answer(frozenset(), end)
        return answer.future

    def forget(self, end: int) -> None:
        """Wait no more for it."""
        self._lists.pop(end, None)

    def take(self, kind: int, fields: Sequence[str]) -> None:
        """Put a message with the rows it was asked with, or end that list."""
        if kind in _NUMBERED:
            answer = self._answers.get(int(fields[_NUMBERED[kind]]))
            if answer is not None:
                answer.take(kind, fields)
            return
        if kind in self._owed and kind not in self._lists:
            self._owed[kind] = max(self._owed[kind] - 1, 0)
        for answer in tuple(self._lists.values()):
            answer.take(kind, fields)

    def failed(self, notice: Notice) -> None:
        """Fail what an error is about: a request, or lists that a read-only interface refuses."""
        answer = self._answers.get(notice.about)
        if answer is not None and notice.code not in _REMARKS:
            answer.fail(RequestFailed(notice))
        elif notice.code == READ_ONLY and notice.about < 0 and "read-only" in notice.text.lower():
            for each in self._lists.values():
                each.fail(RequestFailed(notice))

    def lost(self, why: str) -> None:
        """Fail everything: the connection it was asked on is gone."""
        self._owed.clear()
        for answer in (*self._answers.values(), *self._lists.values()):
            answer.fail(ConnectionLost(why))


class _Answer:
    """What one request has collected; `owed` are the ends that may come before its own.

    `last` are the rows before such an end, None where none has come.
    """

    def __init__(self, rows: frozenset[int], end: int, owed: int = 0) -> None:
        self._rows = rows
        self._end = end
        self._owed = owed
        self.last: list[Row] | None = None
        self._found: list[Row] = []
        self.future: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()

    def take(self, kind: int, fields: Sequence[str]) -> None:
        if kind in self._rows:
            self._found.append((kind, fields))
        if kind != self._end or self.future.done():
            return
        if self._owed:
            self._owed -= 1
            self.last, self._found = self._found, []
        else:
            self.future.set_result(self._found)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)
            # Whoever asked may have given up by now: nobody need look at it.
            self.future.exception()
