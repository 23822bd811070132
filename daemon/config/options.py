"""The configuration's shape: every option with its unit, its default and the reason for it.

`daemon.config.file` reads it from TOML and the environment; `traded sample-config` documents it.
"""

from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from daemon.config.bounds import BasisPoints, PositiveDecimal, Rate, Share
from daemon.core.looks import ReconciliationTerms
from daemon.core.promotion import PromotionRule
from daemon.disk import HALT_MB, WARN_MB
from daemon.gate.limits import Limits
from events import FreshnessMode, Mode, Symbol

Positive = Annotated[int, Meta(gt=0, le=1_000_000_000)]
Seconds = Annotated[int, Meta(gt=0, le=86_400)]
"""A whole number of seconds, at most a day."""
Expected = Annotated[int, Meta(ge=0, le=86_400)]
"""A whole number of seconds, at most a day; 0 for never."""
UserId = Annotated[int, Meta(ge=0, lt=2**32 - 1)]
"""A user of the machine, by number."""
StrategyName = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z",
        description="1 to 40 of A-Z, a-z, 0-9, '.', '_', '-', a letter or digit first",
    ),
]
"""How a strategy is called in the journal; no slash, which separates it from its schedules."""
Alias = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}\Z",
        description="1 to 40 of A-Z, a-z, 0-9, blank, '.', '_', '-', a letter or digit first",
    ),
]
"""A name that is also part of a file's name."""


Tag = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9][a-z0-9_-]{0,19}\Z",
        description="1 to 20 of a-z, 0-9, '-', '_', a letter or digit first",
    ),
]
"""How targets of alerts are chosen; several may have the same."""


ChatId = Annotated[int, Meta(gt=0, lt=2**53)]
"""A person's number at Telegram."""
ChatServer = Annotated[
    str,
    Meta(
        pattern=r"\A(https://[A-Za-z0-9.-]{1,253}|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?\Z",
        description="https://HOST, or http://localhost:PORT for a server of your own",
    ),
]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: frozen, and an unknown key is an error."""


class JournalConfig(_Table, frozen=True):
    """Where the journal lies, how often the books are snapshotted, and how much room there must be.

    With less than `disk_warn_mb` free `traded status` and `traded ready` say so; with less than
    `disk_halt_mb` a live daemon, which looks every `disk_look_s`, begins nothing new.
    """

    path: str = ""
    snapshot_every_events: Positive = 50_000
    snapshots_kept: Positive = 10
    disk_warn_mb: Positive = WARN_MB
    disk_halt_mb: Positive = HALT_MB
    disk_look_s: Seconds = 30


Port = Annotated[int, Meta(gt=0, le=65_535)]
ClientId = Annotated[int, Meta(gt=0, le=2_147_483_647)]
"""Client 0 would get the orders of people bound to it."""
ExchangeName = Annotated[str, Meta(pattern=r"\A[A-Z0-9.]{0,16}\Z")]
HostName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9.-]{1,253}\Z")]
ZoneName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_+/-]{1,40}\Z")]


class Exchange(StrEnum):
    """Where a symbol trades; 24/7 has no sessions."""

    NYSE = "NYSE"
    NASDAQ = "NASDAQ"
    ALWAYS = "24/7"


class SymbolConfig(_Table, frozen=True):
    """One symbol. `fractions` lets parts of a share be ordered; None: only where it is 24/7.

    A bar is expected at least every `bar_every_s` of its session, 0: never. `primary_exchange` is
    Interactive Brokers' name of the home exchange, where the symbol alone is not enough.
    """

    exchange: Exchange = Exchange.NYSE
    fractions: bool | None = None
    bar_every_s: Expected = 1_800
    primary_exchange: ExchangeName = ""


class SessionsConfig(_Table, frozen=True):
    """Which hours count. Extra closures are for news the calendar library does not have yet."""

    enforce_trading_hours: bool = True
    allow_extended_hours: bool = False
    extra_closures: tuple[date, ...] = ()
    extra_early_closes: dict[date, time] = {}


class FreshnessConfig(_Table, frozen=True):
    """When data is too old to trade on: see `events.FreshnessTerms`, which has the same fields."""

    mode: FreshnessMode = FreshnessMode.PER_SYMBOL
    max_age_s: Seconds = 1_800
    fresh_share_min: Share = Decimal("0.90")
    grace_s: Seconds = 60
    lift_after_s: Seconds = 300
    trips_max: Positive = 3
    recorded: bool = False


class StrategyConfig(_Table, frozen=True):
    """One strategy: its class as `module:Class`, its symbols (empty: all), its own parameters.

    With `shadow` it starts in its shadow, where it decides and sends nothing, until promoted.
    """

    strategy_class: str = msgspec.field(name="class")
    symbols: tuple[Symbol, ...] = ()
    shadow: bool = False
    params: dict[str, object] = {}


class Commission(StrEnum):
    """IBKR's two plans for US equities, or none."""

    FIXED = "fixed"
    TIERED = "tiered"
    NONE = "none"


PAPER = "paper"
"""The broker inside the process."""
OUTSIDE = frozenset({Mode.BROKER_PAPER, Mode.LIVE})
"""The modes in which orders may leave the process: in no other does one."""


