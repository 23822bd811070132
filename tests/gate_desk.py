"""A desk for tests of the gate: books to ask about, wide limits, and what the gate finds."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from daemon import gate
from daemon.gate import Limits, RiskApproved, RiskRefused
from daemon.gate.limits import AccountLimits
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
    *("valid_input", "holds", "session_open", "price_known", "order_shares", "order_usd"),
    *("position_shares", "position_usd", "strategy_position", "daily_loss", "drawdown"),
]


def limits(**account: str | None) -> Limits:
    """Return limits nobody reaches, but for those of the account given here."""
    wide = AccountLimits(MANY, MANY, MANY, MANY, MANY, max_drawdown=Decimal(1))
    set_here = {name: text and Decimal(text) for name, text in account.items()}
    return Limits(msgspec.structs.replace(wide, **set_here))


WIDE = limits()


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
    assert kinds == {RiskApproved if all_passed(answers) else RiskRefused}
    return {check.name: check for check in answers[-1].checks}


def all_passed(answers: Sequence[RiskApproved | RiskRefused]) -> bool:
    return all(check.passed for answer in answers for check in answer.checks)


def failed(checks: dict[str, Check]) -> list[str]:
    return [check.name for check in checks.values() if not check.passed]


def figures(check: Check) -> tuple[bool, object, object, object]:
    return check.passed, check.value, check.limit, check.headroom
