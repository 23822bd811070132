"""Writes ops/order-life.md from the one table of an order's life: `python -m ops.order_life`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from events import OrderFilled
from events.codec import TAGS
from projections.order_states import NEXT, RESERVED, TERMINAL, OrderState

PAGE: Final = Path(__file__).with_name("order-life.md")
MAY_FILL: Final = "MAY_FILL"
UNSENT: Final = {OrderState.MARGIN_ASKED, OrderState.APPROVED}
SENT: Final = [state for state in OrderState if state in RESERVED - UNSENT]
"""The states the diagram draws as one box, with what all of them have in common drawn once."""

Step = tuple[str, str, str]
"""From, to, and the words on the arrow."""

INTRODUCTION: Final = """\
# The life of an order

Written by `python -m ops.order_life` from `projections/order_states.py`; do not edit.

`INTENDED` is a strategy's wish, `SENDING` means that the order may have left, and `UNKNOWN` that it
may have left and nobody has answered: it keeps its exposure until there is evidence. What is left
of an order inside the box counts as exposure, and so does one that is `APPROVED`, or waits for the
broker to say what margin it needs. A thick edge marks an end: nothing is reserved any more, though
a late fill of an order that was sent still counts.
"""
TABLE: Final = """\
## Every row

In the state | what comes in | leads to
--- | --- | ---
"""
CLOSING: Final = """
Where nothing is left to fill, a fill leads to `FILLED`. Whatever has no row here cannot be about
that order: it is journaled, changes no state, and puts a hold on everything until an operator has
looked. A cancel asked for (`cancel.sending`) is no state: the order may fill until it is answered.
"""


def page() -> str:
    """Return the page: the diagram, then every row of the table."""
    diagram = "\n".join(f"  {line}" for line in _diagram())
    rows = "\n".join(" | ".join(row) for row in _rows())
    return (
        f"{INTRODUCTION}\n```mermaid\nstateDiagram-v2\n{diagram}\n```\n\n{TABLE}{rows}\n{CLOSING}"
    )


def _diagram() -> Iterator[str]:
    common = _common()
    yield "classDef over stroke-width:4px"
    yield f"[*] --> {OrderState.INTENDED}"
    yield f'state "sent, may still fill" as {MAY_FILL} {{'
    steps = [step for state in OrderState for step in _steps(state)]
    inside = {step for step in steps if {step[0], step[1]} <= set(SENT)}
    for step in steps:
        if step in inside:
            yield f"  {_arrow(step)}"
    yield "}"
    for step in steps:
        if step not in inside and not (step[0] in SENT and step[1:] in common):
            yield _arrow(step)
    for target, words in common:
        yield _arrow((MAY_FILL, target, words))
    for state in OrderState:
        if state in TERMINAL:
            yield f"class {state} over"


def _common() -> list[tuple[str, str]]:
    """Return the arrows that leave the box from every state in it."""
    arrows = [{step[1:] for step in _steps(state)} for state in SENT]
    return sorted(arrow for arrow in set.intersection(*arrows) if arrow[0] not in SENT)


def _steps(state: OrderState) -> Iterator[Step]:
    """Yield what leads out of `state`."""
    for event, after in NEXT[state].items():
        if after is not state:
            yield state, after, TAGS[event]
        if event is OrderFilled:
            yield state, OrderState.FILLED, f"{TAGS[event]} (all of it)"


def _arrow(step: Step) -> str:
    return f"{step[0]} --> {step[1]} : {step[2]}"


def _rows() -> Iterator[tuple[str, str, str]]:
    for state, rows in NEXT.items():
        events: dict[OrderState, list[str]] = {}
        for event, after in rows.items():
            events.setdefault(after, []).append(f"`{TAGS[event]}`")
        for after, tags in events.items():
            leads_to = f"`{after}`" if after is not state else "no change"
            yield f"`{state}`", ", ".join(tags), leads_to


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
