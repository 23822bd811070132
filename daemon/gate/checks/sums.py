"""What orders that may fill add up to: the whole account's exposure. US dollars."""

from decimal import Decimal

import msgspec

from events import OrderIntended, Symbol
from projections import State
from projections.exposure import larger
from projections.positions import FLAT

_ZERO = Decimal(0)
_NOTHING = (_ZERO, _ZERO, _ZERO)
Orders = list[tuple[OrderIntended, Decimal]]
"""Orders that may fill, each with the signed quantity that may."""


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """The worst case over all orders: gross, and net with only the buys or only the sells filled.

    `net` is unsigned, `held` is gross as it is now.
    """

    gross: Decimal
    net: Decimal
    held: Decimal


def exposure(state: State, orders: Orders) -> Exposure | None:
    """Return the account's exposure if `orders` may fill.

    None where something is held or ordered without a price.
    """
    bars, account, ordered = state.market.last, state.positions.account, _by_symbol(orders)
    held_usd = net = _ZERO
    for symbol, position in account.items():
        if position.quantity and symbol not in ordered:
            bar = bars.get(symbol)
            # A price that is no number makes the sums none, and so does one that is endless.
            if bar is None or bar.close <= _ZERO:
                return None
            usd = position.quantity * bar.close
            held_usd += abs(usd)
            net += usd
    gross, longest, shortest = held_usd, net, net
    for symbol, (buys, sells, own) in ordered.items():
        bar = bars.get(symbol)
        if bar is None or bar.close <= _ZERO:
            return None
        held, close = account.get(symbol, FLAT).quantity, bar.close
        price = own if own > close else close  # noqa: FURB136 - max() costs twice as much
        most, least = (held + buys) * price, (held + sells) * price
        held_usd += abs(held * close)
        gross += larger(most, least)
        longest += most
        shortest += least
    return Exposure(gross, larger(longest, shortest), held_usd)


def _by_symbol(orders: Orders) -> dict[Symbol, tuple[Decimal, Decimal, Decimal]]:
    """Return by symbol: all buys, all sells, and the highest of the orders' own prices."""
    found: dict[Symbol, tuple[Decimal, Decimal, Decimal]] = {}
    for intent, reserved in orders:
        symbol = intent.symbol
        buys, sells, own = found.get(symbol, _NOTHING)
        own = dearest(own, intent)
        if reserved > _ZERO:
            found[symbol] = buys + reserved, sells, own
        else:
            found[symbol] = buys, sells + reserved, own
    return found


def dearest(price: Decimal, intent: OrderIntended) -> Decimal:
    """Return `price`, or the intent's own limit or stop price where that is higher."""
    limit, stop = intent.limit_price, intent.stop_price
    if limit is not None and limit > price:
        price = limit
    if stop is not None and stop > price:
        price = stop
    return price
