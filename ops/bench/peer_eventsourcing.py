"""The eventsourcing library: as many events, stored by it, then read back and applied.

Run by its path in the peers' environment. "build" saves one account's fills, a thousand a save, in
its SQLite module; "replay" reads all notifications, decodes each and mutates the account with it.
"""

import json
import os
import sys
import time
from decimal import Decimal

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

EVENTS_A_SAVE = 1_000
FILL = {
    "order_id": "O-000000000001",
    "symbol": "AAPL.XNAS",
    "side": "buy",
    "quantity": "100",
    "price": "187.3400",
    "fee": "0.1050",
    "liquidity": "taker",
    "venue": "SIM",
    "at": 1_700_000_000_000_000_001,
    "trace": "0123456789abcdef0123456789abcdef",
    "strategy": "sma-cross-1",
    "account": "A-001",
}


class Account(Aggregate):
    """Positions and cash, moved by fills."""

    @event("Opened")
    def __init__(self) -> None:
        """Start empty."""
        self.cash = Decimal(0)
        self.positions: dict[str, Decimal] = {}

    @event("Filled")
    def fill(  # noqa: PLR0913, PLR0917 - the fields of a fill
        self,
        order_id: str,  # noqa: ARG002 - stored with the event, as the ones below
        symbol: str,
        side: str,
        quantity: str,
        price: str,
        fee: str,
        liquidity: str,  # noqa: ARG002 - as above
        venue: str,  # noqa: ARG002 - as above
        at: int,  # noqa: ARG002 - as above
        trace: str,  # noqa: ARG002 - as above
        strategy: str,  # noqa: ARG002 - as above
        account: str,  # noqa: ARG002 - as above
    ) -> None:
        """Take one fill."""
        bought = Decimal(quantity) if side == "buy" else -Decimal(quantity)
        self.positions[symbol] = self.positions.get(symbol, Decimal(0)) + bought
        self.cash -= bought * Decimal(price) + Decimal(fee)


def main(what: str, path: str, count: int) -> None:
    """Build the file at `path` with `count` fills, or replay it."""
    environment = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": path}
    app: Application = Application(env={**os.environ, **environment})
    figures = build(app, count) if what == "build" else replay(app, count)
    app.close()
    print(json.dumps(figures))


def build(app: Application, count: int) -> dict[str, float]:
    """Save the fills."""
    account = Account()
    app.save(account)
    started = time.perf_counter()
    for _ in range(0, count, EVENTS_A_SAVE):
        for _ in range(EVENTS_A_SAVE):
            account.fill(**FILL)
        app.save(account)
    return {"per_s": count / (time.perf_counter() - started)}


def replay(app: Application, count: int) -> dict[str, float]:
    """Read every notification and apply it."""
    started = time.perf_counter()
    applied, after, account = 0, 0, None
    while page := app.recorder.select_notifications(after + 1, EVENTS_A_SAVE):
        for notification in page:
            account = app.mapper.to_domain_event(notification).mutate(account)
        applied += len(page)
        after = page[-1].id
    taken_s = time.perf_counter() - started
    assert account is not None
    assert account.positions["AAPL.XNAS"] == 100 * count
    return {"per_s": applied / taken_s}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
