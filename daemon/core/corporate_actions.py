"""What a corporate action does to the books at the moment it applies."""

from decimal import ROUND_DOWN, Decimal
from typing import Final

from events import CorporateActionAnnounced, CorporateActionApplied, CorporateActionKind
from projections import State

RATIO_MAX: Final = 1_000
"""No share has ever become more than that many, nor that many one."""
_CENT = Decimal("0.01")
_ZERO = Decimal(0)


def is_sensible_ratio(new_shares: int, old_shares: int) -> bool:
    """Say whether a split of `new_shares` for each `old_shares` can be so."""
    if new_shares <= 0 or old_shares <= 0:
        return False
    return old_shares <= new_shares * RATIO_MAX and new_shares <= old_shares * RATIO_MAX


def objection(announced: CorporateActionAnnounced) -> str:
    """Say why `announced` cannot be so at any price, "" where it can."""
    name = f"{announced.action_id} of {announced.symbol}"
    new, old, cash = announced.new_shares, announced.old_shares, announced.cash_per_share
    if announced.kind is CorporateActionKind.SPLIT:
        if is_sensible_ratio(new, old):
            return ""
        return f"{name} is a split of {new}:{old}: not between 1:{RATIO_MAX} and {RATIO_MAX}:1"
    if cash.is_finite() and cash > 0:
        return ""
    return f"{name} is a dividend of {cash} a share: not an amount above 0"


def objection_at_price(announced: CorporateActionAnnounced, price: Decimal | None) -> str:
    """Say why `announced` cannot be so at the last price, "" where it can or nobody knows one."""
    cash = announced.cash_per_share
    if announced.kind is CorporateActionKind.SPLIT or price is None or cash <= price:
        return ""
    name = f"{announced.action_id} of {announced.symbol}"
    return f"{name} is a dividend of {cash} a share, more than the last price of {price}"


def applied_action(announced: CorporateActionAnnounced, state: State) -> CorporateActionApplied:
    """Return `announced` as it applies to the position held now.

    A split's fraction of a share is paid in cash at the last price in new shares; without a last
    price the fraction is kept, because there is no price to pay it at.
    """
    held = state.positions.held(announced.symbol).quantity
    price = state.market.price(announced.symbol)
    if announced.kind is CorporateActionKind.DIVIDEND:
        receivable = (held * announced.cash_per_share).quantize(_CENT)
        return CorporateActionApplied(
            action_id=announced.action_id,
            symbol=announced.symbol,
            kind=announced.kind,
            quantity_before=held,
            quantity_after=held,
            cash_per_share=announced.cash_per_share,
            receivable=receivable,
        )
    new, old = announced.new_shares, announced.old_shares
    exact = held * new / old
    if price is None or held != held.to_integral_value():
        whole, in_lieu = exact, _ZERO
    else:
        whole = exact.to_integral_value(ROUND_DOWN)
        in_lieu = ((exact - whole) * price * old / new).quantize(_CENT)
    return CorporateActionApplied(
        action_id=announced.action_id,
        symbol=announced.symbol,
        kind=announced.kind,
        quantity_before=held,
        quantity_after=whole,
        new_shares=new,
        old_shares=old,
        reference_price=price,
        cash_in_lieu=in_lieu,
    )
