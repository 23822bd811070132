"""`traded report`: its figures against a reckoning of their own, and its pages in a browser."""

import re
import shutil
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from events import HoldLevel, HoldLifts, HoldPlaced, HoldScope
from tests.builders import (
    a_bar,
    a_calendar,
    a_commission,
    a_config,
    a_deposit,
    a_fill,
    a_session,
    an_order,
)
from tests.command_line import a_place, lines, shown, traded
from tests.journals import write

Row = dict[str, Any]
CHROMIUM = shutil.which("chromium")
HOSTILE = "<script>document.title='x'</script><img src=x onerror=alert(1)>|`*[a](b)"
ZERO = Decimal(0)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    done = traded("demo", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "var" / "demo" / "journal.db"


@pytest.fixture(scope="module")
def rows(demo: Path) -> list[Row]:
    return lines("-n", "100000", "--journal", demo)


def amount(row: Row, name: str) -> Decimal:
    return Decimal(row["event"].get(name, "0"))


class Account:
    """Cash, shares and last prices, as whoever reads the rows with a pencil would keep them."""

    def __init__(self) -> None:
        self.cash = self.owed = self.fees = self.traded = self.paid_in = ZERO
        self.fills = 0
        self.shares: dict[str, Decimal] = {}
        self.prices: dict[str, Decimal] = {}

    def take(self, row: Row) -> None:
        event = row["event"]
        match row["type"]:
            case "cash.moved" if event["kind"] == "dividend":
                self.cash += amount(row, "amount")
                self.owed -= amount(row, "amount")
            case "cash.moved":
                self.cash += amount(row, "amount")
                self.paid_in += amount(row, "amount")
            case "order.filled":
                quantity, price = amount(row, "quantity"), amount(row, "price")
                self.cash -= quantity * price
                self.shares[event["symbol"]] = self.shares.get(event["symbol"], ZERO) + quantity
                self.traded += abs(quantity * price)
                self.fills += 1
            case "commission.charged":
                self.cash -= amount(row, "amount")
                self.fees += amount(row, "amount")
            case "bar.closed":
                self.prices[event["symbol"]] = amount(row, "close")
            case "corporate-action.applied":
                self.shares[event["symbol"]] = amount(row, "quantity_after")
                self.cash += amount(row, "cash_in_lieu")
                self.owed += amount(row, "receivable")

    @property
    def equity(self) -> Decimal:
        held = (shares * self.prices[symbol] for symbol, shares in self.shares.items() if shares)
        return self.cash + self.owed + sum(held, ZERO)

    def figures(self) -> dict[str, Decimal]:
        figures = {"equity": self.equity, "fees": self.fees, "traded": self.traded}
        return figures | {"fills": Decimal(self.fills), "paid in": self.paid_in}


def between(rows: list[Row], begins: str, ends: str) -> dict[str, Decimal]:
    """Return by how much an account's figures moved after `begins` up to `ends`."""
    account = Account()
    before = account.figures()
    for row in rows:
        if row["at"] <= begins:
            account.take(row)
            before = account.figures()
        elif row["at"] <= ends:
            account.take(row)
    after = account.figures()
    return {name: after[name] - before[name] for name in after} | {"end": after["equity"]}


@pytest.mark.parametrize(
    "words",
    [
        ("weekly",),
        ("weekly", "--week", "2008-W41"),
        ("weekly", "--week", "2005-W09"),
        ("daily", "2012-05-18"),
        ("daily",),
        ("daily", "2000-03-01"),
    ],
)
def test_the_figures_are_those_of_the_rows_to_the_cent(
    demo: Path, rows: list[Row], words: tuple[str, ...]
) -> None:
    found = shown("report", *words, "--journal", demo)
    money, trading, period = found["money"], found["trading"], found["period"]
    begins = "" if period["after"] == 0 else period["begins"]
    wanted = between(rows, begins, period["ends"])
    assert cents(money["equity_end_usd"]) == cents(wanted["end"])
    assert cents(money["result_usd"]) == cents(wanted["equity"] - wanted["paid in"])
    assert cents(money["fees_usd"]) == cents(trading["fees_usd"]) == cents(wanted["fees"])
    assert cents(trading["notional_usd"]) == cents(wanted["traded"])
    assert trading["fills"] == wanted["fills"]
    assert cents(money["other_usd"]) == 0
    for lines_of in ("by_symbol", "by_strategy", "by_day"):
        summed = sum((Decimal(each["result_usd"]) for each in money[lines_of]), ZERO)
        assert abs(summed - Decimal(money["result_usd"])) < Decimal("0.01"), lines_of
    # Nothing of it is nobody's.
    assert "" not in {each["name"] for each in (*money["by_symbol"], *money["by_strategy"])}


def cents(number: str | Decimal) -> Decimal:
    return Decimal(number).quantize(Decimal("0.01"))


def test_the_weeks_of_a_year_have_every_fill_of_it_once(demo: Path, rows: list[Row]) -> None:
    weeks = [
        shown("report", "weekly", "--week", f"2010-W{week:02}", "--journal", demo)
        for week in (1, 2, 3)
    ]
    assert [each["period"]["after"] for each in weeks[1:]] == [
        each["period"]["upto"] for each in weeks[:-1]
    ]
    fills = [fill["execution_id"] for week in weeks for fill in week["trading"]["fills_shown"]]
    inside = range(weeks[0]["period"]["after"] + 1, weeks[-1]["period"]["upto"] + 1)
    wanted = [
        row["event"]["execution_id"]
        for row in rows
        if row["type"] == "order.filled" and row["seq"] in inside
    ]
    assert sorted(fills) == sorted(wanted)


def test_people_read_the_verdict_first_and_then_the_money(demo: Path) -> None:
    done = traded("report", "weekly", "--week", "9", "--journal", demo)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Report of week 2013-W09\n")
    assert done.stdout.index("READINESS") < done.stdout.index("PROFIT AND LOSS")
    assert "NOT READY: 1 of" in done.stdout
    assert "not running" in done.stdout
    for heading in ("IN SHADOW", "HOLDS", "BREAKS", "WHAT IS NOT KNOWN", "HOW CLOSE EACH LIMIT"):
        assert f"\n{heading}" in done.stdout


def test_the_readme_shows_what_a_report_prints(demo: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    block = readme.split("traded report weekly --week 9 --journal")[1].split("```")[1].strip()
    done = traded("report", "weekly", "--week", "9", "--journal", demo)
    assert f"PROFIT AND LOSS\n{block}\n" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("daily", "2013-02-23"), "2013-02-23, a Saturday: no session; the journal covers those"),
        (("daily", "2012-12-25"), "2012-12-25, a Tuesday: no session"),
        (("weekly", "--week", "2014-W02"), "no session; the journal covers those of NYSE"),
        (("weekly", "--week", "60"), "has no such week"),
        (("session", "--json", "--markdown"), "exclude each other"),
    ],
)
def test_what_cannot_be_reported_is_said(demo: Path, words: tuple[str, ...], said: str) -> None:
    done = traded("report", *words, "--journal", demo)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


