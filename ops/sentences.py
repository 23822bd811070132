"""One readable line for every event. A new type of event is a type error here until it has one.

Texts that are not ours stand in it as `one_line` shows them.
"""

from decimal import Decimal
from typing import assert_never

from events import (
    AccountReported,
    BarClosed,
    BarMissing,
    BreakOpened,
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerHeard,
    BrokerUnparsed,
    BrokerUnreachable,
    CalendarLoaded,
    CancelSending,
    CashMoved,
    Check,
    ClientOrderId,
    CommandRefused,
    CommissionCharged,
    CommissionCorrected,
    ConfigLoaded,
    ContractResolved,
    CorporateActionAnnounced,
    CorporateActionApplied,
    CorporateActionKind,
    FillCorrected,
    HoldLifted,
    HoldPlaced,
    HoldScope,
    IntentApproved,
    IntentRefused,
    JournalOpened,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    OperatorCommand,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderSending,
    OrderType,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    PermitLost,
    SessionEnded,
    SessionStarted,
    ShortSaleReported,
    StrategyDeclined,
    StrategyFailed,
    StrategyPromoted,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    TimerFired,
)
from events.codec import Command, JournalEvent
from ops.operator_sentences import operator_sentence
from ops.reconciliation_sentences import ReconciliationEvent, reconciliation_sentence
from ops.render import moment, money, one_line, percent, price, quantity, span
from projections.broker import LinkEvent

RarerEvent = (
    LinkEvent
    | FillCorrected
    | CommissionCorrected
    | HoldPlaced
    | HoldLifted
    | StrategyDeclined
    | StrategyFailed
    | JournalOpened
    | SessionStarted
    | SessionEnded
    | ConfigLoaded
    | CalendarLoaded
    | TimerFired
    | Command
    | PermitLost
    | CommandRefused
    | StrategyPromoted
)
"""What is said of the daemon, the connection and its people, and not of an order's way."""

_SHARES = frozenset({"drawdown", "outlier", "collar_last", "collar_close"})
"""The checks that measure a share of something."""


def sentence(event: JournalEvent) -> str:  # noqa: C901, PLR0911, PLR0912 - one branch a type
    """Return what happened, in words; the symbol and the order's id are left to the caller."""
    if isinstance(event, ReconciliationEvent):
        return reconciliation_sentence(event)
    match event:
        case BarClosed():
            return bar_text(event)
        case BarMissing():
            return f"no bar came for {moment(event.start)} to {moment(event.end)}"
        case OrderIntended():
            return f"{one_line(event.strategy)} wants to {order_text(event)}"
        case IntentApproved():
            return f"passed all {len(event.checks)} checks"
        case IntentRefused():
            return f"refused: {'; '.join(check_text(each) for each in event.failed)}"
        case OrderSending():
            return "the order is leaving"
        case OrderWithheld():
            return _because("the order did not leave", event.reason)
        case OrderAcknowledged():
            return _because("the broker has the order", event.broker_order_id)
        case OrderWorking():
            return "the order rests at the exchange"
        case OrderRejected():
            return _because("the broker refused the order", event.reason)
        case OrderCancelled():
            return _because("the rest of the order is cancelled", event.reason)
        case OrderExpired():
            return _because("the order has expired", event.reason)
        case OrderUnknown():
            return _because("nobody knows where the order is", event.reason)
        case CancelSending():
            return _because("a cancel is leaving", event.reason)
        case OrderFilled():
            return f"{_traded(event.quantity)} at {price(event.price)}"
        case CommissionCharged():
            return f"{money(event.amount)} commission"
        case BrokerUnparsed():
            what = f"the broker reported what cannot be so, {one_line(event.why)}"
            return _because(what, event.raw)
        case CashMoved():
            return f"{event.kind} of {money(event.amount)} ({one_line(event.reference)})"
        case CorporateActionAnnounced() | CorporateActionApplied():
            return _action_text(event)
        case ContractResolved() | SymbolHalted() | SymbolResumed() | ShortSaleReported():
            return _instrument_text(event)
        case AccountReported() | MarginRequested() | MarginReported() | MarginUnavailable():
            return _margin_text(event)
        case _:
            return _rarer_sentence(event)


