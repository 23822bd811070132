"""The limits an order is held against. No limit set means no trading: no defaults here."""

from enum import StrEnum

import msgspec

from daemon.bounds import PositiveDecimal, Share
from events import Symbol


class DailyLossLifts(StrEnum):
    """What ends the hold of a day's loss."""

    NEXT_SESSION = "next session"
    OPERATOR = "operator"


class OrderLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits on one order and on the position it may lead to; None means not set here.

    Shares are unsigned; the position limits count working, pending and unknown orders in full.
    """

    max_order_shares: PositiveDecimal | None = None
    max_order_usd: PositiveDecimal | None = None
    max_position_shares: PositiveDecimal | None = None
    max_position_usd: PositiveDecimal | None = None


class AccountLimits(OrderLimits, frozen=True, forbid_unknown_fields=True):
    """Limits on the account as a whole. `max_drawdown` is a share of peak equity, 0.20 = 20 %.

    `daily_loss_lifts` says who ends the hold that the day's loss has placed.
    """

    max_daily_loss_usd: PositiveDecimal | None = None
    daily_loss_lifts: DailyLossLifts = DailyLossLifts.NEXT_SESSION
    max_drawdown: Share | None = None


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All limits: the account's, tightened by symbol and by strategy where those set their own."""

    account: AccountLimits = AccountLimits()
    symbols: dict[Symbol, OrderLimits] = {}
    strategies: dict[str, OrderLimits] = {}
