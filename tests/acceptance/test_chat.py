"""`traded chat` as a process, on a small server of Telegram's API: what it obeys and what not."""

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.stopping.permit import permit_path
from events import HoldPlaced, OperatorKilled
from events.journal import JournalReader
from tests.bot_api import ANN, TOKEN, BotApi
from tests.command_line import CONFIG, a_place, traded
from tests.gateway_walk import Process, free_port, until

pytestmark = pytest.mark.alone
SLOW = CONFIG.replace('paths = ["bars"]', 'kind = "slow_feed:Slow"\nparams = { minutes = 100000 }')


def a_folder(tmp_path: Path, server: str = "") -> Path:
    place = a_place(tmp_path / "place")
    chat = f'\n[watch.chat]\nallowed = [{ANN}]\nserver = "{server}"\n' if server else ""
    (place / "traded.toml").write_text(SLOW + chat, encoding="utf-8")
    (place / "run").mkdir(mode=0o700)
    return place


def variables(place: Path, **more: str) -> dict[str, str]:
    return {
        "TRADED_CHAT_TOKEN": TOKEN,
        "XDG_RUNTIME_DIR": f"{place}/run",
        "PYTHONPATH": f"{place}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    } | more


@contextmanager
def chatting(place: Path, **more: str) -> Iterator[Process]:
    """Run `traded chat` there; what is written now is not from before its start."""
    with Process(["chat"], place, variables(place, **more)) as chat:
        chat.wait_for("the chat hears what is written")
        time.sleep(
            1.1
        )  # Telegram's times are whole seconds, and what is of the start's own counts.
        yield chat
        assert chat.stop()[0] == 0
        assert "planted" not in chat.said


def journal_of(place: Path) -> Path:
    return place / "state" / "journal.db"


def test_the_status_and_a_kill_reach_the_daemon_and_the_journal_says_who(tmp_path: Path) -> None:
    with BotApi() as api:
        place = a_folder(tmp_path, api.url)
        given = variables(place)
        with Process(["run"], place, given), chatting(place) as chat:
            until(lambda: list((place / "run").rglob("*.sock")), lambda: chat.said)
            api.write("status")
            until(lambda: "kill switch: off" in api.texts, lambda: api.texts + chat.said)
            assert "daemon: running (process " in api.texts
            assert "mode: paper, " in api.texts
            api.write("kill I do not\nknow these fills")
            until(lambda: "`traded resume`" in api.texts, lambda: api.texts + chat.said)
            api.write("/status")
            until(lambda: "kill switch: ENGAGED" in api.texts, lambda: api.texts + chat.said)
            assert {number for number, _ in api.said} == {ANN}
        with JournalReader(journal_of(place)) as reader:
            (asked,) = [each.event for each in reader.records_back(kinds=(OperatorKilled,))]
            held = [each.event for each in reader.records_back(kinds=(HoldPlaced,))]
    assert isinstance(asked, OperatorKilled)
    assert (asked.by, asked.uid) == (f"chat:{ANN}", os.geteuid())
    assert asked.why == "I do not\\nknow these fills"
    assert [each.by for each in held if isinstance(each, HoldPlaced)] == [f"chat:{ANN}"]
    shown = traded("holds", cwd=place, variables=given).stdout
    assert f"chat:{ANN}" in shown
    written = [each for each in place.rglob("*") if each.is_file()]
    assert not [each for each in written if TOKEN.encode() in each.read_bytes()]


def test_where_no_daemon_answers_its_permit_is_taken_and_said_so(tmp_path: Path) -> None:
    with BotApi() as api:
        place = a_folder(tmp_path, api.url)
        permit = permit_path(journal_of(place))
        permit.parent.mkdir()
        permit.write_text("", encoding="utf-8")
        with chatting(place) as chat:
            api.write("status")
            until(lambda: "The status cannot be told" in api.texts, lambda: api.texts + chat.said)
            api.write("kill")
            until(lambda: "the permit is gone" in api.texts, lambda: api.texts + chat.said)
            assert not permit.exists()
            assert "The daemon has not said that it is killed." in api.texts
            assert "`traded kill --offline`" in api.texts


def test_what_nobody_may_or_meant_now_kills_nothing(tmp_path: Path) -> None:
    """Strangers, old, edited, huge and broken messages, a flood: then one that may."""
    with BotApi() as api:
        place = a_folder(tmp_path, api.url)
        permit = permit_path(journal_of(place))
        permit.parent.mkdir()
        permit.write_text("", encoding="utf-8")
        with chatting(place) as chat:
            for number in range(300):
                api.write("kill", chat=666_000 + number)
            group = {"id": -5, "type": "group"}
            api.write("kill", chat=ANN, date=int(time.time()) - 3_600)
            api.write("kill", chat=ANN, kind="edited_message")
            api.write("kill", by={"id": 666})
            api.write("kill", of=group)
            api.write("kill", date="now")
            api.write("kill", kind="callback_query")
            api.write("x" * 1_000_000)
            api.write("status quo")
            until(lambda: "kill switch" in api.texts or len(api.said) >= 4, lambda: chat.said)
            assert permit.exists()
            assert {number for number, _ in api.said} == {ANN}
            assert "under way" in api.texts or "before this chat was started" in api.texts
            assert "an edited message is no command" in api.texts
            assert chat.said.count("is not answered") == 10
            api.write("kill")
            until(lambda: not permit.exists(), lambda: api.texts + chat.said)


def test_a_kill_that_is_handed_out_for_ever_is_carried_out_once(tmp_path: Path) -> None:
    with BotApi() as api:
        api.forgets = True
        place = a_folder(tmp_path, api.url)
        permit = permit_path(journal_of(place))
        permit.parent.mkdir()
        with chatting(place) as chat:
            api.write("kill")
            until(lambda: "kill by chat" in chat.said, lambda: chat.said)
            permit.write_text("", encoding="utf-8")  # As a resume would.
            seen = api.asked
            until(lambda: api.asked > seen + 5, lambda: chat.said)
            assert permit.exists()
            assert chat.said.count("kill by chat") == 1


def test_a_chat_that_does_not_hear_degrades_the_watch_until_it_hears_again(tmp_path: Path) -> None:
    with BotApi() as api:
        place = a_folder(tmp_path, api.url)
        port = free_port()
        pages = {"TRADED_WATCH__PORT": str(port), "TRADED_WATCH_TOKEN": "planted-token" + "0" * 30}
        given = variables(place) | pages
        api.faults += [(401, b'{"ok": false}')] * 4
        with Process(["run"], place, given), Process(["watch"], place, given) as watch:
            until(lambda: failing(port), lambda: watch.said)
            with Process(["chat"], place, given) as chat:
                chat.wait_for("the chat hears nobody: code 401: the token is not known there")
                chat.wait_for("the chat hears what is written")
                until(lambda: not failing(port), lambda: watch.said + chat.said)
                chat.kill()
            until(lambda: failing(port), lambda: watch.said)
            assert "planted" not in chat.said + watch.said


def failing(port: int) -> bool:
    """Say whether `/-/healthy` names a way of alerting that fails."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/healthy", timeout=10) as answer:
            reasons = json.load(answer)["reasons"]
    except OSError:
        return False
    return ("alerts", "ways of alerting that fail: 1") in {
        (each["code"], each["text"]) for each in reasons
    }


def test_without_people_or_a_token_it_does_not_start(tmp_path: Path) -> None:
    place = a_folder(tmp_path)
    nobody = traded("chat", cwd=place, variables=variables(place))
    assert (nobody.returncode, "watch.chat.allowed is empty" in nobody.stderr) == (78, True)
    allowed = {"TRADED_WATCH__CHAT__ALLOWED": f"[{ANN}]"}
    without = variables(place, TRADED_CHAT_TOKEN="") | allowed
    missing = traded("chat", cwd=place, variables=without)
    assert (missing.returncode, "traded_chat_token is missing" in missing.stderr) == (78, True)
    with_bad = variables(place) | allowed | {"TRADED_CHAT_TOKEN": "planted"}
    bad = traded("chat", cwd=place, variables=with_bad)
    assert (bad.returncode, "is no token of a bot" in bad.stderr) == (78, True)
    assert "planted" not in bad.stderr
    group = variables(place) | {"TRADED_WATCH__CHAT__ALLOWED": "[-100]"}
    assert traded("chat", cwd=place, variables=group).returncode == 78
    plain = variables(place) | allowed | {"TRADED_WATCH__CHAT__SERVER": "http://example.com"}
    refused = traded("chat", cwd=place, variables=plain)
    assert (refused.returncode, "https://HOST" in refused.stderr) == (78, True)
