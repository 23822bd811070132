"""The simulated account: cash, positions, profits and margin, against arithmetic written here."""

import random
from collections import Counter
from decimal import Decimal

import pytest

from ops.gateway_sim.reports import CommissionReport, ExecutionReport, OpenOrder, PositionMoved
from ops.gateway_sim.terms import Commission, Execution, ExecutionFilter, OrderTerms, Side, WhatIf
from tests.gateway_floor import ACCOUNT, DAY, IBM, NOON, SPY, FloorDesk, terms


def done(desk: FloorDesk) -> tuple[list[Execution], list[Commission]]:
    """Return the executions and commissions of the last call."""
    reports = [each.report for each in desk.told]
    return (
        [each.execution for each in reports if isinstance(each, ExecutionReport)],
        [each.commission for each in reports if isinstance(each, CommissionReport)],
    )


def weighed(desk: FloorDesk, action: str, quantity: int, **more: object) -> WhatIf:
    """Return what the gateway says an order would do to the margin."""
    order_id = desk.floor.next_valid_id(1)
    desk.place(1, terms(order_id, action, quantity, what_if=True, **more))  # type: ignore[arg-type]
    (report,) = [each.report for each in desk.told]
    assert isinstance(report, OpenOrder)
    assert report.what_if is not None
    return report.what_if


def test_the_average_cost_includes_commissions_and_a_sale_realizes_the_difference() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 100))
    # 100 x 100.01 + 1.00 of commission = 10,002.00
    (line,) = desk.floor.positions()
    assert (line.quantity, line.average_cost) == (100, Decimal("100.02"))
    assert line.contract.exchange == "ARCA"
    desk.price("102.00")
    desk.place(1, terms(2, "SELL", 40))
    # 40 x (101.99 - 100.02) - 1.00
    (_,), (cost,) = done(desk)
    assert cost.realized == Decimal("77.80")
    assert desk.value("RealizedPnL") == Decimal("77.80")
    # 60 x (102.00 - 100.02)
    assert desk.value("UnrealizedPnL") == Decimal("118.80")
    # 100,000 - 10,002.00 + 40 x 101.99 - 1.00
    assert desk.value("TotalCashValue") == Decimal("94076.60")
    # ... + 60 x 102.00
    assert desk.value("NetLiquidation") == Decimal("100196.60")


def test_a_sale_through_zero_closes_the_long_and_opens_a_short() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 100))
    desk.place(1, terms(2, "SELL", 300))
    # 300 shares cost 1.50: a third of it belongs to the 100 that close.
    # 100 x (99.99 - 100.02) - 0.50
    (_,), (cost,) = done(desk)
    assert cost.realized == Decimal("-3.50")
    # The 200 that open: (200 x 99.99 - 1.00) / 200
    (line,) = desk.floor.positions()
    assert (line.quantity, line.average_cost) == (-200, Decimal("99.985"))


def test_an_opening_trade_realizes_nothing_at_all() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 100))
    assert done(desk)[1][0].realized is None


@pytest.mark.parametrize(
    ("shares", "cost"),
    [(1, "1.00"), (200, "1.00"), (201, "1.005"), (1_000, "5.00")],
)
def test_an_order_costs_half_a_cent_a_share_and_at_least_a_dollar(shares: int, cost: str) -> None:
    desk = FloorDesk(cash=1_000_000)
    desk.place(1, terms(1, "BUY", shares))
    assert done(desk)[1][0].commission == Decimal(cost)


def test_no_order_costs_more_than_a_hundredth_of_what_it_traded() -> None:
    desk = FloorDesk()
    desk.price("0.50", "IBM")
    desk.place(1, terms(1, "BUY", 10), IBM)
    # 10 x 0.51 = 5.10
    assert done(desk)[1][0].commission == Decimal("0.0510")


def test_the_parts_of_an_order_share_one_minimum() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 400, "LMT", limit="99.00"))
    costs = []
    for _ in range(4):
        desk.price("99.00", size=100)
        costs += done(desk)[1]
    # 1.00 covers the first 200; each further 100 cost 0.50.
    assert [cost.commission for cost in costs] == [
        Decimal(1),
        Decimal(0),
        Decimal("0.5"),
        Decimal("0.5"),
    ]


def test_what_an_order_would_do_to_the_margin_is_half_its_value() -> None:
    desk = FloorDesk()
    margin = weighed(desk, "BUY", 100)
    # 100 x 100.00: 5,000 to open, 2,500 to keep; 1.00 of commission leaves the equity.
    assert (margin.initial_before, margin.initial_change, margin.initial_after) == (0, 5000, 5000)
    assert (margin.maintenance_after, margin.commission) == (2500, 1)
    assert (margin.equity_before, margin.equity_change) == (100_000, -1)
    assert desk.floor.all_open_orders() == []
    # A short position keeps 30 %, and what reduces needs less than before.
    assert weighed(desk, "SELL", 100).maintenance_after == 3000
    desk.place(1, terms(desk.floor.next_valid_id(1), "BUY", 100))
    assert weighed(desk, "SELL", 40).initial_change == -2000