# In shadow.


def test_shadow_is_apart_and_is_what_the_paper_broker_would_have_made(tmp_path: Path) -> None:
    place = a_place(tmp_path / "place")
    config = place / "traded.toml"
    config.write_text(
        config.read_text().replace("[strategies.trend]", "[strategies.trend]\nshadow = true")
    )
    assert traded("run", "--config", config).returncode == 0
    journal = place / "state" / "journal.db"
    rows = lines("-n", "100000", "--journal", journal)
    found = shown("report", "daily", "--journal", journal)
    (line,) = found["shadow"]["lines"]
    wanted = hypothetical(rows)
    assert wanted["fills"] > 2
    assert (line["strategy"], line["fills"]) == ("trend", wanted["fills"])
    assert cents(line["fees_usd"]) == cents(wanted["fees"])
    assert cents(line["result_usd"]) == cents(wanted["result"])
    # Nothing of it is in the account's own figures.
    assert found["trading"]["fills"] == 0
    assert cents(found["money"]["result_usd"]) == 0
    done = traded("report", "daily", "--journal", journal)
    assert "Nothing of it is in any other figure of this report." in done.stdout
    assert "A market order fills at the open of the next bar" in done.stdout


def hypothetical(rows: list[Row]) -> dict[str, Decimal]:
    """Return what market orders that only the shadow stopped come to, by the rules as stated."""
    intents = {
        row["event"]["client_order_id"]: row for row in rows if row["type"] == "order.intended"
    }
    bars = [row["event"] for row in rows if row["type"] == "bar.closed"]
    last = {bar["symbol"]: Decimal(bar["close"]) for bar in bars}
    fills, result = 0, ZERO
    for row in rows:
        if row["type"] != "intent.refused":
            continue
        if [name for name, passed, *_ in row["event"]["checks"] if not passed] != ["shadow"]:
            continue
        intent = intents[row["event"]["client_order_id"]]
        decided, event = datetime.fromisoformat(intent["at"]), intent["event"]
        after = (
            each for each in bars if each["symbol"] == event["symbol"] and starts(each) >= decided
        )
        bar = next(after, None)
        if bar is None:
            continue
        quantity = Decimal(event["quantity"])
        price, step = Decimal(bar["open"]), Decimal("0.01")
        # One basis point worse, to the next cent, and no further than the bar went.
        if quantity > 0:
            price = min(
                (price * Decimal("1.0001")).quantize(step, ROUND_CEILING), Decimal(bar["high"])
            )
        else:
            price = max(
                (price * Decimal("0.9999")).quantize(step, ROUND_FLOOR), Decimal(bar["low"])
            )
        fills += 1
        # Ten shares cost the minimum of the fixed plan, a dollar.
        result += quantity * (last[event["symbol"]] - price) - 1
    return {"fills": Decimal(fills), "fees": Decimal(fills), "result": result}


