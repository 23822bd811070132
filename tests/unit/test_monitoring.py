"""The metrics, against the rows they come from, and what Prometheus and Grafana make of them."""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon.heartbeat import Heartbeat, Histogram
from ops.monitoring import make_dashboard, make_rule_tests
from tests.builders import MORNING, utc
from tests.journals import raw_rows
from tests.unit.test_watch_api import a_golden
from tests.watch_site import Site, site

MONITORING = Path(make_rule_tests.__file__).parent
RULES = MONITORING / "traded.rules.yml"
FAMILIES_MIN = 40
NOT_OURS = {"up"}
_NAME = re.compile(r"\btraded_\w+")
HISTOGRAM = Histogram((0.1, 0.5, 1.0), (3, 2, 1, 4), 12.5)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_golden(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def pages(journal: Path) -> Iterator[Site]:
    with site(journal) as made:
        made.watch.seen.heartbeat = a_heartbeat()
        yield made


def a_heartbeat() -> Heartbeat:
    at = utc(MORNING)
    parts = dict.fromkeys(("loop_lag", "commit", "decision", "order"), HISTOGRAM)
    return Heartbeat(1, 7, at, at, 3, 99, "PAPER", 10, 4, 2, 1, at, at, 5, **parts)


def samples(pages: Site) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = pages.ask("/metrics").body.decode()
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def test_there_are_many_families_each_with_a_help_text_and_a_unit(pages: Site) -> None:
    text = pages.ask("/metrics").body.decode()
    families = list(text_string_to_metric_families(text))
    assert len([each for each in families if each.samples]) >= FAMILIES_MIN
    assert [each.name for each in families if not each.documentation.endswith(".")] == []
    for each in families:
        assert each.name.startswith("traded"), each.name
        if each.type == "histogram" or "_age" in each.name or "timestamp" in each.name:
            assert each.name.endswith("_seconds"), each.name


def test_counts_are_those_of_the_rows_and_stay_so_when_asked_again(
    pages: Site, journal: Path
) -> None:
    rows = raw_rows(journal)
    types = Counter(row[2] for row in rows)
    checks = Counter[tuple[str, bool]]()
    for row in rows:
        if row[2] in {"intent.approved", "intent.refused"}:
            for each in json.loads(row[6])["checks"]:
                checks[each[0], each[1]] += 1
    for _ in range(2):
        found = samples(pages)
        assert found["traded_bars_total", ()] == types["bar.closed"]
        assert found["traded_fills_total", ()] == types["order.filled"]
        assert found["traded_journal_events_total", ()] == len(rows)
        for tag, kind in (("order.sending", "sent"), ("order.unknown", "unknown")):
            assert found["traded_order_reports_total", (("kind", kind),)] == types[tag]
        for (name, passed), count in checks.items():
            labels = (("check", name), ("result", "passed" if passed else "failed"))
            assert found["traded_checks_total", labels] == count
        for tag, count in types.items():
            assert found["traded_events_total", (("type", tag),)] == count


def test_money_is_that_of_the_status(pages: Site) -> None:
    found, status = samples(pages), pages.ask("/api/v1/status").json
    assert found["traded_equity_usd", ()] == pytest.approx(float(status["equity_usd"]))
    assert found["traded_drawdown_ratio", ()] == pytest.approx(float(status["drawdown"]))
    fills = [
        json.loads(row[6]) for row in raw_rows(pages.watch.seen.journal) if row[2] == "order.filled"
    ]
    values = [Decimal(each["quantity"]) * Decimal(each["price"]) for each in fills]
    bought = float(sum(each for each in values if each > 0))
    assert found["traded_filled_usd_total", (("side", "buy"),)] == pytest.approx(bought)


def test_a_histogram_is_counted_up_as_prometheus_has_it(pages: Site) -> None:
    found = samples(pages)
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in found.items()
        if name == "traded_order_seconds_bucket"
    }
    # 3, then 3 + 2, then 3 + 2 + 1, and all ten.
    assert buckets == {"0.1": 3, "0.5": 5, "1.0": 6, "+Inf": 10}
    assert found["traded_order_seconds_sum", ()] == 12.5
    assert found["traded_queue_depth", ()] == 5


def test_alerts_of_others_are_counted_where_they_say_so(pages: Site) -> None:
    pages.beside.alerts_failed["mail"] = 2
    pages.beside.alerts_failing.add("mail")
    found = samples(pages)
    assert found["traded_alerts_failed_total", (("path", "mail"),)] == 2
    assert found["traded_alert_paths_failing", ()] == 1
    pages.beside.alerts_failing.clear()


# The kit.


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not here: `apt-get install prometheus` brings it")
    return subprocess.run(
        [tool, *words], capture_output=True, text=True, check=False, cwd=MONITORING
    )


def test_prometheus_takes_the_rules() -> None:
    checked = promtool("check", "rules", RULES.name)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_fires_when_it_should_and_none_on_a_quiet_day() -> None:
    tested = promtool("test", "rules", make_rule_tests.TESTS.name)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_there_is_a_test_for_every_alert() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    assert alerts == set(re.findall(r'alertname=\\"(\w+)\\"', make_rule_tests.TESTS.read_text()))


def test_prometheus_takes_the_exposition(pages: Site) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not here: `apt-get install prometheus` brings it")
    text = pages.ask("/metrics").body
    checked = subprocess.run(
        [tool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_metric_that_is_drawn_or_alerted_on_is_exposed(pages: Site) -> None:
    text = pages.ask("/metrics").body.decode()
    exposed = set()
    for family in text_string_to_metric_families(text):
        ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        exposed |= {family.name + end for end in ends.get(family.type, ("",))}
    expressions = re.findall(r"expr: (.+)", RULES.read_text())
    assert len(expressions) > 20
    for expression in (*expressions, *make_dashboard.expressions()):
        assert set(_NAME.findall(expression)) <= exposed, expression


def test_the_written_files_are_what_is_written() -> None:
    assert make_dashboard.DASHBOARD.read_bytes() == make_dashboard.made()
    assert make_rule_tests.TESTS.read_bytes() == make_rule_tests.made()
