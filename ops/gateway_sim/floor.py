"""The floor behind the wire: orders, account, contracts and prices of the simulated gateway.

Everything here is synchronous and is told the time. Every call that may change something returns
what is to be told, in order; nothing is ever told by itself. The wire calls `advance` often.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from ops.gateway_sim import account, executions, store
from ops.gateway_sim.book import Book
from ops.gateway_sim.contracts import MARKET_RULE, Contracts, Listing, mexican_twin, us_stock
from ops.gateway_sim.history import WHATS
from ops.gateway_sim.hours import Hours
from ops.gateway_sim.ledger import Ledger
from ops.gateway_sim.market_data import DataRules, MarketData
from ops.gateway_sim.prices import Market
from ops.gateway_sim.reports import (
    EVERYONE,
    AccountMoved,
    Notice,
    To,
)
from ops.gateway_sim.terms import (
    AccountValue,
    Commission,
    Contract,
    ContractDetails,
    Execution,
    ExecutionFilter,
    HistoryRequest,
    OrderLine,
    OrderTerms,
    PortfolioLine,
    PositionLine,
)
from ops.gateway_sim.working_orders import BookRules

ACCOUNT_EVERY: Final = timedelta(minutes=3)
"""How often the account's figures are told even if nothing traded."""


class Floor:
    """See each method; `now` never goes back from one call to the next."""

    def __init__(  # noqa: PLR0913, PLR0917 - these are the parts a floor is made of
        self,
        now: datetime,
        ledger: Ledger,
        market: Market,
        contracts: Contracts,
        hours: Hours,
        order_rules: BookRules | None = None,
        data_rules: DataRules | None = None,
    ) -> None:
        """Go on with `ledger`, at `now`."""
        self._now = now
        self._ledger = ledger
        self._market = market
        self._contracts = contracts
        self._hours = hours
        self._order_rules = order_rules or BookRules()
        self._data_rules = data_rules or DataRules()
        self._account_told = now
        self.restart(now)

    @property
    def account(self) -> str:
        """The one account, `DU` and a number: a paper account's."""
        return self._ledger.account

    @property
    def now(self) -> datetime:
        """The latest time it was told."""
        return self._now

    # Clients.

    def next_valid_id(self, client_id: int) -> int:
        """Return the id the client's next order must at least have."""
        return self._book.next_valid_id(client_id)

    def end_session(self, client_id: int) -> None:
        """Forget the client's data subscriptions and its untransmitted orders."""
        self._book.forget_client(client_id)
        self._data.forget_client(client_id)

    # Orders.

    def submit(
        self, now: datetime, client_id: int, contract: Contract, terms: OrderTerms
    ) -> list[To]:
        """Place, modify or (what_if) only weigh an order."""
        return self._book.submit(self._at(now), client_id, contract, terms)

    def cancel(self, now: datetime, client_id: int, order_id: int) -> list[To]:
        """Cancel an order of the client."""
        return self._book.cancel(self._at(now), client_id, order_id)

    def cancel_all(self, now: datetime) -> list[To]:
        """Cancel every open order of every client."""
        return self._book.cancel_all(self._at(now))

    def bind_manual_orders(self, client_id: int) -> list[To]:
        """Give manual orders ids of client 0, now and from here on (reqAutoOpenOrders true)."""
        assert client_id == 0, client_id
        return self._book.bind_manual_orders()

    def open_orders(self, client_id: int) -> list[OrderLine]:
        """Return the client's open orders (client 0: and manual ones, which binds them)."""
        return [
            line for line in self._book.lines() if line.client_id == client_id and line.order_id
        ]

    def all_open_orders(self) -> list[OrderLine]:
        """Return every client's open orders and manual ones, binding none."""
        return self._book.lines()

    def completed_orders(self, now: datetime, *, api_only: bool) -> list[OrderLine]:
        """Return today's orders that are over."""
        self._book.pass_time_first(self._at(now))
        lines = self._ledger.completed.values()
        return [line for line in lines if line.order_id > 0 or not api_only]

    def executions(
        self, now: datetime, wanted: ExecutionFilter
    ) -> list[tuple[Execution, Commission | None]]:
        """Return the executions since the account's midnight, each with its commission if known."""
        self._book.pass_time_first(self._at(now))
        return executions.wanted_executions(self._ledger, wanted)

    # Account.

    def positions(self) -> list[PositionLine]:
        """Return every position; one closed today shows as 0 once."""
        return [line for line in account.positions(self._ledger) if line.quantity]

    def portfolio(self) -> list[PortfolioLine]:
        """Return every position with its market value."""
        return account.portfolio(self._ledger, self._market.last_prices)

    def account_values(self) -> list[AccountValue]:
        """Return every figure reqAccountUpdates tells."""
        return account.account_values(self._ledger, self._market.last_prices)

    def account_summary(self, tags: Sequence[str]) -> list[AccountValue]:
        """Return the figures of `tags` as reqAccountSummary tells them."""
        return account.account_summary(self._ledger, self._market.last_prices, tags)

    # Contracts and data. Request ids are the client's own.

    def contract_details(self, wanted: Contract) -> Sequence[ContractDetails] | tuple[int, str]:
        """Return what matches, or an error's code and text."""
        return self._contracts.details(wanted, self._now)

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
        self._at(now)
        if any(not tick.strip().isdigit() for tick in generic_ticks.split(",") if tick):
            cause = f"Incorrect generic tick list of {generic_ticks}."
            text = f"Error validating request.-'bO' : cause - {cause}"
            return [To(client_id, Notice(request_id, 321, text))]
        wanted = frozenset(tick.strip() for tick in generic_ticks.split(",") if tick)
        return self._data.ticks((client_id, request_id), contract, wanted, snapshot=snapshot)

    def market_data_type(self, client_id: int, kind: int) -> list[To]:
        """Note which market data the client accepts: 1 live, 2 frozen, 3 delayed, 4 both."""
        self._data.set_kind(client_id, kind)
        return []

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
        self._at(now)
        key = (client_id, request_id)
        return self._data.real_time_bars(key, contract, what, regular_hours=regular_hours)

    def historical_data(
        self, now: datetime, client_id: int, request_id: int, wanted: HistoryRequest
    ) -> list[To]:
        """Answer with bars or an error; kept up to date, updates come in `advance`."""
        return self._data.historical(self._at(now), (client_id, request_id), wanted)

    def head_timestamp(
        self, contract: Contract, what: str, *, regular_hours: bool
    ) -> datetime | tuple[int, str]:
        """Return when the oldest bar starts, or an error's code and text."""
        found = self._contracts.resolve(contract)
        if not isinstance(found, Contract):
            return found
        if what not in WHATS:
            return 321, f"Error validating request.-'bQ' : cause - Incorrect what to show:{what}"
        starts = self._market.starts(found.con_id)
        oldest = (at for at in starts if not regular_hours or self._hours.is_regular(at))
        service = "Historical Market Data Service error message"
        return next(oldest, None) or (162, f"{service}:No head time stamp")

    def delay_bars(self, now: datetime, client_id: int, request_id: int) -> list[To]:
        """Let the 5-second bars of a subscription come a quarter of an hour late."""
        return self._data.delay_bars(self._at(now), (client_id, request_id))

    def stop_data(self, client_id: int, request_id: int) -> list[To]:
        """End a data subscription of any kind; an unknown one is error 300."""
        return self._data.stop((client_id, request_id))

    def matching_symbols(self, pattern: str) -> Sequence[ContractDetails]:
        """Return what has a symbol or a name that begins like `pattern`, at most 16."""
        return self._contracts.beginning_with(pattern, self._now)

    def market_rule(self, rule_id: int) -> list[tuple[Decimal, Decimal]]:
        """Return from which price on which tick holds; there is one rule, 26."""
        return [(Decimal(0), Decimal("0.01"))] if rule_id == MARKET_RULE else []

    # Time.

    def advance(self, now: datetime) -> list[To]:
        """Let time pass to `now`: prices move, orders fill and expire, data goes out."""
        told: list[To] = []
        for step in self._market.advance(self._at(now)):
            if not step.is_traded:
                told += self._book.meet(step)
            if step.con_id not in self._market.halted:
                told += self._data.step(step)
        told += self._book.pass_time(now)
        if now >= self._account_told + ACCOUNT_EVERY:
            self._account_told = now
            told.append(To(EVERYONE, AccountMoved()))
        return told

    # What a script or a fault does to the floor; none of it is a client's doing.

    def set_price(  # noqa: PLR0913 - a quote has as many figures
        self,
        now: datetime,
        symbol: str,
        last: Decimal,
        *,
        bid: Decimal | None = None,
        ask: Decimal | None = None,
        size: Decimal | None = None,
    ) -> list[To]:
        """Move one symbol's price by hand; orders that it reaches fill."""
        con_id = self._con_id(symbol)
        told = self._book.pass_time(self._at(now))
        step = self._market.set_price(now, con_id, last, bid, ask, size)
        return [*told, *self._book.meet(step), *self._data.quote(con_id)]

    def halt(self, now: datetime, symbol: str, kind: int = 1) -> list[To]:
        """Halt a symbol (1 by the exchange, 2 for its volatility): nothing of it trades."""
        self._at(now)
        con_id = self._con_id(symbol)
        self._market.halted[con_id] = kind
        return list(self._data.halt(con_id))

    def resume(self, now: datetime, symbol: str, *, telling: bool = True) -> list[To]:
        """Let a symbol trade again; the real gateway does not say so to everybody."""
        self._at(now)
        con_id = self._con_id(symbol)
        self._market.halted.pop(con_id, None)
        return list(self._data.halt(con_id)) if telling else []

    def lend(self, symbol: str, shares: Decimal | None) -> list[To]:
        """Let so many shares be there to borrow; None: nobody says."""
        con_id = self._con_id(symbol)
        self._market.to_borrow[con_id] = shares
        return list(self._data.lend(con_id))

    def revise_bars(self, symbol: str, by: Decimal) -> list[To]:
        """Tell who keeps history up to date another close of the newest bar, `by` dollars away."""
        return list(self._data.revise(self._con_id(symbol), by))

    def fill(
        self, now: datetime, perm_id: int, shares: Decimal, price: Decimal, exchange: str = "ISLAND"
    ) -> list[To]:
        """Fill (part of) an order by hand, also one that is being cancelled."""
        return self._book.fill(self._at(now), perm_id, shares, price, exchange)

    def correct(
        self, now: datetime, execution_id: str, *, shares: Decimal, price: Decimal
    ) -> list[To]:
        """Correct an execution: the same id with the next revision; 0 shares is a bust."""
        self._at(now)
        return self._book.correct(execution_id, shares, price)

    def reject(self, now: datetime, perm_id: int, code: int, text: str) -> list[To]:
        """Reject a working order (201, 203 ...): Inactive or Cancelled, as the real one does."""
        return self._book.reject(self._at(now), perm_id, code, text)

    def expire(self, now: datetime, perm_id: int, reason: str) -> list[To]:
        """Cancel an order from IB's side (202 with `reason`)."""
        return self._book.expire(self._at(now), perm_id, reason)

    def place_by_hand(self, now: datetime, contract: Contract, terms: OrderTerms) -> list[To]:
        """Place a manual order, as a person in TWS does: order id 0."""
        return self._book.place_by_hand(self._at(now), contract, terms)

    def modify_by_hand(self, now: datetime, perm_id: int, terms: OrderTerms) -> list[To]:
        """Modify any order, as a person in TWS does."""
        return self._book.modify_by_hand(self._at(now), perm_id, terms)

    def liquidate(self, now: datetime, symbol: str, shares: Decimal | None = None) -> list[To]:
        """Close (part of) a position as IB does on a margin deficiency: liquidation flag 1."""
        return self._book.liquidate(self._at(now), self._con_id(symbol), shares)

    def roll_back_ids(self, client_id: int, to: int) -> None:
        """Let the next valid id go back to `to`, as a restart of the real one may."""
        self._book.roll_back_ids(client_id, to)

    def forget_order(self, perm_id: int) -> None:
        """Lose an order as if the gateway died before its server had it."""
        self._book.forget_order(perm_id)

    def find_order(self, *, order_ref: str = "", perm_id: int = 0) -> OrderLine | None:
        """Return the newest order with that reference or permanent id, over or not."""
        working = [order.line for order in self._ledger.orders.values()]
        lines = [*self._ledger.completed.values(), *working]
        found = [
            line
            for line in lines
            if order_ref in {"", line.terms.order_ref} and perm_id in {0, line.perm_id}
        ]
        return max(found, key=lambda line: line.perm_id, default=None)

    # Its own life.

    def state(self) -> bytes:
        """Return everything that survives the gateway's restart."""
        return store.encoded(self._ledger)

    def restart(self, now: datetime) -> None:
        """Be as after the gateway's restart: untransmitted orders and subscriptions are gone."""
        self._book = Book(
            self._ledger, self._market, self._contracts, self._hours, self._order_rules
        )
        self._data = MarketData(self._market, self._contracts, self._hours, self._data_rules)
        self._book.pass_time_first(self._at(now))
        self._account_told = now

    def notices_at_start(self, now: datetime) -> list[Notice]:
        """Return what a client is told after startApi (2104, 2106, 2158)."""
        self._at(now)
        return [
            Notice(-1, 2104, "Market data farm connection is OK:usfarm"),
            Notice(-1, 2106, "HMDS data farm connection is OK:ushmds"),
            Notice(-1, 2158, "Sec-def data farm connection is OK:secdefnj"),
        ]

    def next_moment(self) -> datetime:
        """Return when `advance` next has something to do, as far as is known."""
        return min(self._book.next_due, self._market.next_due)

    def use(
        self, *, order_rules: BookRules | None = None, data_rules: DataRules | None = None
    ) -> None:
        """Behave by other rules from now on."""
        if order_rules is not None:
            self._order_rules = self._book.rules = order_rules
        if data_rules is not None:
            self._data_rules = self._data.rules = data_rules

    @property
    def order_rules(self) -> BookRules:
        """How orders are dealt with."""
        return self._order_rules

    @property
    def data_rules(self) -> DataRules:
        """What the account may see."""
        return self._data_rules

    def list_stock(self, listing: Listing) -> None:
        """Know one more stock, for instance a second one of the same symbol."""
        self._contracts.add(listing)

    def _at(self, now: datetime) -> datetime:
        self._now = max(now, self._now)
        return self._now

    def _con_id(self, symbol: str) -> int:
        """Return the US listing of `symbol`, listing it first where it is not."""
        if symbol not in self._contracts:
            self._contracts.add(us_stock(symbol))
            self._contracts.add(mexican_twin(us_stock(symbol)))
        return self._contracts.matching(Contract(symbol=symbol, currency="USD"))[0].con_id
