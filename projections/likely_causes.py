"""Where a difference probably comes from: a first guess for whoever looks into it, no more."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from events import BooksReported, BreakKind, Difference, LikelyCause, Symbol, nanoseconds
from projections.order_states import RESERVED
from projections.state import State

LAG: Final = 60 * 10**9
"""How long (ns) after a fill the broker's positions may still be without it."""
RATIO_MAX: Final = 20
"""Splits of more than 20 for 1 are rare; 3 for 2 and 5 for 4 are looked for beside whole ones."""
_BROKEN_RATIOS: Final = ((3, 2), (2, 3), (5, 4), (4, 5), (5, 2), (2, 5))
PRICE_SHARE_MAX: Final = Decimal("0.05")
"""How far from the last price a trade may have been that explains a difference in cash."""

TAX_SHARE_MAX: Final = Decimal("0.30")
"""What may be withheld of a dividend."""
INTEREST_BY_DAY: Final = 10
INTEREST_SHARE_MAX: Final = Decimal("0.01")
"""Interest of a month is booked in the first days of the next, and is no more of the cash."""

_ZERO: Final = Decimal(0)


def with_causes(
    state: State, look: BooksReported, differences: Iterable[Difference]
) -> Iterator[Difference]:
    """Yield `differences`, each with its likely cause."""
    found = list(differences)
    unknown = [each for each in found if each.kind is BreakKind.UNKNOWN_EXECUTION]
    moved = [each for each in found if each.kind is BreakKind.POSITION]
    cash = next((each.delta for each in found if each.kind is BreakKind.CASH), None)
    for each in found:
        match each.kind:
            case BreakKind.POSITION:
                cause = _of_position(state, look, each, unknown, cash)
            case BreakKind.SETTLED_CASH:
                cause = LikelyCause.LAG
            case BreakKind.CASH:
                cause = _of_cash(state, look, each, unknown, moved)
            case BreakKind.FOREIGN_ORDER | BreakKind.AMENDED_ORDER:
                cause = LikelyCause.MANUAL_TRADE
            case BreakKind.UNKNOWN_EXECUTION:
                cause = LikelyCause.MISSED_FILL
            case BreakKind.MISSING_ORDER | BreakKind.UNENDED_ORDER:
                cause = _of_order(look, each, unknown)
            case _:
                cause = LikelyCause.UNKNOWN
        yield msgspec.structs.replace(each, likely_cause=cause)


def _of_position(
    state: State,
    look: BooksReported,
    found: Difference,
    unknown: Sequence[Difference],
    cash: Decimal | None,
) -> LikelyCause:
    symbol, delta = found.symbol, found.delta
    if any(each.symbol == symbol for each in unknown):
        return LikelyCause.MISSED_FILL
    if _filled_lately(state, look, symbol):
        return LikelyCause.LAG
    announced = state.corporate_actions.pending.values()
    if any(each.symbol == symbol and each.new_shares != each.old_shares for each in announced):
        return LikelyCause.SPLIT
    if any(
        order.symbol == symbol and order.reserved * delta > 0 and abs(delta) <= abs(order.reserved)
        for order in state.orders.open.values()
        if order.state in RESERVED
    ):
        return LikelyCause.MISSED_FILL
    is_paid = cash is not None and _is_paid_for(state, symbol, delta, cash)
    if not is_paid and _is_split(found.internal or _ZERO, found.broker or _ZERO):
        return LikelyCause.SPLIT
    return LikelyCause.MANUAL_TRADE if is_paid else LikelyCause.UNKNOWN


def _of_cash(
    state: State,
    look: BooksReported,
    found: Difference,
    unknown: Sequence[Difference],
    moved: Sequence[Difference],
) -> LikelyCause:
    delta = found.delta
    if unknown:
        return LikelyCause.MISSED_FILL
    if any(_is_dividend(owed, delta) for owed in state.cash.receivables.values()):
        return LikelyCause.DIVIDEND
    if any(_is_paid_for(state, each.symbol, each.delta, delta) for each in moved):
        return LikelyCause.MANUAL_TRADE
    if any(_filled_lately(state, look, symbol) for symbol in state.reconciliation.filled_at):
        return LikelyCause.LAG
    if _is_fee(state, delta):
        return LikelyCause.FEE
    return LikelyCause.INTEREST if _is_interest(state, look, delta) else LikelyCause.UNKNOWN


def _of_order(look: BooksReported, found: Difference, unknown: Sequence[Difference]) -> LikelyCause:
    of_order = {
        each.execution_id for each in look.executions or () if each.order_ref == found.subject
    }
    if any(each.subject in of_order for each in unknown):
        return LikelyCause.MISSED_FILL
    return LikelyCause.LAG if found.note else LikelyCause.UNKNOWN


def _filled_lately(state: State, look: BooksReported, symbol: Symbol) -> bool:
    filled_at = state.reconciliation.filled_at.get(symbol)
    return filled_at is not None and filled_at >= nanoseconds(look.began_at) - LAG


def _is_paid_for(state: State, symbol: Symbol, shares: Decimal, cash: Decimal) -> bool:
    """Say whether `cash` is about what `shares` cost or brought at the last price."""
    price = state.market.price(symbol)
    if price is None or not shares:
        return False
    value = -shares * price
    return abs(cash - value) <= PRICE_SHARE_MAX * abs(value)


def _is_split(here: Decimal, there: Decimal) -> bool:
    """Say whether the one quantity is the other at the ratio of a split; a part may be cut off."""
    if here * there <= 0:
        return False
    ratios = [
        *((number, 1) for number in range(2, RATIO_MAX + 1)),
        *((1, number) for number in range(2, RATIO_MAX + 1)),
        *_BROKEN_RATIOS,
    ]
    return any(0 <= abs(here) * new / old - abs(there) < 1 for new, old in ratios)


def _is_dividend(owed: Decimal, delta: Decimal) -> bool:
    """Say whether `delta` is a dividend that is owed, tax perhaps taken off."""
    return owed * delta > 0 and (1 - TAX_SHARE_MAX) * abs(owed) <= abs(delta) <= abs(owed)


def _is_interest(state: State, look: BooksReported, delta: Decimal) -> bool:
    """Say whether `delta` is of the size, and the time of the month, that interest has."""
    return look.began_at.day <= INTEREST_BY_DAY and abs(delta) <= INTEREST_SHARE_MAX * abs(
        state.cash.balance
    )


def _is_fee(state: State, delta: Decimal) -> bool:
    """Say whether the broker has taken off a little more than the books know of."""
    return delta < 0 and -delta <= max(state.cash.uncharged_max * 2, state.cash.fees, Decimal(10))
