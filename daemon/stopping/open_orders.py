"""The end of a session at a broker outside: what becomes of the orders still open there."""

import asyncio
from typing import Final

import msgspec

from daemon.config.options import OnStop
from daemon.engine import Engine
from events import ClientOrderId, SessionStopping
from projections.order_states import OrderState

ANSWER_S: Final = 10.0
"""How long the cancels of a stop wait for their answers."""
_STEP_S: Final = 0.02


class Ended(msgspec.Struct, frozen=True):
    """An order that a stop asked to cancel, and how it ended: a fill may have come first."""

    client_order_id: ClientOrderId
    state: OrderState


class Parting(msgspec.Struct, frozen=True):
    """What a stop came to at a broker outside: the orders that ended, and those that are open.

    `cancelled` says that cancels were asked for.
    """

    on_stop: OnStop
    cancelled: bool
    ended: tuple[Ended, ...]
    still_open: tuple[Ended, ...]

    @property
    def left(self) -> tuple[ClientOrderId, ...]:
        """The orders that stay."""
        return tuple(order.client_order_id for order in self.still_open)


async def part(engine: Engine, on_stop: OnStop, wait_s: float = ANSWER_S) -> Parting | None:
    """Do with the open orders what `on_stop` says; None where no broker outside may have any.

    A dry run cancels nothing, as it sends nothing.
    """
    orders = engine.core.state.orders
    if not engine.broker.outside:
        return None
    asked = tuple(order.client_order_id for order in orders.at_broker)
    cancels = bool(asked) and on_stop is OnStop.CANCEL and not engine.settings.dry_run
    if cancels:
        await engine.take(SessionStopping(engine.stop_reason))
        for _ in range(int(wait_s / _STEP_S)):
            if not any(each in orders.open for each in asked):
                break
            await asyncio.sleep(_STEP_S)
            await engine.commit()
    ended = []
    for each in asked:
        order = orders.closed.get(each)
        if order is not None:
            ended.append(Ended(each, order.state))
    still = (Ended(order.client_order_id, order.state) for order in orders.at_broker)
    return Parting(on_stop, cancels, tuple(ended), tuple(still))
