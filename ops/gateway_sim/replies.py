"""What the gateway says, as the fields of a message at the version of the connection."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from ops.gateway_sim.fields import double, moment_text, size
from ops.gateway_sim.order_replies import completed_order, contract_fields, open_order
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
    TickGeneric,
    TickPrice,
    TickRequestParameters,
    TickSize,
    TickString,
)
from ops.gateway_sim.terms import (
    AccountValue,
    Bar,
    Contract,
    ContractDetails,
    PortfolioLine,
    PositionLine,
    Side,
)

ADVANCED_REJECT: Final = 166
SIZE_RULES: Final = 164
FRACTIONAL_SIZE: Final = 163
PENDING_PRICE_REVISION: Final = 178
ISSUER_ID: Final = 176


class TimeSpelling(StrEnum):
    """How the moment of an execution is written; all three have been seen."""

    ZONED = "zoned"
    """`20240102 09:30:00 US/Eastern`"""
    BARE = "bare"
    """`20240102  09:30:00`, in the zone of the gateway's login"""
    UTC = "utc"
    """`20240102-14:30:00`"""


class Manner(msgspec.Struct, frozen=True):
    """How one connection wants things said."""

    version: int
    zone: str
    spelling: TimeSpelling = TimeSpelling.ZONED


def fields_of(report: Report, manner: Manner, epoch_requests: Iterable[int] = ()) -> list[str]:
    """Return the message of `report`.

    Bars of `epoch_requests` carry epoch seconds, those of other requests local time.
    """
    if isinstance(report, History | HistoryUpdate):
        return _history(report, manner, as_epoch=report.request_id in epoch_requests)
    return _WRITTEN[type(report)](report, manner)


def execution_moment(moment: datetime, manner: Manner) -> str:
    """Return when an execution was, in the spelling of the connection."""
    match manner.spelling:
        case TimeSpelling.UTC:
            return f"{moment:%Y%m%d-%H:%M:%S}"
        case TimeSpelling.BARE:
            return f"{moment.astimezone(ZoneInfo(manner.zone)):%Y%m%d  %H:%M:%S}"
        case TimeSpelling.ZONED:
            return moment_text(moment, manner.zone)


def contract_details(request_id: int, details: ContractDetails, version: int) -> list[str]:
    """Return a contractDetails message."""
    contract = details.contract
    multiplier_of_size = [] if version >= SIZE_RULES else ["1"]
    if version >= SIZE_RULES:
        sizes = [details.min_size, details.size_increment, details.suggested_size_increment]
    else:
        sizes = [details.size_increment] if version == FRACTIONAL_SIZE else []
    return [
        "10",
        *([] if version >= SIZE_RULES else ["8"]),
        str(request_id),
        contract.symbol,
        contract.security_type,
        contract.last_trade_date,
        "0" if contract.strike is None else double(contract.strike),
        contract.right,
        contract.exchange,
        contract.currency,
        contract.local_symbol,
        details.market_name,
        contract.trading_class,
        str(contract.con_id),
        double(details.min_tick),
        *multiplier_of_size,
        contract.multiplier,
        details.order_types,
        details.valid_exchanges,
        str(details.price_magnifier),
        "0",
        details.long_name,
        contract.primary_exchange,
        "",
        details.industry,
        details.category,
        details.subcategory,
        details.time_zone,
        details.trading_hours,
        details.liquid_hours,
        "",
        "0",
        str(len(details.security_ids)),
        *(text for pair in details.security_ids for text in pair),
        "1",
        "",
        "",
        details.market_rule_ids,
        "",
        details.stock_type,
        *(size(each) for each in sizes),
    ]


def matching_symbols(request_id: int, found: Iterable[ContractDetails], version: int) -> list[str]:
    """Return a symbolSamples message."""
    samples = []
    for details in found:
        contract = details.contract
        samples.append(
            [
                str(contract.con_id),
                contract.symbol,
                contract.security_type,
                contract.primary_exchange,
                contract.currency,
                "0",
                *([details.long_name, ""] if version >= ISSUER_ID else []),
            ]
        )
    return ["79", str(request_id), str(len(samples)), *(text for each in samples for text in each)]


def position(line: PositionLine) -> list[str]:
    """Return a position message."""
    return ["61", "3", line.account, *_held(line)]


def position_multi(request_id: int, line: PositionLine, model: str) -> list[str]:
    """Return a positionMulti message."""
    return ["71", "1", str(request_id), line.account, *_held(line), model]


def portfolio(line: PortfolioLine) -> list[str]:
    """Return an updatePortfolio message."""
    contract = line.contract
    held = _traded(contract, contract.right or "0", contract.primary_exchange)
    return [
        "7",
        "8",
        *held,
        size(line.quantity),
        double(line.market_price),
        double(line.market_value),
        double(line.average_cost),
        double(line.unrealized),
        double(line.realized),
        line.account,
    ]


def account_value(value: AccountValue) -> list[str]:
    """Return an updateAccountValue message."""
    return ["6", "2", value.tag, value.value, value.currency, value.account]


def account_summary(request_id: int, value: AccountValue) -> list[str]:
    """Return an accountSummary message."""
    return ["63", "1", str(request_id), value.account, value.tag, value.value, value.currency]


def account_multi(request_id: int, value: AccountValue, model: str) -> list[str]:
    """Return an accountUpdateMulti message."""
    named = [value.account, model, value.tag, value.value, value.currency]
    return ["73", "1", str(request_id), *named]


