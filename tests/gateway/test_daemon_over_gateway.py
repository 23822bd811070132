"""The whole daemon over the simulated gateway, in its time: engine, journal, gate, recovery."""

from pathlib import Path

import pytest

from events import (
    BarClosed,
    BrokerConnected,
    DataMode,
    OrderFilled,
    OrderIntended,
    ReconcileCompleted,
    SessionStarted,
)
from events.journal import JournalReader
from tests.gateway_daemon import a_daemon, a_day_begun
from tests.gateway_desk import ACCOUNT, until

pytestmark = pytest.mark.usefixtures("gateway_account")


async def test_paper_on_live_data_warms_up_then_trades_and_sends_nothing(tmp_path: Path) -> None:
    async with a_day_begun() as gateway, a_daemon(tmp_path, gateway, "paper", "paper") as daemon:
        while not daemon.of(OrderFilled):
            await daemon.trade(12)
        bars = daemon.of(BarClosed)
        first = next(at for at, each in enumerate(bars) if not each.past)
        assert first >= 5, "the warm-up comes first"
        began = daemon.records.index(
            next(each for each in daemon.records if isinstance(each.event, OrderIntended))
        )
        seen = [
            each.event.end
            for each in daemon.records[:began]
            if isinstance(each.event, BarClosed) and each.event.past
        ]
        assert len(seen) >= 5
        assert daemon.of(OrderFilled)[0].quantity == 5
        assert gateway.gateway.floor.positions() == []
        assert daemon.of(BrokerConnected)[0].sends is False


async def test_two_strategies_on_one_symbol_share_one_subscription(tmp_path: Path) -> None:
    second = """
[strategies.also]
class = "daemon.strategies.buy_and_hold:BuyAndHold"
params = { shares = 7 }
"""
    async with (
        a_day_begun() as gateway,
        a_daemon(tmp_path, gateway, "paper", "paper", more=second) as daemon,
    ):
        while len(daemon.of(OrderFilled)) < 2:
            await daemon.trade(12)
        assert {each.quantity for each in daemon.of(OrderFilled)} == {5, 7}
        wanted = gateway.gateway.floor._data._wanted.values()  # noqa: SLF001 - asked by a test
        # One for its bars, one for what is said of halts and of shares to borrow.
        assert sorted(type(each).__name__ for each in wanted) == ["_RealTimeBars", "_Ticks"]
        (started,) = daemon.of(SessionStarted)
        assert started.data_mode is DataMode.PAPER_LIVE


async def test_the_account_number_is_in_no_byte_of_the_journal(tmp_path: Path) -> None:
    async with (
        a_day_begun() as gateway,
        a_daemon(tmp_path, gateway, "broker-paper", "ibkr") as daemon,
    ):
        await daemon.trade(24)
        await until(lambda: daemon.of(ReconcileCompleted))
    assert_nowhere(tmp_path)
    assert not any(ACCOUNT in each for each in daemon.said)


async def test_an_account_that_holds_what_the_books_do_not_is_held_until_somebody_has_looked(
    tmp_path: Path,
) -> None:
    # A new journal knows of no money; the account has a million dollars.
    async with (
        a_day_begun() as gateway,
        a_daemon(tmp_path, gateway, "broker-paper", "ibkr") as daemon,
    ):
        await daemon.trade(36)
        (first, *_) = daemon.of(ReconcileCompleted)
        assert first.differing >= 1
        assert gateway.gateway.floor.all_open_orders() == []
        assert gateway.gateway.floor.positions() == []
    with JournalReader(tmp_path / "j.db") as reader:
        kinds = [row[2] for row in reader.rows()]
    assert "broker.books-reported" in kinds


def assert_nowhere(folder: Path) -> None:
    for file in folder.iterdir():
        assert ACCOUNT.encode() not in file.read_bytes(), file
