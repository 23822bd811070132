"""The console in a real browser: what it shows is what the API says, and texts stay texts."""

import asyncio
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from events import HoldLevel, HoldLifts, HoldPlaced, HoldScope, OrderUnknown
from ops.daemon_state import DaemonState, Running
from ops.render import money, percent, price, quantity
from tests.builders import a_bar, an_order
from tests.console_browser import Browser
from tests.hostile_texts import write_story
from tests.journals import a_story, write
from tests.watch_site import Site, site

ROOT = Path(__file__).parents[2]
SCRIPT = (
    "<img src=x onerror='window.struck=1'><script>window.struck=1</script>"
    "<svg onload='window.struck=1'></svg>\"'><b style='color:red'>"
)
KILLED = HoldPlaced(
    "kill-9",
    HoldScope.ALL,
    HoldLevel.HALT,
    "kill switch",
    "ann",
    "a look first",
    HoldLifts.OPERATOR,
)
WIDER = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


def a_golden(folder: Path) -> Path:
    for name in ("paper.db", "paper.db.witness"):
        shutil.copy(ROOT / "tests" / "golden" / name, folder / name)
    return folder / "paper.db"


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(a_golden(tmp_path_factory.mktemp("golden"))) as made:
        yield made


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path = tmp_path_factory.mktemp("hostile") / "journal.db"
    asyncio.run(write_story(path, SCRIPT))
    with site(path) as made:
        yield made


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Site]:
    """Serve a journal behind the kill switch, with an order nobody knows the whereabouts of."""
    path = tmp_path / "journal.db"
    lost = (*an_order(), OrderUnknown("o1", "the line went dead"))  # type: ignore[arg-type]
    asyncio.run(write(path, *a_story(), *lost, KILLED))
    with site(path) as made:
        made.watch.seen.daemon = DaemonState(Running.ANSWERS, 4711)
        yield made


def shown_all(browser: Browser) -> None:
    """Wait until every part has been asked for and shown."""
    browser.wait("return document.querySelectorAll('#tail-rows tr').length")
    browser.wait("return document.querySelectorAll('#bars-plot canvas').length")
    browser.wait(
        "return document.querySelectorAll('#equity-plot canvas, #equity-plot .none').length"
    )
    browser.wait("return document.querySelector('#decision-sums dd')")


# What is shown.


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_it_loads_without_an_error_and_within_its_policy(
    browser: Browser, golden: Site, width: int, scheme: str
) -> None:
    browser.size(width, 900)
    browser.look(scheme)
    browser.open(golden)
    shown_all(browser)
    assert browser.run(WIDER) <= 0
    # `browser` asserts that nobody complained.


def test_the_figures_are_those_of_the_api(browser: Browser, golden: Site) -> None:
    browser.open(golden)
    shown_all(browser)
    status = golden.ask("/api/v1/status").json
    assert browser.text("#figure-equity") == money(Decimal(status["equity_usd"]))
    assert browser.text("#figure-day-pnl") == money(Decimal(status["day_pnl_usd"]))
    assert browser.text("#figure-drawdown") == percent(Decimal(status["drawdown"]))
    assert browser.text("#figure-positions") == str(status["positions"])
    assert browser.text("#figure-open-orders") == str(status["open_orders"])
    assert "As of event 480, 2024-01-05 14:46:00 UTC" in browser.text("#asof")
    positions = golden.ask("/api/v1/positions").json["positions"]
    assert browser.texts("#positions-rows td") == [
        text
        for each in positions
        for text in (
            each["symbol"],
            quantity(Decimal(each["quantity"])),
            price(each["average_entry_price"] and Decimal(each["average_entry_price"])),
            price(Decimal(each["mark"])),
            money(Decimal(each["value_usd"])),
            money(Decimal(each["unrealised_usd"])),
            money(Decimal(each["realised_usd"])),
        )
    ]
    orders = golden.ask("/api/v1/orders?limit=40").json["orders"]
    orders.sort(key=lambda each: -each["seq"])
    ids = [each["client_order_id"] for each in orders]
    assert browser.texts("#orders-rows td:first-child") == ids
    fees = [money(Decimal(each["commission_usd"])) for each in orders]
    assert browser.texts("#orders-rows td:nth-child(6)") == fees
    filled = [quantity(Decimal(each["filled"])) for each in orders]
    assert browser.texts("#orders-rows td:nth-child(4)") == filled
    used = [percent(Decimal(each["share"])) for each in status["headroom"]]
    assert [each.rpartition(", ")[2] for each in browser.texts("#meters .value")] == used
    events = golden.ask("/api/v1/events?limit=300").json["events"]
    assert browser.texts("#tail-rows td.kind") == [each["type"] for each in events[::-1]]


