"""The guard of a run that is to end by itself."""

import subprocess
import sys
import threading
from pathlib import Path

from daemon.exit_codes import ExitCode
from daemon.run_time_limit import RunTimeLimit

ROOT = Path(__file__).parents[2]
HANGS = """
import threading, sys
from daemon.run_time_limit import RunTimeLimit
with RunTimeLimit(0.2, lambda text: print(text, file=sys.stderr, flush=True), grace_s=0.2):
    while True: pass
"""


def test_a_run_that_takes_too_long_is_asked_to_end_and_told_why() -> None:
    told: list[str] = []
    asked = threading.Event()
    with RunTimeLimit(0.01, told.append) as limit:

        def ask(why: str) -> None:
            told.append(why)
            asked.set()

        limit.ask_with(ask)
        assert asked.wait(60)
    assert limit.is_over
    why = "--max-runtime: 0.01 s are over"
    assert told == [f"{why}; it is asked to end", why]


def test_a_run_that_begins_when_its_time_is_over_is_asked_at_once() -> None:
    told: list[str] = []
    over = threading.Event()
    with RunTimeLimit(0.01, lambda _: over.set()) as limit:
        assert over.wait(60)
        limit.ask_with(told.append)
        assert told[0] == "--max-runtime: 0.01 s are over"


def test_a_run_that_ends_in_time_hears_nothing() -> None:
    told: list[str] = []
    with RunTimeLimit(3_600, told.append) as limit:
        pass
    assert (limit.is_over, told) == (False, [])


def test_a_loop_that_has_ended_by_itself_just_now_is_not_missed() -> None:
    asked = threading.Event()

    def ends(_why: str) -> None:
        asked.set()
        raise RuntimeError("Event loop is closed")

    with RunTimeLimit(0.01, lambda _: None) as limit:
        limit.ask_with(ends)
        assert asked.wait(60)


def test_a_run_that_hangs_is_ended_with_a_code_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == ExitCode.OVERRAN
    assert "it has not ended within 0.2 s: the process is ended" in done.stderr
