"""What the gateway says, counted by hand and read by ib_async's own decoder, at every version."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import ib_async
import pytest
from ib_async.decoder import Decoder
from msgspec.structs import replace

from ops.gateway_sim import replies
from ops.gateway_sim.frames import fields as fields_in
from ops.gateway_sim.frames import frame
from ops.gateway_sim.replies import Manner, TimeSpelling, fields_of
from ops.gateway_sim.reports import (
    CommissionReport,
    CompletedOrder,
    ExecutionReport,
    History,
    HistoryUpdate,
    MarketDataKind,
    Notice,
    OpenOrder,
    OrderBound,
    OrderStatus,
    PositionMoved,
    RealTimeBar,
    Report,
    SnapshotEnd,
    TickPrice,
    TickRequestParameters,
    TickSize,
    TickString,
)
from ops.gateway_sim.terms import (
    Bar,
    Commission,
    Contract,
    ContractDetails,
    Execution,
    OrderLine,
    OrderTerms,
    PortfolioLine,
    PositionLine,
    Side,
    Status,
    WhatIf,
)
from tests.gateway_desk import undecoded

NEW_YORK = "US/Eastern"
AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
VERSIONS = [version for version in range(157, 179) if version != 158]
"""At 158 ib_async and IB's own client differ on one field; ib_async never speaks it by itself."""

STOCK = Contract(
    con_id=265598,
    symbol="AAPL",
    security_type="STK",
    exchange="SMART",
    primary_exchange="NASDAQ",
    currency="USD",
    local_symbol="AAPL",
    trading_class="NMS",
)
TERMS = OrderTerms(
    order_id=11,
    action="BUY",
    quantity=Decimal(100),
    type="LMT",
    limit_price=Decimal("150.25"),
    account="DU1",
    order_ref="ref-1",
    outside_rth=True,
    oca_group="oca",
    oca_type=1,
    parent_id=10,
)
LINE = OrderLine(
    perm_id=1376327563,
    client_id=7,
    contract=STOCK,
    terms=TERMS,
    status=Status.SUBMITTED,
    filled=Decimal(40),
    average_price=Decimal("150.10"),
    last_price=Decimal("150.05"),
    completed_at=AT,
    completed_status="Filled Size: 100",
)
DONE = Execution(
    execution_id="0000e0d5.65a10001.01.01",
    at=AT,
    account="DU1",
    contract=STOCK,
    side=Side.SELL,
    shares=Decimal(40),
    price=Decimal("150.10"),
    exchange="ISLAND",
    perm_id=1376327563,
    client_id=7,
    order_id=11,
    cumulative=Decimal(40),
    average_price=Decimal("150.10"),
    order_ref="ref-1",
)
BAR = Bar(
    at=AT,
    open=Decimal(150),
    high=Decimal(152),
    low=Decimal(149),
    close=Decimal(151),
    volume=Decimal(1200),
    wap=Decimal("150.5"),
    count=7,
)
POSITION = PositionLine(
    account="DU1", contract=STOCK, quantity=Decimal(-40), average_cost=Decimal("150.11")
)


def said(report: Report, version: int = 178, spelling: TimeSpelling = TimeSpelling.ZONED) -> Any:  # noqa: ANN401 - fields
    return fields_of(report, Manner(version, NEW_YORK, spelling))


@pytest.mark.parametrize(
    ("report", "by_version"),
    [
        (OpenOrder(LINE), {178: 135, 177: 135, 176: 136, 170: 136, 169: 131, 162: 131}),
        (CompletedOrder(LINE), {178: 100, 177: 100, 176: 101, 170: 101, 169: 96}),
        (OrderStatus(LINE), {178: 12, 157: 12}),
        (ExecutionReport(DONE), {178: 32, 177: 31, 157: 31}),
        (CommissionReport(Commission(execution_id="x", commission=Decimal(1))), {178: 8}),
        (PositionMoved(POSITION), {178: 16}),
        (Notice(-1, 2104, "fine"), {178: 6, 166: 6, 165: 5}),
        (RealTimeBar(7, BAR), {178: 11}),
        (HistoryUpdate(7, BAR), {178: 10}),
        (History(7, AT, AT, (BAR, BAR)), {178: 5 + 2 * 8}),
    ],
)
def test_a_message_has_as_many_fields_as_were_counted_on_the_real_wire(
    report: Report, by_version: dict[int, int]
) -> None:
    assert {version: len(said(report, version)) for version in by_version} == by_version


