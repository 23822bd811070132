"""The journal's disk: its connection works in the loop, and fails where a plan says so.

The file is a real one. A commit is durable once COMMIT has returned, and what is written behind
that is the witness; a process may die before, between and behind the two.
"""

import asyncio
import sqlite3
from collections.abc import Generator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from events.chain import Row

if TYPE_CHECKING:
    from events.witness import Witness, WitnessFile
    from tests.simulation.mortal import Mortal


class DiskFault(StrEnum):
    """What goes wrong with one turn."""

    FULL = "nothing is written"
    SYNC_FAILED = "it says it failed, and it is there"
    WITNESS_FAILED = "the rows are there, the witness is not"


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, values: Any = (), /) -> Self:  # noqa: ANN401 - sqlite3's own
        if sql != "COMMIT":
            return super().execute(sql, values)
        process: Mortal = self.connection.process  # type: ignore[attr-defined]
        process.tick("before the commit")
        if process.disk_fault is DiskFault.FULL:
            raise sqlite3.OperationalError("database or disk is full")
        super().execute(sql, values)
        process.committed(self.connection.rows)  # type: ignore[attr-defined]
        process.tick("behind the commit")
        if process.disk_fault is DiskFault.SYNC_FAILED:
            raise sqlite3.OperationalError("disk I/O error")
        return self


class _Witness:
    def __init__(self, inner: "WitnessFile", process: "Mortal") -> None:
        self._inner = inner
        self._process = process

    def write(self, witness: "Witness") -> None:
        if self._process.disk_fault is DiskFault.WITNESS_FAILED:
            raise OSError(5, "Input/output error")
        self._inner.write(witness)
        self._process.tick("behind the witness")

    def close(self) -> None:
        self._inner.close()


class Asked:
    """What `execute` returns: to be awaited, or a cursor as a context."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def __await__(self) -> Generator[Any, Any, Self]:
        yield from asyncio.sleep(0).__await__()
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._cursor.close()

    async def fetchone(self) -> Any:  # noqa: ANN401 - sqlite3's own
        return self._cursor.fetchone()

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()


class InlineConnection:
    """As much of aiosqlite's connection as the journal uses."""

    def __init__(self, raw: sqlite3.Connection, process: "Mortal") -> None:
        self._raw = raw
        self._process = process

    async def executemany(self, sql: str, rows: Sequence[Row]) -> None:
        self._process.during_a_write()
        await asyncio.sleep(self._process.write_delay())
        self._process.tick("before the turn is written")
        self._raw.rows = rows  # type: ignore[attr-defined]
        self._process.plan_disk_fault()
        self._raw.executemany(sql, rows)
        await asyncio.sleep(self._process.write_delay())

    def execute(self, sql: str) -> Asked:
        self._process.tick(sql)
        return Asked(self._raw.execute(sql))

    async def close(self) -> None:
        self._raw.close()


def connect_for(process: "Mortal") -> Any:  # noqa: ANN401 - stands for aiosqlite.connect
    """Return what opens the journal's connection in `process`."""

    async def connect(database: str, *, factory: Any, **how: Any) -> InlineConnection:  # noqa: ANN401 - sqlite3's own
        await asyncio.sleep(0)
        process.tick("before the journal is opened")
        witness = _Witness(factory.keywords["witness"], process)
        raw = sqlite3.connect(database, factory=_simulated(factory.func, process, witness), **how)
        return InlineConnection(raw, process)

    return connect


def _simulated(kind: Any, of: "Mortal", its: _Witness) -> Any:  # noqa: ANN401 - a class, as sqlite3 wants it
    class Simulated(kind):  # type: ignore[misc]
        """The journal's own connection; its cursor and its witness go by the plan."""

        def __init__(self, *args: Any, **how: Any) -> None:  # noqa: ANN401 - sqlite3's own
            super().__init__(*args, witness=its, **how)
            self.process = of
            self.rows: Sequence[Row] = ()

        def cursor(self) -> sqlite3.Cursor:
            return super().cursor(_Cursor)  # type: ignore[no-any-return]

    return Simulated
