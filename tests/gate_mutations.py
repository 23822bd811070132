"""`python -m tests.gate_mutations`: break the gate in one place after the other and run its tests.

Each mutant changes one comparison, number, flag, sign, `and`, `or`, `not`, `min` or `max` in
`daemon/gate`; the gate's unit tests, or the cases it shares with its oracle, must fail. What
survives is printed: either a test is missing, or the two are the same. Each mutant runs in a forked
process that imports the changed source; no file is touched.
"""

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import msgspec  # noqa: F401 - loaded once, before the processes fork
import pytest

import projections  # noqa: F401 - as above

ROOT = Path(__file__).parent.parent
GATE = ROOT / "daemon" / "gate"
TESTS = sorted(str(path) for path in (ROOT / "tests").glob("unit/test_gate*.py"))
TESTS += [str(ROOT / "tests" / "properties" / "test_gate_oracle.py")]
KILLED_SHARE_MIN = 0.95
SECONDS_MAX = 120

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATIONS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
EXTREMES = {"min": "max", "max": "min"}

Change = Callable[[], None]


class Mutant:
    """The source of one module with one thing changed, and where that is."""

    def __init__(self, path: Path, line: int, what: str, source: str) -> None:
        self.path = path
        self.module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        self.place = f"{path.relative_to(ROOT)}:{line} {what}"
        self.source = source


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield every mutant of the file."""
    original = ast.parse(path.read_text(encoding="utf-8"))
    for index, _ in enumerate(_places(original)):
        number = 0
        while True:
            tree = copy.deepcopy(original)
            node = _places(tree)[index]
            changes = list(_changes(node))
            if number >= len(changes):
                break
            before = ast.unparse(node)
            changes[number]()
            after = ast.unparse(node)
            if ast.dump(tree) != ast.dump(original):
                what = f"{before} -> {after}"
                yield Mutant(path, getattr(node, "lineno", 0), what, ast.unparse(tree))
            number += 1


def _places(tree: ast.AST) -> list[ast.expr]:
    """Return the expressions that may be changed: what is executed, and is no text or type."""
    found: list[ast.expr] = []

    def look(node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list"}:
                continue
            if name == "keywords" and isinstance(node, ast.ClassDef):
                continue  # How a class is made, frozen or not.
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, ast.expr):
                    found.append(inner)
                if isinstance(inner, ast.AST) and not isinstance(inner, ast.JoinedStr):
                    look(inner)

    look(tree)
    return [node for node in found if next(iter(_changes(node)), None)]


def _changes(node: ast.expr) -> Iterator[Change]:  # noqa: C901, PLR0912 - one flat branch a kind of change
    match node:
        case ast.Compare(ops=[op]):
            for kind in COMPARISONS[type(op)]:
                yield lambda kind=kind: setattr(node, "ops", [kind()])  # type: ignore[misc] # bound now
        case ast.Compare(ops=[_, *_]):
            for number, op in enumerate(node.ops):
                for kind in COMPARISONS[type(op)]:
                    yield lambda number=number, kind=kind: node.ops.__setitem__(number, kind())  # type: ignore[misc] # bound now
        case ast.BoolOp(op=op):
            yield lambda: setattr(node, "op", ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield lambda: setattr(node, "op", _without(node))
        case ast.BinOp(op=op) if type(op) in OPERATIONS and not isinstance(node.left, ast.List):
            yield lambda: setattr(node, "op", OPERATIONS[type(op)]())
        case ast.Constant(value=bool(value)):
            yield lambda: setattr(node, "value", not value)
        case ast.Constant(value=int(number_value)):
            yield lambda: setattr(node, "value", number_value + 1)
        case ast.Call(
            func=ast.Name(id="Decimal"), args=[ast.Constant(value=str(text)) as text_node]
        ):
            yield lambda: setattr(text_node, "value", str(Decimal(text) * 2))
        case ast.Call(func=ast.Name(id=name) as function) if name in EXTREMES:
            yield lambda: setattr(function, "id", EXTREMES[name])
        case _:
            pass


def _without(node: ast.expr) -> ast.unaryop:
    """Return what stands for leaving the operator out: a plus, or a double negation."""
    assert isinstance(node, ast.UnaryOp)
    if isinstance(node.op, ast.USub):
        return ast.UAdd()
    node.operand = ast.UnaryOp(ast.Not(), node.operand)
    return ast.Not()


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from changed source."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,  # noqa: ARG002 - as every finder's
        target: ModuleType | None = None,  # noqa: ARG002 - as above
    ) -> importlib.machinery.ModuleSpec | None:
        wanted = self.mutant.module.removesuffix(".__init__")
        if name != wanted:
            return None
        is_package = self.mutant.path.name == "__init__.py"
        spec = importlib.util.spec_from_loader(name, self, is_package=is_package)
        if spec is not None and is_package:
            spec.submodule_search_locations = [str(self.mutant.path.parent)]
        return spec

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self.mutant.source, str(self.mutant.path), "exec")
        exec(code, module.__dict__)  # noqa: S102 - our own source, changed


def survives(mutant: Mutant | None) -> bool:
    """Run the gate's tests in a forked process, over the mutant or the gate as it is."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
    signal.alarm(SECONDS_MAX)
    code = 1
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        if mutant is not None:
            sys.meta_path.insert(0, Changed(mutant))
        with contextlib.suppress(BaseException):
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *TESTS]))
    finally:
        os._exit(code)


def main() -> int:
    """Run every mutant; return 1 when too many survive, or the tests fail without any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="A part of the file's path.")
    parser.add_argument("--every", type=int, default=1, help="Take each so many-th mutant.")
    chosen = parser.parse_args()
    assert not any(name.startswith("daemon") for name in sys.modules), "nothing imported it yet"
    if not survives(None):
        print("the gate's tests fail without any mutant")  # noqa: T201 - a script
        return 1
    paths = [path for path in sorted(GATE.rglob("*.py")) if chosen.only in str(path)]
    found = [mutant for path in paths for mutant in mutants(path)][:: chosen.every]
    alive = []
    for number, mutant in enumerate(found, 1):
        if survives(mutant):
            alive.append(mutant)
            print(f"survived: {mutant.place}", flush=True)  # noqa: T201 - a script
        if number % 100 == 0:
            print(f"{number} of {len(found)}, {len(alive)} alive", flush=True)  # noqa: T201 - a script
    share = 1 - len(alive) / max(len(found), 1)
    print(f"{len(found) - len(alive)} of {len(found)} mutants killed, {share:.1%}")  # noqa: T201 - a script
    return int(share < KILLED_SHARE_MIN)


if __name__ == "__main__":
    raise SystemExit(main())
