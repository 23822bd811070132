"""A desk for tests of the gate: books to ask about, wide limits, and what the gate finds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from daemon import gate
from daemon.gate import Limits, RiskApproved, RiskAsks, RiskRefused
from daemon.gate.limits import (
    AccountLimits,
    MarginLimits,
    OrderRules,
    PriceLimits,
    RateLimits,
    TripLimits,
    TurnoverLimits,
)
from events import (
    Check,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    OrderIntended,
    Symbol,
)
from events.codec import JournalEvent
from projections import State
from tests.builders import (
    TUESDAY,
    a_bar,
    a_calendar,
    a_commission,
    a_config,
    a_deposit,
    a_fill,
    a_session,
    an_intent,
    an_order,
    state_after,
    utc,
)

A = Symbol("A")
MANY = Decimal(10**9)
OPENING = (a_config("A", "B"), a_calendar(a_session("2024-01-02")), a_deposit("10000"))
ALL_CHECKS = [
    *("valid_input", "size_step", "price_step", "symbol_allowed", "holds"),
    *("session_open", "order_hours", "symbol_halted", "auction_cutoff"),
    *("price_known", "data_age_s", "data_stale", "outlier", "collar_last", "collar_close"),
    *("short_allowed", "shortable", "short_restricted", "own_opposite"),
    *("order_rate", "message_rate", "runaway", "orders_a_day", "turnover", "edge_usd"),
    *("day_trades", "order_shares", "order_usd"),
    *("position_shares", "position_usd", "strategy_position"),
    *("gross_usd", "net_usd", "leverage", "emergency_leverage"),
    *("settled_usd", "margin_usd", "batch_margin_usd"),
    *("equity_known", "daily_loss", "drawdown"),
]
OFTEN = 10**6
ALL_OF_IT = Decimal(1)
WIDE = Limits(
    account=AccountLimits(
        max_order_shares=MANY,
        max_order_usd=MANY,
        max_position_shares=MANY,
        max_position_usd=MANY,
        max_orders_a_day=OFTEN,
        allow_short=True,
        max_daily_loss_usd=MANY,
        max_drawdown=ALL_OF_IT,
        max_leverage=MANY,
        emergency_leverage=MANY,
    ),
    prices=PriceLimits(
        max_data_age_s=OFTEN,
        outlier_threshold=MANY,
        max_distance_last=MANY,
        max_distance_close=MANY,
    ),
    orders=OrderRules(allow_opposite=True, require_shortable_data=False),
    rates=RateLimits(max_orders=OFTEN, max_messages=OFTEN, max_intents=OFTEN),
    trips=TripLimits(max_rate_refusals=OFTEN, max_broker_errors=OFTEN),
    turnover=TurnoverLimits(max_a_day=OFTEN),
    margin=MarginLimits(cushion=Decimal("-1e9"), max_batch_share=MANY),
)
"""Limits nobody reaches, every permission given."""


def limits(**account: object) -> Limits:
    """Return limits nobody reaches, but for those of the account given here, numbers as text."""
    return rules(account=account)


def rules(**tables: Mapping[str, object]) -> Limits:
    """Return limits nobody reaches, but for those given here by table, numbers as text."""
    changed = {
        name: msgspec.structs.replace(
            getattr(WIDE, name),
            **{
                option: Decimal(value) if type(value) is str else value
                for option, value in options.items()
            },
        )
        for name, options in tables.items()
    }
    return msgspec.structs.replace(WIDE, **changed)


def books(*events: JournalEvent) -> State:
    return state_after(*OPENING, a_bar("100"), *events)


def holding(quantity: str) -> State:
    """Return books with `quantity` of A, bought without a fee at 100."""
    return books(*an_order("held", quantity), *a_free_fill(quantity))


def a_free_fill(quantity: str, order_id: str = "held") -> tuple[JournalEvent, ...]:
    charge = a_commission("0", execution_id=order_id, order_id=order_id)
    return a_fill(quantity, execution_id=order_id, order_id=order_id), charge


def an(quantity: str = "10", /, **changes: object) -> OrderIntended:
    return msgspec.structs.replace(an_intent("new", quantity), **changes)


def a_hold(level: HoldLevel, scope: HoldScope = HoldScope.ALL, target: str = "") -> HoldPlaced:
    return HoldPlaced("h", scope, level, "test", "me", "so", HoldLifts.OPERATOR, target)


def asked(
    state: State,
    *batch: OrderIntended,
    under: Limits = WIDE,
    now: datetime | None = None,
) -> dict[str, Check]:
    """Return what was found of the last intent of `batch`, and that the answer agrees with it."""
    answers = gate.check(batch, state, under, now or utc(TUESDAY))
    kinds = {type(answer) for answer in answers}
    wanted = {RiskApproved} if all_passed(answers) else {RiskRefused}
    assert kinds == ({RiskAsks} if all_but_asked(answers) else wanted)
    return {check.name: check for check in answers[-1].checks}


def all_passed(answers: Sequence[RiskApproved | RiskAsks | RiskRefused]) -> bool:
    return all(check.passed for answer in answers for check in answer.checks)


def all_but_asked(answers: Sequence[RiskApproved | RiskAsks | RiskRefused]) -> bool:
    """Say whether nothing is wrong but that the broker's margin is still to be asked for."""
    checks = [check for answer in answers for check in answer.checks if not check.passed]
    names = {(check.name, check.note) for check in checks}
    return names == {("margin_usd", "the broker has to be asked")}


def failed(checks: dict[str, Check]) -> list[str]:
    return [check.name for check in checks.values() if not check.passed]


def figures(check: Check) -> tuple[bool, object, object, object]:
    return check.passed, check.value, check.limit, check.headroom
