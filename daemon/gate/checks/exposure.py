"""The whole account's exposure, and what it may be as a multiple of equity. US dollars."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from daemon.gate.checks.measures import loss_within, unless_reducing, unset, within
from daemon.gate.checks.question import Question
from events import Check, OrderIntended, Symbol

_ZERO = Decimal(0)
_NOTHING = (_ZERO, _ZERO, _ZERO)
Orders = Sequence[tuple[OrderIntended, Decimal]]
"""Orders that may fill, each with the signed quantity that may."""


class Exposure(msgspec.Struct, frozen=True):
    """The worst case over all orders: gross, and net with only the buys or only the sells filled.

    `held` is gross as it is now.
    """

    gross: Decimal
    longest: Decimal
    shortest: Decimal
    held: Decimal

    @property
    def net(self) -> Decimal:
        """The larger of both extremes, unsigned."""
        return max(abs(self.longest), abs(self.shortest))


def exposure(question: Question, orders: Orders) -> Exposure | None:
    """Return the account's exposure if `orders` may fill.

    None where something is held or ordered without a price.
    """
    ordered = _by_symbol(orders)
    bars = question.state.market.last
    gross = longest = shortest = held_usd = _ZERO
    for symbol, position in question.state.positions.account.items():
        held = position.quantity
        row = ordered.pop(symbol, None)
        if row is None:
            if not held:
                continue
            row = _NOTHING
        bar = bars.get(symbol)
        # A price that is no number makes the sums none, and so does one that is endless.
        if bar is None or bar.close <= _ZERO:
            return None
        buys, sells, dearest_own = row
        size = abs(held * bar.close)
        held_usd += size
        if row is _NOTHING:
            most = least = size if held > _ZERO else -size
            gross += size
        else:
            price = max(bar.close, dearest_own)
            most, least = (held + buys) * price, (held + sells) * price
            gross += max(abs(most), abs(least))
        longest += most
        shortest += least
    for symbol, (buys, sells, dearest_own) in ordered.items():
        bar = bars.get(symbol)
        if bar is None or bar.close <= _ZERO:
            return None
        price = max(bar.close, dearest_own)
        most, least = buys * price, sells * price
        gross += max(most, -least)
        longest += most
        shortest += least
    return Exposure(gross, longest, shortest, held_usd)


def _by_symbol(orders: Orders) -> dict[Symbol, tuple[Decimal, Decimal, Decimal]]:
    """Return by symbol: all buys, all sells, and the highest of the orders' own prices."""
    found: dict[Symbol, tuple[Decimal, Decimal, Decimal]] = {}
    for intent, reserved in orders:
        buys, sells, dearest_own = found.get(intent.symbol, _NOTHING)
        if reserved > _ZERO:
            buys += reserved
        else:
            sells += reserved
        if intent.limit_price is not None:
            dearest_own = max(dearest_own, intent.limit_price)
        if intent.stop_price is not None:
            dearest_own = max(dearest_own, intent.stop_price)
        found[intent.symbol] = buys, sells, dearest_own
    return found


def exposure_here(question: Question) -> Exposure | None:
    """Return the exposure with this intent and those before it, worked out once."""
    kept = question.__dict__
    if "exposure" not in kept:
        kept["exposure"] = exposure(question, question.on_order)
    found: Exposure | None = kept["exposure"]
    return found


def gross_usd(question: Question) -> Check:
    """Limit longs and shorts together."""
    found = exposure_here(question)
    value = None if found is None else found.gross
    limit = _smaller(question.leverage_usd, question.limits.account.max_gross_usd)
    check = within("gross_usd", value, limit, "max_leverage")
    return unless_reducing(question, check)


def net_usd(question: Question) -> Check:
    """Limit longs less shorts, or shorts less longs."""
    found = exposure_here(question)
    value = None if found is None else found.net
    limit = _smaller(question.leverage_usd, question.limits.account.max_net_usd)
    check = within("net_usd", value, limit, "max_leverage")
    return unless_reducing(question, check)


def leverage(question: Question) -> Check:
    """Limit gross exposure as a multiple of equity."""
    found, equity = exposure_here(question), question.equity
    value = None if found is None or equity <= _ZERO else found.gross / equity
    limit = question.limits.account.max_leverage
    note = "" if equity > _ZERO else "there is no equity"
    check = within("leverage", value, limit, "max_leverage", note)
    return unless_reducing(question, check)


def emergency_leverage(question: Question) -> Check:
    """Once what is held is too large a multiple of equity, only let orders pass that reduce it."""
    found, equity = exposure_here(question), question.equity
    limit = question.limits.account.emergency_leverage
    if limit is None:
        return unset("emergency_leverage", "emergency_leverage")
    if found is None or equity <= _ZERO:
        note = "there is no price" if found is None else "there is no equity"
        return Check("emergency_leverage", question.reduces_position, None, limit, None, note)
    return loss_within(question, "emergency_leverage", found.held / equity, limit, "")


def _smaller(most: Decimal | None, own: Decimal | None) -> Decimal | None:
    """Return what leverage allows, or less where `own` is set."""
    return most if most is None or own is None else min(most, own)
