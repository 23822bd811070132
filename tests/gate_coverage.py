"""`python -m tests.gate_coverage`: which statements and branches of the gate its tests never take.

A small tracer of its own, for no coverage tool is installed: every statement in a function must
run, every `if` and `for` must go both ways. What a line decides within itself, the mutations
(`python -m tests.gate_mutations`) look at.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
GATE = ROOT / "daemon" / "gate"
UNIT = ROOT / "tests" / "unit"
TESTS = [str(path) for path in sorted([UNIT / "test_gate.py", *UNIT.glob("test_gate_*.py")])]


class Walked:
    """The steps from line to line that were taken, by file; a return is a step to line 0."""

    def __init__(self) -> None:
        self.steps: dict[str, set[tuple[int, int]]] = defaultdict(set)

    def trace(self, frame: FrameType, _event: str, _argument: object) -> Any:  # noqa: ANN401 - a tracer
        file = frame.f_code.co_filename
        if not file.startswith(str(GATE)):
            return None
        steps, last = self.steps[file], 0

        def each(frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401 - a tracer
            nonlocal last
            if event in {"line", "return"}:
                line = frame.f_lineno if event == "line" else 0
                steps.add((last, line))
                last = line
            return each

        return each


def points(path: Path, steps: set[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """Yield every statement and branch of the file, and whether it was taken."""
    lines = {line for step in steps for line in step}
    functions = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
    ]
    for node in (inner for function in functions for inner in ast.walk(function)):
        if not isinstance(node, ast.stmt) or isinstance(node, ast.FunctionDef) or _is_text(node):
            continue
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        yield f"{place} statement", node.lineno in lines
        if isinstance(node, ast.If | ast.For):
            asks = node.test if isinstance(node, ast.If) else node.iter
            head = range(node.lineno, (asks.end_lineno or asks.lineno) + 1)
            body = range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1)
            after = {to for since, to in steps if since in head and to not in head}
            yield f"{place} into", any(to in body for to in after)
            yield f"{place} past", any(to not in body for to in after)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def main() -> int:
    """Run the gate's tests under the tracer; return 1 when something was never taken."""
    walked = Walked()
    sys.settrace(walked.trace)
    code = int(pytest.main(["-q", "-p", "no:cacheprovider", *TESTS]))
    sys.settrace(None)
    found = [
        point
        for path in sorted(GATE.rglob("*.py"))
        for point in points(path, walked.steps[str(path)])
    ]
    missed = [name for name, taken in found if not taken]
    print(*missed, sep="\n")  # noqa: T201 - a script
    print(f"{len(found) - len(missed)} of {len(found)} statements and branches taken")  # noqa: T201 - a script
    return code or bool(missed)


if __name__ == "__main__":
    raise SystemExit(main())
