"""`python -m tests.gate_mutations`: break the gate in one place after the other and run its tests.

Each mutant changes one comparison, number, flag, sign, `and`, `or`, `not`, `min` or `max` in
`daemon/gate`; the gate's unit tests, or the cases it shares with its oracle, must fail. What
survives is printed: either a test is missing, or the two are the same, which `THE_SAME` says of
some and why. No file is touched. A change within a function is made in a fork of a process that has
found all tests; any other, and what survives there, in one that imports the changed source.
"""

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import msgspec  # noqa: F401 - loaded once, before the processes fork
import pytest

import projections  # noqa: F401 - as above

ROOT = Path(__file__).parent.parent
GATE = ROOT / "daemon" / "gate"
UNIT = ROOT / "tests" / "unit"
TESTS = [str(path) for path in sorted([UNIT / "test_gate.py", *UNIT.glob("test_gate_*.py")])]
ORACLE = str(ROOT / "tests" / "properties" / "test_gate_oracle.py")
READS_FILES = "test_nobody_but_the_gate_itself_seals_an_approval"
"""The test that reads all source files, and none of the changed ones: a second for nothing."""
OPTIONS = ["-x", "-q", "-s", "-p", "no:cacheprovider", f"-k=not {READS_FILES}"]
KILLED_SHARE_MIN = 0.95
SECONDS_MAX = 60
"""How much of the processor's time a mutant's tests may take before that counts as a failure."""
FAILED, STOPPED, BROKEN = 1, 2, 3  # What pytest ends with.
KILLED = {FAILED, STOPPED, BROKEN, -signal.SIGXCPU}

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
THE_SAME = {
    "account.py question.index + 1 -> question.index - 1": "works the same exposure out again",
    "losses.py loss > _ZERO -> loss >= _ZERO": "zero either way",
    "losses.py value > _ZERO -> value >= _ZERO": "zero either way",
    "measures.py limit < least -> limit <= least": "the same limit either way",
    "order_shape.py price >= _ONE -> price > _ONE": "a dollar is a multiple of both",
    "order_shape.py step < _ONE -> step <= _ONE": "one is put in the place of one",
    "prices.py bar.end >= question.moment.now -> bar.end > question.moment.now": "its age is 0",
    "prices.py moment >= now -> moment > now": "no time, and no session in it",
    "question.py asked > booked -> asked >= booked": "the same time either way",
    "question.py worst.held > _ZERO -> worst.held >= _ZERO": "a sale from nothing ends short",
    "rates.py held.quantity > _ZERO -> held.quantity >= _ZERO": "what is not held is seen before",
    "sums.py limit > price -> limit >= price": "the same price either way",
    "sums.py own > close -> own >= close": "the same price either way",
    "sums.py reserved > _ZERO -> reserved >= _ZERO": "nothing is added either way",
    "sums.py stop > price -> stop >= price": "the same price either way",
}
"""Mutants that do what the gate does, and why."""

Change = Callable[[], None]


class Mutant:
    """A module with one thing changed, or none: where, what, and whether that is in a function."""

    def __init__(
        self, path: Path, line: int, place: tuple[int, int] | None, text: str, *, within: bool
    ) -> None:
        """Change the expression and in the way that `place` numbers; `text` says both."""
        self.path = path
        self.module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        self.module = self.module.removesuffix(".__init__")
        self.name = f"{path.name} {text}"
        self.within = within
        self.line = line
        self._place = place

    @property
    def source(self) -> str:
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        if self._place is not None:
            index, number = self._place
            list(_changes(_places(tree)[index]))[number]()
        return ast.unparse(tree)


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield every mutant of the file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    bodies = [statement for function in functions for statement in function.body]
    executed = {id(node) for statement in bodies for node in ast.walk(statement)}
    for index, node in enumerate(_places(tree)):
        for number in range(len(list(_changes(node)))):
            changed = copy.deepcopy(node)
            list(_changes(changed))[number]()
            if ast.dump(changed) != ast.dump(node):
                text = f"{ast.unparse(node)} -> {ast.unparse(changed)}"
                yield Mutant(path, node.lineno, (index, number), text, within=id(node) in executed)


def _places(tree: ast.AST) -> list[ast.expr]:
    """Return the expressions that may be changed: what is executed, and is no text or type."""
    found: list[ast.expr] = []

    def look(node: ast.AST) -> None:
        if isinstance(node, ast.keyword) and node.arg == "strict":
            return  # It asserts, of what is of one length.
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
        if name != self.mutant.module:
            return None
        is_package = self.mutant.path.name == "__init__.py"
        spec = importlib.util.spec_from_loader(name, self, is_package=is_package)
        if spec is not None and is_package:
            spec.submodule_search_locations = [str(self.mutant.path.parent)]
        return spec

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self.mutant.source, str(self.mutant.path), "exec")
        exec(code, module.__dict__)  # noqa: S102 - our own source, changed


