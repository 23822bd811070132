"""A real browser on the console: what it shows, and what it says it did not like."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

from tests.watch_site import TOKEN, Site

WAIT_S = 60.0
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


class Browser:
    """One window. `expected` are parts of complaints that a test provokes."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.expected: list[str] = []
        self._command("Page.addScriptToEvaluateOnNewDocument", source=NOTE_VIOLATIONS)

    def begin(self) -> None:
        self.expected = []
        self.leave()
        self.size(1440, 1000)
        self.look("light")

    def leave(self) -> None:
        """Go where nothing is shown, and forget who may see what."""
        self.driver.get("about:blank")
        self._command("Network.clearBrowserCookies")
        self.driver.get_log("browser")  # type: ignore[no-untyped-call]

    def size(self, width: int, height: int) -> None:
        self._command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def look(self, scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._command("Emulation.setEmulatedMedia", features=[feature])

    def open(self, site: Site, *, token: str = TOKEN) -> None:
        """Open the console with its token, and wait until the figures are there."""
        self.driver.get(f"http://localhost:{site.port}/?token={token}")
        self.wait("return document.querySelector('#figures dd')")

    def run(self, script: str, *values: object) -> Any:  # noqa: ANN401 - what the page answers
        return self.driver.execute_script(script, *values)

    def wait(self, script: str, *values: object, within_s: float = WAIT_S) -> Any:  # noqa: ANN401 - as `run`
        """Wait until `script` answers something true, and return it."""
        until = time.monotonic() + within_s
        while not (found := self.run(script, *values)):
            assert time.monotonic() < until, f"it never came: {script}"
            time.sleep(0.05)
        return found

    def wait_for(self, what: Callable[[], object]) -> None:
        until = time.monotonic() + WAIT_S
        while not what():
            assert time.monotonic() < until, "it never came"
            time.sleep(0.05)

    def text(self, selector: str) -> str:
        """Return all the text within the first element of that selector."""
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def texts(self, selector: str) -> list[str]:
        script = (
            "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
        )
        return list(self.run(script, selector))

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def focused(self) -> str:
        return str(self.run("return document.activeElement.textContent"))

    def complaints(self) -> list[str]:
        """Return errors of scripts, failed loads and violations of the policy."""
        said = [each["message"] for each in self.driver.get_log("browser")]  # type: ignore[no-untyped-call]
        said += self.run("return window.violations ?? []")
        return [each for each in said if not any(part in each for part in self.expected)]

    def _command(self, name: str, **values: object) -> None:
        self.driver.execute_cdp_cmd(name, values)


@contextmanager
def started(chromium: str, driver: str, profile: str) -> Iterator[Browser]:
    """Start Chromium, with everything it keeps in `profile`."""
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(made)
    finally:
        made.quit()
