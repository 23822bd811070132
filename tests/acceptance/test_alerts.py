"""`traded watch` and `traded alert` as processes: a killed daemon is told, secrets are not."""

import json
import os
from pathlib import Path

import pytest

from tests.alert_sinks import WebSink
from tests.command_line import CONFIG, a_place, traded
from tests.gateway_walk import Process, free_port, until

pytestmark = pytest.mark.alone
SLOW = CONFIG.replace('paths = ["bars"]', 'kind = "slow_feed:Slow"\nparams = { minutes = 100000 }')
PLANTED = ("planted", "pass-word", "DU7654321")


def variables(*targets: str, ping: str = "") -> dict[str, str]:
    given = {
        "TRADED_ALERT_URLS": " ".join(targets),
        "IBKR_ACCOUNT": "DU7654321",
        "TRADED_WATCH_TOKEN": "planted-token-of-the-pages-0123456789",
        "TRADED_WATCH__PORT": str(free_port()),
    }
    return given | ({"TRADED_PING_URL": ping} if ping else {})


def test_a_daemon_that_is_killed_is_told_and_nothing_secret_is_written(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    (place / "traded.toml").write_text(SLOW, encoding="utf-8")
    (place / "run").mkdir(mode=0o700)
    with WebSink() as web:
        ping = f"http://127.0.0.1:{web.port}/planted-ping"
        given = variables(web.target("phone"), ping=ping) | {"XDG_RUNTIME_DIR": f"{place}/run"}
        given |= {"PYTHONPATH": f"{place}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        with Process(["watch"], place, given) as watch:
            watch.wait_for("alerts go to phone")
            with Process(["run"], place, given) as daemon:
                until(lambda: "the daemon runs" in web.texts, lambda: web.texts + daemon.said)
                until(lambda: web.asked, lambda: "the ping")
                daemon.kill()
            until(lambda: "was killed or crashed" in web.texts, lambda: web.texts)
            shown = traded("ready", cwd=place, variables=given).stdout
            assert "the watch runs as process" in shown
            assert "alerts go to phone" in shown
            assert watch.stop()[0] == 0
        killed = next(each for each in web.posted if "killed or crashed" in each["title"])
        assert killed["title"].startswith("[mine@")
        assert " STOP " in killed["title"]
        assert "Open orders: " in killed["message"]
        assert "Positions: " in killed["message"]
        assert killed["message"].endswith("`traded breaks`")
        files = [each for each in place.rglob("*") if each.is_file()]
        written = [each.read_bytes().decode(errors="replace") for each in files]
        for planted in PLANTED:
            said = [web.texts, watch.said, daemon.said, shown, *written]
            assert [text[:300] for text in said if planted in text] == []


def test_a_watch_without_targets_says_so(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    with Process(["watch"], place, variables()) as watch:
        watch.wait_for("no alert goes anywhere: the secret traded_alert_urls is not set")
        watch.wait_for("no dead man's ping")


def test_a_test_goes_to_every_target_and_says_which_arrived(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    with WebSink() as web, WebSink() as dead:
        dead.code = 401
        given = variables(web.target("phone"), dead.target("pager"))
        done = traded("alert", "--test", "--json", cwd=place, variables=given)
        assert done.returncode == 1
        first, second = json.loads(done.stdout)["targets"]
        assert (first["name"], first["arrived"]) == ("phone", True)
        assert (second["arrived"], second["why"]) == (False, "refused with code 401")
        assert web.titles == [web.titles[0]]
        assert "[mine@" in web.titles[0]
        alone = traded("alert", "--test", cwd=place, variables=variables(web.target()))
        assert alone.returncode == 0
        listed = traded("alert", "--list", cwd=place, variables=given)
        assert "json://..." in listed.stdout
        for planted in PLANTED:
            assert planted not in f"{done}{alone}{listed}"


def test_without_a_target_a_test_fails_and_says_what_to_set(tmp_path: Path) -> None:
    done = traded("alert", "--test", cwd=a_place(tmp_path / "place"), variables={})
    assert done.returncode == 1
    assert "traded_alert_urls" in done.stderr
