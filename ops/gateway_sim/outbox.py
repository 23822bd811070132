"""What the order engine has to tell, and whom: each report goes to the order's client.

An order placed by hand belongs to client 0, which is told of its executions; of the order itself
only once it asked for such orders to be bound. A master client is told of everybody's.
"""

from ops.gateway_sim.ledger import Ledger
from ops.gateway_sim.reports import (
    EVERYONE,
    AccountMoved,
    CommissionReport,
    ExecutionReport,
    Notice,
    OpenOrder,
    OrderBound,
    OrderStatus,
    PositionMoved,
    Report,
    To,
)
from ops.gateway_sim.terms import (
    Commission,
    Execution,
    OrderLine,
    PositionLine,
    WhatIf,
)


class Outbox:
    """Reports in the order in which they are to be told."""

    def __init__(self, master_client_id: int | None) -> None:
        """Begin empty."""
        self._master = master_client_id
        self._told: list[To] = []

    def drained(self) -> list[To]:
        """Return what there is to tell, and begin again."""
        told, self._told = self._told, []
        return told

    def order(self, line: OrderLine) -> None:
        """Tell an order's terms and where it stands."""
        self.open_order(line)
        self.status(line)

    def open_order(self, line: OrderLine, what_if: WhatIf | None = None) -> None:
        """Tell an order's terms."""
        if line.order_id:
            self._tell(line.client_id, OpenOrder(line, what_if))

    def status(self, line: OrderLine) -> None:
        """Tell where an order stands."""
        if line.order_id:
            self._tell(line.client_id, OrderStatus(line))

    def notice(self, line: OrderLine, code: int, text: str) -> None:
        """Tell a message about an order."""
        if line.order_id:
            self._told.append(To(line.client_id, Notice(line.order_id, code, text)))

    def refuse(self, client_id: int, order_id: int, code: int, text: str) -> None:
        """Tell a client that its request fails."""
        self._told.append(To(client_id, Notice(order_id, code, text)))

    def bound(self, line: OrderLine) -> None:
        """Tell that a manual order has got an id."""
        self._told.append(
            To(line.client_id, OrderBound(line.perm_id, line.client_id, line.order_id))
        )

    def execution(self, client_id: int, execution: Execution) -> None:
        """Tell an execution."""
        self._tell(client_id, ExecutionReport(execution))

    def commission(self, client_id: int, commission: Commission) -> None:
        """Tell what an execution cost."""
        self._tell(client_id, CommissionReport(commission))

    def account_moved(self, ledger: Ledger, con_id: int) -> None:
        """Tell everyone who wants to know that one position and the account changed."""
        holding = ledger.money.holdings[con_id]
        position = PositionLine(
            account=ledger.account,
            contract=holding.contract,
            quantity=holding.quantity,
            average_cost=holding.average_cost,
        )
        self._told.append(To(EVERYONE, PositionMoved(position)))
        self._told.append(To(EVERYONE, AccountMoved()))

    def _tell(self, client_id: int, report: Report) -> None:
        self._told.append(To(client_id, report))
        if self._master is not None and self._master != client_id:
            self._told.append(To(self._master, report))
