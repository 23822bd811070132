"""Builders for tests: events with everything filled in that the test does not care about.

Numbers are written as text, times as UTC text; New York's regular session is 14:30 to 21:00 UTC in
winter.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from events import (
    BarClosed,
    CalendarLoaded,
    CashMoved,
    CashMovementKind,
    ClientOrderId,
    CommissionCharged,
    ConfigLoaded,
    CorporateActionApplied,
    CorporateActionKind,
    ExecutionId,
    IntentApproved,
    OrderFilled,
    OrderIntended,
    OrderSending,
    OrderType,
    Record,
    SessionHours,
    Symbol,
    SymbolTerms,
    TimeInForce,
    nanoseconds,
)
from events.codec import JournalEvent
from projections import State

MORNING = "2024-01-02T12:00"
TUESDAY = "2024-01-02T15:00"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_bar(close: str = "100", *, symbol: str = "A", end: str = TUESDAY) -> BarClosed:
    """Return a minute in which every trade was at `close`."""
    price = Decimal(close)
    return BarClosed(Symbol(symbol), 60, utc(end), price, price, price, price, Decimal(1000))


def an_intent(
    order_id: str = "o1", quantity: str = "100", *, symbol: str = "A", strategy: str = "trend"
) -> OrderIntended:
    return OrderIntended(
        ClientOrderId(order_id),
        strategy,
        Symbol(symbol),
        Decimal(quantity),
        OrderType.MARKET,
        TimeInForce.DAY,
        cause_key="A|60|20240102T150000",
        leg=0,
    )


def an_order(
    order_id: str = "o1", quantity: str = "100", *, symbol: str = "A", strategy: str = "trend"
) -> tuple[JournalEvent, ...]:
    """Return an order's life up to its sending."""
    intent = an_intent(order_id, quantity, symbol=symbol, strategy=strategy)
    return (
        intent,
        IntentApproved(ClientOrderId(order_id), ()),
        OrderSending(ClientOrderId(order_id)),
    )


def a_fill(  # noqa: PLR0913 - what a fill says
    quantity: str = "100",
    price: str = "100",
    *,
    execution_id: str = "e1",
    order_id: str = "o1",
    symbol: str = "A",
    executed_at: str = TUESDAY,
) -> OrderFilled:
    return OrderFilled(
        ClientOrderId(order_id),
        ExecutionId(execution_id),
        Symbol(symbol),
        Decimal(quantity),
        Decimal(price),
        utc(executed_at),
    )


def a_commission(
    amount: str = "1", *, execution_id: str = "e1", order_id: str = "o1"
) -> CommissionCharged:
    return CommissionCharged(ClientOrderId(order_id), ExecutionId(execution_id), Decimal(amount))


def a_deposit(amount: str = "100000", reference: str = "opening capital") -> CashMoved:
    return CashMoved(CashMovementKind.DEPOSIT, Decimal(amount), reference)


def a_withdrawal(amount: str, reference: str = "rent") -> CashMoved:
    """Return `amount` dollars leaving the account."""
    return CashMoved(CashMovementKind.WITHDRAWAL, -Decimal(amount), reference)


def a_split(
    ratio: str, before: str, after: str, *, in_lieu: str = "0", price: str | None = None
) -> CorporateActionApplied:
    """Return a split of A by `ratio` (new:old) that made `before` shares `after`."""
    new, old = ratio.split(":")
    return CorporateActionApplied(
        f"split {ratio}",
        Symbol("A"),
        CorporateActionKind.SPLIT,
        Decimal(before),
        Decimal(after),
        int(new),
        int(old),
        None if price is None else Decimal(price),
        Decimal(in_lieu),
    )


def a_dividend(a_share: str, held: str, receivable: str) -> CorporateActionApplied:
    """Return A going ex a dividend of `a_share` dollars with `held` shares in the books."""
    return CorporateActionApplied(
        f"dividend {a_share}",
        Symbol("A"),
        CorporateActionKind.DIVIDEND,
        Decimal(held),
        Decimal(held),
        cash_per_share=Decimal(a_share),
        receivable=Decimal(receivable),
    )


def a_payment(a_share: str, amount: str) -> CashMoved:
    """Return the payment of the dividend of `a_share` dollars."""
    return CashMoved(CashMovementKind.DIVIDEND, Decimal(amount), f"dividend {a_share}")


def a_session(day: str, close: str = "21:00", open_: str = "14:30") -> SessionHours:
    """Return New York's session of `day`, extended hours from 5.5 hours before to 4 after."""
    opens, closes = utc(f"{day}T{open_}"), utc(f"{day}T{close}")
    early = opens - timedelta(hours=5, minutes=30)
    return SessionHours(date.fromisoformat(day), opens, closes, early, closes + timedelta(hours=4))


def a_calendar(*sessions: SessionHours, exchange: str = "NYSE") -> CalendarLoaded:
    return CalendarLoaded(exchange, "test", sessions)


def a_config(
    *symbols: str, extended_hours: bool = False, believed: str | None = None
) -> ConfigLoaded:
    """Return a configuration in which moves of up to `believed` are booked at once, None: all."""
    terms = SymbolTerms("NYSE", enforce_hours=True, extended_hours=extended_hours)
    return ConfigLoaded(
        {},
        {Symbol(symbol): terms for symbol in symbols or ("A",)},
        outlier_threshold=None if believed is None else Decimal(believed),
    )


def records(*events: JournalEvent, first: int = 1, at: str = MORNING) -> Iterator[Record]:
    """Yield `events` as records from seq `first` on; bars and fills move the time on from `at`."""
    now = nanoseconds(utc(at))
    for seq, event in enumerate(events, first):
        match event:
            case BarClosed(end=moment) | OrderFilled(executed_at=moment):
                now = max(now, nanoseconds(moment))
        yield Record(seq, now, event)


def fold(state: State, *events: JournalEvent, at: str = MORNING) -> State:
    """Return `state`, moved on by `events`."""
    for record in records(*events, first=state.seq + 1, at=at):
        state.apply(record)
    return state


def state_after(*events: JournalEvent) -> State:
    """Return fresh books with `events` folded."""
    return fold(State(), *events)
