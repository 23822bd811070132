"""The runbook as a test reads it: its commands, what it shows of their output, how they compare.

A block that begins ```console WORLD [STEP] is run in that world (`tests.runbook_worlds`), after
that step. A line of "..." stands for any lines that are left out. `python -m tests.runbook_page`
writes the page anew from what the commands print.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

ROOT = Path(__file__).parents[1]
PAGE: Final = ROOT / "ops" / "runbook.md"
LEFT_OUT: Final = "..."
ASKED: Final = "--confirm ([0-9a-f]+)"
"""What a daemon wants back, which is another one in each run."""
_BLOCK = re.compile(r"^```console (?P<info>.+)\n(?P<body>(?:.*\n)*?)```$", re.MULTILINE)
_TOKEN = re.compile(r"[\w.:-]+")


class Typed(msgspec.Struct):
    """One command of the page, and the lines it shows below it."""

    command: str
    shown: list[str]


class Block(msgspec.Struct):
    """One block of the page: where it runs, and what is typed."""

    world: str
    steps: list[str]
    typed: list[Typed]
    start: int
    end: int


def blocks(page: str) -> Iterator[Block]:
    """Yield each block that is run."""
    for found in _BLOCK.finditer(page):
        world, *steps = found["info"].split()
        typed: list[Typed] = []
        for line in found["body"].splitlines():
            if line.startswith("$ "):
                typed.append(Typed(line[2:], []))
            elif typed and typed[-1].command.endswith("\\"):
                typed[-1].command += "\n" + line
            else:
                typed[-1].shown.append(line)
        yield Block(world, steps, typed, *found.span("body"))


def masked(line: str) -> str:
    """Return the line without what differs from run to run: figures, times, ids, widths."""
    line = re.sub(r"(?<![\w])[0-9a-f]{8,64}(?![\w])", "#", line)
    line = re.sub(r"[0-9a-f]{16,64}", "#", line)
    line = re.sub(r"[+-]?\d[\d,.:]*", "#", line)
    line = re.sub(r"#( (ms|s|min|h|days)\b)", "# T", line)
    return re.sub(r"\s+", " ", line).strip()


def differences(shown: list[str], printed: list[str], names: dict[str, str]) -> str:
    """Return what differs, nothing where the page is true; learn `names`, the page's for what is.

    Both sides are compared line by line, masked; LEFT_OUT stands for any number of lines.
    """
    at = 0
    is_anywhere = False
    for line in shown:
        if line == LEFT_OUT:
            is_anywhere = True
            continue
        wanted = masked(line)
        places = range(at, len(printed)) if is_anywhere else range(at, min(at + 1, len(printed)))
        found = next((place for place in places if masked(printed[place]) == wanted), None)
        if found is None:
            return f"not printed: {line}\nprinted, from there:\n" + "\n".join(printed[at:])
        ours, theirs = _TOKEN.findall(line), _TOKEN.findall(printed[found])
        names.update({a: b for a, b in zip(ours, theirs, strict=False) if a != b and len(a) > 5})
        at, is_anywhere = found + 1, False
    if not is_anywhere and at < len(printed):
        return "printed, and not shown:\n" + "\n".join(printed[at:])
    return ""


def with_names(command: str, names: dict[str, str]) -> str:
    """Return the command with the ids of this run instead of those on the page."""
    if asked := names.get(ASKED):
        command = re.sub(ASKED, asked, command)
    return _TOKEN.sub(lambda word: names.get(word[0], word[0]), command)


def checked(block: Block, run: Callable[[str], list[str]], names: dict[str, str]) -> Iterator[str]:
    """Run a block; yield what is not as the page says, and put what was printed into it."""
    for typed in block.typed:
        command = with_names(typed.command, names)
        printed = run(command)
        if asked := re.search(ASKED, "\n".join(printed)):
            names[ASKED] = asked[0]
        if differs := differences(typed.shown, printed, names):
            yield f"$ {command}\n{differs}"
            # For whoever writes the page anew.
            typed.command, typed.shown = command, printed


def main() -> None:
    """Write the page with what its commands print now, where it says otherwise."""
    from tests.runbook_worlds import WORLDS, a_world  # noqa: PLC0415 - it imports this

    page = PAGE.read_text(encoding="utf-8")
    found = list(blocks(page))
    for name in sys.argv[1:] or WORLDS:
        with a_world(name) as world:
            names: dict[str, str] = {}
            for block in found:
                if block.world == name:
                    for step in block.steps:
                        world.do(step)
                    for differs in checked(block, world.run, names):
                        sys.stderr.write(f"{name}: {differs}\n\n")
    for block in reversed(found):
        body = "".join(
            "\n".join([f"$ {typed.command}", *typed.shown]) + "\n" for typed in block.typed
        )
        page = page[: block.start] + body + page[block.end :]
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
