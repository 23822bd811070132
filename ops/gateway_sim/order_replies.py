"""The two longest messages a gateway sends: an open order and a completed one.

Their unset fields are spelled as the real gateway spells them, the odd ones included: a right of
`?`, an order type `None` that brings eight fields with it, the largest integer for no size.
"""

from typing import Final

from ops.gateway_sim.fields import (
    LONG_MAX,
    UNSET_DOUBLE_TEXT,
    UNSET_INTEGER,
    double,
    flag,
    moment_text,
    size,
)
from ops.gateway_sim.order_request import (
    AUTO_CANCEL_PARENT,
    DURATION,
    FA_PROFILE_GONE,
    PEG_OFFSETS,
    POST_TO_ATS,
)
from ops.gateway_sim.reports import (
    CompletedOrder,
    OpenOrder,
)
from ops.gateway_sim.terms import (
    Contract,
    OrderLine,
    WhatIf,
)

_NO_INTEGER: Final = str(UNSET_INTEGER)
_OCA_BY_DEFAULT: Final = 3
_QUANTITY: Final = 12
"""Where an order's total quantity stands, behind its contract and its action."""
_NO_LEGS: Final = ("0", "0", "0")
_NO_NEUTRAL_CONTRACT: Final = "0"
_DELTA_NEUTRAL: Final = ("None", "", "0", "", "", "", "?", "0", "0", "")
"""The order type, its price, and the eight fields they bring: no order here hedges its delta."""
_DELTA_NEUTRAL_COMPLETED: Final = ("None", "", "0", "0", "0", "")


def contract_fields(contract: Contract) -> list[str]:
    """Return the eleven fields of a contract in orders, executions and positions."""
    return [
        str(contract.con_id),
        contract.symbol,
        contract.security_type,
        contract.last_trade_date,
        "0" if contract.strike is None else double(contract.strike),
        contract.right or "?",
        contract.multiplier,
        contract.exchange,
        contract.currency,
        contract.local_symbol,
        contract.trading_class,
    ]


def open_order(report: OpenOrder, version: int) -> list[str]:
    """Return an openOrder message; 135 fields for a stock at 178."""
    order, terms = report.order, report.order.terms
    allocation = f"{order.perm_id}.0/{terms.account}/{size(terms.quantity)}"
    return [
        "5",
        str(terms.order_id),
        *_asked(order),
        str(order.client_id),
        str(order.perm_id),
        *_when(order),
        allocation,
        *_advisor(order, version),
        *_short_sale(order),
        _other(order, "auctionStrategy", "0"),
        *_reference_prices(order),
        *_sizes(order, block=True),
        str(terms.oca_type or _OCA_BY_DEFAULT),
        "0",
        "0",
        "",
        str(terms.parent_id),
        str(terms.trigger_method),
        _other(order, "volatility"),
        _other(order, "volatilityType", "0"),
        *_DELTA_NEUTRAL,
        *_trailing(order),
        "",
        "",
        "",
        *_NO_LEGS,
        *_scale_and_hedge(order),
        _other(order, "optOutSmartRouting", "0"),
        *_clearing(order),
        "",
        _other(order, "solicited", "0"),
        flag(terms.what_if),
        order.status.value,
        *_margins(report.what_if),
        *_commission(order, report.what_if),
        order.warning,
        *_randomized(order),
        *_adjusted(order),
        *_since(order, version),
    ]


def completed_order(report: CompletedOrder, version: int, zone: str) -> list[str]:
    """Return a completedOrder message; 100 fields for a stock at 178, and no order id.

    Its total quantity is what never filled: 0 for a filled order, as it was recorded.
    """
    order, terms = report.order, report.order.terms
    completed = order.completed_at
    offsets = ("",) * len(_PEG_UNSET) if version >= PEG_OFFSETS else ()
    asked = _asked(order)
    asked[_QUANTITY] = size(order.remaining)
    return [
        "101",
        *asked,
        str(order.perm_id),
        *_when(order),
        *_advisor(order, version),
        *_short_sale(order),
        *_reference_prices(order),
        *_sizes(order, block=False),
        str(terms.oca_type or _OCA_BY_DEFAULT),
        str(terms.trigger_method),
        _other(order, "volatility"),
        _other(order, "volatilityType", "0"),
        *_DELTA_NEUTRAL_COMPLETED,
        *_trailing(order),
        "",
        *_NO_LEGS,
        *_scale_and_hedge(order),
        *_clearing(order),
        "",
        _other(order, "solicited", "0"),
        order.status.value,
        *_randomized(order),
        "0",
        double(order.trail_stop),
        double(terms.limit_price_offset),
        "0" if terms.cash_quantity is None else double(terms.cash_quantity),
        "1",
        "0",
        "",
        size(order.filled),
        _NO_INTEGER,
        "0",
        "Not an insider or substantial shareholder",
        "0",
        "0",
        str(order.parent_perm_id or LONG_MAX),
        "" if completed is None else moment_text(completed, zone),
        order.completed_status,
        *offsets,
    ]


