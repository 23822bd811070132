"""Paper on live data (PAPER_LIVE) as a person runs it: a day and a night at a simulated gateway.

The gateway gives the bars, the paper broker the fills. The gateway's own book, which it keeps in a
file, says that nothing else ever reached it.
"""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from events import (
    BarClosed,
    BrokerConnected,
    BrokerDisconnected,
    BrokerHeard,
    DataMode,
    HoldPlaced,
    IntentApproved,
    OrderFilled,
    OrderSending,
    OrderUnknown,
    SessionStarted,
)
from tests.gateway_walk import BARS, Walk, until

pytestmark = pytest.mark.paced

RUN = ("run", "--gateway-time", "var/gateway.time")
STATE = "var/gateway.json"
PAPER_LIVE = {"TRADED_MODE": "paper", "TRADED_BROKER__KIND": "paper"}


def walk_on_live_data(folder: Path) -> Walk:
    walk = Walk(folder)
    walk.variables |= PAPER_LIVE
    return walk


def gateway_words(walk: Walk, *more: str) -> tuple[str, ...]:
    port = ("--port", str(walk.port), "--clock", "var/gateway.time", "--state", STATE)
    return ("gateway-sim", "--bars", BARS, *port, *more)


def days_filled(walk: Walk) -> set[date]:
    return {each.executed_at.date() for each in walk.events(OrderFilled)}


def test_a_day_and_a_night_on_live_data_fill_inside_and_leave_the_gateways_book_empty(
    tmp_path: Path,
) -> None:
    """From before one opening over the nightly restart and reset into the next session."""
    walk = walk_on_live_data(tmp_path)
    # At 2,000 times the world's speed half an hour is less than a second of a busy machine.
    walk.variables["TRADED_FRESHNESS__MAX_AGE_S"] = "80000"
    walk.variables["TRADED_GATEWAY__LATE_AFTER_S"] = "80000"
    words = ("--start", "2012-11-05T08:00", "--speed", "2000", "--schedule")
    with (
        walk.gateway(*gateway_words(walk, *words)) as gateway,
        walk.daemon(*RUN) as daemon,
    ):
        daemon.wait_for("connected to")
        until(lambda: days_filled(walk), lambda: f"a fill; the daemon said {daemon.said}")
        gateway.wait_for("restart from")
        gateway.wait_for("servers from")
        # At the start, after the restart, and after the reset of the servers.
        until(
            lambda: len(walk.events(BrokerConnected)) > 2,
            lambda: f"a night's connections; the daemon said {daemon.said}",
        )
        until(
            lambda: len(days_filled(walk)) > 1,
            lambda: f"a fill on the next day; the daemon said {daemon.said}",
        )
        until(
            lambda: walk.strategies_filled() == {"balance", "trend"},
            lambda: f"fills of both; the daemon said {daemon.said}",
        )
        code, printed = daemon.stop()
        assert code == 0
        assert "; PAPER_LIVE; stopped: " in printed
        assert gateway.stop()[0] == 0
    the_connection_was_for_data_only(walk)
    every_fill_is_the_paper_brokers(walk)
    assert_untouched(json.loads((tmp_path / STATE).read_text()))
    it_says_what_it_is(walk)
    walk.is_sound()


def the_connection_was_for_data_only(walk: Walk) -> None:
    """See that losing it, twice a night, has held no order of the broker inside."""
    assert {each.sends for each in walk.events(BrokerConnected)} == {False}
    assert {each.sends for each in walk.events(BrokerDisconnected)} == {False}
    assert walk.events(BrokerHeard) == [], "no message about an order came over it"
    assert walk.events(HoldPlaced) == []


def every_fill_is_the_paper_brokers(walk: Walk) -> None:
    fills, sent = walk.events(OrderFilled), walk.events(OrderSending)
    assert {fill.client_order_id for fill in fills} <= {each.client_order_id for each in sent}
    assert len(sent) == len(walk.events(IntentApproved))
    # The paper broker names its fills so; no execution of the gateway is called that.
    assert all(fill.execution_id.startswith("paper-") for fill in fills)
    assert walk.events(OrderUnknown) == []
    bars = walk.events(BarClosed)
    assert bars[0].past, "the warm-up comes first, and nothing is decided on it"
    assert sum(bar.past for bar in bars) >= 30


def assert_untouched(book: Mapping[str, Any]) -> None:
    """See that no order ever reached the gateway: neither there nor over, nor a number used."""
    assert book["money"] == {"cash": "1000000.0", "holdings": {}}
    assert (book["orders"], book["completed"], book["executions"]) == ({}, {}, [])
    assert book["next_ids"] == {}
    assert book["next_execution"] == 1


def it_says_what_it_is(walk: Walk) -> None:
    assert {each.data_mode for each in walk.events(SessionStarted)} == {DataMode.PAPER_LIVE}
    status = json.loads(walk.typed("status", "--json").stdout)
    assert (status["mode"], status["data_mode"]) == ("paper", "PAPER_LIVE")
    assert "paper, PAPER_LIVE, account simulated" in walk.typed("status").stdout
    decisions = json.loads(walk.typed("decisions", "--json").stdout)
    assert [each["group"] for each in decisions["by"]["data_mode"]] == ["PAPER_LIVE"]
    ready = walk.typed("ready").stdout
    assert "the paper broker, inside the process" in ready
    assert "as the broker has them" in ready


def test_the_book_that_is_found_empty_is_not_empty_where_orders_are_sent(tmp_path: Path) -> None:
    """The other side of the test above: the same file after an order at the gateway."""
    walk = Walk(tmp_path)
    words = ("--start", "2012-11-05T15:00", "--speed", "10")
    with (
        walk.gateway(*gateway_words(walk, *words)) as gateway,
        walk.daemon(*RUN) as daemon,
    ):
        daemon.wait_for("traded resolve --all --adopt")
        walk.confirmed("resolve", "--all", "--adopt", "--reason", "opening balance")
        daemon.wait_for("nothing is held any more")
        walk.confirmed("order", "buy", "5", "AAPL", "--limit", "525", "--why", "a test")
        until(lambda: walk.events(OrderSending), lambda: f"an order sent; it said {daemon.said}")
        assert daemon.stop()[0] == 0
        assert gateway.stop()[0] == 0
    book = json.loads((tmp_path / STATE).read_text())
    assert len(book["orders"]) == 1
    assert book["next_ids"] != {}
