"""What SQLite does by itself with the rows of a journal: the limit the journal is held against.

Run by its path, in a process of its own; it imports nothing of ours. The rows and the table come
out of a finished journal, triggers left out, and every setting stays as SQLite has it but WAL and
synchronous=FULL.
"""

import json
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

Row = tuple[object, ...]

INSERT = "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
ROWS_A_COMMIT = 1_000
LOG_BYTES = 8 * 2**20


def main(what: str, journal: str, count: str, folder: str) -> None:
    """Measure `what` over the first `count` rows of `journal`, in a fresh file in `folder`."""
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    made = "SELECT sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
    schema = [statement for (statement,) in connection.execute(made)]
    wanted = "SELECT * FROM event ORDER BY seq LIMIT ?"
    rows: list[Row] = connection.execute(wanted, (int(count),)).fetchall()
    connection.close()
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        target = sqlite3.connect(Path(fresh) / "raw.db", isolation_level=None)
        target.execute("PRAGMA journal_mode = WAL")
        target.execute("PRAGMA synchronous = FULL")
        for statement in schema:
            target.execute(statement)
        figures = bulk(target, rows) if what == "bulk" else single(target, rows, what)
        target.close()
    print(json.dumps(figures))


def bulk(target: sqlite3.Connection, rows: list[Row]) -> dict[str, float]:
    """Insert everything, a thousand rows a commit."""
    started = time.perf_counter()
    for first in range(0, len(rows), ROWS_A_COMMIT):
        target.execute("BEGIN IMMEDIATE")
        target.executemany(INSERT, rows[first : first + ROWS_A_COMMIT])
        target.execute("COMMIT")
    return {"per_s": len(rows) / (time.perf_counter() - started)}


def single(target: sqlite3.Connection, rows: list[Row], log: str) -> dict[str, float]:
    """Insert row by row, a commit each, with the write-ahead log in one of three conditions.

    "default" leaves it to SQLite (it grows for some hundred commits and is used again from then
    on), "growing" never uses it again, "recycled" has grown it beforehand.
    """
    if log != "default":
        target.execute("PRAGMA wal_autocheckpoint = 0")
    if log == "recycled":
        target.execute("CREATE TABLE filling (content)")
        target.execute("INSERT INTO filling VALUES (zeroblob(?))", (LOG_BYTES,))
        target.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    taken_us = []
    for row in rows:
        started = time.perf_counter_ns()
        target.execute(INSERT, row)
        taken_us.append((time.perf_counter_ns() - started) / 1_000)
    return {"p50_us": median(taken_us), "p99_us": quantiles(taken_us, n=100)[98]}


if __name__ == "__main__":
    main(*sys.argv[1:])
