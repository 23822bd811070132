"""What the daemon was, read and was told: what decisions depend on besides the market."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from events.base import ClientOrderId, Event, Symbol


class Mode(StrEnum):
    """What kind of trading a journal holds. It never changes within a journal."""

    BACKTEST = "backtest"
    PAPER = "paper"
    BROKER_PAPER = "broker-paper"
    LIVE = "live"


class DataMode(StrEnum):
    """What decisions rest on and where their orders go: bars, broker and account in one word.

    BACKTEST and REPLAY are recorded bars, in a backtest's journal or in another one. On live bars
    PAPER_LIVE fills inside the process, PAPER at the broker's paper account, LIVE with real money.
    Other than the mode it may change within a journal.
    """

    BACKTEST = "BACKTEST"
    REPLAY = "REPLAY"
    PAPER_LIVE = "PAPER_LIVE"
    PAPER = "PAPER"
    LIVE = "LIVE"


class JournalOpened(Event, frozen=True, tag="journal.opened"):
    """Event 1 of every journal: its identity. `account` is an alias, never an account number.

    `simulated_time` says that its time is a simulated gateway's, not the machine's.
    """

    journal_id: str
    mode: Mode
    account: str
    base_currency: str = "USD"
    epoch: int = 1
    simulated_time: bool = False


class JournalContinued(Event, frozen=True, tag="journal.continued"):
    """What came before is sealed, up to event `sealed`; the file goes on from here.

    It is the first event in the file, and names the journal as `journal.opened` did. `index` is the
    SHA-256 of the index that what was sealed last has: with it, the chain holds all that is sealed.
    """

    journal_id: str
    epoch: int
    sealed: int
    index: str

    def key(self) -> str | None:
        """Return where what is sealed ends: it ends there once."""
        return str(self.sealed)


class JournalRestored(Event, frozen=True, tag="journal.restored"):
    """The journal was restored from a backup, and an `epoch` of its own begins: nothing may leave.

    `backup` is the name of its file. `lost` counts the events that the journal is known to have had
    behind it. What was done outside in them, orders included, only the broker knows.
    """

    epoch: int
    backup: str
    lost: int
    by: str
    why: str

    def key(self) -> str | None:
        """Return the epoch: each begins once."""
        return str(self.epoch)


class SessionStarted(Event, frozen=True, tag="session.started"):
    """A daemon process took the journal over. `strategies` maps each name to its code's hash.

    `diverged` are the strategies that decide differently from what the journal has of them, with
    where: they are not asked any more. `live_feed` is false where the bars are recorded ones.
    `doubts` are what was found lost or doubtful of the journal, each in a sentence.
    `asks_margin` says that the broker is outside and can say what margin orders need. `data_mode`
    is None in journals that are older than it.
    """

    code_version: str
    strategies: dict[str, str]
    libraries: dict[str, str]
    diverged: dict[str, str] = msgspec.field(default_factory=dict)
    live_feed: bool = False
    doubts: tuple[str, ...] = ()
    asks_margin: bool = False
    data_mode: DataMode | None = None


class SessionStopping(Event, frozen=True, tag="session.stopping"):
    """The daemon stops, and asks for a cancel of every order at the broker before it ends."""

    reason: str


class SessionEnded(Event, frozen=True, tag="session.ended"):
    """The daemon process gave the journal back in order. `left` are the orders it leaves open.

    They are those at a broker outside: what rests inside the process is in the books.
    """

    reason: str
    left: tuple[ClientOrderId, ...] = ()


class SymbolTerms(msgspec.Struct, frozen=True, gc=False):
    """Where a symbol trades and which hours count: `enforce_hours` false means at any time.

    `fractions` says that parts of a share (or coin) may be ordered.
    A bar is expected at least every `bar_every_s` seconds of the regular session, 0: never.
    """

    exchange: str
    enforce_hours: bool
    extended_hours: bool
    fractions: bool = False
    bar_every_s: int = 0


class FreshnessMode(StrEnum):
    """How the age of the data is judged: symbol by symbol, or all of it by one symbol's age."""

    PER_SYMBOL = "per_symbol"
    LATEST = "latest"
    OLDEST = "oldest"
    MEDIAN = "median"


class FreshnessTerms(msgspec.Struct, frozen=True, gc=False):
    """When data is too old to trade on; ages count the time in which the symbol's exchange is open.

    `fresh_share_min` is the share of symbols that must be fresh (per symbol). A bar is missing
    `grace_s` after the stretch it was expected in. What is fresh again counts as fresh after
    `lift_after_s`; after `trips_max` times in one session only an operator lifts. Recorded bars are
    watched where `recorded` says so, live ones always.
    """

    mode: FreshnessMode = FreshnessMode.PER_SYMBOL
    max_age_s: int = 1_800
    fresh_share_min: Decimal = Decimal("0.90")
    grace_s: int = 60
    lift_after_s: int = 300
    trips_max: int = 3
    recorded: bool = False


class ConfigLoaded(Event, frozen=True, tag="config.loaded"):
    """The whole effective configuration, defaults included, secrets never.

    `symbols` and `freshness` are the parts the folds read, in their own terms; so is
    `outlier_threshold`, the largest move of a price, as a share, that is booked at once. None books
    any: so did the journals that do not have it.
    """

    config: dict[str, object]
    symbols: dict[Symbol, SymbolTerms]
    freshness: FreshnessTerms = FreshnessTerms()
    outlier_threshold: Decimal | None = None


class SessionHours(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One exchange session: regular [open, close), extended [extended_open, extended_close)."""

    day: date
    open: datetime
    close: datetime
    extended_open: datetime
    extended_close: datetime


class CalendarLoaded(Event, frozen=True, tag="calendar.loaded"):
    """The sessions of one exchange between two dates, as the daemon will use them."""

    exchange: str
    source: str
    sessions: tuple[SessionHours, ...]


class TimerKind(StrEnum):
    """What a timer is for."""

    SCHEDULE = "schedule"
    CANCEL_AFTER = "cancel-after"
    ANSWER_DEADLINE = "answer-deadline"
    CORPORATE_ACTION = "corporate-action"
    BAR_DEADLINE = "bar-deadline"
    DATA_WATCH = "data-watch"
    CALENDAR_REFRESH = "calendar-refresh"
    BROKER_WATCH = "broker-watch"
    MARGIN_DEADLINE = "margin-deadline"
    CONNECTION_WATCH = "connection-watch"
    RECONCILE = "reconcile"


class TimerFired(Event, frozen=True, tag="timer.fired"):
    """The moment `due` has come. `subject` says what for: a schedule, an order, a symbol, ..."""

    kind: TimerKind
    subject: str
    due: datetime

    def key(self) -> str | None:
        """Return kind, subject and due time: a timer fires once."""
        # Whole seconds are written without a fraction: so are schedules, of which orders are named.
        fraction = f".{self.due.microsecond:06}" if self.due.microsecond else ""
        return f"{self.kind}|{self.subject}|{self.due:%Y%m%dT%H%M%S}{fraction}"
