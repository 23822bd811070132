"""The last look at an order before it leaves: what was said since its approval."""

from typing import Final

from daemon.core.hold_desk import stopped_since
from daemon.stopping.kill_switch import KillSwitch
from events import OrderIntended
from projections import State

NO_PERMIT: Final = "the permit file is gone"
KILLED: Final = "killed"


def why_held(intent: OrderIntended, state: State, switch: KillSwitch) -> str:
    """Say what holds an approved order back, nothing if it may go.

    An operator's flatten passes the holds, and the latch of the kill switch; never a lost permit.
    """
    if not switch.permit.granted:
        return KILLED if switch.latched else NO_PERMIT
    if intent.closing:
        return ""
    return KILLED if switch.latched else stopped_since(intent, state)
