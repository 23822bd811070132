"""The list of all events, made from the types: `python -m ops.event_list` updates the README."""

import inspect
from pathlib import Path
from typing import Final, get_args

from events.codec import TAGS, Decided, Input

BEGIN: Final = "<!-- events: made by `python -m ops.event_list` -->"
END: Final = "<!-- /events -->"


def event_list() -> str:
    """Return the README's table of events: tag, and its meaning in one sentence."""
    lines = [BEGIN]
    for title, kinds in (("Inputs", get_args(Input)), ("Decided by the core", get_args(Decided))):
        lines += [f"| {title} | |", "|---|---|"]
        lines += [f"| `{TAGS[kind]}` | {_sentence(kind)} |" for kind in kinds]
        lines.append("")
    return "\n".join([*lines[:-1], END])


def in_readme(readme: str) -> str:
    """Return `readme` with its table of events made anew."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + event_list() + after


def _sentence(kind: type) -> str:
    text = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".") + "."


if __name__ == "__main__":
    path = Path("README.md")
    path.write_text(in_readme(path.read_text(encoding="utf-8")), encoding="utf-8")
