"""Classes by `module:Class`, the user's own too, and what is said when one cannot be had."""

import itertools
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from daemon.app import build_broker, build_feed
from daemon.clock import SystemClock
from daemon.config.file import from_event, to_event
from daemon.config.loading import LoadError, build_strategy, code_hash, load_class, look_in
from daemon.config.options import Config
from daemon.strategies import Strategy
from daemon.strategies.buy_and_hold import BuyAndHold
from events import Symbol

OWN = """
from typing import Annotated, ClassVar
from msgspec import Meta
from daemon.strategies import Strategy

class Own(Strategy):
    state_fields: ClassVar[tuple[str, ...]] = ("seen",)
    threshold: float
    lots: tuple[float, ...] = ()
    count: Annotated[int, Meta(ge=1)] = 1
    name: str = ""
    seen: int = 0

class Plain:
    pass

def function():
    pass
"""
BROKER = """
class Own:
    outside = False
    next_due = None
    def __init__(self, host, port=1):
        if port == 0:
            raise OSError("no such port")
        self.host = host
    def connect(self, state, inbox): ...
    def submit(self, approved): ...
    def cancel(self, client_order_id): ...
    def observe(self, bar): ...
    def advance(self, now): ...
    def corporate_action(self, action): ...
    def report_books(self, look_id, why, now): ...

class Half:
    def connect(self, state, inbox): ...
    def submit(self, approved): ...
"""
FEED = """
class Own:
    def __init__(self, url):
        self.live = True
    bars_total = starts_at = ends_at = None
    def blocks(self, newest): ...
"""
Write = Callable[[str], str]
NUMBERS = itertools.count()


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Write modules beside a configuration in `tmp_path`; afterwards nothing of them is left."""
    path, modules = list(sys.path), set(sys.modules)

    def written(source: str) -> str:
        name = f"own_module_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        look_in(tmp_path)
        return name

    yield written
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("own_module_"):
            del sys.modules[name]


def config(**tables: object) -> Config:
    tree = {"symbols": {"A": {}, "B": {}}, "feed": {"paths": ["bars"]}} | tables
    return msgspec.convert(tree, Config)


def strategy(path: str, **params: object) -> Strategy:
    """Build the strategy at `path` the way the daemon does: from what the journal has of it."""
    made = config(strategies={"mine": {"class": path, "params": params}})
    table = from_event(to_event(made)).config.strategies["mine"]
    return build_strategy("mine", table, (Symbol("A"), Symbol("B")))


def refusal(path: str, **params: object) -> str:
    with pytest.raises(LoadError) as refused:
        strategy(path, **params)
    return str(refused.value)


# Strategies.


def test_a_strategy_beside_the_configuration_is_found(write: Write) -> None:
    own = strategy(f"{write(OWN)}:Own", threshold=3)
    assert isinstance(own, Strategy)
    assert msgspec.to_builtins(own) == {
        "threshold": 3.0,
        "lots": (),
        "count": 1,
        "name": "",
        "seen": 0,
    }


def test_a_strategy_in_a_package_beside_the_configuration_is_found(
    write: Write, tmp_path: Path
) -> None:
    inner = write("")
    (tmp_path / inner).mkdir()
    (tmp_path / f"{inner}.py").rename(tmp_path / inner / "__init__.py")
    (tmp_path / inner / "deep.py").write_text(OWN, encoding="utf-8")
    assert load_class(f"{inner}.deep:Own", Strategy, "here").__name__ == "Own"


def test_what_is_installed_comes_before_what_lies_beside_the_configuration(
    write: Write, tmp_path: Path
) -> None:
    (tmp_path / "sched.py").write_text("class scheduler: pass", encoding="utf-8")
    write("")
    sys.modules.pop("sched", None)
    found = load_class("sched:scheduler", None, "here")
    assert hasattr(found, "enterabs"), "the standard library's, not the one just written"
    look_in(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


def test_numbers_with_a_point_reach_a_strategy_exact_or_as_floats(write: Write) -> None:
    # In the journal they are text: "0.1" is 0.1 again, and no mistake of the operator's.
    own = strategy(
        f"{write(OWN)}:Own",
        threshold=Decimal("0.1"),
        lots=[Decimal("0.5"), 2],
        count=Decimal("2.0"),
    )
    assert (own.threshold, own.lots, own.count) == (0.1, (0.5, 2.0), 2)  # type: ignore[attr-defined] # Own's
    hold = strategy("daemon.strategies.buy_and_hold:BuyAndHold", shares=Decimal("0.1"))
    assert isinstance(hold, BuyAndHold)
    assert hold.shares == Decimal("0.1")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("class Own(", "SyntaxError: '(' was never closed"),
        ("raise KeyError('x')", "KeyError: 'x'"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_the_reason(
    write: Write, source: str, said: str
) -> None:
    name = write(source)
    found = refusal(f"{name}:Own")
    assert found.startswith(f"strategies.mine.class: importing {name} failed (")
    assert said in found


def test_a_class_that_is_none_or_no_strategy_is_refused(write: Write) -> None:
    name = write(OWN)
    where = "strategies.mine.class"
    assert refusal(f"{name}:Other") == f"{where}: {name} has no class Other"
    assert refusal(f"{name}:function") == f"{where}: {name} has no class function"
    assert refusal(f"{name}:Plain") == f"{where}: {name}:Plain is not a Strategy"
    assert refusal("json") == f"{where}: 'json' is not of the form module:Class"
    assert refusal(":Own") == f"{where}: ':Own' is not of the form module:Class"
    assert "importing not_there failed" in refusal("not_there:Own")


def test_a_parameter_nobody_knows_is_named_with_those_there_are(write: Write) -> None:
    name = write(OWN)
    # `seen` is the strategy's own state: no parameter.
    assert refusal(f"{name}:Own", threshold=1, seen=1, colour=2) == (
        "strategies.mine.params: unknown colour, seen; "
        f"{name}:Own takes count, lots, name, threshold"
    )


def test_all_wrong_parameters_are_listed_each_with_its_key(write: Write) -> None:
    found = refusal(f"{write(OWN)}:Own", lots=["x", 1], count=0, name=5)
    assert found.splitlines() == [
        "strategies.mine.params.threshold: is missing",
        "strategies.mine.params.lots[0]: Expected `float`, got `str` (it is 'x')",
        "strategies.mine.params.count: Expected `int` >= 1 (it is 0)",
        "strategies.mine.params.name: Expected `str`, got `int` (it is 5)",
    ]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "strategies.mine.params: set either shares or notional_usd"),
        ({"shares": 1, "notional_usd": 1}, "strategies.mine.params: set either shares or"),
        ({"shares": -1}, "strategies.mine.params.shares: must be above 0, it is -1"),
        ({"shares": True}, "strategies.mine.params.shares: must be a number, not True"),
        ({"shares": "ten"}, "strategies.mine.params.shares: must be a number, not 'ten'"),
        (
            {"shares": 1, "time_in_force": "FOK"},
            "strategies.mine.params.time_in_force: must be one of 'DAY', 'GTC', 'IOC'",
        ),
    ],
)
def test_parameters_out_of_bounds_or_at_odds_are_refused(
    params: dict[str, object], said: str
) -> None:
    assert refusal("daemon.strategies.buy_and_hold:BuyAndHold", **params).startswith(said)


STARTING = """
from daemon.strategies import Every, Schedule, Strategy

