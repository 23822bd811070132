"""One readable line for every event. A new type of event is a type error here until it has one.

Texts that are not ours stand in it as `one_line` shows them.
"""

from typing import Final, assert_never

from events import (
    AccountReported,
    BarClosed,
    BarMissing,
    BreakOpened,
    BrokerUnparsed,
    CalendarLoaded,
    CashMoved,
    ClientOrderId,
    ClockJumped,
    CommandRefused,
    CommissionCorrected,
    ConfigLoaded,
    ContractResolved,
    CorporateActionAnnounced,
    CorporateActionApplied,
    CorporateActionKind,
    DiskLow,
    FillCorrected,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    JournalContinued,
    JournalOpened,
    JournalRestored,
    LinkEvent,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    MarketDataImpaired,
    OperatorCommand,
    PermitLost,
    SessionEnded,
    SessionStarted,
    SessionStopping,
    ShortSaleReported,
    StrategyDeclined,
    StrategyFailed,
    StrategyPromoted,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    TimerFired,
    TradingHoursReported,
)
from events.codec import JournalEvent
from ops.link_sentences import link_sentence
from ops.operator_sentences import operator_sentence
from ops.order_sentences import order_sentence
from ops.reconciliation_sentences import ReconciliationEvent, reconciliation_sentence
from ops.render import because, moment, money, one_line, price, quantity, span
from projections.orders import OrderPathEvent

HOW_IT_ENDS: Final = {
    HoldLifts.OPERATOR: "lifted by an operator",
    HoldLifts.CONDITION: "lifts by itself",
    HoldLifts.NEXT_SESSION: "lifts with the next session",
}
"""What ends a hold, in words."""


def sentence(event: JournalEvent) -> str:  # noqa: C901, PLR0911, PLR0912 - one branch a type
    """Return what happened, in words; the symbol and the order's id are left to the caller."""
    if isinstance(event, ReconciliationEvent):
        return reconciliation_sentence(event)
    if isinstance(event, LinkEvent):
        return link_sentence(event)
    if isinstance(event, OrderPathEvent | FillCorrected | CommissionCorrected):
        return order_sentence(event)
    match event:
        case BarClosed():
            return bar_text(event)
        case BarMissing():
            return f"no bar came for {moment(event.start)} to {moment(event.end)}"
        case BrokerUnparsed():
            what = f"the broker reported what cannot be so, {one_line(event.why)}"
            return because(what, event.raw)
        case CashMoved():
            return f"{event.kind} of {money(event.amount)} ({one_line(event.reference)})"
        case CorporateActionAnnounced() | CorporateActionApplied():
            return _action_text(event)
        case MarketDataImpaired():
            taken = ", and it is traded on all the same" if event.accepted else ""
            return because(f"its live data is impaired, {event.trouble}{taken}", event.said)
        case (
            ContractResolved()
            | SymbolHalted()
            | SymbolResumed()
            | ShortSaleReported()
            | TradingHoursReported()
        ):
            return _instrument_text(event)
        case AccountReported() | MarginRequested() | MarginReported() | MarginUnavailable():
            return _margin_text(event)
        case HoldPlaced():
            return hold_text(event)
        case HoldLifted():
            return _lifted_text(event)
        case StrategyDeclined():
            stage = f"{one_line(event.strategy)} does not trade: {one_line(event.stage)}"
            return because(stage, event.reason)
        case StrategyFailed():
            return because(f"{one_line(event.strategy)} failed and is asked no more", event.error)
        case (
            JournalOpened()
            | JournalContinued()
            | JournalRestored()
            | SessionStarted()
            | SessionStopping()
            | SessionEnded()
        ):
            return _session_text(event)
        case ConfigLoaded():
            dry = ", DRY RUN" if event.config.get("dry_run") is True else ""
            return f"configuration with {len(event.symbols)} symbols{dry}"
        case CalendarLoaded():
            return _calendar_text(event)
        case TimerFired():
            return f"{event.kind} timer of {one_line(event.subject)}, due {moment(event.due)}"
        case ClockJumped() | DiskLow():
            return _machine_text(event)
        case OperatorCommand() | PermitLost() | CommandRefused() | StrategyPromoted():
            return operator_sentence(event)
        case _:
            assert_never(event)