class BrokerConfig(_Table, frozen=True):
    """`kind` is "paper", "ibkr" or `module:Class`. The rest tunes the paper broker.

    `slippage_bps` worsens market and stop fills; `volume_share_max` is the share of a bar's volume
    one bar may fill. `answer_deadline_s` is how long a sent order or cancel may go unanswered
    before it counts as UNKNOWN.
    """

    kind: str = PAPER
    capital_usd: PositiveDecimal = Decimal(100_000)
    commission: Commission = Commission.FIXED
    slippage_bps: BasisPoints = Decimal(1)
    volume_share_max: Share = Decimal("0.10")
    answer_deadline_s: Seconds = 30
    params: dict[str, object] = {}


class FeedConfig(_Table, frozen=True):
    """`kind` is "file", "ibkr" or `module:Class`. A file feed reads `paths` (files or folders).

    `bar_seconds` is the size of bars shorter than a day; None takes the smallest step in the files.
    """

    kind: str = "file"
    paths: tuple[str, ...] = ()
    bar_seconds: Seconds | None = None
    params: dict[str, object] = {}


class GatewayConfig(_Table, frozen=True):
    """Where Interactive Brokers' gateway is; what is not set comes from the environment.

    `restart` is when it restarts itself, by the clock of `restart_zone`. `login_zone` is the time
    zone it was logged in with: some times come without any. `warm_up_bars` is how many bars of the
    past each symbol gets before the first that is traded on. A live bar that comes more than
    `late_after_s` behind its end is past, too; None goes by its size: that, but 15 to 60.
    `watch_halts` follows halts and what can be sold short, which takes a market-data line a symbol.
    """

    host: str = ""
    port: Port | None = None
    client_id: ClientId | None = None
    restart: time | None = None
    restart_zone: ZoneName = "America/New_York"
    login_zone: ZoneName = "UTC"
    warm_up_bars: Expected = 0
    late_after_s: Seconds | None = None
    watch_halts: bool = True


class CorporateActionsConfig(_Table, frozen=True):
    """The operator's list of splits and dividends; empty means none are known."""

    path: str = ""


class ControlConfig(_Table, frozen=True):
    """The operator's socket. `allowed_uids` may command besides the daemon's own user and root."""

    enabled: bool = True
    allowed_uids: tuple[UserId, ...] = ()


class BackupConfig(_Table, frozen=True):
    """Where `traded backup` puts backups, how many of them stay, and what takes them further.

    `to` is relative to the configuration's file; empty: `backups` beside the journal. `after` is a
    command and its arguments, run with each new backup; `{file}` in them is its path.
    """

    to: str = ""
    keep: Positive = 10
    after: tuple[str, ...] = ()


class AlertsConfig(_Table, frozen=True):
    """What people are told, and when; the addresses are secrets and stand elsewhere.

    `info`, `warning` and `critical` are the tags of the targets that get them, none for all of
    them. Times are by the clock of `zone`: in the quiet hours neither infos nor warnings go out,
    `alive_at` the day's figures do. The same cause is told once in `repeat_s`.
    """

    info: tuple[Tag, ...] = ()
    warning: tuple[Tag, ...] = ()
    critical: tuple[Tag, ...] = ()
    zone: ZoneName = "America/New_York"
    quiet_from: time | None = None
    quiet_until: time | None = None
    alive_at: time = time(16, 30)
    repeat_s: Seconds = 3_600
    messages_an_hour: Rate = 20
    disconnect_grace_s: Expected = 120
    ping_every_s: Seconds = 60


class ChatConfig(_Table, frozen=True):
    """Who may ask `traded chat` for the status and for a kill, and where the bot's server is.

    `allowed` are people's numbers at Telegram; nobody's is no chat at all. A group has a number
    below 0 and is not taken: whoever is in it could kill.
    """

    allowed: tuple[ChatId, ...] = ()
    server: ChatServer = "https://api.telegram.org"


class WatchConfig(_Table, frozen=True):
    """How `traded watch` watches: the port it serves on the loopback, and what it tells people.

    `hosts` are the names it is asked for by, besides localhost: behind a tunnel or a proxy.
    """

    port: Port = 8466
    hosts: tuple[HostName, ...] = ()
    alerts: AlertsConfig = AlertsConfig()
    chat: ChatConfig = ChatConfig()


class OnStop(StrEnum):
    """What a stop does to the orders that work at a broker outside."""

    LEAVE = "leave"
    CANCEL = "cancel"


class DaemonConfig(_Table, frozen=True):
    """How the process itself behaves."""

    on_stop: OnStop = OnStop.LEAVE


class Config(_Table, frozen=True):
    """The whole configuration. Ask `is_dry_run`: where the file is silent, the mode decides."""

    mode: Mode = Mode.BACKTEST
    account: Alias = "paper"
    dry_run: bool | None = None
    daemon: DaemonConfig = DaemonConfig()
    journal: JournalConfig = JournalConfig()
    symbols: dict[Symbol, SymbolConfig] = {}
    sessions: SessionsConfig = SessionsConfig()
    freshness: FreshnessConfig = FreshnessConfig()
    strategies: dict[StrategyName, StrategyConfig] = {}
    broker: BrokerConfig = BrokerConfig()
    feed: FeedConfig = FeedConfig()
    gateway: GatewayConfig = GatewayConfig()
    corporate_actions: CorporateActionsConfig = CorporateActionsConfig()
    limits: Limits = Limits()
    promotion: PromotionRule = PromotionRule()
    reconciliation: ReconciliationTerms = ReconciliationTerms()
    control: ControlConfig = ControlConfig()
    backup: BackupConfig = BackupConfig()
    watch: WatchConfig = WatchConfig()

    @property
    def is_dry_run(self) -> bool:
        """Say whether nothing is sent: as configured, else where orders would leave the process."""
        return self.mode in OUTSIDE if self.dry_run is None else self.dry_run
