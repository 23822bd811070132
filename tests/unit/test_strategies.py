"""The three worked examples and what they are shown, each held against plain arithmetic."""

import random
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from daemon.core.strategy_runs import StateView
from daemon.strategies import Answer, Every, Intent, NoTrade
from daemon.strategies.buy_and_hold import BuyAndHold
from daemon.strategies.moving_average import MovingAverage
from daemon.strategies.target_weights import TargetWeights
from events import (
    ClientOrderId,
    OrderCancelled,
    OrderUnknown,
    Symbol,
    TimeInForce,
    TimerFired,
    TimerKind,
)
from projections import State
from tests.builders import a_bar, a_fill, a_split, an_intent, an_order, fold, utc
from tests.gate_desk import books

A, B = Symbol("A"), Symbol("B")
REBALANCE = TimerFired(TimerKind.SCHEDULE, "weights/rebalance", utc("2024-01-02T14:30"))


def view_of(state: State, strategy: str = "trend") -> StateView:
    return StateView(state, strategy, utc("2024-01-02T15:00"))


def holding(quantity: str, *, symbol: str = "A", strategy: str = "trend") -> State:
    """Return books in which `quantity` was bought at 100, and A's last price is 100."""
    return bought(books(), quantity, symbol=symbol, strategy=strategy)


def bought(state: State, quantity: str, *, symbol: str = "A", strategy: str = "trend") -> State:
    order_id = f"held{state.seq}"
    order = an_order(order_id, quantity, symbol=symbol, strategy=strategy)
    fill = a_fill(quantity, order_id=order_id, execution_id=order_id, symbol=symbol)
    return fold(state, *order, fill)


def said(answer: Answer) -> str:
    """Return the signed quantity wanted, or the reason there is none."""
    match answer:
        case Intent(quantity=quantity):
            return f"{quantity:f}"
        case NoTrade(reason=reason):
            return reason
        case None:
            return "nothing"
    return ", ".join(said(each) for each in answer)


# What a strategy is shown.


def test_a_strategy_sees_its_own_position_and_not_another_ones() -> None:
    state = bought(holding("10"), "7", strategy="other")
    assert view_of(state).quantity(A) == 10
    assert view_of(state, "other").quantity(A) == 7
    assert view_of(state, "third").quantity(A) == view_of(state).quantity(B) == 0


def test_pending_is_what_its_own_open_orders_may_still_fill_buys_and_sells_together() -> None:
    state = fold(
        books(),
        *an_order("o1", "100"),
        a_fill("40", order_id="o1"),
        *an_order("o2", "-25"),
        *an_order("o3", "9", strategy="other"),
        *an_order("o4", "9", symbol="B"),
    )
    # 60 to come of the first, 25 to go by the second.
    assert view_of(state).pending(A) == 35
    # What the gate has not let pass yet is not on its way.
    fold(state, an_intent("o5", "11"))
    assert view_of(state).pending(A) == 35
    fold(state, OrderUnknown(ClientOrderId("o1"), "no answer"), OrderCancelled(ClientOrderId("o2")))
    assert view_of(state).pending(A) == 60


def test_money_is_the_accounts_and_prices_are_the_last_ones_or_none() -> None:
    # 10,000 less 10 at 100; at 120 they are worth 1,200.
    state = fold(holding("10"), a_bar("120", end="2024-01-02T15:01"))
    view = view_of(state, "other")
    assert (view.cash, view.equity) == (9000, 10200)
    assert (view.price(A), view.price(B)) == (120, None)


# Moving average.


def averaging(**params: Any) -> MovingAverage:  # noqa: ANN401 - any parameter
    plain = MovingAverage(fast=2, slow=5, shares=Decimal(10))
    return msgspec.structs.replace(plain, **params)


def is_above(closes: Sequence[Decimal], fast: int, slow: int) -> bool:
    """Say whether the fast mean is above the slow one, in exact fractions."""
    exact = [Fraction(close) for close in closes[-slow:]]
    return sum(exact[-fast:]) / fast > sum(exact[-slow:]) / slow


def prices(seed: int, count: int, step: str) -> list[Decimal]:
    """Return a walk in steps of `step`, with flat stretches: ties of the means are common."""
    chance, price = random.Random(seed), Decimal(100)
    walk: list[Decimal] = []
    while len(walk) < count:
        price = max(price + chance.choice([-1, 0, 0, 1]) * Decimal(step), Decimal(step))
        walk += [price] * chance.choice([1, 1, 1, 12])
    return walk[:count]


