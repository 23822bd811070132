"""A person's words for tests of the core: commands with everything filled in that does not matter.

`Told` is a core desk that holds 100 of A for `trend`, and to which orders are sent by hand of the
test: what the operator's own orders do has tests of its own.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from events import (
    ClientOrderId,
    CommandRefused,
    HoldLevel,
    HoldScope,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorHeld,
    OperatorKilled,
    OperatorLifted,
    OperatorOrderAsked,
    OperatorPromoteAsked,
    OperatorReconcileAsked,
    OperatorReloaded,
    OperatorResolveAsked,
    OperatorResumed,
    OperatorShadowed,
    OrderAcknowledged,
    OrderCancelled,
    OrderType,
    Record,
    TimeInForce,
)
from events.codec import Command
from projections.canonical import state_hash
from tests.builders import a_commission, a_fill
from tests.core_desk import A, CoreDesk, Scripted, buy, of

Kind = TypeVar("Kind", bound=Command)
WHO = ("ann", 1000, "because")


def said(kind: type[Kind], /, *fields: Any, command_id: str = "cmd-1", **named: Any) -> Kind:  # noqa: ANN401 - any field
    """Return ann's command of that kind; `fields` are what is its own."""
    return kind(command_id, *WHO, *fields, **named)


def held(
    scope: HoldScope = HoldScope.ALL,
    target: str = "",
    level: HoldLevel = HoldLevel.HALT,
    command_id: str = "cmd-hold",
) -> OperatorHeld:
    return said(OperatorHeld, scope, level, target, command_id=command_id)


def an_order_by_hand(quantity: str, /, **changes: Any) -> OperatorOrderAsked:  # noqa: ANN401 - any field
    order = said(
        OperatorOrderAsked,
        A,
        Decimal(quantity),
        OrderType.MARKET,
        TimeInForce.DAY,
        command_id="cmd-order",
    )
    return msgspec.structs.replace(order, **changes)


ONE_OF_EACH: tuple[Command, ...] = (
    said(OperatorKilled),
    said(OperatorResumed),
    held(command_id="cmd-1"),
    said(OperatorLifted, "hold-1"),
    said(OperatorCancelAsked),
    said(OperatorFlattenAsked),
    an_order_by_hand("10", command_id="cmd-1"),
    said(OperatorShadowed, "trend"),
    said(OperatorPromoteAsked, "trend"),
    said(OperatorReloaded, {"limits.account.max_order_usd": ("1", "2")}),
    said(OperatorReconcileAsked),
    said(OperatorResolveAsked, "break-1-1", Decimal(-10), Decimal("41.20")),
)


class Told(CoreDesk):
    """A core whose `trend` has bought 100 of A at 100, at 15:00 on 2 January; B costs 100 too."""

    def __init__(self, *strategies: Scripted, bought: str = "100", **parts: Any) -> None:  # noqa: ANN401 - the desk's
        super().__init__(*(strategies or (Scripted(), Scripted())), **parts)
        self.minute("15:00", symbol="B")
        self.minute("15:00")
        self._sent = 0
        if Decimal(bought):
            self.fill(self.sends(bought), bought)
        self.effects()

    def sends(self, quantity: str, /, **changes: Any) -> ClientOrderId:  # noqa: ANN401 - any field
        """Let `trend` send an order for so many shares, which the broker acknowledges."""
        self._sent += 1
        run = self.core.desk.runs["trend"]
        assert isinstance(run.strategy, Scripted)
        run.strategy.bars = [buy(quantity, **changes)]
        sent = self.order(self.minute(f"15:{self._sent:02}"))
        assert sent.sending_seq, "the gate refused it"
        self.step(OrderAcknowledged(sent.client_order_id))
        return sent.client_order_id

    def fill(self, order_id: ClientOrderId, quantity: str, symbol: str = "A") -> list[Record]:
        """Fill so much of an order at 100, without a fee."""
        self._sent += 1
        execution = f"e{self._sent}"
        at = f"2024-01-02T15:{self._sent:02}"
        fill = a_fill(
            quantity, execution_id=execution, order_id=order_id, symbol=symbol, executed_at=at
        )
        taken = self.step(fill)
        return taken + self.step(a_commission("0", execution_id=execution, order_id=order_id))

    def cancelled(self, order_id: ClientOrderId) -> list[Record]:
        """Let the broker say that an order is cancelled."""
        return self.step(OrderCancelled(order_id, "asked for"))

    @property
    def books(self) -> str:
        return state_hash(self.state, {})

    @property
    def holds(self) -> list[str]:
        return list(self.state.holds.active)

    def asked_to_cancel(self) -> set[ClientOrderId]:
        return {
            order.client_order_id
            for order in self.state.orders.open.values()
            if order.cancel_requested
        }


def why_refused(records: Sequence[Record]) -> str:
    """Return why the one command of `records` is not carried out, that being all they say."""
    (refused,) = of(records, CommandRefused)
    assert [record.event for record in records][1:] == [refused]
    return refused.why
