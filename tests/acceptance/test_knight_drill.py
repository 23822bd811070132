"""The Knight drill: a strategy that wants 10,000 orders a second is stopped at the count set.

The whole daemon, its market outside: what has left is what the market has written down.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from events.chain import Row
from events.journal import JournalReader
from tests.command_line import shown, traded

pytestmark = pytest.mark.alone

BARS = 20
"""Ten a second. Some orders are wanted at the first of them, and a thousand at each other."""
FIRST, EACH = 20, 1_000
MAX_INTENTS = 50
CONFIG = f"""
mode = "broker-paper"
dry_run = false
[symbols.A]
exchange = "24/7"
[strategies.storm]
class = "drill:Storm"
[strategies.calm]
class = "drill:Calm"
[broker]
kind = "drill:Market"
[feed]
kind = "drill:Bars"
[journal]
path = "j.db"
[limits.account]
max_order_shares = 100000
max_order_usd = 1000000
max_position_shares = 100000
max_position_usd = 1000000
max_daily_loss_usd = 100000
max_drawdown = 0.9
[limits.rates]
max_intents = {MAX_INTENTS}
[limits.turnover]
max_a_day = 100000
[control]
enabled = false
"""
DRILL = f'''
import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from daemon.strategies import Intent, NoTrade, Strategy
from events import BarClosed, CashMoved, CashMovementKind, OrderAcknowledged, OrderCancelled, Symbol


class Market:
    """Outside: every order leaves a line."""

    outside = True
    next_due = datetime.max.replace(tzinfo=UTC)

    def connect(self, state, inbox):
        self.inbox = inbox
        inbox(CashMoved(CashMovementKind.DEPOSIT, Decimal(100_000), "opening"))

    def submit(self, approved):
        with Path("sent.txt").open("a") as sent:
            sent.write(f"{{approved.intent.client_order_id}}\\n")
        self.inbox(OrderAcknowledged(approved.intent.client_order_id))

    def cancel(self, client_order_id):
        self.inbox(OrderCancelled(client_order_id))

    def observe(self, bar): ...
    def report_books(self, look_id, why, now): ...
    def advance(self, now): ...
    def corporate_action(self, action): ...


class Bars:
    live = True
    bars_total = starts_at = ends_at = None

    async def blocks(self, newest):
        begin = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds={BARS})
        for number in range({BARS}):
            end = begin + timedelta(seconds=number)
            if newest.get("A", begin) <= end:
                yield [BarClosed(Symbol("A"), 1, end, *[Decimal(100)] * 4, Decimal(1000))]
            await asyncio.sleep(0.1)


class Storm(Strategy):
    bars: int = 0

    def on_bar(self, bar, view):
        self.bars += 1
        return [Intent(bar.symbol, Decimal(1))] * ({FIRST} if self.bars == 1 else {EACH})


class Calm(Strategy):
    def on_bar(self, bar, view):
        return NoTrade("mood", "calm")
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a place whose daemon was started twice, and saw the same storm both times."""
    folder = tmp_path_factory.mktemp("drill")
    (folder / "drill.py").write_text(DRILL)
    (folder / "traded.toml").write_text(CONFIG)
    for number in range(2):
        done = traded("run", "--config", "traded.toml", cwd=folder)
        assert "the live feed ended" in done.stderr, done.stderr
        (folder / f"sent-{number}.txt").write_text((folder / "sent.txt").read_text())
    return folder


def rows(place: Path) -> list[Row]:
    with JournalReader(place / "j.db") as reader:
        return list(reader.rows())


def test_it_is_latched_at_the_configured_count_within_a_second(place: Path) -> None:
    found = rows(place)
    (placed,) = [row for row in found if row[2] == "hold.placed"]
    hold = json.loads(placed[6])
    assert (hold["cause"], hold["target"], hold["level"]) == ("RUNAWAY", "storm", "HALT")
    intended = [row for row in found if row[2] == "order.intended"]
    assert len(intended) == MAX_INTENTS + 1
    assert placed[1] - intended[0][1] <= 10**9


def test_orders_out_are_those_sent_and_never_more_than_intents_in(place: Path) -> None:
    sent = (place / "sent.txt").read_text().split()
    count = Counter(row[2] for row in rows(place))
    assert len(sent) == len(set(sent)) <= count["order.sending"] <= count["order.intended"]
    # It is stopped in its second answer, of which nothing has left; the first is asked back.
    assert (len(sent), count["order.cancelled"]) == (FIRST, FIRST)
    assert (count["order.sending"], count["order.withheld"]) == (MAX_INTENTS, MAX_INTENTS - FIRST)


def test_the_latch_survives_the_restart_and_nothing_leaves_behind_it(place: Path) -> None:
    assert (place / "sent-0.txt").read_text() == (place / "sent-1.txt").read_text()
    status = shown("status", "--journal", place / "j.db")
    (trip,) = status["circuit_breaker_trips"]
    assert (trip["cause"], trip["target"]) == ("RUNAWAY", "storm")
    assert trip["ends"] == "lifted by an operator"


def test_the_storm_costs_some_lines_and_is_told_in_the_decisions(place: Path) -> None:
    count = Counter(row[2] for row in rows(place))
    assert count["strategy.declined"] == 2, "one of the storm, one of the calm"
    assert sum(count.values()) < 500
    found = shown("decisions", "--last", "9999", "--journal", place / "j.db")
    (group,) = [each for each in found["by"]["strategy"] if each["group"] == "storm"]
    assert (group["approved"], group["refused"], group["declined"]) == (MAX_INTENTS, 1, 1)


def test_every_decision_comes_out_again(place: Path) -> None:
    again = traded("replay", "--redecide", "--journal", place / "j.db", cwd=place)
    assert again.returncode == 0, again.stdout + again.stderr


def test_the_holds_say_so_in_words(place: Path) -> None:
    holds = shown("holds", "--journal", place / "j.db")
    assert holds["kill_switch_engaged"] is False
    assert [each["hold"]["cause"] for each in holds["active"]] == ["RUNAWAY"]
    text = traded("holds", "--journal", place / "j.db").stdout
    assert (
        "kill switch: off\ncircuit breaker: TRIPPED (RUNAWAY on storm, lifted by an operator)\n"
    ) in text
