"""Why something is stopped, in words that can be kept: nobody is refused a stop for his words."""

from events.operator import WHY_MAX


def kept_reason(why: str) -> str:
    """Return `why` as one line that can be shown, at most as long as a record takes it."""
    shown = why[: WHY_MAX + 1]
    if not shown.isprintable():
        shown = "".join(
            each if each.isprintable() else each.encode("unicode_escape").decode() for each in shown
        )
    return shown if len(shown) <= WHY_MAX else f"{shown[: WHY_MAX - 3]}..."
