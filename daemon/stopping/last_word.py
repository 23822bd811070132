"""The last word of a daemon whose journal failed: what may still do harm is cancelled, unrecorded.

It must not send, nor decide, any more: what it does not write down never was. A cancel only makes
less happen. Each is kept beside the journal; the next start adopts it, and holds everything for it.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from daemon.core.hold_desk import increasing
from daemon.engine import Engine
from daemon.stopping.side_file import write_last_word
from events import ClientOrderId, OperatorCancelAsked

BY: Final = "traded"
WHY: Final = "the journal failed to write"
LEAVE_S: Final = 2.0
"""How long the cancels have to leave: no answer to them is heard any more."""


async def cancel_unrecorded(engine: Engine, told: Callable[[str], None]) -> None:
    """Cancel what works at a broker outside and could do more than reduce; tell what came of it.

    What protects a position stays, as it does in a kill.
    """
    if not engine.broker.outside or engine.settings.dry_run:
        return
    state, durable = engine.core.state, engine.journal.head.seq
    # What the turn that failed would have sent has not left.
    left = [order for order in state.orders.at_broker if order.sending_seq <= durable]
    cancelled = increasing(left, state.positions, protect=True)
    asked = [order.client_order_id for order in cancelled]
    if not asked:
        return
    try:
        for order_id in asked:
            engine.broker.cancel(order_id)
    except Exception as error:  # noqa: BLE001 - whatever it is, the end of the run is another
        told(f"not all of {len(asked)} open orders could be cancelled: {error}")
    try:
        write_last_word(engine.journal.path, [_noted(order_id) for order_id in asked])
    except OSError as error:
        told(f"that they were cancelled could not be kept for the next start: {error}")
    told(f"{len(asked)} open orders are being cancelled; see at the broker that they are")
    await asyncio.sleep(LEAVE_S)


def _noted(order_id: ClientOrderId) -> OperatorCancelAsked:
    return OperatorCancelAsked(f"journal-failed-{secrets.token_hex(8)}", BY, 0, WHY, order_id)
