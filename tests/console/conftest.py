"""A headless Chromium for the console, and what it complained of."""

import shutil
import tempfile
from collections.abc import Iterator

import pytest

from tests.console_browser import Browser, started

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip(
            "the console is NOT tested here: chromium or chromedriver is missing "
            "(Debian: apt-get install chromium chromium-driver)"
        )
    with tempfile.TemporaryDirectory() as profile, started(CHROMIUM, DRIVER, profile) as made:
        yield made


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Return the browser as it is on a desk, with nothing kept; afterwards nobody complained."""
    chromium.begin()
    yield chromium
    complaints = chromium.complaints()
    chromium.leave()
    assert complaints == []