def _rarer_sentence(event: RarerEvent) -> str:  # noqa: C901, PLR0911 - as above
    match event:
        case FillCorrected() | CommissionCorrected():
            return _correction_text(event)
        case (
            BrokerHeard()
            | BrokerConnected()
            | BrokerDisconnected()
            | BrokerDegraded()
            | BrokerDataLost()
            | BrokerUnreachable()
        ):
            return _connection_text(event)
        case HoldPlaced():
            return hold_text(event)
        case HoldLifted():
            lifted = f"hold {one_line(event.hold_id)} lifted by {one_line(event.by)}"
            return _because(lifted, event.why)
        case StrategyDeclined():
            stage = f"{one_line(event.strategy)} does not trade: {one_line(event.stage)}"
            return _because(stage, event.reason)
        case StrategyFailed():
            return _because(f"{one_line(event.strategy)} failed and is asked no more", event.error)
        case JournalOpened() | SessionStarted() | SessionEnded():
            return _session_text(event)
        case ConfigLoaded():
            return f"configuration with {len(event.symbols)} symbols"
        case CalendarLoaded():
            return _calendar_text(event)
        case TimerFired():
            return f"{event.kind} timer of {one_line(event.subject)}, due {moment(event.due)}"
        case OperatorCommand() | PermitLost() | CommandRefused() | StrategyPromoted():
            return operator_sentence(event)
        case _:
            assert_never(event)


def _correction_text(event: FillCorrected | CommissionCorrected) -> str:
    if isinstance(event, CommissionCorrected):
        return f"{money(event.amount)} commission, corrected from {money(event.was)}"
    if not event.quantity:
        was = f"{_traded(event.was_quantity)} at {price(event.was_price)}"
        return f"taken back by the broker: {was}"
    now = f"{_traded(event.quantity)} at {price(event.price)}"
    return f"{now}, corrected from {quantity(abs(event.was_quantity))} at {price(event.was_price)}"


def _connection_text(event: LinkEvent) -> str:
    match event:
        case BrokerHeard():
            said = " ".join(field for field in event.fields if field)
            return _because(f"the broker says {one_line(event.kind)}", said)
        case BrokerConnected():
            who = f"client {event.client_id}, version {event.server_version}"
            return f"connected to {one_line(event.endpoint)} as {who}"
        case BrokerDisconnected():
            return _because("not connected to the broker", event.reason)
        case BrokerDegraded():
            return _because("connected, but", event.reason)
        case BrokerDataLost():
            return _because("every subscription is gone", event.reason)
        case BrokerUnreachable():
            login = "; somebody probably has to log in" if event.login_needed else ""
            since = f"{event.attempts} attempts since {moment(event.since)}"
            return _because(f"the broker is not reached, {since}{login}", event.reason)
        case _:
            assert_never(event)


def _session_text(event: JournalOpened | SessionStarted | SessionEnded) -> str:
    match event:
        case JournalOpened():
            account = f"account {one_line(event.account)}, mode {event.mode}"
            return f"journal {one_line(event.journal_id)} of {account}"
        case SessionStarted():
            named = one_line(", ".join(event.strategies)) or "no strategy"
            return f"traded {one_line(event.code_version)} took the journal over with {named}"
        case SessionEnded():
            return _because("traded gave the journal back", event.reason)
        case _:
            assert_never(event)


def symbol_of(event: JournalEvent) -> Symbol | None:
    """Return the symbol `event` itself names; an order's reports name only the order."""
    if isinstance(event, HoldPlaced) and event.scope is HoldScope.SYMBOL:
        return Symbol(event.target)
    if isinstance(event, BreakOpened):
        return event.difference.symbol or None
    return getattr(event, "symbol", None)


def order_id_of(event: JournalEvent) -> ClientOrderId | None:
    """Return the client order id `event` is about, None when it is about no order."""
    return getattr(event, "client_order_id", None)


def bar_text(bar: BarClosed) -> str:
    """Return a bar's prices and volume."""
    return (
        f"{span(bar.span_s)} bar: open {price(bar.open)}, high {price(bar.high)}, "
        f"low {price(bar.low)}, close {price(bar.close)}, volume {quantity(bar.volume)}"
    )


def order_text(intent: OrderIntended) -> str:
    """Return what an order asks for: `buy 40 at market, DAY`."""
    match intent.order_type:
        case OrderType.MARKET:
            terms = "at market"
        case OrderType.LIMIT:
            terms = f"at {price(intent.limit_price)} or better"
        case OrderType.STOP:
            terms = f"at market once {price(intent.stop_price)} trades"
        case OrderType.STOP_LIMIT:
            stop = price(intent.stop_price)
            terms = f"at {price(intent.limit_price)} or better once {stop} trades"
        case _:
            assert_never(intent.order_type)
    side = "sell" if intent.quantity.is_signed() else "buy"
    over = "" if intent.cancel_after_s is None else f", cancelled after {intent.cancel_after_s} s"
    hours = ", also outside regular hours" if intent.outside_rth else ""
    size = quantity(abs(intent.quantity))
    return f"{side} {size} {terms}, {intent.time_in_force}{hours}{over}"


