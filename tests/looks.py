"""A broker's books as tests tell them: one look, with everything filled in that does not matter."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from events import (
    BooksReported,
    BrokerCash,
    BrokerOrder,
    BrokerPosition,
    CompletedOrder,
    ExecutionId,
    ExecutionSeen,
    LookWhy,
    Symbol,
)
from tests.builders import utc


def a_look(  # noqa: PLR0913 - what a look has
    held: Mapping[str, str] | None = None,
    cash: str | None = None,
    orders: Sequence[BrokerOrder] = (),
    *,
    at: str = "2024-01-02T16:00:00",
    look_id: str | None = None,
    costs: Mapping[str, str] | None = None,
    **changes: Any,  # noqa: ANN401 - any field
) -> BooksReported:
    """Return a look begun at `at` with shares by symbol; cash that is not given is not said."""
    look = BooksReported(
        look_id or f"look-{at}",
        LookWhy.SCHEDULE,
        utc(at),
        tuple(
            BrokerPosition(Symbol(symbol), Decimal(shares), _cost(costs, symbol))
            for symbol, shares in (held or {}).items()
        ),
        None if cash is None else BrokerCash(Decimal(cash)),
        tuple(orders),
        (),
        (),
        utc("2024-01-02T13:00"),
    )
    return msgspec.structs.replace(look, **changes)


def _cost(costs: Mapping[str, str] | None, symbol: str) -> Decimal | None:
    return Decimal(costs[symbol]) if costs and symbol in costs else None


def listed(
    ref: str,
    quantity: str,
    remaining: str | None = None,
    /,
    *,
    symbol: str = "A",
    **more: Any,  # noqa: ANN401 - any field
) -> BrokerOrder:
    """Return an order that is open at the broker: a market order for the day, where not said."""
    return BrokerOrder(
        ref,
        Symbol(symbol),
        Decimal(quantity),
        Decimal(quantity if remaining is None else remaining),
        more.pop("order_type", "MKT"),
        more.pop("time_in_force", "DAY"),
        perm_id=more.pop("perm_id", "77"),
        **more,
    )


def seen(execution_id: str, quantity: str, ref: str = "", symbol: str = "A") -> ExecutionSeen:
    return ExecutionSeen(ExecutionId(execution_id), ref, Symbol(symbol), Decimal(quantity))


def over(ref: str, status: str = "Cancelled") -> CompletedOrder:
    return CompletedOrder(ref, status=status)
