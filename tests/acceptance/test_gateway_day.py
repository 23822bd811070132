"""A day and a night at the simulated gateway with both strategies, and a kill in the middle of it.

The trend and the rebalance trade through one `traded run`; the daemon is killed as soon as it has
traded, started again, lives through the gateway's nightly restart and the servers' reset, and
trades on. What counts in the end is the gateway's own book, as it keeps it in its file.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from events import (
    HoldPlaced,
    OrderAcknowledged,
    OrderFilled,
    OrderRejected,
    OrderSending,
    OrderUnknown,
    Symbol,
    TimerFired,
)
from events.journal import JournalReader
from ops.books import read_books
from ops.gateway_sim import store
from ops.gateway_sim.ledger import Ledger
from projections import State
from tests.gateway_walk import BARS, Walk, until

pytestmark = pytest.mark.paced

RUN = ("run", "--gateway-time", "var/gateway.time")
WORDS = (
    *("gateway-sim", "--bars", BARS, "--start", "2012-11-05T08:00", "--schedule"),
    *("--clock", "var/gateway.time", "--state", "var/gateway.state", "--speed", "2000"),
)
FIRST_DAY = "2012-11-05"
ANSWERS = (OrderAcknowledged, OrderRejected, OrderFilled)


def test_both_strategies_through_a_day_a_kill_and_a_night_end_with_the_gateways_book(
    tmp_path: Path,
) -> None:
    walk = Walk(tmp_path)
    # At 2,000 times the speed of the world a second is half an hour there: answers may take that,
    # bars may be late by it, and hours are left until the opening.
    walk.variables |= {
        "TRADED_FRESHNESS__MAX_AGE_S": "80000",
        "TRADED_GATEWAY__LATE_AFTER_S": "80000",
        "TRADED_BROKER__ANSWER_DEADLINE_S": "40000",
        "TRADED_LIMITS__MARGIN__ANSWER_DEADLINE_S": "3600",
        "TRADED_DAEMON__ON_STOP": "cancel",
    }
    with walk.gateway(*WORDS, "--port", str(walk.port)) as gateway:
        with walk.daemon(*RUN) as daemon:
            daemon.wait_for("traded resolve --all --adopt")
            walk.confirmed("resolve", "--all", "--adopt", "--reason", "opening balance")
            until(lambda: all_arrived(walk), lambda: f"orders there: {daemon.said}")
            daemon.kill()
            before = {each.client_order_id for each in walk.events(OrderSending)}
        with walk.daemon(*RUN) as again:
            gateway.wait_for("restart from")
            gateway.wait_for("servers from")
            until(
                lambda: traded_later(walk) and walk.strategies_filled() == {"balance", "trend"},
                lambda: f"fills of both on a later day; the daemon said {again.said}",
            )
            assert again.stop()[0] == 0
        assert gateway.stop()[0] == 0
    # At its start, and after each night's restart and reset of the servers; a slow machine sleeps
    # through some of it, and once more were too often.
    breaks = gateway.said.count("restart from") + gateway.said.count("servers from")
    assert 1 <= again.said.count("  connected to 127.0.0.1") <= 1 + breaks
    assert {hold.cause for hold in walk.events(HoldPlaced)} == {
        "BROKER_DISCONNECTED",
        "RECONCILIATION_BREAK",
    }
    assert "nothing is held" in walk.typed("holds").stdout
    assert len(openings(walk)) > 1, "it was asked at the next day's opening, too"
    assert {each.client_order_id for each in walk.events(OrderUnknown)} <= before, "by the kill"
    theirs = store.load(tmp_path / "var" / "gateway.state")
    assert theirs is not None
    with JournalReader(tmp_path / "var" / "walk" / "journal.db") as reader:
        ours = read_books(reader).state
    assert shares(ours) == shares_there(theirs)
    assert ours.cash.balance == theirs.money.cash
    assert ours.orders.open == {}
    assert theirs.orders == {}
    assert_none_twice(walk, theirs)
    walk.is_sound()


def all_arrived(walk: Walk) -> bool:
    """Whether orders were sent, and the gateway has heard of each.

    One that is on record and never arrived holds everything until an operator has looked.
    """
    heard = {each.client_order_id for kind in ANSWERS for each in walk.events(kind)}
    sent = {each.client_order_id for each in walk.events(OrderSending)}
    return bool(sent) and sent <= heard


def traded_later(walk: Walk) -> bool:
    return any(f"{each.executed_at:%Y-%m-%d}" > FIRST_DAY for each in walk.events(OrderFilled))


def openings(walk: Walk) -> set[str]:
    """Return the days at whose opening the rebalance was asked."""
    timers = walk.events(TimerFired)
    return {f"{each.due:%Y%m%d}" for each in timers if each.subject == "balance/rebalance"}


def shares(state: State) -> Mapping[Symbol, Decimal]:
    held = {symbol: each.quantity for symbol, each in state.positions.account.items()}
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


def shares_there(ledger: Ledger) -> Mapping[str, Decimal]:
    return {
        each.contract.symbol: each.quantity
        for each in ledger.money.holdings.values()
        if each.quantity
    }


def assert_none_twice(walk: Walk, ledger: Ledger) -> None:
    """See that no order of ours was there more than once, by its reference."""
    there = [line.terms.order_ref for line in ledger.completed.values()]
    sent = [each.client_order_id for each in walk.events(OrderSending)]
    assert len(there) == len(set(there)), there
    assert set(there) <= set(sent)
    assert len(sent) == len(set(sent)), sent
