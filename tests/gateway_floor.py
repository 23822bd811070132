"""A desk at the simulated gateway's floor: scripted prices, and what is told as lines to compare.

New York is five hours behind UTC here: a regular session is 14:30 to 21:00.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from ops.gateway_sim.floor import Floor
from ops.gateway_sim.market_data import DataRules
from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.reports import (
    EVERYONE,
    CommissionReport,
    ExecutionReport,
    Notice,
    OpenOrder,
    OrderBound,
    OrderStatus,
    Report,
    To,
)
from ops.gateway_sim.terms import (
    Bar,
    Contract,
    OrderLine,
    OrderTerms,
)
from ops.gateway_sim.working_orders import BookRules

ACCOUNT = "DU1234567"
NOON = datetime(2024, 1, 3, 17, tzinfo=UTC)
"""Noon in New York, a Wednesday."""
OPEN = datetime(2024, 1, 3, 14, 30, tzinfo=UTC)
CLOSE = datetime(2024, 1, 3, 21, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
CASH = Decimal(100_000)
FREE = DataRules(paces_history=False)
SECOND = timedelta(seconds=1)
SPY = Contract(symbol="SPY", security_type="STK", exchange="SMART", currency="USD")
IBM = Contract(symbol="IBM", security_type="STK", exchange="SMART", currency="USD")


def terms(  # noqa: PLR0913 - an order is said in so many words
    order_id: int,
    action: str,
    quantity: int,
    kind: str = "MKT",
    *,
    limit: str | None = None,
    stop: str | None = None,
    **more: object,
) -> OrderTerms:
    """Return what a client asks for; `limit` and `stop` are prices as text."""
    plain = OrderTerms(
        order_id=order_id,
        action=action,
        quantity=Decimal(quantity),
        type=kind,
        limit_price=None if limit is None else Decimal(limit),
        aux_price=None if stop is None else Decimal(stop),
    )
    return msgspec.structs.replace(plain, **more)


class FloorDesk:
    """A floor with its own time; every call remembers what was told."""

    def __init__(
        self, now: datetime = NOON, *, cash: int = 100_000, rules: BookRules | None = None
    ) -> None:
        """Open it at `now`, with SPY at 100.00 (99.99 bid, 100.01 ask)."""
        self.now = now
        self.floor = open_floor(
            None, ACCOUNT, Decimal(cash), now, None, symbols=["SPY", "IBM"], order_rules=rules
        )
        self.told: list[To] = []
        self.price("100.00")

    def price(self, last: str, symbol: str = "SPY", size: int | None = None) -> list[str]:
        """Move the price; return what is told of orders."""
        shares = None if size is None else Decimal(size)
        return self.heard(self.floor.set_price(self.now, symbol, Decimal(last), size=shares))

    def place(self, client_id: int, wanted: OrderTerms, contract: Contract = SPY) -> list[str]:
        """Place or modify an order."""
        return self.heard(self.floor.submit(self.now, client_id, contract, wanted))

    def cancel(self, client_id: int, order_id: int) -> list[str]:
        """Cancel an order."""
        return self.heard(self.floor.cancel(self.now, client_id, order_id))

    def go_to(self, now: datetime) -> list[str]:
        """Let time pass."""
        self.now = now
        return self.heard(self.floor.advance(now))

    def heard(self, told: list[To]) -> list[str]:
        """Remember what was told; return it as lines, without ticks and account figures."""
        self.told = told
        return lines(told)

    def perm_id(self, client_id: int, order_id: int) -> int:
        """Return an order's permanent id."""
        lines = [*self.floor.all_open_orders(), *self.completed()]
        ids = (client_id, order_id)
        return next(line.perm_id for line in lines if (line.client_id, line.order_id) == ids)

    def completed(self) -> Sequence[OrderLine]:
        """Return today's orders that are over."""
        return self.floor.completed_orders(self.now, api_only=False)

    def shares(self, symbol: str = "SPY") -> Decimal:
        """Return the position."""
        held = {line.contract.symbol: line.quantity for line in self.floor.positions()}
        return held.get(symbol, Decimal(0))

    def value(self, tag: str, currency: str = "USD") -> Decimal:
        """Return one of the account's figures."""
        values = self.floor.account_values()
        return next(Decimal(v.value) for v in values if (v.tag, v.currency) == (tag, currency))


def lines(told: Sequence[To]) -> list[str]:
    """Return what clients were told of orders, one line each: `1: orderStatus 7 Filled 10/0`."""
    return [
        f"{to.client_id}: {line}"
        for to in told
        if to.client_id != EVERYONE and (line := _line(to.report))
    ]


def _line(report: Report) -> str:  # noqa: PLR0911 - one return a kind
    match report:
        case OpenOrder(order=order):
            cost = "" if order.commission is None else f" for {order.commission:.2f}"
            return f"openOrder {order.order_id} {order.status} {order.terms.quantity}{cost}"
        case OrderStatus(order=order):
            held = f" ({order.why_held})" if order.why_held else ""
            progress = f"{order.filled}/{order.remaining}"
            return f"orderStatus {order.order_id} {order.status} {progress}{held}"
        case ExecutionReport(execution=done):
            return f"execDetails {done.order_id} {done.side} {done.shares} @ {done.price}"
        case CommissionReport(commission=cost):
            return f"commissionReport {cost.commission:.2f}"
        case Notice(request_id=request_id, code=code):
            return f"error {request_id} {code}"
        case OrderBound(order_id=order_id):
            return f"orderBound {order_id}"
        case _:
            return ""


def write_bars(folder: Path, symbol: str, start: datetime, count: int, step_s: int = 60) -> None:
    """Write bars that climb: 100.00 99.90 100.20 100.10, each 0.10 higher; 600 shares a bar."""
    rows = ["ts,open,high,low,close,volume"]
    for number in range(count):
        opened = Decimal(100) + Decimal(number) / 10
        prices = (
            opened,
            opened + Decimal("0.20"),
            opened - Decimal("0.10"),
            opened + Decimal("0.10"),
        )
        at = start + number * timedelta(seconds=step_s)
        rows.append(f"{at:%Y-%m-%dT%H:%M:%SZ},{','.join(map(str, prices))},600")
    (folder / f"{symbol}.csv").write_text("\n".join(rows) + "\n")


def floor_of(folder: Path, start: datetime | None = None, rules: DataRules = FREE) -> Floor:
    return open_floor([folder], ACCOUNT, CASH, start, None, data_rules=rules)


def played(floor: Floor, until: datetime) -> list[To]:
    """Let time pass for a clock that looks once a second; return what was told to clients."""
    told = []
    while floor.now < until:
        told += floor.advance(floor.now + timedelta(seconds=1))
    return for_clients(told)


def for_clients(told: list[To]) -> list[To]:
    """Leave out that the account's figures changed, which they do every three minutes."""
    return [each for each in told if each.client_id != EVERYONE]


def figures(bars: Sequence[Bar]) -> list[tuple[object, ...]]:
    """Return what two ways to the same bars agree in; how they average trades is their own."""
    return [(b.at, b.open, b.high, b.low, b.close, b.volume) for b in bars]
