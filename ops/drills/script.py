"""What a broker is to say behind a crash, made from what it did say, and how oddly it may."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Final

import msgspec

from events import (
    AccountReported,
    BarClosed,
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerRestored,
    ClientOrderId,
    CommissionCharged,
    CommissionCorrected,
    ContractResolved,
    FillCorrected,
    MarginReported,
    MarginUnavailable,
    MarketDataImpaired,
    OrderAcknowledged,
    OrderAmended,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderNumbersWentBack,
    OrderRejected,
    OrderWithheld,
    OrderWorking,
    Record,
    ShortSaleReported,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    TimerFired,
    TradingHoursReported,
)
from events.codec import Input
from events.reconciliation import BooksReported

_DELAY_MAX: Final = 6
"""Steps by which a report is late at the most where reports come out of order."""

Answer = OrderAcknowledged | OrderWorking
End = OrderRejected | OrderCancelled | OrderExpired
Report = Answer | End | OrderAmended | OrderFilled | CommissionCharged
Told = Report | FillCorrected | CommissionCorrected
Market = (
    BarClosed
    | BrokerConnected
    | BrokerDisconnected
    | BrokerDegraded
    | BrokerRestored
    | OrderNumbersWentBack
    | BrokerDataLost
    | SymbolHalted
    | SymbolResumed
    | ShortSaleReported
    | TradingHoursReported
    | MarketDataImpaired
    | ContractResolved
    | AccountReported
)
"""What comes from the market and the line to it: the drill goes on with it for a while."""
_MADE_ANEW = TimerFired | BooksReported | MarginReported | MarginUnavailable | OrderWithheld
"""What the recovered daemon sees to by itself."""


class Variant(StrEnum):
    """How the broker's word comes after the crash."""

    AS_RECORDED = "as recorded"
    UNACKNOWLEDGED = "acknowledgements lost"
    TWICE = "everything twice"
    REORDERED = "out of order"
    UNANSWERED = "never arrived"


class Traded(msgspec.Struct, frozen=True):
    """What a report moves in the account: shares of `symbol`, dollars."""

    symbol: Symbol
    shares: Decimal
    dollars: Decimal


class Step(msgspec.Struct, frozen=True):
    """One thing that comes from outside at `at` (ns UTC), and what it moves at the broker."""

    at: int
    seq: int
    event: Input
    order_id: ClientOrderId | None = None
    traded: Traded | None = None


class Script(msgspec.Struct, frozen=True):
    """All that is to come: the steps in their order, and what margin orders needed, by order."""

    steps: Sequence[Step]
    margins: Mapping[ClientOrderId, MarginReported]


def step_of(record: Record) -> Step | None:
    """Return what `record` was outside, None where it is nothing a drill gives again."""
    event = record.event
    if isinstance(event, Told):
        return Step(record.at, record.seq, as_told(event), event.client_order_id, _traded(event))
    return Step(record.at, record.seq, event) if isinstance(event, Market) else None


def ends_the_market(record: Record) -> bool:
    """Say whether behind `record` the market cannot go on without it: a person, a session."""
    return not isinstance(record.event, Told | Market | _MADE_ANEW)


def as_told(event: Told) -> Report:
    """Return `event` as the broker says it: a correction is the execution with a revision."""
    match event:
        case FillCorrected():
            return OrderFilled(
                event.client_order_id,
                event.execution_id,
                event.symbol,
                event.quantity,
                event.price,
                event.executed_at,
                event.revision,
            )
        case CommissionCorrected():
            order_id, execution = event.client_order_id, event.execution_id
            return CommissionCharged(order_id, execution, event.amount, event.revision)
        case _:
            return event


def _traded(event: Told) -> Traded | None:
    zero, nothing = Decimal(0), Symbol("")
    match event:
        case OrderFilled():
            return Traded(event.symbol, event.quantity, -event.quantity * event.price)
        case FillCorrected():
            shares = event.quantity - event.was_quantity
            before, now = event.was_quantity * event.was_price, event.quantity * event.price
            return Traded(event.symbol, shares, before - now)
        case CommissionCharged():
            return Traded(nothing, zero, -event.amount)
        case CommissionCorrected():
            return Traded(nothing, zero, event.was - event.amount)
        case _:
            return None


def played(steps: Iterable[Step], variant: Variant, seed: int) -> Sequence[Step]:
    """Return `steps` in the way of `variant`; the same seed, the same way."""
    found = list(steps)
    if variant is Variant.UNACKNOWLEDGED:
        return [step for step in found if not isinstance(step.event, Answer)]
    if variant is Variant.TWICE:
        return [each for step in found for each in (step, step)]
    if variant is Variant.REORDERED:
        chance = Random(seed)  # noqa: S311 - it must be the same again, not secret
        place = {
            step.seq: index + (chance.uniform(0, _DELAY_MAX) if step.order_id else 0)
            for index, step in enumerate(found)
        }
        return sorted(found, key=lambda step: place[step.seq])
    return found
