"""Bars out of a history: strategies see them, and nothing is decided on them."""

import msgspec

from events import BarClosed
from tests.builders import a_bar
from tests.core_desk import CoreDesk, Scripted, buy, kinds


def past(at: str) -> BarClosed:
    return msgspec.structs.replace(a_bar("100", end=f"2024-01-02T{at}"), past=True)


def test_a_past_bar_is_recorded_and_shown_and_what_is_answered_on_it_counts_for_nothing() -> None:
    strategy = Scripted(bars=[buy(), buy()])
    desk = CoreDesk(strategy)
    assert kinds(desk.step(past("14:40"))) == ["bar.closed"]
    assert len(strategy.heard) == 1
    assert "order.intended" in kinds(desk.minute("15:00"))


def test_past_bars_warm_a_strategy_up() -> None:
    strategy = Scripted(bars=[None, None, buy()], warm=3)
    desk = CoreDesk(strategy)
    desk.step(past("14:40"))
    desk.step(past("14:41"))
    assert "order.intended" in kinds(desk.minute("15:00"))


def test_a_past_bar_is_a_price() -> None:
    desk = CoreDesk()
    desk.step(past("14:40"))
    assert desk.state.market.price(a_bar().symbol) == 100


def test_a_bar_that_is_not_past_is_written_as_it_always_was() -> None:
    assert b"past" not in msgspec.json.encode(a_bar())
    assert b'"past":true' in msgspec.json.encode(past("15:00"))