def test_numbers_are_rounded_as_the_commands_round_them(browser: Browser, golden: Site) -> None:
    numbers = ["0", "-0.005", "0.015", "0.025", "1234567.895", "-1234.5", "1E+3", "0E-8"]
    numbers += ["99630.72000000", "0.123456789012", "-0.00004", "100"]
    browser.open(golden)
    shown = browser.run(
        "const numbers = arguments[0]; return import('/js/format.js').then((format) =>"
        " numbers.map((each) => [format.money, format.price, format.quantity, format.percent]"
        " .map((of) => of(each))))",
        numbers,
    )
    exact = [Decimal(each) for each in numbers]
    assert shown == [[money(each), price(each), quantity(each), percent(each)] for each in exact]


def test_a_limit_without_room_is_said_beside_running_and_counts_are_no_shares(
    browser: Browser, golden: Site
) -> None:
    browser.open(golden)
    status = {
        **{name: [] for name in ("holds", "limits_not_set", "circuit_breaker_trips")},
        "daemon": {"running": "running"},
        "seq": 9,
        "permit_lost": False,
        "problem": "",
        "headroom": [
            {"limit_name": "turnover", "of": "trend A", "share": "1.1"},
            {"limit_name": "order_usd", "of": "", "share": "0.99"},
        ],
    }
    said = browser.run(
        "const [status] = arguments; return Promise.all([import('/js/glance.js'),"
        " import('/js/format.js')]).then(([glance, format]) => [glance.verdict(status, null, ''),"
        " format.measure('turnover', '11'), format.measure('order_shares', '11')])",
        status,
    )
    verdict, turns, shares = said
    assert (verdict["word"], verdict["why"]) == ("RUNNING", "no room under turnover (trend A)")
    assert (turns, shares) == ("11", "11 sh")


def test_what_is_held_says_why_and_how_it_ends(browser: Browser, held: Site) -> None:
    browser.open(held)
    browser.wait("return document.querySelector('#glance-word').textContent === 'HELD'")
    assert browser.run("return document.querySelector('#glance').dataset.state") == "held"
    browser.wait("return document.querySelector('#holds li')")
    stops = browser.text("#stops")
    assert "Kill switchENGAGED" in stops.replace(" ", "").replace("Killswitch", "Kill switch")
    assert "HALT on everything: kill switch" in stops
    assert "a look first" in stops
    assert 'traded resume --why "what you found"' in browser.texts("#holds code")
    unknown = browser.text("#unknown-list")
    assert "UNKNOWN order" in unknown
    assert "the line went dead" in unknown


def test_a_daemon_that_does_not_run_is_down(browser: Browser, golden: Site) -> None:
    browser.open(golden)
    browser.wait("return document.querySelector('#glance-word').textContent === 'DOWN'")
    assert "not running: the feed ended" in browser.text("#glance-why")