NO_PRICE = "1.7976931348623157E308"
PLAIN = OrderLine(
    perm_id=1376327563,
    client_id=7,
    contract=STOCK,
    terms=OrderTerms(
        order_id=13, action="BUY", quantity=Decimal(100), type="MKT", account="DU1234567"
    ),
    status=Status.FILLED,
    filled=Decimal(100),
    completed_at=AT,
    completed_status="Filled Size: 100",
)
"""A market order without anything else, as recordings of the real gateway have it."""


def recorded(line: str) -> list[str]:
    return line.split("|")


def test_an_open_order_has_the_form_of_the_recorded_ones() -> None:
    assert said(OpenOrder(PLAIN)) == recorded(
        "5|13|265598|AAPL|STK||0|?||SMART|USD|AAPL|NMS|BUY|100|MKT|0.0|0.0|DAY||DU1234567||0||7|"
        "1376327563|0|0|0||1376327563.0/DU1234567/100|||||||||0||-1|0||||||2147483647|0|0|0||3|0|0||"
        "0|0||0|None||0||||?|0|0||0|0||||||0|0|0|2147483647|2147483647|||0||IB|0|0||0|0|Filled|"
        + f"{NO_PRICE}|" * 9
        + "|||||0|0|0|None|"
        + f"{NO_PRICE}|" * 6
        + "0||||0|1|0|0|0|||0||100|0.02||"
    )


def test_a_completed_order_has_the_form_of_the_recorded_ones() -> None:
    # Its quantity is 0, for nothing of it is left to fill.
    assert said(CompletedOrder(PLAIN)) == recorded(
        "101|265598|AAPL|STK||0|?||SMART|USD|AAPL|NMS|BUY|0|MKT|0.0|0.0|DAY||DU1234567||0||"
        "1376327563|0|0|0||||||||||0||-1||||||2147483647|0|0||3|0||0|None||0|0|0||0|0||||0|0|0|"
        "2147483647|2147483647||||IB|0|0||0|Filled|0|0|0|"
        f"{NO_PRICE}|{NO_PRICE}|0|1|0||100|2147483647|0|Not an insider or substantial shareholder|"
        "0|0|9223372036854775807|20240102 09:30:00 US/Eastern|Filled Size: 100|||||"
    )


def test_what_was_traded_has_the_form_of_the_recorded_ones() -> None:
    assert said(OrderStatus(PLAIN)) == recorded("3|13|Filled|100|0|0|1376327563|0|0|7||0")
    assert said(ExecutionReport(DONE)) == recorded(
        "11|-1|11|265598|AAPL|STK||0.0|||ISLAND|USD|AAPL|NMS|0000e0d5.65a10001.01.01|"
        "20240102 09:30:00 US/Eastern|DU1|ISLAND|SLD|40|150.1|1376327563|7|0|40|150.1|ref-1||||2|0"
    )
    assert said(PositionMoved(POSITION)) == recorded(
        "61|3|DU1|265598|AAPL|STK||0.0|||SMART|USD|AAPL|NMS|-40|150.11"
    )


class Listener:
    """Stands where ib_async's wrapper stands, and keeps what it is told."""

    def __init__(self) -> None:
        self.ib = ib_async.IB()
        self.defaultTimezone = UTC
        self.told: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def keep(*values: object) -> None:
            self.told.append((name, values))

        return keep