@pytest.mark.parametrize(("fast", "slow"), [(1, 2), (2, 5), (3, 10), (10, 30)])
@pytest.mark.parametrize("step", ["1", "0.01", "0.1", "0.0001"])
def test_it_is_long_exactly_while_the_fast_mean_is_above_the_slow_one(
    fast: int, slow: int, step: str
) -> None:
    strategy, view = averaging(fast=fast, slow=slow), view_of(books())
    for seed in range(2):
        strategy.windows.clear()
        closes = prices(seed, 250, step)
        for count in range(1, len(closes) + 1):
            answer = strategy.on_bar(a_bar(str(closes[count - 1])), view)
            if count < slow:
                assert answer is None
            else:
                expected = "10" if is_above(closes[:count], fast, slow) else "already flat"
                assert said(answer) == expected, (seed, count)


RISING = [Decimal(90) + minute for minute in range(100)]


@pytest.mark.parametrize("closes", [RISING, RISING[::-1], prices(3, 100, "0.3")])
def test_after_a_split_it_decides_as_if_prices_had_always_been_the_new_ones(
    closes: list[Decimal],
) -> None:
    # 3:1 after the 40th close: what was 90 is 30 in new shares.
    old, new = closes[:40], closes[40:]
    restated = [close / 3 for close in old] + [close / 3 for close in new]
    strategy, view = averaging(fast=3, slow=10), view_of(books())
    for close in old:
        strategy.on_bar(a_bar(str(close)), view)
    strategy.on_split(a_split("3:1", "0", "0"))
    for count in range(41, 101):
        answer = strategy.on_bar(a_bar(str(restated[count - 1])), view)
        # Thirds all of them, so the means compare as those of the old prices do.
        expected = "10" if is_above([*old, *new][:count], 3, 10) else "already flat"
        assert said(answer) == expected, count


def test_the_window_of_another_symbol_is_left_alone_by_a_split() -> None:
    strategy, view = averaging(), view_of(books())
    for symbol in ("A", "B"):
        for close in ("10", "11", "12", "13", "14"):
            strategy.on_bar(a_bar(close, symbol=symbol), view)
    strategy.on_split(a_split("2:1", "0", "0"))
    assert strategy.windows[A].slow_sum == 30
    assert strategy.windows[B].slow_sum == 60


UP, DOWN = ("10", "10", "10", "10", "11"), ("10", "10", "10", "10", "9")


@pytest.mark.parametrize(
    ("closes", "held", "pending", "short", "expected"),
    [
        (UP, "0", "0", False, "10"),
        (UP, "0", "10", False, "already long"),
        (UP, "10", "0", False, "already long"),
        (DOWN, "10", "0", False, "-10"),
        (DOWN, "10", "-10", False, "already flat"),
        (DOWN, "7", "-3", False, "-4"),
        (DOWN, "10", "0", True, "-20"),
        (DOWN, "0", "0", True, "-10"),
        (DOWN, "-10", "0", True, "already short"),
        (UP, "-10", "0", True, "20"),
    ],
)
def test_it_trades_what_is_missing_to_the_position_the_means_ask_for(
    closes: Sequence[str], held: str, pending: str, *, short: bool, expected: str
) -> None:
    state = books()
    if held != "0":
        bought(state, held)
    if pending != "0":
        fold(state, *an_order("open", pending))
    strategy = averaging(allow_short=short, time_in_force=TimeInForce.OPG)
    answer: Answer = None
    for close in closes:
        answer = strategy.on_bar(a_bar(close), view_of(state))
    assert said(answer) == expected
    if isinstance(answer, Intent):
        assert answer.time_in_force is TimeInForce.OPG
        # The means of the last two and of all five.
        mean = (10.5, 10.2) if closes == UP else (9.5, 9.8)
        assert (answer.values["fast_mean"], answer.values["slow_mean"]) == mean


def test_a_size_in_dollars_is_whole_shares_and_at_least_one() -> None:
    for dollars, expected in (("109", "9"), ("110", "10"), ("10", "less than one share")):
        strategy = averaging(shares=None, notional_usd=Decimal(dollars))
        answers = [strategy.on_bar(a_bar(close), view_of(books())) for close in UP]
        assert said(answers[-1]) == expected


@pytest.mark.parametrize(
    ("params", "wrong"),
    [
        ({"fast": 5}, "must be smaller"),
        ({"shares": None}, "set either"),
        ({"notional_usd": Decimal(1)}, "set either"),
    ],
)
def test_a_trend_without_sense_is_refused(params: dict[str, Any], wrong: str) -> None:
    averaging().check([A])
    with pytest.raises(ValueError, match=wrong):
        averaging(**params).check([A])


