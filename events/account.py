"""What changed the account apart from fills: commissions, cash, corporate actions. US dollars."""

from datetime import date
from decimal import Decimal
from enum import StrEnum

from events.base import ClientOrderId, Event, ExecutionId, Symbol


class CommissionCharged(Event, frozen=True, tag="commission.charged"):
    """The fee for one execution, positive when paid. It comes after the fill it belongs to.

    `revision` is 1, more where the execution charged for is a correction.
    """

    client_order_id: ClientOrderId
    execution_id: ExecutionId
    amount: Decimal
    revision: int = 1

    def key(self) -> str | None:
        """Return the execution id: an execution is charged once."""
        return self.execution_id


class CommissionCorrected(Event, frozen=True, tag="commission.corrected"):
    """The fee of a corrected execution: it replaces `was`, which is charged so far."""

    client_order_id: ClientOrderId
    execution_id: ExecutionId
    amount: Decimal
    revision: int
    was: Decimal

    def key(self) -> str | None:
        """Return the execution id and which correction of it this is."""
        return f"{self.execution_id}|{self.revision}"


class CashMovementKind(StrEnum):
    """Why cash moved. Only deposits and withdrawals are external flows; the rest is result."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    DIVIDEND = "dividend"


class CashMoved(Event, frozen=True, tag="cash.moved"):
    """Cash came in (positive) or went out (negative). `reference` names the reason's own id."""

    kind: CashMovementKind
    amount: Decimal
    reference: str

    def key(self) -> str:
        """Return kind and reference: a payment is booked once."""
        return f"{self.kind}|{self.reference}"


class CorporateActionKind(StrEnum):
    """Kinds of corporate action the books understand."""

    SPLIT = "split"
    DIVIDEND = "dividend"


class CorporateActionAnnounced(Event, frozen=True, tag="corporate-action.announced"):
    """Information only: the books move when it is applied, before the open of `ex_date`.

    A split gives `new_shares` for each `old_shares`. A dividend pays `cash_per_share` dollars on
    `pay_date`; where that is None it stays a receivable until a payment is booked.
    """

    action_id: str
    symbol: Symbol
    ex_date: date
    kind: CorporateActionKind
    new_shares: int = 1
    old_shares: int = 1
    cash_per_share: Decimal = Decimal(0)
    pay_date: date | None = None

    def key(self) -> str | None:
        """Return the action's id."""
        return self.action_id


class CorporateActionApplied(Event, frozen=True, tag="corporate-action.applied"):
    """The action moved the books: `quantity_before` became `quantity_after`.

    A split that leaves a fraction of a share pays `cash_in_lieu` for it at `reference_price`, the
    last price before the action. A dividend makes `receivable` (negative: payable, when short).
    """

    action_id: str
    symbol: Symbol
    kind: CorporateActionKind
    quantity_before: Decimal
    quantity_after: Decimal
    new_shares: int = 1
    old_shares: int = 1
    reference_price: Decimal | None = None
    cash_in_lieu: Decimal = Decimal(0)
    cash_per_share: Decimal = Decimal(0)
    receivable: Decimal = Decimal(0)

    def key(self) -> str | None:
        """Return the action's id: it is applied once."""
        return self.action_id
