"""All books side by side, and the one place that says which event moves which book."""

from datetime import datetime
from decimal import Decimal
from typing import assert_never

import msgspec

from events import (
    AccountReported,
    BarClosed,
    BarMissing,
    BooksReported,
    BreakOpened,
    BreakResolved,
    BrokerUnparsed,
    CalendarLoaded,
    CancelSending,
    CashAdjusted,
    CashMoved,
    CashMovementKind,
    ClockJumped,
    CommandRefused,
    CommissionCharged,
    CommissionCorrected,
    ConfigLoaded,
    ContractResolved,
    CorporateActionAnnounced,
    CorporateActionApplied,
    FillCorrected,
    HoldLifted,
    HoldPlaced,
    IntentApproved,
    IntentRefused,
    JournalOpened,
    JournalRestored,
    LinkEvent,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    OperatorCommand,
    OperatorFlattenAsked,
    OperatorShadowed,
    OrderFilled,
    OrderIntended,
    OrderSending,
    PositionAdjusted,
    ReconcileCompleted,
    Record,
    SessionEnded,
    SessionStarted,
    ShortSaleReported,
    StrategyDeclined,
    StrategyFailed,
    StrategyPromoted,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    SymbolTerms,
    TimerFired,
    TimerKind,
    TradingHoursReported,
    Trip,
    utc_from_nanoseconds,
)
from events.codec import Command
from projections.activity import Activity
from projections.broker import BrokerLink
from projections.broker_errors import BrokerErrors
from projections.calendar import ALWAYS_OPEN, Calendar, Sessions
from projections.cash import Cash
from projections.commands import Commands
from projections.corporate_actions import CorporateActions
from projections.freshness import Freshness, is_stale, is_too_old
from projections.halts import Halts
from projections.holds import Holds
from projections.instruments import Instruments
from projections.journal_identity import JournalIdentity
from projections.margin import Margin
from projections.market import Market
from projections.orders import Orders, OrderWord
from projections.pnl import Pnl
from projections.positions import Positions
from projections.rare_events import RareEvent, UnbookedEvent
from projections.reconciliation import Reconciliation
from projections.references import References
from projections.set_back import set_back
from projections.settlement import Settlement
from projections.strategies import FAILED, Strategies
from projections.timers import Timers
from projections.trips import Trips

_ZERO = Decimal(0)
_DIVIDEND = CashMovementKind.DIVIDEND


