"""The runbook is true: each command it shows is typed, and prints what the page says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.runbook_page import PAGE, blocks, checked, differences
from tests.runbook_worlds import WORLDS, a_world

TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = list(blocks(TEXT))
ROOT = Path(__file__).parents[2]
SUBJECTS = (
    "Start",
    "Stop",
    "Reload",
    "Killed, crashed or hung",
    "Upgrade",
    "Halt",
    "Flatten",
    "A breaker that will not reset",
    "The nightly restart and the weekly login",
    "The broker refuses orders",
    "Port or journal busy",
    "Restore",
    "Disk full",
    "The journal is damaged",
    "The journal is lost, without a backup",
    "Remove",
    "The console from elsewhere",
    "The chat",
    "The log",
    "Ports",
    "Least hardware",
    "Words",
)


def may_mount() -> bool:
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        return False
    tried = subprocess.run([unshare, "--mount", "true"], check=False, capture_output=True)
    return tried.returncode == 0


@pytest.mark.parametrize("name", WORLDS)
def test_what_the_page_shows_is_what_is_printed(name: str) -> None:
    if name == "small" and not may_mount():
        pytest.skip("a small disk takes root and `unshare --mount`: that block was not tried")
    names: dict[str, str] = {}
    typed = [block for block in BLOCKS if block.world == name]
    assert typed, "a world nobody goes to"
    with a_world(name) as world:
        for block in typed:
            for step in block.steps:
                world.do(step)
            assert list(checked(block, world.run, names)) == []


def test_every_block_with_output_is_run_somewhere() -> None:
    assert {block.world for block in BLOCKS} == set(WORLDS)
    # What begins with a prompt and is not one of ours would rot unseen.
    shown = sum(len(block.typed) for block in BLOCKS)
    assert len(re.findall(r"^\$ ", TEXT, re.MULTILINE)) == shown > 20


def test_the_page_has_a_part_for_each_subject_and_each_link_leads_somewhere() -> None:
    titles = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    assert tuple(titles) == SUBJECTS
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (PAGE.parent / target).exists(), target


def test_a_page_that_says_something_else_is_found() -> None:
    printed = ["kill switch: off", "equity 1.00 USD", "2 orders"]
    assert differences(["kill switch: off", "...", "3 orders"], printed, {}) == ""
    assert "not printed: kill switch: ON" in differences(["kill switch: ON", "..."], printed, {})
    assert "not shown" in differences(["kill switch: off"], printed, {})
    assert "not printed" in differences([*printed, "more"], printed, {})