def _machine_text(event: ClockJumped | DiskLow) -> str:
    match event:
        case ClockJumped():
            ahead, asleep = f"{event.ahead_s} s ahead", f"{event.asleep_s} s asleep"
            return f"the machine's clock jumped: {ahead} of the time that has passed, {asleep}"
        case DiskLow():
            room = f"{event.free_bytes / 1e6:,.0f} MB are free"
            return f"the disk is low: {room}, {event.least_bytes / 1e6:,.0f} MB are needed"
        case _:
            assert_never(event)


def _lifted_text(event: HoldLifted) -> str:
    lifted = f"hold {one_line(event.hold_id)} lifted by {one_line(event.by)}"
    if event.new_peak is not None:
        lifted = f"{lifted}, the drawdown counts from {money(event.new_peak)} on"
    return because(lifted, event.why)


def _session_text(
    event: JournalOpened
    | JournalContinued
    | JournalRestored
    | SessionStarted
    | SessionStopping
    | SessionEnded,
) -> str:
    match event:
        case JournalOpened():
            account = f"account {one_line(event.account)}, mode {event.mode}"
            return f"journal {one_line(event.journal_id)} of {account}"
        case JournalContinued():
            return f"events up to {event.sealed:,} are sealed, the journal goes on"
        case JournalRestored():
            lost = f", {event.lost:,} events lost" if event.lost else ""
            what = f"restored from {one_line(event.backup)}{lost}, epoch {event.epoch}"
            return because(f"{what}, by {one_line(event.by)}", event.why)
        case SessionStarted():
            named = one_line(", ".join(event.strategies)) or "no strategy"
            mode = f", {event.data_mode}" if event.data_mode else ""
            return f"traded {one_line(event.code_version)} took the journal over with {named}{mode}"
        case SessionStopping():
            return because("traded stops and asks for a cancel of every order", event.reason)
        case SessionEnded():
            left = f" with {len(event.left)} orders left at the broker" if event.left else ""
            return because(f"traded gave the journal back{left}", event.reason)
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


def hold_text(hold: HoldPlaced) -> str:
    """Return what a hold stops, who placed it and why, and what lifts it."""
    target = one_line(hold.target)
    of = {HoldScope.ALL: "everything", HoldScope.STRATEGY: f"strategy {target}"}
    placed = f"{hold.level} on {of.get(hold.scope, target)} by {one_line(hold.by)}"
    cause = because(f"{placed}: {one_line(hold.cause)}", hold.why)
    return f"{cause} ({HOW_IT_ENDS[hold.lifts]})"


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
    event: ContractResolved
    | SymbolHalted
    | SymbolResumed
    | ShortSaleReported
    | TradingHoursReported,
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
            return because("trading is halted", event.reason)
        case SymbolResumed():
            return because("trading is resumed", event.reason)
        case TradingHoursReported():
            if event.unread:
                return because("the broker's hours cannot be read", event.unread)
            days = [each.day for each in event.regular]
            known = f"{min(days)} to {max(days)}" if days else "no day"
            closed = ", ".join(str(each.day) for each in event.regular if each.open is None)
            return f"the broker says when it trades, {known}; closed: {closed or 'never'}"
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
            count = len(event.orders)
            what = "the order needs" if count == 1 else f"{count} orders need"
            return f"asking the broker until {moment(event.due)} what margin {what}"
        case MarginReported():
            needs = f"needs {money(event.initial_after)} initial margin"
            return f"with them the account has {money(event.equity_after)} and {needs}"
        case MarginUnavailable():
            return because("nobody says what margin they need", event.reason)
        case _:
            assert_never(event)
