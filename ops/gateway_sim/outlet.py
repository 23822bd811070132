"""The last place a message passes before it leaves: here it may be held, doubled or lost."""

from collections.abc import Callable, Sequence

import msgspec

from ops.gateway_sim.faults import OF_SAID, Fault, FaultKind

Fields = Sequence[str]


class _Held(msgspec.Struct):
    """A message that leaves after so many more, or at `due` (wall seconds), whichever is first."""

    fields: Fields
    messages: int | None
    due: float | None


class Outlet:
    """What one connection is told, after the faults that strike at it."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._held: list[_Held] = []

    def passed(self, fields: Fields, faults: Sequence[Fault], seconds: float) -> list[Fields]:
        """Return what leaves now that `fields` should leave."""
        leaving = [fields]
        holds: list[_Held] = []
        for fault in faults:
            match fault.kind:
                case FaultKind.LOST:
                    leaving = []
                case FaultKind.EMPTY:
                    # 17, request id, start, end, number of bars, and then the bars.
                    leaving = [[*fields[:4], "0"]]
                case FaultKind.DUPLICATE:
                    leaving = [*leaving, fields]
                case FaultKind.REORDERED:
                    leaving, holds = [], [_Held(fields, 1, None)]
                case FaultKind.LATE:
                    due = seconds + fault.after_s if fault.after_s else None
                    leaving, holds = [], [_Held(fields, fault.messages or None, due)]
                case _:
                    assert fault.kind not in OF_SAID
        if leaving:
            for each in self._held:
                each.messages = None if each.messages is None else each.messages - len(leaving)
        passed = [*leaving, *self._released(_counted_down)]
        self._held += holds
        return passed

    def due(self, seconds: float) -> list[Fields]:
        """Return what was held until now."""
        return self._released(lambda held: held.due is not None and held.due <= seconds)

    def _released(self, is_over: Callable[[_Held], bool]) -> list[Fields]:
        released = [held.fields for held in self._held if is_over(held)]
        self._held = [held for held in self._held if not is_over(held)]
        return released


def _counted_down(held: _Held) -> bool:
    return held.messages is not None and held.messages <= 0