OPEN = Schedule("open", Every.SESSION)

class Own(Strategy):
    {method}
"""


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("def warmup(self): return 1 / 0", "warmup() raised ZeroDivisionError: division by zero"),
        ("def warmup(self): return '3'", "warmup() is no whole number of bars: '3'"),
        ("def schedules(self): return self.x", "schedules() raised AttributeError: 'Own' object"),
        ("def schedules(self): return ['open']", "schedules() has 'open', which is no Schedule"),
        ("def schedules(self): return OPEN, OPEN", "schedules() names two of them alike: open, op"),
        ("def check(self, symbols): raise KeyError('A')", "check() raised KeyError: 'A'"),
    ],
)
def test_a_strategy_that_cannot_begin_is_refused_with_the_method_that_is_wrong(
    write: Write, method: str, said: str
) -> None:
    found = refusal(f"{write(STARTING.format(method=method))}:Own")
    assert found.startswith("strategies.mine.class: ")
    assert f":Own.{said}" in found


STATEFUL = """
import collections
from typing import Any, ClassVar
import msgspec
from daemon.strategies import Strategy

class Window(msgspec.Struct):
    closes: list[float] = []

class Own(Strategy):
    state_fields: ClassVar[tuple[str, ...]] = ("held",)
    size: int = 1
    held: {kind} = msgspec.field(default_factory=lambda: {value})
