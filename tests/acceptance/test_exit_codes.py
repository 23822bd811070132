"""The exit codes as they are written down: one table, each row true."""

import re
from pathlib import Path

from daemon.exit_codes import ExitCode
from ops.exit_codes import MEANINGS, NEXT

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ops" / "exit-codes.md").read_text(encoding="utf-8")


def test_the_table_has_each_exit_code_with_its_meaning_and_what_to_do_next() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    assert [(int(code), means, then) for code, means, then in rows] == [
        (code.value, MEANINGS[code], NEXT[code]) for code in ExitCode
    ]


def test_the_unit_restarts_by_the_numbers_of_the_table_and_by_none_that_is_not_there() -> None:
    unit = (ROOT / "systemd" / "traded.service").read_text(encoding="utf-8")
    listed = re.findall(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE)
    assert len(listed) == 1
    codes = {int(code) for code in listed[0].split()}
    assert codes <= set(ExitCode)
    assert {
        ExitCode.USAGE,
        ExitCode.JOURNAL_DAMAGED,
        ExitCode.ALREADY_RUNNING,
        ExitCode.BAD_CONFIG,
    } <= codes
    # A broker that is away and a disk that is full get better by themselves, or by a person.
    assert codes.isdisjoint({ExitCode.BROKER_UNREACHABLE, ExitCode.JOURNAL_WRITE_FAILED})
