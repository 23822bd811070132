"""The events that do not come every day: `State` looks for them last."""

from events import (
    AccountReported,
    BarMissing,
    BooksReported,
    BreakOpened,
    BreakResolved,
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerHeard,
    BrokerRestored,
    BrokerUnparsed,
    BrokerUnreachable,
    CalendarLoaded,
    CashAdjusted,
    CashMoved,
    ClockJumped,
    CommandRefused,
    CommissionCorrected,
    ConfigLoaded,
    ContractResolved,
    CorporateActionAnnounced,
    CorporateActionApplied,
    DiskLow,
    FillCorrected,
    HoldLifted,
    HoldPlaced,
    JournalContinued,
    JournalOpened,
    JournalRestored,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    MarketDataImpaired,
    OrderNumbered,
    OrderNumbersWentBack,
    PermitLost,
    PositionAdjusted,
    ReconcileCompleted,
    SessionEnded,
    SessionStarted,
    SessionStopping,
    ShortSaleReported,
    StrategyPromoted,
    SymbolHalted,
    SymbolResumed,
    TimerFired,
    TradingHoursReported,
)
from events.codec import Command

RareEvent = (
    TimerFired
    | BarMissing
    | BrokerUnparsed
    | BrokerHeard
    | OrderNumbered
    | OrderNumbersWentBack
    | BrokerConnected
    | BrokerDisconnected
    | BrokerDegraded
    | BrokerRestored
    | BrokerDataLost
    | BrokerUnreachable
    | FillCorrected
    | CommissionCorrected
    | PermitLost
    | ClockJumped
    | DiskLow
    | SymbolHalted
    | SymbolResumed
    | ContractResolved
    | ShortSaleReported
    | TradingHoursReported
    | MarketDataImpaired
    | AccountReported
    | MarginRequested
    | MarginReported
    | MarginUnavailable
    | HoldPlaced
    | HoldLifted
    | CashMoved
    | CorporateActionAnnounced
    | CorporateActionApplied
    | CalendarLoaded
    | ConfigLoaded
    | SessionStarted
    | SessionStopping
    | JournalOpened
    | JournalContinued
    | JournalRestored
    | SessionEnded
    | Command
    | CommandRefused
    | StrategyPromoted
    | BooksReported
    | BreakOpened
    | BreakResolved
    | ReconcileCompleted
    | PositionAdjusted
    | CashAdjusted
)
UnbookedEvent = PermitLost | DiskLow | SessionStopping | MarketDataImpaired | JournalContinued
"""What moves no book by itself; what follows from it are the holds and cancels behind."""