"""


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("collections.deque", "collections.deque()", "a deque: Encoding objects of type"),
        ("collections.deque | None", "collections.deque()", "a deque: Encoding objects of type"),
        ("object", "object()", "a object: Encoding objects of type object is unsupported"),
        ("float", "float('nan')", "a float: Expected `float`, got `null`"),
        ("float | None", "float('inf')", "a float: it comes back as None"),
        ("Any", "(1, 2)", "a tuple: it comes back as [1, 2]"),
        ("collections.Counter[str]", "collections.Counter()", "a Counter: Expected `Counter`"),
        ("dict", "{(1, 2): 3}", "a dict: Only dicts with str-like or number-like keys"),
        ("list[Window]", "[Window([float('nan')])]", "a list: Expected `float`, got `null`"),
    ],
)
def test_a_strategy_that_no_snapshot_would_give_back_is_refused(
    write: Write, kind: str, value: str, why: str
) -> None:
    path = f"{write(STATEFUL.format(kind=kind, value=value))}:Own"
    what = f"strategies.mine.class: {path} would not come back from a snapshot, which is JSON"
    assert refusal(path).startswith(f"{what}: its field held, {why}")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("set[str]", "{'a', 'b'}"),
        ("tuple[float, ...]", "(1, 2)"),
        ("dict[str, Window]", "{'A': Window([1.5])}"),
        ("float | None", "None"),
        ("int | msgspec.UnsetType", "msgspec.UNSET"),
    ],
)
def test_a_strategy_may_hold_whatever_json_gives_back(write: Write, kind: str, value: str) -> None:
    own = strategy(f"{write(STATEFUL.format(kind=kind, value=value))}:Own", size=3)
    assert own.size == 3  # type: ignore[attr-defined] # Own's


def test_a_strategys_hash_is_that_of_its_source(write: Write) -> None:
    one, same, other = (write(source) for source in (OWN, OWN, f"{OWN}\n# a comment\n"))
    hashes = [code_hash(load_class(f"{name}:Own", Strategy, "")) for name in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]


# Brokers and feeds of the user's own.


def broker_refusal(**table: object) -> str:
    with pytest.raises(LoadError) as refused:
        build_broker(config(broker=table))
    return str(refused.value)


def test_a_broker_of_ones_own_is_made_with_its_parameters(write: Write) -> None:
    made = build_broker(config(broker={"kind": f"{write(BROKER)}:Own", "params": {"host": "h"}}))
    assert (made.outside, made.host) == (False, "h")  # type: ignore[attr-defined] # Own's


def test_a_broker_that_cannot_be_made_or_is_none_is_refused(write: Write) -> None:
    name = write(BROKER)
    kind, made = f"{name}:Own", f"broker.params: {name}:Own cannot be made with them"
    missing = "TypeError: Own.__init__() missing 1 required positional argument: 'host'"
    assert broker_refusal(kind=kind) == f"{made} ({missing})"
    unknown = "TypeError: Own.__init__() got an unexpected keyword argument 'x'"
    assert broker_refusal(kind=kind, params={"host": "h", "x": 1}) == f"{made} ({unknown})"
    broken = "OSError: no such port"
    assert broker_refusal(kind=kind, params={"host": "h", "port": 0}) == f"{made} ({broken})"
    assert broker_refusal(kind=f"{name}:Half") == (
        f"broker.kind: {name}:Half is no Broker, it lacks "
        "outside, next_due, cancel, observe, advance, report_books, corporate_action"
    )
    assert broker_refusal(kind=f"{name}:No") == f"broker.kind: {name} has no class No"
    assert broker_refusal(kind="not_there:No").startswith("broker.kind: importing not_there failed")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"x": 1}, "broker.params: Object contains unknown field `x`"),
        ({"fault_seed": "a"}, "broker.params: Expected `int | null`, got `str`"),
        ({"faults": [{"kind": "late"}]}, "broker.params: Object missing required field `message`"),
        ({"faults": [], "fault_seed": 1.5}, "broker.params: Expected `int | null`, got `float`"),
        (
            {"faults": [{"kind": "late", "message": "submit"}]},
            "broker.params: a submit can be lost or a duplicate, not late",
        ),
        (
            {"faults": [{"kind": "lost", "message": "submit"}] * 2},
            "broker.params.faults names the same message twice",
        ),
    ],
)
def test_parameters_the_paper_broker_does_not_take_are_a_mistake_in_the_configuration(
    params: dict[str, object], said: str
) -> None:
    assert broker_refusal(params=params).startswith(said)


def test_a_feed_of_ones_own_is_made_with_its_parameters(write: Write, tmp_path: Path) -> None:
    name = write(FEED)
    table = {"kind": f"{name}:Own", "params": {"url": "u"}}
    assert build_feed(config(feed=table), tmp_path, SystemClock()).live
    for wrong, said in (
        ({"kind": f"{name}:Own"}, f"feed.params: {name}:Own cannot be made with them (TypeError"),
        ({"kind": f"{name}:No"}, f"feed.kind: {name} has no class No"),
        ({"kind": "not_there:No"}, "feed.kind: importing not_there failed"),
        (
            {"kind": f"{write(BROKER)}:Half"},
            "is no Feed, it lacks live, bars_total, starts_at, ends_at, blocks",
        ),
    ):
        with pytest.raises(LoadError) as refused:
            build_feed(config(feed=wrong), tmp_path, SystemClock())
        assert said in str(refused.value)