class State(msgspec.Struct):
    """Everything the daemon knows. `seq` and `at` are those of the last record folded.

    With `clock_jumped` no day ends, until the hold behind the jump is lifted.
    """

    identity: JournalIdentity = msgspec.field(default_factory=JournalIdentity)
    calendar: Calendar = msgspec.field(default_factory=Calendar)
    market: Market = msgspec.field(default_factory=Market)
    orders: Orders = msgspec.field(default_factory=Orders)
    positions: Positions = msgspec.field(default_factory=Positions)
    cash: Cash = msgspec.field(default_factory=Cash)
    pnl: Pnl = msgspec.field(default_factory=Pnl)
    holds: Holds = msgspec.field(default_factory=Holds)
    strategies: Strategies = msgspec.field(default_factory=Strategies)
    corporate_actions: CorporateActions = msgspec.field(default_factory=CorporateActions)
    timers: Timers = msgspec.field(default_factory=Timers)
    references: References = msgspec.field(default_factory=References)
    instruments: Instruments = msgspec.field(default_factory=Instruments)
    halts: Halts = msgspec.field(default_factory=Halts)
    activity: Activity = msgspec.field(default_factory=Activity)
    settlement: Settlement = msgspec.field(default_factory=Settlement)
    margin: Margin = msgspec.field(default_factory=Margin)
    broker: BrokerLink = msgspec.field(default_factory=BrokerLink)
    commands: Commands = msgspec.field(default_factory=Commands)
    broker_errors: BrokerErrors = msgspec.field(default_factory=BrokerErrors)
    trips: Trips = msgspec.field(default_factory=Trips)
    freshness: Freshness = msgspec.field(default_factory=Freshness)
    reconciliation: Reconciliation = msgspec.field(default_factory=Reconciliation)
    symbols: dict[Symbol, SymbolTerms] = {}
    clock_jumped: bool = False
    seq: int = 0
    at: int = 0

    def apply(self, record: Record) -> None:
        """Move every book the event concerns. The most frequent events stand first."""
        event = record.event
        if record.at < self.at:
            books = (self.timers, self.reconciliation, self.broker, self.broker_errors)
            set_back(record.at, *books, self.freshness)
        self.seq = record.seq
        self.at = record.at
        is_another_day = record.at > self.pnl.day_ends_at or record.at > self.activity.day
        if is_another_day and self._knows_the_time(event):
            self._begin_day(record.at)
        match event:
            case BarClosed():
                self._close_bar(event, record.at)
            case OrderFilled():
                if not self.orders.is_repeat(event):
                    self._fill(event, record)
            case CommissionCharged():
                if not self.orders.is_repeat(event):
                    self.orders.apply(event, record.seq, record.at, record.trace)
                    self.cash.apply(event)
                    self._settle()
            case OrderIntended():
                self.activity.apply(event, record.at, event)
                self.orders.apply(event, record.seq, record.at, record.trace)
                self.strategies.apply(event, event.strategy)
                self.commands.close(event)
            case IntentApproved() | IntentRefused():
                self.orders.apply(event, record.seq, record.at, record.trace)
                self.margin.forget(event.client_order_id)
                self._count_answer(event, record.at)
            case OrderSending() | CancelSending():
                self.orders.apply(event, record.seq, record.at, record.trace)
                order = self.orders.find(event.client_order_id)
                self.activity.apply(event, record.at, order.intent if order else None)
            case StrategyDeclined() | StrategyFailed():
                self.strategies.apply(event, event.strategy)
            case _:
                if isinstance(event, OrderWord):
                    self._report(event, record)
                else:
                    self._apply_rare(event, record)

    def _apply_rare(self, event: RareEvent, record: Record) -> None:
        """Move every book that an event of every other day concerns."""
        if isinstance(event, UnbookedEvent):
            return
        match event:
            case TimerFired():
                self._fire(event)
            case BarMissing():
                self.freshness.miss(event)
            case BrokerUnparsed():
                self.broker_errors.apply(event, record.at)
            case ClockJumped():
                self.clock_jumped = True
            case LinkEvent():
                self.broker.apply(event, record.at)
            case FillCorrected() | CommissionCorrected():
                self._correct(event, record)
            case SymbolHalted() | SymbolResumed():
                self.halts.apply(event)
                self.freshness.halt(event, record.at)
            case ContractResolved() | ShortSaleReported() | TradingHoursReported():
                self.instruments.apply(event)
            case AccountReported() | MarginReported() | MarginUnavailable():
                self.margin.apply(event, record.at)
            case MarginRequested():
                self.margin.apply(event, record.at)
                self.orders.ask_margin(event, record.seq)
            case HoldPlaced() | HoldLifted():
                self._hold(event, record)
            case CashMoved():
                if not self.cash.is_repeat(event):
                    self._move_cash(event)
            case CorporateActionAnnounced():
                if not self.corporate_actions.is_repeat(event):
                    self.corporate_actions.apply(event)
            case CorporateActionApplied():
                if not self.corporate_actions.is_repeat(event):
                    self._apply_corporate_action(event)
            case CalendarLoaded():
                self.calendar.load(event)
                if self._knows_the_time(event):
                    self._find_day(record.at)
                    self.activity.begin_day(self.pnl.day_ends_at, record.at)
            case ConfigLoaded():
                self._load_config(event, record.seq, record.at)
            case SessionStarted():
                self.identity.apply(event, record.seq, record.at)
                self.strategies.start_session(event, self.pnl.days)
                self.broker.start()
                self.freshness.start(record.at, live=event.live_feed)
                self.margin.restart(asks=event.asks_margin)
            case JournalOpened() | JournalRestored() | SessionEnded():
                self.identity.apply(event, record.seq, record.at)
            case OperatorCommand() | CommandRefused() | StrategyPromoted():
                self._obey(event, record.seq)
            case BooksReported() | BreakOpened() | BreakResolved() | ReconcileCompleted():
                self.reconciliation.apply(event, record.at)
            case PositionAdjusted():
                self._adjust_position(event)
            case CashAdjusted():
                self._move_cash(event)
            case _:
                assert_never(event)

    def is_stale(self, symbol: Symbol, now: datetime) -> bool:
        """Say whether the data of `symbol` is too old at `now` to decide anything new on it."""
        return is_stale(self, symbol, now)

    def in_session(self, bar: BarClosed) -> bool:
        """Say whether strategies may act on `bar`: its exchange trades when the bar ends."""
        terms = self.symbols.get(bar.symbol)
        if terms is None:
            return False
        return not terms.enforce_hours or self.calendar.in_session(
            terms.exchange, bar.end, extended=terms.extended_hours
        )

    def _close_bar(self, bar: BarClosed, at: int) -> None:
        symbol, in_session, stale = bar.symbol, self.in_session(bar), self.freshness.stale
        if stale and in_session and symbol in stale:
            self._freshen(bar, at)
        else:
            self.market.close_bar(bar, in_session=in_session)
        if not in_session:
            return
        exchange = self.symbols[symbol].exchange
        if self.references.close_bar(bar, exchange, self.calendar).doubted:
            return  # It may be a slip of the feed: the next bar tells.
        position = self.positions.account.get(symbol)
        if position is not None and position.quantity:
            self.pnl.mark(symbol, bar.close, position.quantity * bar.close)
            cash = self.cash
            owed = cash.receivable if cash.receivables else _ZERO
            self.pnl.settle(cash.balance + owed, bar.end)

    def _freshen(self, bar: BarClosed, at: int) -> None:
        """Take a bar of a stale symbol, and note since when it has been fresh without a break."""
        now, symbol = utc_from_nanoseconds(at), bar.symbol
        unbroken = None if is_too_old(self, symbol, now) else self.freshness.stale[symbol]
        self.market.close_bar(bar, in_session=True)
        fresh_since = at if unbroken is None else unbroken
        self.freshness.stale[symbol] = None if is_too_old(self, symbol, now) else fresh_since

    def _fire(self, event: TimerFired) -> None:
        self.timers.apply(event)
        self.orders.note_timer(event)
        if event.kind is TimerKind.MARGIN_DEADLINE:
            self.margin.expire(event.subject)
        if event.kind is TimerKind.DATA_WATCH:
            symbol = Symbol(event.subject)
            if is_too_old(self, symbol, event.due):
                self.freshness.stale[symbol] = None
            else:
                self.freshness.stale.pop(symbol, None)

    def _fill(self, event: OrderFilled, record: Record) -> None:
        self.orders.apply(event, record.seq, record.at, record.trace)
        self.broker_errors.apply(event, record.at)
        self._note_trade(event)
        self.positions.apply(event, self.orders.strategy_of(event.client_order_id))
        self.cash.apply(event)
        bar = self.market.last.get(event.symbol)
        # A fill reported late is older than the last bar, and so is its price.
        is_late = bar is not None and bar.end > event.executed_at
        is_newer_known = is_late and not self.references.is_doubted(event.symbol)
        price = bar.close if bar is not None and is_newer_known else event.price
        held = self.positions.held(event.symbol).quantity
        self.pnl.mark(event.symbol, price, held * price)
        self._settle(event.executed_at)
        if self.freshness.live:
            self.reconciliation.note_fill(event.symbol, record.at)
        if self.commands.flattening:
            self.commands.keep(self._busy())

    def _correct(self, event: FillCorrected | CommissionCorrected, record: Record) -> None:
        """Put what the broker says now in place of what is counted."""
        self.orders.apply(event, record.seq, record.at, record.trace)
        self.cash.apply(event)
        if isinstance(event, FillCorrected):
            self.positions.apply(event, self.orders.strategy_of(event.client_order_id))
            held = self.positions.held(event.symbol).quantity
            price = self.market.price(event.symbol) or event.price
            self.pnl.mark(event.symbol, price, held * price)
        self._settle()

    def _note_trade(self, event: OrderFilled) -> None:
        """Take what a fill, not yet in the positions, means for day trades and settlement."""
        terms = self.symbols.get(event.symbol)
        exchange = terms.exchange if terms else ""
        if exchange == ALWAYS_OPEN:
            return  # Neither rule is about what has no exchange.
        sessions = self.calendar.exchanges.get(exchange) or Sessions()
        self.settlement.apply(event, sessions)
        held = self.positions.held(event.symbol).quantity
        self.activity.trade(event.symbol, held, event.quantity)

    def _hold(self, event: HoldPlaced | HoldLifted, record: Record) -> None:
        hold = self.holds.active.get(event.hold_id)
        self.holds.apply(event, record.at)
        if isinstance(event, HoldPlaced):
            self.corporate_actions.refuse(event)
            self.trips.count(event, self.pnl.day_ends_at)
            return
        if event.new_peak is not None:
            self.pnl.start_peak(event.new_peak)
        self.broker_errors.forgive(hold)
        if hold is not None and hold.cause == Trip.CLOCK_JUMP:
            self.clock_jumped = False
        if hold is None or hold.cause != FAILED or self.holds.stands(FAILED, hold.target):
            return
        self.strategies.forgive(hold.target, record.seq)

    def _count_answer(self, event: IntentApproved | IntentRefused, at: int) -> None:
        if isinstance(event, IntentRefused):
            self.activity.apply(event, at, None)
        order = self.orders.find(event.client_order_id)
        if order is not None:
            self.strategies.apply(event, order.intent.strategy)

    def _move_cash(self, event: CashMoved | CashAdjusted) -> None:
        self.cash.apply(event)
        self.corporate_actions.apply(event)
        dividend = event.action_id if isinstance(event, CashAdjusted) else event.kind is _DIVIDEND
        if not dividend:
            self.pnl.external_flow(event.amount)
        self._settle()

    def _adjust_position(self, event: PositionAdjusted) -> None:
        """Take shares that came or went without a trade: the day's P&L and the peak stay as is."""
        self.positions.apply(event, None)
        self.cash.apply(event)
        worth = self.positions.held(event.symbol).quantity * event.price
        self.pnl.external_flow(worth - self.pnl.values.get(event.symbol, _ZERO))
        self.pnl.mark(event.symbol, event.price, worth)
        self._settle()

    def _apply_corporate_action(self, event: CorporateActionApplied) -> None:
        self.corporate_actions.apply(event)
        self.positions.apply(event, None)
        self.cash.apply(event)
        self.market.restate(event)
        self.references.restate(event)
        self.pnl.restate(event)
        self._settle()

    def _load_config(self, event: ConfigLoaded, seq: int, at: int) -> None:
        self.strategies.load(self.identity.config, event.config, self.pnl.days)
        self.corporate_actions.take_limits(self.identity.config, event.config)
        self.identity.apply(event, seq, at)
        self.commands.reloading = False
        self.symbols = event.symbols
        self.freshness.load(event)
        self.references.threshold = event.outlier_threshold

    def _obey(self, event: Command | CommandRefused | StrategyPromoted, seq: int) -> None:
        match event:
            case CommandRefused():
                self.commands.refuse(event)
            case StrategyPromoted():
                self.strategies.move(event, self.pnl.days)
            case _:
                self.commands.take(event, seq)
                if isinstance(event, OperatorFlattenAsked):
                    self.commands.flatten(event, self._busy())
                elif isinstance(event, OperatorShadowed):
                    self.strategies.move(event, self.pnl.days)

    def _report(self, event: OrderWord, record: Record) -> None:
        before = self.orders.find(event.client_order_id)
        self.orders.apply(event, record.seq, record.at, record.trace)
        after = self.orders.find(event.client_order_id)
        if before is not None and after is not None and before.state is not after.state:
            self.broker_errors.apply(event, record.at)  # The same word again is no news.
        if self.commands.flattening:
            self.commands.keep(self._busy())

    def _busy(self) -> list[Symbol]:
        """Return the symbols in which there is something to close: held, or in an open order."""
        held = [symbol for symbol, each in self.positions.account.items() if each.quantity]
        return sorted({*held, *(order.symbol for order in self.orders.open.values())})

    def _settle(self, moment: datetime | None = None) -> None:
        self.pnl.settle(self.cash.balance + self.cash.receivable, moment)

    def _find_day(self, at: int) -> None:
        if (day := self.calendar.day_of(at)) is not None:
            self.pnl.find_day(day, at)

    def _begin_day(self, at: int) -> None:
        if at > self.pnl.day_ends_at and (day := self.calendar.day_of(at)) is not None:
            self.pnl.end_day(day)
        if at > self.activity.day:
            self.activity.begin_day(self.pnl.day_ends_at, at)

    def _knows_the_time(self, event: object) -> bool:
        """Say whether a day may end: a clock that jumped has to be called right by a person."""
        return not self.clock_jumped and type(event) is not ClockJumped
