"""The floor behind the wire: orders, account, contracts and prices of the simulated gateway.

Everything here is synchronous and is told the time. Every call that may change something returns
what is to be told, in order; nothing is ever told by itself. The wire calls `advance` often.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from ops.gateway_sim.terms import (
    AccountValue,
    Commission,
    Contract,
    ContractDetails,
    Execution,
    ExecutionFilter,
    HistoryRequest,
    Notice,
    OrderLine,
    OrderTerms,
    PortfolioLine,
    PositionLine,
    To,
)


class Floor:
    """See each method; `now` never goes back from one call to the next."""

    account: str

    # Clients.

    def next_valid_id(self, client_id: int) -> int:
        """Return the id the client's next order must at least have."""
        raise NotImplementedError

    def end_session(self, client_id: int) -> None:
        """Forget the client's data subscriptions and its untransmitted orders."""
        raise NotImplementedError

    # Orders.

    def submit(
        self, now: datetime, client_id: int, contract: Contract, terms: OrderTerms
    ) -> list[To]:
        """Place, modify or (what_if) only weigh an order."""
        raise NotImplementedError

    def cancel(self, now: datetime, client_id: int, order_id: int) -> list[To]:
        """Cancel an order of the client."""
        raise NotImplementedError

    def cancel_all(self, now: datetime) -> list[To]:
        """Cancel every open order of every client."""
        raise NotImplementedError

    def bind_manual_orders(self, client_id: int) -> list[To]:
        """Give manual orders ids of client 0, now and from here on (reqAutoOpenOrders true)."""
        raise NotImplementedError

    def open_orders(self, client_id: int) -> list[OrderLine]:
        """Return the client's open orders (client 0: and manual ones, which binds them)."""
        raise NotImplementedError

    def all_open_orders(self) -> list[OrderLine]:
        """Return every client's open orders and manual ones, binding none."""
        raise NotImplementedError

    def completed_orders(self, now: datetime, *, api_only: bool) -> list[OrderLine]:
        """Return today's orders that are over."""
        raise NotImplementedError

    def executions(
        self, now: datetime, wanted: ExecutionFilter
    ) -> list[tuple[Execution, Commission | None]]:
        """Return the executions since the account's midnight, each with its commission if known."""
        raise NotImplementedError

    # Account.

    def positions(self) -> list[PositionLine]:
        """Return every position; one closed today shows as 0 once."""
        raise NotImplementedError

    def portfolio(self) -> list[PortfolioLine]:
        """Return every position with its market value."""
        raise NotImplementedError

    def account_values(self) -> list[AccountValue]:
        """Return every figure reqAccountUpdates tells."""
        raise NotImplementedError

    def account_summary(self, tags: Sequence[str]) -> list[AccountValue]:
        """Return the figures of `tags` as reqAccountSummary tells them."""
        raise NotImplementedError

    # Contracts and data. Request ids are the client's own.

    def contract_details(self, wanted: Contract) -> list[ContractDetails] | tuple[int, str]:
        """Return what matches, or an error's code and text."""
        raise NotImplementedError

    def market_data(  # noqa: PLR0913 - the request's own fields
        self,
        now: datetime,
        client_id: int,
        request_id: int,
        contract: Contract,
        generic_ticks: str,
        *,
        snapshot: bool,
    ) -> list[To]:
        """Answer reqMktData and, unless a snapshot, go on with ticks in `advance`."""
        raise NotImplementedError

    def market_data_type(self, client_id: int, kind: int) -> list[To]:
        """Note which market data the client accepts: 1 live, 2 frozen, 3 delayed, 4 both."""
        raise NotImplementedError

    def real_time_bars(  # noqa: PLR0913 - the request's own fields
        self,
        now: datetime,
        client_id: int,
        request_id: int,
        contract: Contract,
        what: str,
        *,
        regular_hours: bool,
    ) -> list[To]:
        """Begin 5-second bars; they come in `advance`."""
        raise NotImplementedError

    def historical_data(
        self, now: datetime, client_id: int, request_id: int, wanted: HistoryRequest
    ) -> list[To]:
        """Answer with bars or an error; kept up to date, updates come in `advance`."""
        raise NotImplementedError

    def head_timestamp(
        self, contract: Contract, what: str, *, regular_hours: bool
    ) -> datetime | tuple[int, str]:
        """Return when the oldest bar starts, or an error's code and text."""
        raise NotImplementedError

    def stop_data(self, client_id: int, request_id: int) -> list[To]:
        """End a data subscription of any kind; an unknown one is error 300."""
        raise NotImplementedError

    # Time.

    def advance(self, now: datetime) -> list[To]:
        """Let time pass to `now`: prices move, orders fill and expire, data goes out."""
        raise NotImplementedError

    # What a script or a fault does to the floor; none of it is a client's doing.

    def set_price(
        self,
        now: datetime,
        symbol: str,
        last: Decimal,
        bid: Decimal | None = None,
        ask: Decimal | None = None,
        size: Decimal | None = None,
    ) -> list[To]:
        """Move one symbol's price by hand; orders that it reaches fill."""
        raise NotImplementedError

    def fill(
        self, now: datetime, perm_id: int, shares: Decimal, price: Decimal, exchange: str = "ISLAND"
    ) -> list[To]:
        """Fill (part of) an order by hand, also one that is being cancelled."""
        raise NotImplementedError

    def correct(
        self, now: datetime, execution_id: str, *, shares: Decimal, price: Decimal
    ) -> list[To]:
        """Correct an execution: the same id with the next revision; 0 shares is a bust."""
        raise NotImplementedError

    def reject(self, now: datetime, perm_id: int, code: int, text: str) -> list[To]:
        """Reject a working order (201, 203 ...): Inactive or Cancelled, as the real one does."""
        raise NotImplementedError

    def expire(self, now: datetime, perm_id: int, reason: str) -> list[To]:
        """Cancel an order from IB's side (202 with `reason`)."""
        raise NotImplementedError

    def place_by_hand(self, now: datetime, contract: Contract, terms: OrderTerms) -> list[To]:
        """Place a manual order, as a person in TWS does: order id 0."""
        raise NotImplementedError

    def modify_by_hand(self, now: datetime, perm_id: int, terms: OrderTerms) -> list[To]:
        """Modify any order, as a person in TWS does."""
        raise NotImplementedError

    def liquidate(self, now: datetime, symbol: str, shares: Decimal | None = None) -> list[To]:
        """Close (part of) a position as IB does on a margin deficiency: liquidation flag 1."""
        raise NotImplementedError

    def roll_back_ids(self, client_id: int, to: int) -> None:
        """Let the next valid id go back to `to`, as a restart of the real one may."""
        raise NotImplementedError

    def forget_order(self, perm_id: int) -> None:
        """Lose an order as if the gateway died before its server had it."""
        raise NotImplementedError

    def find_order(self, *, order_ref: str = "", perm_id: int = 0) -> OrderLine | None:
        """Return the newest order with that reference or permanent id, over or not."""
        raise NotImplementedError

    # Its own life.

    def state(self) -> bytes:
        """Return everything that survives the gateway's restart."""
        raise NotImplementedError

    def restart(self, now: datetime) -> None:
        """Be as after the gateway's restart: untransmitted orders and subscriptions are gone."""
        raise NotImplementedError

    def notices_at_start(self, now: datetime) -> list[Notice]:
        """Return what a client is told after startApi (2104, 2106, 2158)."""
        raise NotImplementedError
