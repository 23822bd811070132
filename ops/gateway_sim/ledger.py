"""What the simulated gateway remembers: its orders, its executions, its clients' ids, its money.

One value that can be written down and read again; the rules are in `book` and `account`.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from ops.gateway_sim.terms import Commission, Contract, Execution, OrderLine, Status

FIRST_PERM_ID: Final = 1_840_000_001
FIRST_ORDER_ID: Final = 1
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
NEVER: Final = datetime.max.replace(tzinfo=UTC)
OVER: Final = frozenset({Status.CANCELLED, Status.API_CANCELLED, Status.FILLED, Status.INACTIVE})

_ZERO: Final = Decimal(0)


class Working(msgspec.Struct, kw_only=True):
    """An order that is not over, with what only the gateway needs to know of it."""

    line: OrderLine
    oca_group: str = ""
    oca_type: int = 0
    is_transmitted: bool = True
    is_child_waiting: bool = False
    is_triggered: bool = False
    works_from: datetime = EARLIEST
    ends_at: datetime = NEVER
    cancel_due: datetime = NEVER
    cancel_reason: str = ""


class Holding(msgspec.Struct, kw_only=True):
    """A position: `cost` is what its shares cost in all, commissions included, signed as they."""

    contract: Contract
    quantity: Decimal = _ZERO
    cost: Decimal = _ZERO
    realized: Decimal = _ZERO

    @property
    def average_cost(self) -> Decimal:
        """What a share cost, commission included; 0 for a flat position."""
        return self.cost / self.quantity if self.quantity else _ZERO


class Money(msgspec.Struct):
    """Cash and positions by contract id."""

    cash: Decimal
    holdings: dict[int, Holding] = {}


class Ledger(msgspec.Struct, kw_only=True):
    """Everything that survives the gateway's restart, but for orders that never were transmitted.

    `opening` is the money as it stood at the last midnight; `executions` are since then, each in
    its newest revision, and `commissions` theirs by execution id.
    """

    account: str
    money: Money
    opening: Money
    orders: dict[int, Working] = {}
    completed: dict[int, OrderLine] = {}
    executions: list[Execution] = []
    commissions: dict[str, Commission] = {}
    next_ids: dict[int, int] = {}
    next_perm_id: int = FIRST_PERM_ID
    next_execution: int = 1
    next_bound_id: int = -1
    midnight: datetime = EARLIEST
    """When the last day began for which executions and completed orders are kept."""


def new_ledger(account: str, cash: Decimal) -> Ledger:
    """Return the ledger of an account that holds `cash` US dollars and nothing else."""
    return Ledger(account=account, money=Money(cash), opening=Money(cash))