def test_what_happens_is_shown_at_once_and_can_be_paused(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    asyncio.run(write(path, *a_story()))
    with site(path) as made:
        browser.open(made)
        newest = "return document.querySelector('#tail-rows td')?.textContent"
        browser.wait(f"{newest} === '5'")
        asyncio.run(write(path, a_bar("123.45")))
        browser.wait(f"{newest} === '6'")
        browser.wait("return document.querySelector('#asof').textContent.includes('event 6,')")
        browser.run("document.querySelector('#pause').click()")
        asyncio.run(write(path, a_bar("124")))
        browser.wait("return document.querySelector('#tail-note').textContent.includes('1 came')")
        assert browser.run(newest) == "6"
        browser.run("document.querySelector('#pause').click()")
        browser.wait(f"{newest} === '7'")


def test_a_journal_without_an_event_says_so(browser: Browser, tmp_path: Path) -> None:
    with site(tmp_path / "none.db") as made:
        browser.open(made)
        browser.wait("return document.querySelector('#glance-word').textContent === 'DOWN'")
        assert "never was" in browser.text("#glance-why")
        assert "The journal is empty" in browser.text("#asof")
        browser.wait("return document.querySelector('#orders-empty').checkVisibility()")
        assert browser.run("return document.querySelector('#banner').hidden")
        assert browser.run(WIDER) <= 0


# Texts are data.


@pytest.mark.parametrize("width", [1440, 390])
def test_markup_in_any_text_is_shown_as_text(browser: Browser, hostile: Site, width: int) -> None:
    browser.size(width, 900)
    browser.open(hostile)
    browser.wait("return document.querySelectorAll('#tail-rows tr').length")
    browser.wait("return document.querySelectorAll('#orders-rows tr').length")
    assert "<img src=x" in browser.text("#tail-rows")
    assert "<img src=x" in browser.text("#stops")
    browser.run("document.querySelector('#orders-rows button').click()")
    browser.wait("return document.querySelector('#story .chain')")
    assert "<script>" in browser.text("#story")
    assert browser.run("return window.struck ?? null") is None
    assert browser.run("return document.querySelectorAll('img, b[style], main script').length") == 0
    assert browser.run("return document.querySelectorAll('#story [onload], [onerror]').length") == 0
    assert browser.run(WIDER) <= 0


def test_no_script_of_ours_makes_markup() -> None:
    folder = ROOT / "ops" / "watch" / "console"
    told = "\n".join(path.read_text() for path in sorted((folder / "js").glob("*.js")))
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in told
    page = (folder / "index.html").read_text()
    assert " style=" not in page
    assert "<style" not in page
    assert "http://" not in page
    assert page.count("https://") == page.count("https://www.tradingview.com/")


# Who may see it.


def test_without_the_token_the_page_says_what_to_open(browser: Browser, golden: Site) -> None:
    browser.expected = ["401"]
    browser.driver.get(f"http://localhost:{golden.port}/")
    assert "needs the token" in browser.text("body")
    assert "/?token=TOKEN" in browser.text("body")


def test_a_token_that_is_taken_back_closes_the_page(browser: Browser, golden: Site) -> None:
    browser.expected = ["401"]
    browser.open(golden)
    shown_all(browser)
    browser.driver.delete_all_cookies()
    browser.wait("return document.querySelector('#gate-closed')")
    assert "needs its token again" in browser.text("main")
    assert not browser.texts("#positions-rows")


# By keyboard.


def test_it_can_be_walked_by_keyboard(browser: Browser, golden: Site) -> None:
    browser.open(golden)
    shown_all(browser)
    browser.press(Keys.TAB)
    assert browser.focused() == "Skip to what is going on"
    browser.press(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "main"
    for _ in range(60):
        browser.press(Keys.TAB)
        if browser.run("return Boolean(document.activeElement.closest('#orders-rows'))"):
            break
    orders = browser.texts("#orders-rows button")
    assert browser.focused() == orders[0]
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle !== 'none'")
    browser.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert browser.focused() == orders[1]
    browser.press(Keys.END)
    assert browser.focused() == orders[-1]
    browser.press(Keys.HOME, Keys.ENTER)
    browser.wait("return document.querySelector('#story[open] .chain')")
    steps = browser.texts("#story .step")
    assert steps[:3] == ["Bar", "Intent", "Gate: passed"]
    assert {"Sending", "Fill", "In all"} <= {*steps}
    browser.press(Keys.ESCAPE)
    browser.wait("return !document.querySelector('#story').open")
    assert browser.focused() == orders[0]
    browser.press(Keys.TAB)
    assert not browser.run("return Boolean(document.activeElement.closest('#orders-rows'))")


def test_the_look_that_was_chosen_is_kept(browser: Browser, golden: Site) -> None:
    browser.open(golden)
    background = "return getComputedStyle(document.body).backgroundColor"
    light = browser.run(background)
    browser.run("document.querySelector('#theme').click()")
    assert browser.text("#theme") == "Theme: light"
    browser.run("document.querySelector('#theme').click()")
    assert browser.text("#theme") == "Theme: dark"
    dark = browser.run(background)
    assert dark != light
    browser.open(golden)
    assert browser.run(background) == dark
    browser.run("document.querySelector('#theme').click()")
    assert browser.run(background) == light