def decoded(message: list[str], version: int) -> tuple[str, tuple[Any, ...]]:
    """Return what ib_async makes of `message`; everything in it must be understood."""
    listener: Any = Listener()
    decoder: Any = Decoder
    with undecoded() as problems:
        decoder(listener, version).interpret(list(fields_in(frame(message)[4:])))
    assert problems == []
    found: tuple[str, tuple[Any, ...]] = listener.told[0]
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_an_open_order_is_read_back_as_it_was_asked(version: int) -> None:
    name, (order_id, contract, order, state) = decoded(said(OpenOrder(LINE), version), version)
    assert (name, order_id, contract.conId, contract.symbol) == ("openOrder", 11, 265598, "AAPL")
    assert (order.action, order.totalQuantity, order.orderType) == ("BUY", 100, "LMT")
    assert (order.lmtPrice, order.auxPrice, order.tif) == (150.25, 0, "DAY")
    assert (order.permId, order.clientId, order.orderRef) == (1376327563, 7, "ref-1")
    assert (order.ocaGroup, order.ocaType, order.parentId) == ("oca", 1, 10)
    assert (order.outsideRth, order.account, state.status) == (True, "DU1", "Submitted")
    assert order.deltaNeutralOrderType == "None"
    assert order.usePriceMgmtAlgo is False


def test_an_order_of_no_oca_group_is_told_with_type_3_as_the_real_one_does() -> None:
    alone = replace(LINE, terms=replace(TERMS, oca_group="", oca_type=0))
    _, (_, _, order, _) = decoded(said(OpenOrder(alone)), 178)
    assert (order.ocaGroup, order.ocaType) == ("", 3)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_completed_order_is_read_back_without_its_order_id(version: int) -> None:
    name, (contract, order, state) = decoded(said(CompletedOrder(LINE), version), version)
    assert (name, contract.symbol, order.orderId, order.clientId) == (
        "completedOrder",
        "AAPL",
        0,
        0,
    )
    assert (order.permId, order.orderRef) == (1376327563, "ref-1")
    assert (state.completedTime, state.completedStatus) == (
        "20240102 09:30:00 US/Eastern",
        "Filled Size: 100",
    )
    assert order.filledQuantity == 40


@pytest.mark.parametrize("version", VERSIONS)
def test_a_weighed_order_comes_with_its_margins_as_text(version: int) -> None:
    weighed = WhatIf(
        initial_before=Decimal(1000),
        initial_change=Decimal("7512.50"),
        initial_after=Decimal("8512.50"),
        commission=Decimal(1),
    )
    _, (_, _, _, state) = decoded(said(OpenOrder(LINE, weighed), version), version)
    assert (state.initMarginBefore, state.initMarginChange) == ("1000.0", "7512.5")
    assert state.maintMarginChange == "1.7976931348623157E308"
    assert state.commission == 1


