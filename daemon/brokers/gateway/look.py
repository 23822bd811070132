"""One look at the broker's books: every list taken to its end marker, or said to be missing.

Empty is not flat: a list that did not come is None. What the lists say of orders and executions has
been reported by then, message by message; this is the whole of it, for one comparison.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.alias import Alias
from daemon.brokers.gateway.asking import RequestFailed, Row
from daemon.brokers.gateway.messages import Execution, OrderLine, Unreadable
from daemon.brokers.gateway.session import GatewaySession
from daemon.brokers.gateway.translate import our_words, symbol_of
from events import ExecutionId, Symbol
from events.reconciliation import (
    BooksReported,
    BrokerCash,
    BrokerList,
    BrokerOrder,
    BrokerPosition,
    CompletedOrder,
    ExecutionSeen,
    LookWhy,
)

Thing = TypeVar("Thing")
_STATUS: Final = messages.ORDER_STATUS
_NAME_MAX: Final = 100
_COST_STEP: Final = Decimal("1e-8")


class Lists:
    """The lists of one look as they came; None: not to its end. `missing` has why."""

    def __init__(self) -> None:
        """Begin with none."""
        self.rows: dict[BrokerList, list[Row]] = {}
        self.missing: dict[str, str] = {}

    async def take(self, name: BrokerList, asked: Callable[[], Awaitable[list[Row]]]) -> None:
        """Take one list; what keeps it from coming is kept as the reason."""
        try:
            self.rows[name] = await asked()
        except (TimeoutError, RequestFailed) as error:
            self.missing[name.value] = str(error) or "it did not come to its end"


async def take_lists(session: GatewaySession) -> Lists:
    """Ask for every list, one after the other.

    Raises:
        ConnectionLost: the connection ended meanwhile.
    """
    wire, lists = session.wire, Lists()
    orders = frozenset({messages.OPEN_ORDER, messages.ORDER_STATUS})
    completed = frozenset({messages.COMPLETED_ORDER})

    async def open_orders() -> list[Row]:
        # Our own first: that is what binds this connection to them.
        end = messages.OPEN_ORDERS_END
        await session.ask_list(wire.ask_own_orders, end, orders)
        return await session.ask_list(wire.ask_open_orders, end, orders)

    await lists.take(BrokerList.OPEN_ORDERS, open_orders)
    await lists.take(
        BrokerList.COMPLETED_ORDERS,
        lambda: session.ask_list(
            wire.ask_completed_orders, messages.COMPLETED_ORDERS_END, completed
        ),
    )
    await lists.take(
        BrokerList.EXECUTIONS,
        lambda: session.ask(
            wire.ask_executions, messages.EXECUTIONS_END, frozenset({messages.EXECUTION})
        ),
    )
    await lists.take(
        BrokerList.POSITIONS,
        lambda: session.ask_list(
            wire.ask_positions, messages.POSITIONS_END, frozenset({messages.POSITION})
        ),
    )
    account = session.settings.account
    await lists.take(
        BrokerList.CASH,
        lambda: session.ask_list(
            lambda: wire.ask_account(account),
            messages.ACCOUNT_END,
            frozenset({messages.ACCOUNT_VALUE}),
        ),
    )
    return lists


class BooksReader:
    """Reads lists into an observation, for one account and the symbols that are known."""

    def __init__(
        self,
        alias: Alias,
        client_id: int,
        by_id: Mapping[int, Symbol],
        read_order: Callable[[tuple[str, ...]], OrderLine],
    ) -> None:
        """Bind to what names things."""
        self._alias = alias
        self._client_id = client_id
        self._by_id = by_id
        self._read_order = read_order

    def report(
        self,
        lists: Lists,
        look_id: str,
        why: LookWhy,
        began_at: datetime,
        connected_since: datetime | None,
    ) -> BooksReported:
        """Return the observation; a list with a row that cannot be read did not come."""
        missing = dict(lists.missing)

        def read(
            name: BrokerList, reader: Callable[[list[Row]], Iterable[Thing]]
        ) -> tuple[Thing, ...] | None:
            try:
                return tuple(reader(lists.rows[name])) if name in lists.rows else None
            except Unreadable as error:
                missing[name.value] = f"a row of it cannot be read: {error}"
                return None

        return BooksReported(
            look_id=look_id,
            why=why,
            began_at=began_at,
            positions=read(BrokerList.POSITIONS, self._positions),
            cash=_cash(lists.rows.get(BrokerList.CASH), self._alias),
            open_orders=read(BrokerList.OPEN_ORDERS, self._open_orders),
            completed_orders=read(BrokerList.COMPLETED_ORDERS, self._completed),
            executions=read(BrokerList.EXECUTIONS, self._executions),
            connected_since=connected_since,
            missing=missing,
        )

    def _positions(self, rows: list[Row]) -> Iterable[BrokerPosition]:
        lines = {}
        for _, fields in rows:
            line = messages.read_position(fields)
            if self._alias.is_ours(line.account):
                lines[line.contract_id] = line
        for line in lines.values():
            if line.quantity:
                symbol = symbol_of(
                    line.contract_id,
                    line.symbol,
                    line.security_type,
                    line.local_symbol,
                    self._by_id,
                )
                yield BrokerPosition(symbol, line.quantity, _rounded(line.average_cost))

    def _open_orders(self, rows: list[Row]) -> Iterable[BrokerOrder]:
        # What remains stands in the status behind the order.
        statuses = (messages.read_status(row) for kind, row in rows if kind == _STATUS)
        left = {each.perm_id: each.remaining for each in statuses}
        for line in self._lines([row for row in rows if row[0] == messages.OPEN_ORDER]):
            # An answer about margins may come while the list does.
            if line.is_over or line.is_what_if:
                continue
            kind, time_in_force = our_words(line)
            yield BrokerOrder(
                order_ref=_name(line.order_ref),
                symbol=self._symbol(line),
                quantity=line.quantity,
                remaining=_remaining(line, left.get(line.perm_id)),
                order_type=kind,
                time_in_force=time_in_force,
                limit_price=line.limit_price or None,
                stop_price=line.stop_price or None,
                status=line.status,
                broker_order_id=str(line.order_id) if line.order_id else "",
                perm_id=str(line.perm_id) if line.perm_id else "",
                client_id=str(line.client_id),
                is_ours=line.client_id == self._client_id and bool(line.order_id),
            )

    def _completed(self, rows: list[Row]) -> Iterable[CompletedOrder]:
        for line in self._lines(rows):
            perm_id = str(line.perm_id) if line.perm_id else ""
            status = _name(line.completed_status or line.status)
            yield CompletedOrder(_name(line.order_ref), perm_id, status)

    def _executions(self, rows: list[Row]) -> Iterable[ExecutionSeen]:
        newest: dict[str, Execution] = {}
        for kind, fields in rows:
            if kind != messages.EXECUTION:
                continue
            each = messages.read_execution(fields)
            known = newest.get(each.root)
            if self._alias.is_ours(each.account) and (
                known is None or known.revision <= each.revision
            ):
                newest[each.root] = each
        for root, each in newest.items():
            symbol = symbol_of(
                each.contract_id, each.symbol, each.security_type, each.local_symbol, self._by_id
            )
            yield ExecutionSeen(
                ExecutionId(root),
                _name(each.order_ref),
                symbol,
                each.quantity,
                bool(each.liquidation),
            )

    def _lines(self, rows: list[Row]) -> Iterable[OrderLine]:
        lines: dict[object, OrderLine] = {}
        for _, fields in rows:
            line = self._read_order(tuple(fields))
            if self._alias.is_ours(line.account):
                lines[line.perm_id or (line.client_id, line.order_id)] = line
        return lines.values()

    def _symbol(self, line: OrderLine) -> Symbol:
        return symbol_of(
            line.contract_id, line.symbol, line.security_type, line.symbol, self._by_id
        )


def _rounded(cost: Decimal | None) -> Decimal | None:
    """Return an average, which the gateway writes with all its digits, as exact as it means."""
    return None if cost is None else cost.quantize(_COST_STEP)


def _remaining(line: OrderLine, left: Decimal | None) -> Decimal:
    """Return what may still fill, signed; all of it where no status says less."""
    if left is None or not 0 <= left <= abs(line.quantity):
        return line.quantity
    return left if line.quantity > 0 else -left


def _name(text: str) -> str:
    """Return a text of the broker's, or anybody's, as a name may be: short, and printable."""
    return "".join(each if each.isprintable() else "?" for each in text)[:_NAME_MAX]


def _cash(rows: list[Row] | None, alias: Alias) -> BrokerCash | None:
    if rows is None:
        return None
    said: dict[str, Decimal] = {}
    for _, fields in rows:
        try:
            value = messages.read_account_value(fields)
            number = messages.number_or_none(value.value)
        except Unreadable:
            continue  # Many of its tags are words.
        is_dollars = value.currency in {"USD", "BASE", ""}
        if number is not None and is_dollars and alias.is_ours(value.account):
            said[value.tag] = number
    return BrokerCash(said.get("TotalCashValue"), said.get("SettledCash"))