def _other(order: OrderLine, name: str, unset: str = "") -> str:
    return order.terms.other.get(name, unset)


def _asked(order: OrderLine) -> list[str]:
    terms = order.terms
    return [
        *contract_fields(order.contract),
        terms.action,
        size(terms.quantity),
        terms.type,
        double(terms.limit_price, "0.0"),
        double(terms.aux_price, "0.0"),
        terms.tif,
        terms.oca_group,
        terms.account,
        _other(order, "openClose"),
        _other(order, "origin", "0"),
        terms.order_ref,
    ]


def _when(order: OrderLine) -> list[str]:
    terms = order.terms
    return [
        flag(terms.outside_rth),
        flag(terms.hidden),
        _other(order, "discretionaryAmt", "0"),
        terms.good_after,
    ]


def _advisor(order: OrderLine, version: int) -> list[str]:
    profile = [_other(order, "faProfile")] if version < FA_PROFILE_GONE else []
    names = ("faGroup", "faMethod", "faPercentage")
    return [
        *(_other(order, name) for name in names),
        *profile,
        _other(order, "modelCode"),
        order.terms.good_till,
        _other(order, "rule80A"),
        _other(order, "percentOffset"),
        _other(order, "settlingFirm"),
    ]


def _short_sale(order: OrderLine) -> list[str]:
    return [
        _other(order, "shortSaleSlot", "0"),
        _other(order, "designatedLocation"),
        _other(order, "exemptCode", "-1"),
    ]


def _reference_prices(order: OrderLine) -> list[str]:
    names = ("startingPrice", "stockRefPrice", "delta", "stockRangeLower", "stockRangeUpper")
    return [_other(order, name) for name in names]


def _sizes(order: OrderLine, *, block: bool) -> list[str]:
    terms = order.terms
    blocks = [_other(order, "blockOrder", "0")] if block else []
    return [
        str(terms.display_size or UNSET_INTEGER),
        *blocks,
        _other(order, "sweepToFill", "0"),
        flag(terms.all_or_none),
        str(terms.min_quantity or ""),
    ]


def _trailing(order: OrderLine) -> list[str]:
    return [
        _other(order, "continuousUpdate", "0"),
        _other(order, "referencePriceType", "0"),
        double(order.trail_stop, ""),
        double(order.terms.trailing_percent, ""),
    ]


def _scale_and_hedge(order: OrderLine) -> list[str]:
    levels = [
        _other(order, name, _NO_INTEGER) for name in ("scaleInitLevelSize", "scaleSubsLevelSize")
    ]
    return [*levels, "", ""]


def _clearing(order: OrderLine) -> list[str]:
    return [
        _other(order, "clearingAccount"),
        _other(order, "clearingIntent", "IB"),
        _other(order, "notHeld", "0"),
        _NO_NEUTRAL_CONTRACT,
    ]


def _margins(what_if: WhatIf | None) -> list[str]:
    found = what_if or WhatIf()
    return [
        double(figure)
        for figure in (
            found.initial_before,
            found.maintenance_before,
            found.equity_before,
            found.initial_change,
            found.maintenance_change,
            found.equity_change,
            found.initial_after,
            found.maintenance_after,
            found.equity_after,
        )
    ]


def _commission(order: OrderLine, what_if: WhatIf | None) -> list[str]:
    if what_if is not None:
        figures = (what_if.commission, what_if.commission_min, what_if.commission_max)
        return [*(double(figure) for figure in figures), "USD"]
    if order.commission is not None:
        return [double(order.commission), "", "", "USD"]
    return ["", "", "", ""]


def _randomized(order: OrderLine) -> list[str]:
    return [_other(order, "randomizeSize", "0"), _other(order, "randomizePrice", "0")]


def _adjusted(order: OrderLine) -> list[str]:
    terms = order.terms
    return [
        "0",
        "None",
        _other(order, "triggerPrice", UNSET_DOUBLE_TEXT),
        double(order.trail_stop),
        double(terms.limit_price_offset),
        UNSET_DOUBLE_TEXT,
        UNSET_DOUBLE_TEXT,
        UNSET_DOUBLE_TEXT,
        "0",
        _other(order, "softDollarTierName"),
        _other(order, "softDollarTierVal"),
        "",
        "0" if terms.cash_quantity is None else double(terms.cash_quantity),
        _other(order, "dontUseAutoPriceForHedge", "1"),
        _other(order, "isOmsContainer", "0"),
        _other(order, "discretionaryUpToLimitPrice", "0"),
        _other(order, "usePriceMgmtAlgo", "0"),
    ]


_PEG_UNSET: Final = ("", "100", "0.02", "", "")
"""Offsets of pegged orders, as they come with an order that has none."""


def _since(order: OrderLine, version: int) -> list[str]:
    added = [
        (DURATION, [_other(order, "duration")]),
        (POST_TO_ATS, [_other(order, "postToAts")]),
        (AUTO_CANCEL_PARENT, [_other(order, "autoCancelParent", "0")]),
        (PEG_OFFSETS, list(_PEG_UNSET)),
    ]
    return [field for since, fields in added if version >= since for field in fields]