def test_a_status_tells_where_the_order_stands() -> None:
    assert decoded(said(OrderStatus(LINE)), 178) == (
        "orderStatus",
        (11, "Submitted", 40, 60, 150.10, 1376327563, 10, 150.05, 7, "", 0),
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_an_execution_is_read_back(version: int) -> None:
    name, (request, contract, done) = decoded(said(ExecutionReport(DONE), version), version)
    assert (name, request, contract.conId) == ("execDetails", -1, 265598)
    assert (done.execId, done.side, done.shares) == ("0000e0d5.65a10001.01.01", "SLD", 40)
    assert (done.price, done.time, done.orderRef) == (150.10, AT, "ref-1")


@pytest.mark.parametrize(
    ("spelling", "written"),
    [
        (TimeSpelling.ZONED, "20240102 09:30:00 US/Eastern"),
        (TimeSpelling.BARE, "20240102  09:30:00"),
        (TimeSpelling.UTC, "20240102-14:30:00"),
    ],
)
def test_the_moment_of_an_execution_has_three_spellings(
    spelling: TimeSpelling, written: str
) -> None:
    assert said(ExecutionReport(DONE), spelling=spelling)[15] == written


def test_a_commission_without_a_profit_carries_the_largest_double() -> None:
    paid = Commission(execution_id="x.01", commission=Decimal("1.05"))
    assert said(CommissionReport(paid)) == [
        *("59", "1", "x.01", "1.05", "USD"),
        *("1.7976931348623157E308", "1.7976931348623157E308", ""),
    ]


def test_a_bar_is_told_in_epoch_seconds_or_in_local_time_as_it_was_asked() -> None:
    history = History(7, AT, AT, (BAR,))
    manner = Manner(178, NEW_YORK)
    assert fields_of(history, manner)[5] == "20240102 09:30:00 US/Eastern"
    assert fields_of(history, manner, epoch_requests={7})[5] == "1704205800"
    assert fields_of(history, manner, epoch_requests={8})[5] == "20240102 09:30:00 US/Eastern"


def test_an_update_has_its_prices_in_another_order_than_a_bar() -> None:
    _, (_, bar) = decoded(said(HistoryUpdate(7, BAR)), 178)
    assert (bar.open, bar.high, bar.low, bar.close) == (150, 152, 149, 151)
    assert (bar.volume, bar.average, bar.barCount) == (1200, 150.5, 7)
    _, (_, told) = decoded(said(History(7, AT, AT, (BAR,))), 178)
    assert (told.open, told.high, told.low, told.close) == (150, 152, 149, 151)


@pytest.mark.parametrize("version", VERSIONS)
def test_contract_details_are_read_back(version: int) -> None:
    details = ContractDetails(
        contract=STOCK,
        market_name="NMS",
        min_tick=Decimal("0.01"),
        order_types="LMT,MKT",
        valid_exchanges="SMART,NASDAQ",
        long_name="APPLE INC",
        time_zone=NEW_YORK,
        trading_hours="20240102:0400-20240102:2000",
        liquid_hours="20240102:0930-20240102:1600",
        market_rule_ids="26,26",
        security_ids=(("ISIN", "US0378331005"),),
    )
    message = replies.contract_details(7, details, version)
    name, (request, found) = decoded(message, version)
    assert (name, request, found.contract.conId) == ("contractDetails", 7, 265598)
    assert (found.minTick, found.longName, found.timeZoneId) == (0.01, "APPLE INC", NEW_YORK)
    assert found.secIdList == [ib_async.TagValue("ISIN", "US0378331005")]
    assert (found.marketRuleIds, found.stockType) == ("26,26", "COMMON")


def test_a_position_and_a_portfolio_line_are_read_back() -> None:
    _, (account, contract, quantity, cost) = decoded(said(PositionMoved(POSITION)), 178)
    assert (account, contract.symbol, quantity, cost) == ("DU1", "AAPL", -40, 150.11)
    held = PortfolioLine(
        account="DU1",
        contract=STOCK,
        quantity=Decimal(-40),
        market_price=Decimal(151),
        market_value=Decimal(-6040),
        average_cost=Decimal("150.11"),
        unrealized=Decimal("-35.6"),
        realized=Decimal(0),
    )
    _, (contract, *figures, account) = decoded(replies.portfolio(held), 178)
    assert contract.primaryExchange == "NASDAQ"
    assert (figures, account) == ([-40, 151, -6040, 150.11, -35.6, 0], "DU1")


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (TickPrice(7, 1, Decimal("149.99"), Decimal(3), 1), ("priceSizeTick", (7, 1, 149.99, 3))),
        (TickSize(7, 8, Decimal(1200)), ("tickSize", (7, 8, 1200))),
        (TickString(7, 45, "1704205800"), ("tickString", (7, 45, "1704205800"))),
        (MarketDataKind(7, 3), ("marketDataType", (7, 3))),
        (
            TickRequestParameters(7, Decimal("0.01"), "9c0001", 3),
            ("tickReqParams", (7, 0.01, "9c0001", 3)),
        ),
        (SnapshotEnd(7), ("tickSnapshotEnd", (7,))),
        (OrderBound(99, 7, -2), ("orderBound", (99, 7, -2))),
        (Notice(7, 162, "no data"), ("error", (7, 162, "no data", ""))),
        (
            RealTimeBar(7, BAR),
            ("realtimeBar", (7, 1704205800, 150, 152, 149, 151, 1200, 150.5, 7)),
        ),
    ],
)
def test_ticks_and_notices_are_read_back(report: Report, told: tuple[str, tuple[Any, ...]]) -> None:
    assert decoded(said(report), 178) == told
