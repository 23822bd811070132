"""What a corporate action does to the books at the moment it applies."""

from decimal import ROUND_DOWN, Decimal

from events import CorporateActionAnnounced, CorporateActionApplied, CorporateActionKind
from projections import State

_CENT = Decimal("0.01")
_ZERO = Decimal(0)


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