def test_orders_that_are_open_count_against_the_next_one() -> None:
    desk = FloorDesk(cash=10_000)
    # Each needs 6,000 of initial margin; 10,000 carry one.
    desk.place(1, terms(1, "BUY", 120, "LMT", limit="99.00"))
    assert "1: error 2 201" in desk.place(1, terms(2, "BUY", 120, "LMT", limit="99.00"))
    # The other side does not add up with it: either would be reduced by the other.
    assert desk.place(1, terms(3, "SELL", 120, "LMT", limit="110.00"))[-1] == (
        "1: orderStatus 3 Submitted 0/120"
    )


def test_the_other_side_of_a_contract_does_not_make_room_either() -> None:
    desk = FloorDesk(cash=10_000)
    desk.place(1, terms(1, "BUY", 120, "LMT", limit="99.00"))
    # 210 sold short need 10,500, whatever else is bid for.
    sold = terms(2, "SELL", 210, "LMT", limit="110.00")
    assert "1: error 2 201" in desk.place(1, sold)


def test_children_that_wait_for_their_parent_need_no_margin_yet() -> None:
    desk = FloorDesk(cash=10_000)
    desk.place(1, terms(1, "BUY", 120, "LMT", limit="99.00", transmit=False))
    desk.place(1, terms(2, "SELL", 120, "LMT", limit="105.00", parent_id=1))
    assert desk.place(1, terms(3, "SELL", 120, "LMT", limit="110.00"))[-1] == (
        "1: orderStatus 3 Submitted 0/120"
    )


def test_what_reduces_a_position_is_carried_even_by_an_account_in_need() -> None:
    desk = FloorDesk(cash=10_000)
    desk.place(1, terms(1, "BUY", 190))
    desk.price("55.00")
    # Equity 10,000 - 190 x 45 is about 1,450; the margin is 190 x 55 / 2 = 5,225.
    assert "1: error 2 201" in desk.place(1, terms(2, "BUY", 1))
    # After selling 10 the margin is still far above the equity, but less than before.
    assert "1: execDetails 3 SELL 10 @ 54.99" in desk.place(1, terms(3, "SELL", 10))
    assert "1: execDetails 4 SELL 180 @ 54.99" in desk.place(1, terms(4, "SELL", 180))


def test_the_figures_agree_with_one_another() -> None:
    desk = FloorDesk()
    desk.price("50.00", "IBM")
    desk.place(1, terms(1, "BUY", 100))
    desk.place(1, terms(2, "SELL", 100), IBM)
    # Long 10,000 and short 5,000.
    assert desk.value("GrossPositionValue") == 15_000
    assert desk.value("InitMarginReq") == 7_500
    # 10,000 x 0.25 + 5,000 x 0.30
    assert desk.value("MaintMarginReq") == 4_000
    equity = desk.value("EquityWithLoanValue")
    assert desk.value("AvailableFunds") == equity - 7_500
    assert desk.value("ExcessLiquidity") == equity - 4_000
    assert desk.value("BuyingPower") == 4 * (equity - 7_500)
    assert desk.value("StockMarketValue") == 5_000
    assert desk.value("NetLiquidationByCurrency", "BASE") == equity
    assert sum(line.market_value for line in desk.floor.portfolio()) == 5_000


def test_the_summary_has_the_tags_that_were_asked_for() -> None:
    desk = FloorDesk()
    wanted = desk.floor.account_summary(["NetLiquidation", "AccountType"])
    assert {(each.tag, each.value, each.currency) for each in wanted} == {
        ("NetLiquidation", "100000.00", "USD"),
        ("AccountType", "INDIVIDUAL", ""),
    }
    assert {each.account for each in wanted} == {ACCOUNT}
    by_currency = desk.floor.account_summary(["$LEDGER:ALL"])
    assert {each.currency for each in by_currency} == {"BASE", "USD"}
    assert "CashBalance" in {each.tag for each in by_currency}
    assert desk.floor.account_summary(["$LEDGER:EUR"]) == []


