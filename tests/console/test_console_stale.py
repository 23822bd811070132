"""What is not of now says so: in words, in ten seconds, until it is of now again."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from events import Record
from ops.watch.app import Seen
from tests.builders import a_bar
from tests.console_browser import WAIT_S, Browser
from tests.journals import a_story, changed, write
from tests.watch_site import site

STALE_WITHIN_S = 10.0
IS_STALE = """
return document.documentElement.classList.contains('stale')
  && document.querySelector('#banner').checkVisibility()
  && document.querySelector('#glance-word').textContent === 'STALE'
"""
IS_LIVE = """
return !document.documentElement.classList.contains('stale')
  && document.querySelector('#banner').hidden
  && document.querySelector('#feed').dataset.live === 'yes'
"""


class Hang:
    """Hangs whoever listens for as long as it is told to."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()

    def listen(self, _seen: Seen, _records: Sequence[Record]) -> None:
        self._free.wait(WAIT_S)

    @contextmanager
    def hung(self) -> Iterator[None]:
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()


def a_journal(folder: Path) -> Path:
    path = folder / "journal.db"
    asyncio.run(write(path, *a_story()))
    return path


def test_a_watcher_that_ends_is_told_within_ten_seconds(browser: Browser, tmp_path: Path) -> None:
    browser.expected = ["ERR_", "Failed to load resource"]
    with site(a_journal(tmp_path)) as made:
        browser.open(made)
        browser.wait(IS_LIVE)
    began = time.monotonic()
    browser.wait(IS_STALE, within_s=STALE_WITHIN_S)
    assert time.monotonic() - began < STALE_WITHIN_S
    assert "the watcher last spoke" in browser.text("#banner")
    assert "see whether `traded watch` runs" in browser.text("#banner")
    opacity = "return Number(getComputedStyle(document.querySelector('#orders')).opacity)"
    assert browser.run(opacity) < 1


def test_a_watcher_that_hangs_is_told_within_ten_seconds_and_caught_up_with(
    browser: Browser, tmp_path: Path
) -> None:
    browser.expected = ["ERR_", "Failed to load resource"]
    path, hang = a_journal(tmp_path), Hang()
    with site(path) as made:
        made.watch.listeners.append(hang.listen)
        browser.open(made)
        browser.wait(IS_LIVE)
        with hang.hung():
            browser.wait(IS_STALE, within_s=STALE_WITHIN_S)
        asyncio.run(write(path, a_bar("123.45")))
        browser.wait(IS_LIVE)
        browser.wait("return document.querySelector('#tail-rows td').textContent === '6'")
        browser.wait("return document.querySelector('#asof').textContent.includes('event 6,')")


def test_a_journal_that_cannot_be_read_is_told(browser: Browser, tmp_path: Path) -> None:
    path = a_journal(tmp_path)
    with site(path) as made:
        browser.open(made)
        browser.wait(IS_LIVE)
        changed(path, "UPDATE event SET body = '{}' WHERE seq = 5")
        asyncio.run(write_anyway(path))
        made.wait_for(lambda: made.watch.seen.problem)
        browser.wait(IS_STALE)
        assert "not of now" in browser.text("#banner")


async def write_anyway(path: Path) -> None:
    """Remove the journal, as nobody should: what is shown stays, and says that it is old."""
    await asyncio.to_thread(path.unlink)
