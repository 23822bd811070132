"""What the pages of `traded watch` say: the books, as the commands have them, and as data only."""

import asyncio
import json
import re
import shutil
import socket
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from events import nanoseconds
from events.journal import JournalReader
from ops.watch.http.stream import RESUMED_MAX
from tests.builders import a_bar, utc
from tests.command_line import traded
from tests.hostile_texts import write_story
from tests.journals import a_story, changed, raw_rows, write
from tests.watch_site import BEARER, Site, Streamed, site

GOLDEN = Path(__file__).parents[1] / "golden"
DESCRIPTION = Path(__file__).parents[2] / "ops" / "console-api.md"
SCRIPT = "<script>alert(1)</script>&\u2028</style>"


def a_golden(folder: Path) -> Path:
    for name in ("paper.db", "paper.db.witness"):
        shutil.copy(GOLDEN / name, folder / name)
    return folder / "paper.db"


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the golden journal of the paper broker: a few of all that can happen."""
    return a_golden(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def pages(journal: Path) -> Iterator[Site]:
    with site(journal) as made:
        yield made


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a journal in which every text there can be is a script."""
    path = tmp_path_factory.mktemp("hostile") / "journal.db"
    asyncio.run(write_story(path, SCRIPT))
    with site(path) as made:
        yield made


# The books, as the commands have them.


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("positions", ["positions"]),
        ("holds?limit=100", ["holds", "--history", "100"]),
        ("breaks?limit=100", ["breaks", "--history", "100"]),
        ("orders?limit=200", ["orders", "-n", "200"]),
        ("decisions?limit=500&top=3", ["decisions", "--last", "500", "--top", "3"]),
        ("completeness", ["completeness"]),
    ],
)
def test_a_path_says_what_its_command_says(
    pages: Site, journal: Path, path: str, command: list[str]
) -> None:
    told = json.loads(traded(*command, "--json", "--journal", str(journal)).stdout)
    shown = pages.ask(f"/api/v1/{path}").json
    told.pop("seq", None)  # It is in `as_of`.
    shown.pop("seq", None)
    assert shown == {**told, "as_of": shown["as_of"], "problem": ""}


def test_status_is_that_of_the_command_but_for_the_clock(pages: Site, journal: Path) -> None:
    told = json.loads(traded("status", "--json", "--journal", str(journal)).stdout)
    shown = pages.ask("/api/v1/status").json
    assert shown["as_of"]["seq"] == told["seq"]
    moving = {"now", "disk", "data", "sessions", "as_of", "problem", "strategies"}
    assert {name: told[name] for name in told if name not in moving} == {
        name: shown[name] for name in shown if name not in moving
    }


def test_an_order_is_told_as_explain_tells_it(pages: Site, journal: Path) -> None:
    with JournalReader(journal) as reader:
        order_id = next(row[3] for row in reader.rows() if row[2] == "order.filled")
    order_id = str(order_id).removeprefix("paper-").rsplit("-", 1)[0]
    told = json.loads(traded("explain", order_id, "--json", "--journal", str(journal)).stdout)
    shown = pages.ask(f"/api/v1/orders/{order_id}").json
    assert {**told, "as_of": shown["as_of"], "problem": ""} == shown
    assert shown["because"]
    assert shown["fills"]


def test_every_answer_says_what_it_is_as_of(pages: Site, journal: Path) -> None:
    rows = raw_rows(journal)
    for path in pages.server.paths:
        if not path.startswith("/api/v1/") or "{" in path or path.endswith("stream"):
            continue
        shown = pages.ask(path).json
        assert shown["schema_version"] == 1, path
        assert shown["as_of"]["seq"] == rows[-1][0], path
        assert nanoseconds(utc(shown["as_of"]["at"][:19])) // 10**9 == rows[-1][1] // 10**9
        assert shown["problem"] == "", path


# What only a page shows.


def test_the_events_are_those_of_the_journal(pages: Site, journal: Path) -> None:
    rows = raw_rows(journal)
    shown = pages.ask("/api/v1/events?after=100&limit=50").json["events"]
    assert [(each["seq"], each["type"]) for each in shown] == [
        row[:1] + row[2:3] for row in rows[100:150]
    ]
    newest = pages.ask("/api/v1/events?limit=7").json["events"]
    assert [each["seq"] for each in newest] == [row[0] for row in rows[-7:]]
    assert pages.ask(f"/api/v1/events?after={rows[-1][0]}").json["events"] == []


def test_a_report_that_names_only_its_order_has_the_symbol_all_the_same(pages: Site) -> None:
    shown = pages.ask("/api/v1/events?after=0&limit=1000").json["events"]
    sent = [each for each in shown if each["type"] == "order.sending"]
    assert len(sent) == 34
    assert all(each["symbol"] == each["client_order_id"][0] for each in sent)


