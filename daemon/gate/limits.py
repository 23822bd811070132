"""The limits an order is held against. A limit that is not set refuses: no limit, no trading.

How much may be ordered, held and lost has no default; the operator sets it. What has a default here
is a rule that is as good for a large account as for a small one.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from daemon.config.bounds import (
    Age,
    BasisPoints,
    Count,
    DaySeconds,
    DayTrades,
    Multiple,
    PositiveDecimal,
    Rate,
    Share,
    Window,
)
from events import Symbol


class DailyLossLifts(StrEnum):
    """What ends the hold of a day's loss."""

    NEXT_SESSION = "next session"
    OPERATOR = "operator"


class OrderLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits on one order and on the position it may lead to; None means not set here.

    Shares are unsigned; the position limits count working, pending and unknown orders in full.
    `allow_short` false forbids what the account allows.
    """

    max_order_shares: PositiveDecimal | None = None
    max_order_usd: PositiveDecimal | None = None
    max_position_shares: PositiveDecimal | None = None
    max_position_usd: PositiveDecimal | None = None
    max_orders_a_day: Count | None = None
    allow_short: bool | None = None


class AccountLimits(OrderLimits, frozen=True, forbid_unknown_fields=True):
    """Limits on the account as a whole. `max_drawdown` is a share of peak equity, 0.20 = 20 %.

    `daily_loss_lifts` says who ends the hold that the day's loss has placed.
    Gross exposure adds longs and shorts up, net exposure sets them off; both are bounded by
    `max_leverage` times equity as well. `emergency_leverage` is of what is held: beyond it only
    orders pass that reduce a position. `max_day_trades` is for five sessions, None counts none.
    `allow_symbols` empty allows every configured symbol.
    """

    max_orders_a_day: Count | None = 500
    allow_short: bool | None = False
    max_daily_loss_usd: PositiveDecimal | None = None
    daily_loss_lifts: DailyLossLifts = DailyLossLifts.NEXT_SESSION
    max_drawdown: Share | None = None
    max_gross_usd: PositiveDecimal | None = None
    max_net_usd: PositiveDecimal | None = None
    max_leverage: Multiple | None = Decimal("1.4")
    emergency_leverage: Multiple | None = Decimal("3.0")
    max_day_trades: DayTrades | None = None
    allow_symbols: tuple[Symbol, ...] = ()
    deny_symbols: tuple[Symbol, ...] = ()


MAY_BE_LEFT_OUT: Final = frozenset({"max_gross_usd", "max_net_usd", "max_day_trades"})
"""The account's limits without which orders pass: leverage bounds the first two."""


class PriceLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How old a price may be, in session time, and how far prices may lie from each other.

    `outlier_threshold` is the largest move from one bar to the next that is believed at once.
    `max_distance_last` and `max_distance_close` are how far an order's own prices may go beyond the
    last price and the close of the session before, on the side that costs. All three are shares.
    """

    max_data_age_s: Age | None = 1800
    outlier_threshold: Share | None = Decimal("0.30")
    max_distance_last: Share | None = Decimal("0.10")
    max_distance_close: Share | None = Decimal("0.30")


class OrderRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long before an auction its orders end, and what else an order must not do.

    `allow_opposite` lets an order stand against one of our own; `require_shortable_data` refuses a
    short of which nobody said today how much can be borrowed.
    """

    open_cutoff_s: DaySeconds | None = 120
    close_cutoff_s: DaySeconds | None = 600
    allow_opposite: bool = False
    require_shortable_data: bool = True


class RateLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many orders, messages (orders and cancels) and intents of one strategy in `window_s`.

    The defaults let a rebalance of a hundred symbols pass at once, each sold and another bought,
    and are a seventh of the 50 messages a second that the broker takes. What a storm may cost is
    for the limits on sizes, positions and exposure to say, which count every order that is out.
    """

    window_s: Window | None = 60
    max_orders: Rate | None = 200
    max_messages: Rate | None = 400
    max_intents: Rate | None = 250


class TripLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What trips the circuit breaker besides losses, leverage and runaway strategies.

    With `max_rate_refusals` orders refused for their rate in the window of the rates everything is
    stopped. With `max_broker_errors` in a row only what reduces a position may pass, until there
    was none for `broker_quiet_s`; after `broker_trips_max` times in a session an operator lifts it.
    """

    max_rate_refusals: Rate = 20
    max_broker_errors: Rate = 5
    broker_quiet_s: DaySeconds = 300
    broker_trips_max: Rate = 3


class TurnoverLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often a strategy may turn a symbol over a day, and what it must expect to gain by it.

    `min_ratio` is the edge that a strategy states over the costs of getting in and out again;
    `cost_bps` is what slippage and spread cost, each way, besides the commission.
    """

    max_a_day: Count | None = 10
    min_ratio: Multiple | None = Decimal("2.0")
    cost_bps: BasisPoints | None = Decimal(5)


class AccountType(StrEnum):
    """A cash account spends settled cash only and sells nothing short."""

    CASH = "cash"
    MARGIN = "margin"


class MarginLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The account's type, and how much of what it has may be needed as margin.

    `initial_share` is the margin reckoned with where the broker said nothing, a share of gross
    exposure. `cushion` is the share of equity that stays free; `max_batch_share` is the most a
    whole batch may need, a share of net liquidation. With `ask`, the broker's own answer on each
    batch that may increase a position is needed, within `answer_deadline_s`; None: where the broker
    is one outside that can answer. From `alert_share` of what there is in use, a person is told.
    """

    account_type: AccountType = AccountType.MARGIN
    initial_share: Share | None = Decimal("0.50")
    cushion: Share | None = Decimal("0.20")
    max_batch_share: Share | None = Decimal("0.80")
    alert_share: Share = Decimal("0.60")
    ask: bool | None = None
    answer_deadline_s: Window = 10


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All limits: the account's, tightened by symbol and by strategy where those set their own."""

    account: AccountLimits = AccountLimits()
    symbols: dict[Symbol, OrderLimits] = {}
    strategies: dict[str, OrderLimits] = {}
    prices: PriceLimits = PriceLimits()
    orders: OrderRules = OrderRules()
    rates: RateLimits = RateLimits()
    trips: TripLimits = TripLimits()
    turnover: TurnoverLimits = TurnoverLimits()
    margin: MarginLimits = MarginLimits()


def not_set(limits: Limits) -> list[str]:
    """Return the account's limits without which no order passes, and that are not set."""
    account = limits.account
    return [
        field.name
        for field in msgspec.structs.fields(type(account))
        if getattr(account, field.name) is None and field.name not in MAY_BE_LEFT_OUT
    ]