def survives(mutant: Mutant, tests: Sequence[str]) -> bool:
    """Run the tests in a forked process that imports the mutant."""
    child = os.fork()
    if child:
        return _ended(child) not in KILLED
    code = BROKEN
    try:
        _alone()
        sys.meta_path.insert(0, Changed(mutant))
        with contextlib.suppress(BaseException):
            code = int(pytest.main([*OPTIONS, *tests]))
    finally:
        os._exit(code)


def _ended(child: int) -> int:
    """Wait for the process; return its exit code, or the signal that ended it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _alone() -> None:
    """Let this process say nothing, and end it when it goes on for too long."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX + 1))
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


class Session:
    """A plugin of pytest that runs the tests it has found once a mutant, each time in a fork."""

    def __init__(self, found: Sequence[Sequence[Mutant]], survived: int) -> None:
        """Judge `found`, some at once; the numbers of what survives go to a file descriptor."""
        self.found = found
        self.survived = survived
        self.is_fork = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for number, together in enumerate(self.found):
            child = os.fork()
            if not child:
                self.is_fork = True
                _alone()
                for mutant in together:
                    put_in_place(mutant)
                return
            if (code := _ended(child)) not in KILLED:
                os.write(self.survived, f"{number} {code}\n".encode())
        session.items.clear()

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if self.is_fork:
            os._exit(int(exitstatus))


def put_in_place(mutant: Mutant) -> None:
    """Give the functions of the module, which others have imported by now, their changed code."""
    module = sys.modules[mutant.module]
    changed = {"__name__": module.__name__}
    exec(compile(mutant.source, str(mutant.path), "exec"), changed)  # noqa: S102 - our own source, changed
    _take_code(vars(module), changed, module.__name__)


def _take_code(into: Mapping[str, Any], of: Mapping[str, Any], module: str) -> None:
    for name, value in into.items():
        if getattr(value, "__module__", module) != module:
            continue  # It was imported.
        if inspect.isclass(value):
            _take_code(vars(value), vars(of[name]), module)
        function, changed = _function(value), _function(of.get(name))
        if function is not None and changed is not None:
            function.__code__ = changed.__code__
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def _function(value: Any) -> FunctionType | None:  # noqa: ANN401 - whatever a module has
    """Return the function behind `value`: a property's, a cached one, or itself."""
    found = inspect.unwrap(getattr(value, "fget", value))
    return found if isinstance(found, FunctionType) else None


def survivors(found: Sequence[Mutant], tests: Sequence[str]) -> list[Mutant]:
    """Return what survives, by the fast way first. The gate as it is must survive both ways."""
    outside = [mutant for mutant in found if not mutant.within]
    within = [mutant for mutant in found if mutant.within]
    unchanged = [Mutant(path, 0, None, "", within=True) for path in GATE.rglob("*.py")]
    judged = [unchanged, *([mutant] for mutant in within), unchanged]
    read_end, write_end = os.pipe()
    if not (child := os.fork()):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        pytest.main([*OPTIONS, *tests], plugins=[Session(judged, write_end)])
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8") as lines:
        ended = {int(number): int(code) for number, code in map(str.split, lines)}
    assert _ended(child) == 0, "it judges every mutant"
    for number in (0, len(within) + 1):
        assert ended.pop(number, 1) == 0, "the gate's tests fail without any mutant"
    outside += [within[number - 1] for number in ended]
    assert not outside or survives(unchanged[0], tests), "the gate's tests fail without any mutant"
    return [mutant for mutant in outside if survives(mutant, tests)]


def main() -> int:
    """Run every mutant; return 1 when too many survive, or the tests fail without any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="A part of the file's path.")
    parser.add_argument("--every", type=int, default=1, help="Take each so many-th mutant.")
    parser.add_argument("--unit", action="store_true", help="Leave the oracle's cases out.")
    chosen = parser.parse_args()
    assert not any(name.startswith("daemon") for name in sys.modules), "nothing imported it yet"
    paths = [path for path in sorted(GATE.rglob("*.py")) if chosen.only in str(path)]
    found = [mutant for path in paths for mutant in mutants(path)]
    same = [mutant.name for mutant in found if mutant.name in THE_SAME]
    assert chosen.only or sorted(same) == sorted(THE_SAME), "each of `THE_SAME` is one mutant"
    asked = [mutant for mutant in found if mutant.name not in THE_SAME][:: chosen.every]
    alive = survivors(asked, TESTS if chosen.unit else [*TESTS, ORACLE])
    for mutant in alive:
        print(f"survived: line {mutant.line} of {mutant.name}")  # noqa: T201 - a script
    share = 1 - len(alive) / max(len(asked), 1)
    killed = f"{len(asked) - len(alive)} of {len(asked)} mutants killed, {share:.1%}"
    print(f"{killed}; {len(same)} more are the same")  # noqa: T201 - a script
    return int(share < KILLED_SHARE_MIN)


if __name__ == "__main__":
    raise SystemExit(main())
