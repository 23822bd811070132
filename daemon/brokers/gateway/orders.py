"""Whose order a message is about: by reference, by permId, by this connection's order numbers.

The reference travels with the order and is its identity. Numbers are given out anew by a gateway
that lost some, so they count for one connection only, and none that was ever seen is used again.
"""

from typing import Any, Final

from daemon.brokers.gateway.messages import Execution, OrderLine, Status, split_execution_id
from events import ClientOrderId
from projections import State

REMEMBERED: Final = 20_000
"""Orders, permIds and executions remembered at the most; what is open is never forgotten."""
WITHOUT_REF: Final = "permId-"


def name_of(order_ref: str, perm_id: int) -> ClientOrderId:
    """Return what an order is called here: its reference, else its permId."""
    return ClientOrderId(order_ref or f"{WITHOUT_REF}{perm_id}")


class OrderNames:
    """What is known of who is who.

    `next_id` is the number the next order gets, `sent_max` the highest that one has got.
    """

    def __init__(self, client_id: int) -> None:
        """Know nobody yet."""
        self.next_id = 0
        self.sent_max = 0
        self._client_id = client_id
        self._by_number: dict[tuple[int, int], ClientOrderId] = {}
        self._numbers: dict[ClientOrderId, int] = {}
        self._by_perm_id: dict[int, ClientOrderId] = {}
        self._by_execution: dict[str, ClientOrderId] = {}
        self._placed_by: dict[ClientOrderId, str] = {}

    def connected(self, order_id_next: int, highest_used: int) -> None:
        """Begin above every number ever seen. What is heard before this counts already."""
        self.next_id = max(self.next_id, order_id_next, highest_used + 1)

    def disconnected(self) -> None:
        """Forget the numbers: the next connection may give them to others."""
        self._by_number = {}
        self._numbers = {}
        self._placed_by = {}

    def number(self, order: ClientOrderId) -> int:
        """Return a new number for `order`, which is registered before anything is sent."""
        order_id = self.sent_max = self.next_id
        self.next_id += 1
        self._learn_number(self._client_id, order_id, order)
        return order_id

    def spare_number(self) -> int:
        """Return a number for what is no order."""
        number = self.next_id
        self.next_id += 1
        return number

    def number_of(self, order: ClientOrderId) -> int | None:
        """Return the number that a cancel of `order` has to name, None where nobody said it."""
        return self._numbers.get(order)

    def placed_by(self, order: ClientOrderId) -> str:
        """Return who else placed `order`, and alone can cancel it; "" where nobody said so."""
        return self._placed_by.get(order, "")

    def learn_line(self, line: OrderLine) -> ClientOrderId:
        """Take what an order in a list says of itself; return whose it is."""
        name = name_of(line.order_ref, line.perm_id)
        if line.order_id > 0:
            self._learn_number(line.client_id, line.order_id, name)
        if not line.is_over and (line.order_id <= 0 or line.client_id != self._client_id):
            by_hand = line.order_id <= 0 or line.client_id == 0
            other = f"client {line.client_id} of the gateway"
            self._placed_by[name] = "hand, on a screen of the broker's" if by_hand else other
        self._learn_perm_id(line.perm_id, name)
        return name

    def learn_execution(self, execution: Execution) -> ClientOrderId:
        """Take what an execution says of its order; return whose it is."""
        known = self._by_perm_id.get(execution.perm_id)
        name = known or name_of(execution.order_ref, execution.perm_id)
        self._learn_perm_id(execution.perm_id, name)
        self._by_execution[execution.root] = name
        return name

    def forget_execution(self, execution: Execution) -> None:
        """Know nothing of an execution that is none of the books': nor is what it cost."""
        self._by_execution.pop(execution.root, None)

    def of_status(self, status: Status) -> ClientOrderId | None:
        """Return whose status it is: by permId, else by the number in this connection."""
        found = self._by_perm_id.get(status.perm_id) if status.perm_id else None
        if found is None:
            found = self._by_number.get((status.client_id, status.order_id))
            if found is not None:
                self._learn_perm_id(status.perm_id, found)
        return found

    def of_number(self, order_id: int) -> ClientOrderId | None:
        """Return the order of ours with that number in this connection."""
        return self._by_number.get((self._client_id, order_id))

    def of_execution(self, execution_id: str, state: State) -> ClientOrderId | None:
        """Return whose execution it is, also of one that the journal alone remembers."""
        root, _ = split_execution_id(execution_id)
        found = self._by_execution.get(root)
        return found or state.orders.executions.order_of(root)

    def is_number_known(self, order_id: int) -> bool:
        """Say whether `order_id` is an order's number in this connection."""
        return (self._client_id, order_id) in self._by_number

    def forget(self, state: State) -> None:
        """Drop what is over, once there is much of it: a connection lasts for days."""
        books: tuple[dict[Any, ClientOrderId], ...] = (
            self._by_number,
            self._by_perm_id,
            self._by_execution,
        )
        for book in books:
            if len(book) > REMEMBERED:
                _drop_oldest(book, state)
        if len(self._placed_by) > REMEMBERED:
            self._placed_by = {
                each: who for each, who in self._placed_by.items() if each in state.orders.open
            }
        if len(self._numbers) > REMEMBERED:
            ours = (each for each in self._by_number if each[0] == self._client_id)
            self._numbers = {self._by_number[client, number]: number for client, number in ours}

    def _learn_number(self, client_id: int, order_id: int, name: ClientOrderId) -> None:
        self._by_number[client_id, order_id] = name
        if client_id == self._client_id:
            self._numbers[name] = order_id
            self.next_id = max(self.next_id, order_id + 1)

    def _learn_perm_id(self, perm_id: int, name: ClientOrderId) -> None:
        if perm_id:
            self._by_perm_id[perm_id] = name


def _drop_oldest(book: dict[Any, ClientOrderId], state: State) -> None:
    oldest = list(book)[: len(book) - REMEMBERED // 2]
    for key in oldest:
        if book[key] not in state.orders.open:
            del book[key]