def test_a_correction_replaces_its_execution_and_a_bust_undoes_it() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 100))
    desk.place(1, terms(2, "BUY", 50))
    (first, _), _ = zip(*desk.floor.executions(desk.now, ExecutionFilter()), strict=True)
    told = desk.floor.correct(
        desk.now, first.execution_id, shares=Decimal(90), price=Decimal("99.00")
    )
    desk.heard(told)
    (revised,), _ = done(desk)
    assert first.execution_id.endswith(".01")
    assert revised.execution_id == first.execution_id[:-2] + "02"
    # 90 x 99.00 + 1.00 and 50 x 100.01 + 1.00
    assert desk.shares() == 140
    assert desk.value("TotalCashValue") == 100_000 - 8_911 - Decimal("5001.50")
    desk.floor.correct(desk.now, revised.execution_id, shares=Decimal(0), price=Decimal(99))
    assert desk.shares() == 50
    assert desk.value("TotalCashValue") == 100_000 - Decimal("5001.50")
    with pytest.raises(KeyError):
        desk.floor.correct(desk.now, "unknown.01", shares=Decimal(1), price=Decimal(1))


def test_a_bust_of_the_only_trade_leaves_a_position_of_zero_to_be_told() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 100))
    (execution,), _ = done(desk)
    told = desk.floor.correct(
        desk.now, execution.execution_id, shares=Decimal(0), price=Decimal(100)
    )
    moved = [each.report.position for each in told if isinstance(each.report, PositionMoved)]
    assert [line.quantity for line in moved] == [0]
    costs = [each.report.commission for each in told if isinstance(each.report, CommissionReport)]
    assert [cost.commission for cost in costs] == [0]
    assert desk.value("TotalCashValue") == 100_000


def test_a_new_day_begins_with_what_the_old_one_left() -> None:
    desk = FloorDesk()
    desk.place(1, terms(1, "BUY", 100))
    desk.place(1, terms(2, "SELL", 60))
    assert desk.value("RealizedPnL") != 0
    desk.go_to(NOON + DAY)
    assert desk.value("RealizedPnL") == 0
    cash = desk.value("TotalCashValue")
    desk.price("100.00")
    desk.place(1, terms(3, "BUY", 100))
    (execution,), _ = done(desk)
    # What is corrected is counted again from this morning, not from the beginning.
    desk.floor.correct(desk.now, execution.execution_id, shares=Decimal(0), price=Decimal(100))
    assert desk.value("TotalCashValue") == cash
    assert desk.shares() == 40


@pytest.mark.parametrize(
    ("wanted", "liquidity"),
    [
        (terms(1, "BUY", 10), 2),
        (terms(1, "BUY", 10, "LMT", limit="100.01"), 2),
        (terms(1, "BUY", 10, "LMT", limit="99.00"), 1),
        (terms(1, "SELL", 10, "STP", stop="99.00"), 2),
    ],
)
def test_who_meets_the_market_takes_liquidity_and_who_rests_adds_it(
    wanted: OrderTerms, liquidity: int
) -> None:
    desk = FloorDesk()
    desk.place(1, wanted)
    executions = done(desk)[0]
    desk.price("99.00")
    executions += done(desk)[0]
    assert [each.last_liquidity for each in executions] == [liquidity]


@pytest.mark.parametrize("seed", range(8))
def test_money_is_never_made_nor_lost(seed: int) -> None:
    chance, desk = random.Random(seed), FloorDesk(cash=1_000_000)
    cash, shares = Decimal(1_000_000), Counter[str]()
    for order_id in range(1, 120):
        contract = chance.choice([SPY, IBM])
        price = Decimal(chance.randint(9_000, 11_000)) / 100
        kind = chance.choice(["MKT", "LMT", "STP", "TRAIL"])
        wanted = terms(
            order_id,
            chance.choice(["BUY", "SELL"]),
            chance.randint(1, 300),
            kind,
            limit=str(price) if kind == "LMT" else None,
            stop={"STP": str(price), "TRAIL": "1.00"}.get(kind),
            oca_group=chance.choice(["", "", "a", "b"]),
            tif=chance.choice(["DAY", "IOC", "GTC"]),
        )
        for number in range(3):
            if number == 0:
                desk.place(1, wanted, contract)
            elif number == 1:
                desk.price(str(price), contract.symbol, chance.randint(1, 500))
            else:
                desk.cancel(1, chance.randint(1, 120))
            executions, costs = done(desk)
            assert len(executions) == len(costs)
            for each, cost in zip(executions, costs, strict=True):
                signed = each.shares if each.side == Side.BUY else -each.shares
                cash -= signed * each.price + cost.commission
                shares[each.contract.symbol] += int(signed)
    assert sum(shares.values()) != 0
    assert desk.value("TotalCashValue") == round(cash, 2)
    # Every dollar gained or lost is in one of the two profits; each is rounded to the cent.
    profit = desk.value("RealizedPnL") + desk.value("UnrealizedPnL")
    assert abs(desk.value("NetLiquidation") - 1_000_000 - profit) <= Decimal("0.02")
    held = {line.contract.symbol: line.quantity for line in desk.floor.positions()}
    assert held == {symbol: count for symbol, count in shares.items() if count}
    for order in desk.floor.all_open_orders():
        assert 0 < order.remaining <= order.terms.quantity
