"""Positions: signed quantity, cost and realised P&L, for the account and for each strategy.

The formulas, with worked examples, are in ops/profit-and-loss.md.
"""

from decimal import ROUND_DOWN, Decimal
from typing import assert_never

import msgspec

from events import (
    BY_HAND,
    CorporateActionApplied,
    CorporateActionKind,
    FillCorrected,
    OrderFilled,
    PositionAdjusted,
    Symbol,
)

_ZERO = Decimal(0)
_COST_STEP = Decimal("1e-8")
_CENT = Decimal("0.01")


class Position(msgspec.Struct, frozen=True):
    """What is held of one symbol. `cost` is signed like `quantity`: a short has a negative cost.

    Keeping the cost rather than the average price keeps the books exact through splits and
    partial closes: cash + cost - realised P&L + fees never drifts.
    """

    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO
    realised_pnl: Decimal = _ZERO

    @property
    def average_entry_price(self) -> Decimal | None:
        """Dollars a share paid (or received, when short), None when flat."""
        return self.cost / self.quantity if self.quantity else None


FLAT = Position()


def after_fill(position: Position, quantity: Decimal, price: Decimal) -> Position:
    """Return `position` after `quantity` (signed) traded at `price`.

    Adding moves the cost; closing realises the difference between what came in and the cost of
    what went out; trading through zero closes first and opens the rest at `price`.
    """
    held = position.quantity
    if not held or (held > 0) == (quantity > 0):
        return Position(held + quantity, position.cost + quantity * price, position.realised_pnl)
    if abs(quantity) >= abs(held):
        realised = position.realised_pnl + held * price - position.cost
        rest = held + quantity
        return Position(rest, rest * price, realised)
    cost_out = (position.cost * -quantity / held).quantize(_COST_STEP)
    realised = position.realised_pnl - quantity * price - cost_out
    return Position(held + quantity, position.cost - cost_out, realised)


def after_split(
    position: Position, split: CorporateActionApplied, quantity: Decimal, paid: Decimal
) -> Position:
    """Return `position` as `quantity` in new shares, with `paid` for the fraction given up.

    The cost of what is left stays; the fraction's cost is set against what was paid for it. Where
    the quantity was rounded up instead, the fraction was bought and `paid` is negative.
    """
    exact = position.quantity * split.new_shares / split.old_shares
    if abs(quantity) >= abs(exact):
        return Position(quantity, position.cost - paid, position.realised_pnl)
    cost = (position.cost * quantity / exact).quantize(_COST_STEP)
    return Position(quantity, cost, position.realised_pnl + paid - (position.cost - cost))


PositionEvent = OrderFilled | FillCorrected | CorporateActionApplied | PositionAdjusted


class Positions(msgspec.Struct):
    """The account's positions, and each strategy's share of them."""

    account: dict[Symbol, Position] = {}
    by_strategy: dict[str, dict[Symbol, Position]] = {}

    def held(self, symbol: Symbol) -> Position:
        """Return the account's position in `symbol`."""
        return self.account.get(symbol, FLAT)

    def held_by(self, strategy: str, symbol: Symbol) -> Position:
        """Return one strategy's position in `symbol`."""
        return self.by_strategy.get(strategy, {}).get(symbol, FLAT)

    @property
    def cost(self) -> Decimal:
        """The cost of all that is held; negative where more is sold short."""
        return sum((position.cost for position in self.account.values()), _ZERO)

    @property
    def realised_pnl(self) -> Decimal:
        """What closing positions has brought so far, fees apart."""
        return sum((position.realised_pnl for position in self.account.values()), _ZERO)

    def apply(self, event: PositionEvent, strategy: str | None) -> None:
        """Take a fill (of `strategy`'s order, None for a foreign one), or what changes one, in."""
        match event:
            case OrderFilled():
                self._trade(event.symbol, strategy, event.quantity, event.price)
            case FillCorrected():
                # As if what was counted had been traded back at its own price.
                self._trade(event.symbol, strategy, -event.was_quantity, event.was_price)
                self._trade(event.symbol, strategy, event.quantity, event.price)
            case PositionAdjusted():
                self._adjust(event)
            case CorporateActionApplied(kind=CorporateActionKind.SPLIT):
                self._split(event)
            case CorporateActionApplied():
                pass
            case _:
                assert_never(event)

    def _trade(
        self, symbol: Symbol, strategy: str | None, quantity: Decimal, price: Decimal
    ) -> None:
        self.account[symbol] = after_fill(self.held(symbol), quantity, price)
        if strategy is not None:
            book = self.by_strategy.setdefault(strategy, {})
            book[symbol] = after_fill(book.get(symbol, FLAT), quantity, price)

    def _adjust(self, event: PositionAdjusted) -> None:
        """Take shares in or out that nobody traded: they are the operator's, no strategy's."""
        by_hand = self.by_strategy.setdefault(BY_HAND, {})
        for book in (self.account, by_hand):
            before = book.get(event.symbol, FLAT)
            book[event.symbol] = Position(
                before.quantity + event.quantity, before.cost + event.cost, before.realised_pnl
            )

    def _split(self, event: CorporateActionApplied) -> None:
        """Restate the account's position and its parts, so that the parts still sum to it.

        Each part is the difference between two running totals, both rounded as the event rounds
        the account's: no share and no cent is made or lost between the strategies.
        """
        symbol = event.symbol
        held, quantity, paid = _ZERO, _ZERO, _ZERO
        for name in sorted(self.by_strategy):
            book = self.by_strategy[name]
            part = book.get(symbol, FLAT)
            if part.quantity:
                held += part.quantity
                quantity_before, paid_before = quantity, paid
                quantity, paid = _total_after(event, held)
                book[symbol] = after_split(
                    part, event, quantity - quantity_before, paid - paid_before
                )
        if symbol in self.account:
            whole = self.account[symbol]
            self.account[symbol] = after_split(
                whole, event, event.quantity_after, event.cash_in_lieu
            )


def _total_after(event: CorporateActionApplied, held: Decimal) -> tuple[Decimal, Decimal]:
    """Return what `held` old shares are after the split, and what is paid for their fraction."""
    if held == event.quantity_before:
        return event.quantity_after, event.cash_in_lieu
    exact = held * event.new_shares / event.old_shares
    totals = (event.quantity_before, event.quantity_after)
    keeps_fractions = any(total != total.to_integral_value() for total in totals)
    if keeps_fractions or event.reference_price is None:
        return exact, _ZERO
    quantity = exact.to_integral_value(ROUND_DOWN)
    price = event.reference_price * event.old_shares / event.new_shares
    return quantity, ((exact - quantity) * price).quantize(_CENT)