# Target weights.


def weighing(weights: dict[str, str], **params: Any) -> TargetWeights:  # noqa: ANN401 - any parameter
    return TargetWeights({Symbol(name): Decimal(text) for name, text in weights.items()}, **params)


def rebalanced(strategy: TargetWeights, state: State) -> str:
    return said(strategy.on_timer(REBALANCE, view_of(state)))


def test_weights_become_whole_shares_of_equity() -> None:
    # 10,000: a half at 100 is 50 shares, a third of it at 7 is 476.19.
    state = fold(books(), a_bar("7", symbol="B"))
    assert rebalanced(weighing({"A": "0.5", "B": "0.33333"}), state) == "50, 476"
    half = weighing({"A": "0.5"}, capital_share=Decimal("0.5"))
    assert rebalanced(half, state) == "25"
    assert rebalanced(weighing({"A": "-0.5"}), state) == "-50"


def test_sells_come_before_buys() -> None:
    # 60 of A where 20 are wanted, none of B where 80 are.
    state = fold(holding("60"), a_bar("100", symbol="B"))
    assert rebalanced(weighing({"B": "0.8", "A": "0.2"}), state) == "-40, 80"


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ("50", "on target"),
        ("48", "within the band"),  # 2 of 50 is 4 %.
        ("45", "within the band"),  # 10 %: at the band.
        ("44", "6"),
        ("55", "within the band"),
        ("56", "-6"),
    ],
)
def test_within_the_band_nothing_is_traded_and_beyond_it_all_that_is_missing(
    held: str, expected: str
) -> None:
    strategy = weighing({"A": "0.5"}, band=Decimal("0.1"))
    assert rebalanced(strategy, holding(held)) == expected


def test_what_is_on_its_way_counts_and_a_weight_of_nothing_sells_all() -> None:
    state = fold(holding("30"), *an_order("open", "20"))
    assert rebalanced(weighing({"A": "0.5"}), state) == "on target"
    assert rebalanced(weighing({"A": "0"}), state) == "-50"


def test_a_symbol_without_a_price_is_left_alone() -> None:
    assert rebalanced(weighing({"B": "0.5", "A": "0.5"}), books()) == "no price, 50"


@pytest.mark.parametrize(
    ("weights", "wrong"),
    [
        ({}, "weights is empty"),
        ({"A": "0.7", "B": "0.31"}, "add up to 1.01, more than 1"),
        ({"A": "0.7", "B": "-0.31"}, "add up to 1.01, more than 1"),
        ({"C": "0.5"}, "weights names C"),
    ],
)
def test_weights_that_are_too_much_or_of_nothing_are_refused(
    weights: dict[str, str], wrong: str
) -> None:
    weighing({"A": "0.7", "B": "0.3"}).check([A, B])
    with pytest.raises(ValueError, match=wrong):
        weighing(weights).check([A, B])


def test_it_asks_to_be_woken_once_a_period() -> None:
    (schedule,) = weighing({"A": "1"}, every=Every.WEEK).schedules()
    assert (schedule.name, schedule.every, schedule.offset_s) == ("rebalance", Every.WEEK, 0)


# Buy and hold.


def test_it_buys_once_and_again_only_if_nothing_came_of_it() -> None:
    strategy, state = BuyAndHold(shares=Decimal(5)), books()
    bar = a_bar("100")
    assert said(strategy.on_bar(bar, view_of(state))) == "5"
    fold(state, *an_order("o1", "5"))
    assert said(strategy.on_bar(bar, view_of(state))) == "holding"
    fold(state, OrderCancelled(ClientOrderId("o1")))
    assert said(strategy.on_bar(bar, view_of(state))) == "5"
    bought(state, "5")
    assert said(strategy.on_bar(bar, view_of(state))) == "holding"


def test_it_buys_whole_shares_for_its_dollars() -> None:
    for dollars, expected in (("1099", "10"), ("99", "less than one share")):
        strategy = BuyAndHold(notional_usd=Decimal(dollars))
        assert said(strategy.on_bar(a_bar("100"), view_of(books()))) == expected


@pytest.mark.parametrize("size", [None, Decimal(1)])
def test_it_wants_exactly_one_size(size: Decimal | None) -> None:
    BuyAndHold(shares=Decimal(1)).check([A])
    with pytest.raises(ValueError, match="set either shares or notional_usd"):
        BuyAndHold(shares=size, notional_usd=size).check([A])