def profit_and_loss(request_id: int, lines: Iterable[PortfolioLine]) -> list[str]:
    """Return a pnl message; what a day brought is not known here and stays unset."""
    held = list(lines)
    unrealized = sum((line.unrealized for line in held), Decimal(0))
    realized = sum((line.realized for line in held), Decimal(0))
    return ["94", str(request_id), double(None), double(unrealized), double(realized)]


def profit_and_loss_of(request_id: int, line: PortfolioLine | None) -> list[str]:
    """Return a pnlSingle message."""
    if line is None:
        return ["95", str(request_id), "0", double(None), double(None), double(None), "0.0"]
    figures = [double(line.unrealized), double(line.realized), double(line.market_value)]
    return ["95", str(request_id), size(line.quantity), double(None), *figures]


def _held(line: PositionLine) -> list[str]:
    contract = _traded(line.contract, line.contract.right, line.contract.exchange)
    return [*contract, size(line.quantity), double(line.average_cost)]


def _traded(contract: Contract, right: str, exchange: str) -> list[str]:
    """Return a contract as it is told with what was traded of it, not with an order."""
    told = contract_fields(contract)
    told[4:8] = [double(contract.strike, "0.0"), right, contract.multiplier, exchange]
    return told


def _notice(report: Notice, manner: Manner) -> list[str]:
    advanced = [report.advanced] if manner.version >= ADVANCED_REJECT else []
    return ["4", "2", str(report.request_id), str(report.code), report.text, *advanced]


def _status(report: OrderStatus, manner: Manner) -> list[str]:  # noqa: ARG001 - as every writer
    order = report.order
    return [
        "3",
        str(order.order_id),
        order.status.value,
        size(order.filled),
        size(order.remaining),
        size(order.average_price),
        str(order.perm_id),
        str(order.terms.parent_id),
        size(order.last_price),
        str(order.client_id),
        order.why_held,
        "0",
    ]


def _execution(report: ExecutionReport, manner: Manner) -> list[str]:
    done = report.execution
    revision = ["0"] if manner.version >= PENDING_PRICE_REVISION else []
    return [
        "11",
        str(report.request_id),
        str(done.order_id),
        *_traded(done.contract, done.contract.right, done.exchange),
        done.execution_id,
        execution_moment(done.at, manner),
        done.account,
        done.exchange,
        "BOT" if done.side is Side.BUY else "SLD",
        size(done.shares),
        double(done.price),
        str(done.perm_id),
        str(done.client_id),
        str(done.liquidation),
        size(done.cumulative),
        double(done.average_price),
        done.order_ref,
        "",
        "",
        "",
        str(done.last_liquidity),
        *revision,
    ]


def _commission(report: CommissionReport, manner: Manner) -> list[str]:  # noqa: ARG001 - as above
    paid = report.commission
    amounts = [double(paid.commission), paid.currency, double(paid.realized), double(None), ""]
    return ["59", "1", paid.execution_id, *amounts]


def _history(report: History | HistoryUpdate, manner: Manner, *, as_epoch: bool) -> list[str]:
    def written(bar: Bar) -> str:
        if bar.whole_day:
            return f"{bar.at:%Y%m%d}"
        return epoch(bar.at) if as_epoch else moment_text(bar.at, manner.zone)

    if isinstance(report, HistoryUpdate):
        bar = report.bar
        prices = [double(price) for price in (bar.open, bar.close, bar.high, bar.low)]
        return [
            "90",
            str(report.request_id),
            str(bar.count),
            written(bar),
            *prices,
            double(bar.wap),
            size(bar.volume),
        ]
    bounds = [moment_text(report.start, manner.zone), moment_text(report.end, manner.zone)]
    return [
        "17",
        str(report.request_id),
        *bounds,
        str(len(report.bars)),
        *(text for bar in report.bars for text in [written(bar), *_bar(bar)]),
    ]


def _bar(bar: Bar) -> list[str]:
    prices = [double(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    return [*prices, size(bar.volume), double(bar.wap), str(bar.count)]


def epoch(moment: datetime) -> str:
    """Return whole seconds since 1970."""
    return str(int(moment.timestamp()))


_WRITTEN: Final[Mapping[type, Callable[[Any, Manner], list[str]]]] = {
    OpenOrder: lambda report, manner: open_order(report, manner.version),
    OrderStatus: _status,
    CompletedOrder: lambda report, manner: completed_order(report, manner.version, manner.zone),
    ExecutionReport: _execution,
    CommissionReport: _commission,
    OrderBound: lambda report, _: [
        "100",
        str(report.perm_id),
        str(report.client_id),
        str(report.order_id),
    ],
    Notice: _notice,
    PositionMoved: lambda report, _: position(report.position),
    TickPrice: lambda report, _: [
        "1",
        "6",
        str(report.request_id),
        str(report.kind),
        double(report.price),
        size(report.size),
        str(report.mask),
    ],
    TickSize: lambda report, _: [
        "2",
        "6",
        str(report.request_id),
        str(report.kind),
        size(report.size),
    ],
    TickGeneric: lambda report, _: [
        "45",
        "6",
        str(report.request_id),
        str(report.kind),
        double(report.value),
    ],
    TickString: lambda report, _: [
        "46",
        "6",
        str(report.request_id),
        str(report.kind),
        report.value,
    ],
    MarketDataKind: lambda report, _: ["58", "1", str(report.request_id), str(report.kind)],
    TickRequestParameters: lambda report, _: [
        "81",
        str(report.request_id),
        double(report.min_tick),
        report.bbo_exchange,
        str(report.snapshot_permissions),
    ],
    SnapshotEnd: lambda report, _: ["57", "1", str(report.request_id)],
    RealTimeBar: lambda report, _: [
        "50",
        "3",
        str(report.request_id),
        epoch(report.bar.at),
        *_bar(report.bar),
    ],
}
