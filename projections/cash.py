"""Cash, fees and receivables, in US dollars."""

from decimal import Decimal
from typing import assert_never

import msgspec

from events import (
    CashAdjusted,
    CashMoved,
    CashMovementKind,
    CommissionCharged,
    CommissionCorrected,
    CorporateActionApplied,
    ExecutionId,
    FillCorrected,
    OrderFilled,
    PositionAdjusted,
)

_ZERO = Decimal(0)
COMMISSION_SHARE_MAX = Decimal("0.01")
"""No US equity commission plan of IBKR charges more than this share of the trade value ..."""
COMMISSION_FLOOR_USD = Decimal(1)
"""... except that an order may cost its minimum; an unknown fee counts as the larger of both."""

CashEvent = (
    OrderFilled
    | FillCorrected
    | CommissionCharged
    | CommissionCorrected
    | CashMoved
    | CorporateActionApplied
    | CashAdjusted
    | PositionAdjusted
)


class Cash(msgspec.Struct):
    """`balance` is settled and unsettled cash together.

    `external_flows` is deposits less withdrawals, what operators adjusted included, shares at their
    cost; `receivables` are dividends gone ex and not yet
    paid, by action id, negative when owed, and `receivable` is their sum; `uncharged` holds, for
    each execution without its commission yet, the most that commission can be. `charged_first` are
    executions whose commission came before their fill; `moved` has the amounts of all cash
    movements by key.
    """

    balance: Decimal = _ZERO
    external_flows: Decimal = _ZERO
    dividends: Decimal = _ZERO
    fees: Decimal = _ZERO
    receivables: dict[str, Decimal] = {}
    receivable: Decimal = _ZERO
    uncharged: dict[ExecutionId, Decimal] = {}
    charged_first: dict[ExecutionId, None] = {}
    moved: dict[str, Decimal] = {}

    @property
    def uncharged_max(self) -> Decimal:
        """The most that commissions still to come can be."""
        return sum(self.uncharged.values(), _ZERO)

    def is_repeat(self, event: CashMoved) -> bool:
        """Say whether this movement is booked already."""
        return event.key() in self.moved

    def contradicted_by(self, event: CashMoved) -> str:
        """Return what is booked under the key of `event` where that is another amount, else ""."""
        booked = self.moved.get(event.key())
        return "" if booked is None or booked == event.amount else f"{event.key()}: {booked}"

    def apply(self, event: CashEvent) -> None:
        """Take one event that moves cash, or promises to, into the book; it must be no repeat."""
        match event:
            case OrderFilled():
                self._trade(event.execution_id, event.quantity * event.price)
            case CommissionCharged():
                self.balance -= event.amount
                self.fees += event.amount
                if self.uncharged.pop(event.execution_id, None) is None:
                    self.charged_first[event.execution_id] = None
            case FillCorrected():
                self.balance += event.was_quantity * event.was_price
                self.balance -= event.quantity * event.price
            case CommissionCorrected():
                self.balance -= event.amount - event.was
                self.fees += event.amount - event.was
            case CashMoved():
                self._move(event)
            case CorporateActionApplied():
                self.balance += event.cash_in_lieu
                if event.receivable:
                    self.receivables[event.action_id] = event.receivable
                    self.receivable += event.receivable
            case CashAdjusted():
                self.balance += event.amount
                if event.action_id:
                    self._pay_dividend(event.action_id, event.amount)
                else:
                    self.external_flows += event.amount
            case PositionAdjusted():
                self.external_flows += event.cost
            case _:
                assert_never(event)

    def _trade(self, execution_id: ExecutionId, value: Decimal) -> None:
        self.balance -= value
        if execution_id in self.charged_first:
            del self.charged_first[execution_id]
        else:
            estimate = abs(value) * COMMISSION_SHARE_MAX
            self.uncharged[execution_id] = max(COMMISSION_FLOOR_USD, estimate)

    def _move(self, event: CashMoved) -> None:
        self.moved[event.key()] = event.amount
        self.balance += event.amount
        match event.kind:
            case CashMovementKind.DEPOSIT | CashMovementKind.WITHDRAWAL:
                self.external_flows += event.amount
            case CashMovementKind.DIVIDEND:
                self._pay_dividend(event.reference, event.amount)
            case _:
                assert_never(event.kind)

    def _pay_dividend(self, action_id: str, amount: Decimal) -> None:
        self.dividends += amount
        self.receivable -= self.receivables.pop(action_id, _ZERO)