def check_text(check: Check) -> str:
    """Return what a check measured, against which limit, and the room left or missing."""
    text = one_line(check.name)
    if check.value is not None:
        text += f" {measure(check.name, check.value)}"
    if check.limit is not None:
        text += f" of at most {measure(check.name, check.limit)}"
    if check.headroom is not None:
        room = measure(check.name, abs(check.headroom))
        text += f", {room} too much" if check.headroom < 0 else f", {room} left"
    return _because(text, check.note)


def measure(name: str, value: Decimal) -> str:
    """Return a check's value in the check's own unit, which its name says."""
    if name.endswith(("_usd", "_loss")):
        return money(value)
    if name in _SHARES:
        return percent(value)
    return price(value) if name.startswith("price") else quantity(value)


def hold_text(hold: HoldPlaced) -> str:
    """Return what a hold stops, who placed it and why, and what lifts it."""
    target = one_line(hold.target)
    of = {HoldScope.ALL: "everything", HoldScope.STRATEGY: f"strategy {target}"}
    placed = f"{hold.level} on {of.get(hold.scope, target)} by {one_line(hold.by)}"
    return f"{placed}: {one_line(hold.cause)}: {one_line(hold.why)} (lifted by: {hold.lifts})"


def _because(what: str, why: str) -> str:
    """Return `what`, and behind it why, in words that are not ours."""
    return f"{what}: {one_line(why)}" if why else what


def _traded(shares: Decimal) -> str:
    return f"{'bought' if shares > 0 else 'sold'} {quantity(abs(shares))}"


def _action_text(action: CorporateActionAnnounced | CorporateActionApplied) -> str:
    if isinstance(action, CorporateActionAnnounced):
        return _announced_text(action)
    return _applied_text(action)


def _announced_text(action: CorporateActionAnnounced) -> str:
    if action.kind is CorporateActionKind.SPLIT:
        return f"{action.new_shares}:{action.old_shares} split announced for {action.ex_date}"
    paid = f"paid {action.pay_date}" if action.pay_date else "pay date not known"
    return f"dividend of {price(action.cash_per_share)} a share, ex {action.ex_date}, {paid}"


def _applied_text(action: CorporateActionApplied) -> str:
    if action.kind is CorporateActionKind.DIVIDEND:
        per_share = price(action.cash_per_share)
        return f"gone ex {per_share} a share: {money(action.receivable)} to come"
    became = f"{quantity(action.quantity_before)} became {quantity(action.quantity_after)} shares"
    lieu = f", {money(action.cash_in_lieu)} paid for the fraction" if action.cash_in_lieu else ""
    return f"{action.new_shares}:{action.old_shares} split: {became}{lieu}"


def _calendar_text(event: CalendarLoaded) -> str:
    exchange, source = one_line(event.exchange), one_line(event.source)
    if not event.sessions:
        return f"{exchange}: no sessions, from {source}"
    first, last = event.sessions[0].day, event.sessions[-1].day
    return f"{exchange}: {len(event.sessions)} sessions, {first} to {last}, {source}"


def _instrument_text(
    event: ContractResolved | SymbolHalted | SymbolResumed | ShortSaleReported,
) -> str:
    match event:
        case ContractResolved():
            steps = (
                ("price step", event.price_increment),
                ("size step", event.size_increment),
            )
            said = "".join(f", {name} {size}" for name, size in steps if size is not None)
            return f"contract {event.contract_id}{said}"
        case SymbolHalted():
            return _because("trading is halted", event.reason)
        case SymbolResumed():
            return _because("trading is resumed", event.reason)
        case ShortSaleReported():
            shares = event.shortable_shares
            known = (
                "an unknown number of shares" if shares is None else f"{quantity(shares)} shares"
            )
            price_test = ", not at the market" if event.restricted else ""
            return f"on {event.day} {known} may be sold short{price_test}"
        case _:
            assert_never(event)


def _margin_text(
    event: AccountReported | MarginRequested | MarginReported | MarginUnavailable,
) -> str:
    match event:
        case AccountReported():
            needs = f"needs {money(event.initial_margin)} initial margin"
            return f"the account has {money(event.net_liquidation)} and {needs}"
        case MarginRequested():
            return f"asking what margin {len(event.orders)} orders need"
        case MarginReported():
            needs = f"needs {money(event.initial_after)} initial margin"
            return f"with them the account has {money(event.equity_after)} and {needs}"
        case MarginUnavailable():
            return _because("nobody says what margin they need", event.reason)
        case _:
            assert_never(event)