def test_bars_have_the_fills_within_them_marked(pages: Site, journal: Path) -> None:
    found = raw_rows(journal)
    for symbol in "AB":
        shown = pages.ask(f"/api/v1/bars/{symbol}?limit=500").json
        mine = f'"symbol":"{symbol}"'
        assert len(shown["bars"]) == sum(row[2] == "bar.closed" and mine in row[6] for row in found)
        fills = [row for row in found if row[2] == "order.filled" and mine in row[6]]
        assert [each["seq"] for each in shown["fills"]] == [row[0] for row in fills]
        assert shown["complete"] is True
    two = pages.ask("/api/v1/bars/A?limit=2").json
    assert len(two["bars"]) == 2


def test_equity_is_drawn_to_what_the_books_have(pages: Site) -> None:
    shown, status = pages.ask("/api/v1/equity").json, pages.ask("/api/v1/status").json
    points = shown["points"]
    assert points[-1]["equity_usd"] == status["equity_usd"]
    assert points[0]["equity_usd"] == "100000"
    assert [each["at"] for each in points] == sorted(each["at"] for each in points)
    assert max(Decimal(each["drawdown"]) for each in points) == Decimal(status["drawdown_max"])


@pytest.mark.parametrize(
    "path",
    [
        "orders?limit=-1",
        "orders?limit=201",
        "orders?limit=1e3",
        "orders?limit=",
        "events?after=-5",
        "events?limit=0",
        "events?limit=1001",
        "events?after=99999999999999999999",
        "events?after=\u0662",
        "bars/A?limit=0",
        "decisions?limit=0",
        "stream?after=x",
    ],
)
def test_a_number_that_is_none_or_too_large_is_refused_in_words(pages: Site, path: str) -> None:
    refused = pages.ask(f"/api/v1/{path}".replace("\u0662", "%D9%A2"))
    assert refused.status == 400
    assert re.fullmatch(
        r"(limit|after) has to be (a whole number )?from \d+ to \d+", refused.json["error"]
    )


@pytest.mark.parametrize("path", ["orders/none", "bars/NONE", "nothing", "", "orders/", "bars/"])
def test_what_is_not_there_is_said_to_be_not_there(pages: Site, path: str) -> None:
    assert pages.ask(f"/api/v1/{path}").status == 404


# Texts of others.


def test_a_script_in_every_text_comes_out_as_data(hostile: Site) -> None:
    order = next(
        each["client_order_id"]
        for each in hostile.ask("/api/v1/events?limit=1000").json["events"]
        if each["client_order_id"]
    )
    quoted = "".join(f"%{byte:02x}" for byte in order.encode())
    symbol = "".join(f"%{byte:02x}" for byte in SCRIPT.encode())
    paths = [path for path in hostile.server.paths if "{" not in path and path != "/"]
    asked = [*paths, f"/api/v1/orders/{quoted}", f"/api/v1/bars/{symbol}", f"/api/v1/{symbol}"]
    seen = 0
    for path in asked:
        if path.endswith(("stream", "metrics")):
            continue
        answer = hostile.ask(path)
        assert answer.headers["content-type"].startswith("application/json"), path
        assert answer.headers["x-content-type-options"] == "nosniff"
        for mark in (b"<", b">", b"&", "\u2028".encode()):
            assert mark not in answer.body, path
        seen += SCRIPT in json.dumps(answer.json, ensure_ascii=False)
    assert seen >= 6, "where it is shown it is all there"
    assert hostile.ask("/metrics").headers["content-type"].startswith("text/plain")


def test_a_script_is_data_in_the_stream_too(hostile: Site) -> None:
    stream = Streamed(hostile, "/api/v1/stream?after=0")
    for _ in range(20):
        event = stream.until("event")
        assert "<" not in event["data"]
        assert set(json.loads(event["data"])) >= {
            "seq",
            "type",
            "symbol",
            "client_order_id",
            "text",
        }
    stream.close()


# A journal that cannot be read.


def test_a_damaged_journal_is_said_and_nothing_falls_over(tmp_path: Path) -> None:
    path = a_golden(tmp_path)
    changed(path, "UPDATE event SET body = replace(body, '\"seq', '\"sEq') || ' ' WHERE seq = 90")
    with site(path) as pages:
        pages.wait_for(lambda: pages.watch.seen.problem)
        shown = pages.ask("/api/v1/status").json
        assert "row 90" in shown["problem"]
        assert shown["as_of"]["seq"] == 89
        health = pages.ask("/-/healthy", {})
        assert health.status == 503
        assert "journal" in {each["code"] for each in health.json["reasons"]}
        assert pages.ask("/-/ready", {}).json["points"] == [{"name": "journal", "passed": False}]
        for each in pages.server.paths:
            if "{" not in each and not each.endswith("stream"):
                assert pages.ask(each).status in {200, 503}, each