def starts(bar: Row) -> datetime:
    return datetime.fromisoformat(bar["end"]) - timedelta(seconds=bar["span_s"])


# Pages.


class Page(HTMLParser):
    """Notes tags and attributes, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
async def hostile(tmp_path: Path) -> Path:
    """Write a journal in which everything that is not ours wants to be markup."""
    journal = tmp_path / "journal.db"
    symbol = HOSTILE[:60]
    hold = HoldPlaced(
        "h1", HoldScope.ALL, HoldLevel.HALT, "operator", HOSTILE, HOSTILE, HoldLifts.OPERATOR
    )
    await write(
        journal,
        a_config(symbol),
        a_calendar(a_session("2024-01-02"), a_session("2024-01-03")),
        a_deposit("10000"),
        a_bar("10", symbol=symbol, end="2024-01-02T15:00"),
        *an_order("o1", symbol=symbol, strategy=HOSTILE),
        a_fill("100", "10.02", symbol=symbol, executed_at="2024-01-02T15:01"),
        a_commission("1"),
        hold,
        a_bar("11", symbol=symbol, end="2024-01-02T16:00"),
        a_bar("10.5", symbol=symbol, end="2024-01-02T17:00"),
    )
    return journal


def page_of(journal: Path, folder: Path) -> Path:
    file = folder / "report.html"
    done = traded("report", "daily", "--journal", journal, "--html", file)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr.endswith(f"written: {file}\n")
    assert file.stat().st_mode & 0o077 == 0
    return file


def test_the_page_stands_alone_and_takes_no_text_for_markup(hostile: Path, tmp_path: Path) -> None:
    text = page_of(hostile, tmp_path).read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "img", "link", "iframe", "object", "a"} & page.tags
    assert not [
        name for name, _ in page.attributes if name.startswith("on") or name in {"src", "href"}
    ]
    assert HOSTILE[:40] in page.text
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert {"svg", "table", "figure"} <= page.tags
    assert "default-src 'none'" in text


def test_markdown_takes_no_text_for_markup(hostile: Path) -> None:
    done = traded("report", "daily", "--journal", hostile, "--markdown")
    assert done.stdout.startswith("# Report of day 2024\\-01\\-02\n")
    assert "\\<script\\>" in done.stdout
    assert not re.search(r"(?<!\\)[<`*]", done.stdout)
    tables = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(tables) > 20
    # A bar in a cell would make one cell two.
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in tables if "script" in line}
    assert widths <= {
        len(re.findall(r"(?<!\\)\|", line)) for line in tables if "script" not in line
    }


def test_a_page_that_cannot_be_written_is_said(hostile: Path, tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "report.html"
    done = traded("report", "daily", "--journal", hostile, "--html", file)
    assert done.returncode == 2
    assert "No such file or directory" in done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: the page is not looked at")
def test_a_browser_runs_nothing_of_it_and_needs_no_wider_screen(
    hostile: Path, tmp_path: Path
) -> None:
    file = page_of(hostile, tmp_path)
    assert browser_says(file, tmp_path)["title"] == "Report of day 2024-01-02"
    for width in (1280, 390):
        found = browser_says(file, tmp_path, width)
        assert found["scripts"] == found["images"] == 0
        assert found["needs"] <= found["has"], f"it is wider than {width} pixels"


def browser_says(file: Path, folder: Path, width: int = 1280) -> Row:
    """Return what a real browser makes of the page."""
    from selenium import webdriver  # noqa: PLC0415 - only where there is a browser
    from selenium.webdriver.chrome.service import Service  # noqa: PLC0415 - as above

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    quiet = "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-sync"
    quiet += " disable-background-networking disable-component-update"
    for each in quiet.split():
        options.add_argument(f"--{each}")
    options.add_argument(f"--user-data-dir={folder / f'browser-{width}'}")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.get(file.as_uri())
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        found: Row = driver.execute_script(
            "const e = document.documentElement; return {title: document.title,"
            " scripts: document.scripts.length, images: document.images.length,"
            " needs: e.scrollWidth, has: e.clientWidth}"
        )
    finally:
        driver.quit()
    return found