def test_a_journal_that_is_not_there_is_said(tmp_path: Path) -> None:
    with site(tmp_path / "none.db") as pages:
        assert "there is no journal" in pages.ask("/api/v1/status").json["problem"]
        assert pages.ask("/api/v1/orders").status == 503
        assert pages.ask("/metrics").status == 200


# The stream.


def test_the_stream_tells_what_happens_and_a_reconnect_goes_on_there(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    asyncio.run(write(path, *a_story()))
    with site(path) as pages:
        stream = Streamed(pages)
        assert stream.answer.headers["Content-Type"] == "text/event-stream"
        assert json.loads(stream.until("status")["data"])["as_of"]["seq"] == 5
        asyncio.run(write(path, a_bar("120"), a_bar("121")))
        told = [stream.until("event"), stream.until("event")]
        assert [each["id"] for each in told] == ["6", "7"]
        assert json.loads(told[0]["data"])["type"] == "bar.closed"
        assert json.loads(told[0]["data"])["symbol"] == "A"
        later = json.loads(stream.until("status")["data"])
        assert later["as_of"]["seq"] == 7
        stream.close()
        asyncio.run(write(path, a_bar("122")))
        again = Streamed(pages, **{"Last-Event-ID": "5"})
        assert [again.until("event")["id"] for _ in range(3)] == ["6", "7", "8"]
        asyncio.run(write(path, a_bar("123")))
        assert again.until("event")["id"] == "9"
        again.close()


def test_a_quiet_stream_says_that_it_is_alive(pages: Site) -> None:
    stream = Streamed(pages)
    while "" not in (found := stream.next()) and ": alive" not in found:
        pass
    stream.close()


def test_who_was_away_for_long_hears_what_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    asyncio.run(write(path, *[a_bar()] * (RESUMED_MAX + 99)))  # and its name: 10,100 events
    with site(path) as pages:
        stream = Streamed(pages, "/api/v1/stream?after=10")
        gap = json.loads(stream.until("gap")["data"])
        assert (gap["after"], gap["upto"]) == (10, 100)
        assert stream.until("event")["id"] == "101"
        stream.close()


def test_another_history_resets_the_stream(tmp_path: Path) -> None:
    path, other = tmp_path / "journal.db", tmp_path / "other" / "journal.db"
    other.parent.mkdir()
    asyncio.run(write(path, *a_story(bars=9)))
    asyncio.run(write(other, *a_story(bars=2)))
    with site(path) as pages:
        ahead = Streamed(pages, "/api/v1/stream?after=500")
        assert ahead.until("reset")["id"] == "11"
        ahead.close()
        stream = Streamed(pages)
        stream.until("status")
        for name in ("journal.db.witness", "journal.db"):
            (tmp_path / name).unlink()
            (other.parent / name).rename(tmp_path / name)
        assert stream.until("reset")["id"] == "4"
        stream.close()


def test_a_client_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    asyncio.run(write(path, *[a_bar()] * RESUMED_MAX))
    with site(path) as pages:
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.connect(("127.0.0.1", pages.port))
        bearer = f"Authorization: {BEARER['Authorization']}"
        head = f"GET /api/v1/stream?after=1 HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n"
        line.sendall(head.encode())  # 2 MB are to be read, and nobody reads.
        pages.wait_for(lambda: pages.server.stream.clients == 1)
        pages.wait_for(lambda: pages.server.stream.dropped == 1)
        assert pages.server.stream.clients == 0
        line.close()


def test_the_counts_are_those_of_the_rows(pages: Site, journal: Path) -> None:
    rows = Counter(row[2] for row in raw_rows(journal))
    assert dict(pages.past.events) == dict(rows)


# The description.


def test_every_path_is_described_and_no_other(pages: Site) -> None:
    described = re.findall(r"^## `(\S+)`$", DESCRIPTION.read_text(), re.MULTILINE)
    assert sorted(described) == sorted(pages.server.paths)


def test_the_examples_have_the_fields_that_answers_have(pages: Site) -> None:
    shape = re.compile(r"^`GET (\S+)`\n\n```\n(.+?)\n```$", re.MULTILINE | re.DOTALL)
    examples = shape.findall(DESCRIPTION.read_text())
    assert len(examples) >= 16
    for path, example in examples:
        if path.startswith("/api/v1/stream"):
            continue
        shown = pages.ask(path, {} if path.startswith("/-/") else BEARER).json
        assert set(json.loads(example.replace("\n", " "))) == set(shown), path
