"""Loads classes by `module:Class`, the user's own included, and says which part failed."""

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from daemon.config.bounds import Problems, convert
from daemon.config.options import StrategyConfig
from daemon.strategies import Schedule, Strategy
from events import Symbol

_LACKING = object()


class LoadError(Exception):
    """A class the configuration names cannot be used; the text says why and which key it is."""


def look_in(folder: Path) -> None:
    """Let modules beside the configuration file be imported, behind everything installed."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def load_class(path: str, base: type | None, what: str) -> type:
    """Return the class at `path` (`module:Class`), a subclass of `base` where one is given.

    `what` is the key in the configuration that names it.

    Raises:
        LoadError: the module cannot be imported, or has no such class.
    """
    module_name, _, class_name = path.partition(":")
    if not module_name or not class_name:
        message = f"{what}: {path!r} is not of the form module:Class"
        raise LoadError(message)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        message = f"{what}: importing {module_name} failed ({cause})"
        raise LoadError(message) from error
    found = getattr(module, class_name, None)
    if not inspect.isclass(found):
        message = f"{what}: {module_name} has no class {class_name}"
        raise LoadError(message)
    if base is not None and not issubclass(found, base):
        message = f"{what}: {path} is not a {base.__name__}"
        raise LoadError(message)
    return found


def build_plugged_in(path: str, params: Mapping[str, object], protocol: type, what: str) -> object:
    """Return an object of the user's own class at `path`, made with `params`.

    `protocol` says what it must have, `what` is the table in the configuration that names it.

    Raises:
        LoadError: the class cannot be loaded or made, or lacks something of the protocol.
    """
    kind = load_class(path, None, f"{what}.kind")
    try:
        made: object = kind(**params)
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        message = f"{what}.params: {path} cannot be made with them ({cause})"
        raise LoadError(message) from error
    members = [name for name in vars(protocol) if not name.startswith("_")]
    lacking = [
        name
        for name in (*protocol.__annotations__, *members)
        if inspect.getattr_static(made, name, _LACKING) is _LACKING
    ]
    if lacking:
        message = f"{what}.kind: {path} is no {protocol.__name__}, it lacks {', '.join(lacking)}"
        raise LoadError(message)
    return made


def build_strategy(name: str, table: StrategyConfig, all_symbols: Sequence[Symbol]) -> Strategy:
    """Return the strategy that `[strategies.NAME]` describes, with its parameters checked.

    Raises:
        LoadError: the class cannot be loaded, a parameter is unknown or of the wrong kind, or
            a snapshot could not keep the strategy.
    """
    where = f"strategies.{name}"
    kind = load_class(table.strategy_class, Strategy, f"{where}.class")
    assert issubclass(kind, Strategy), "load_class has looked"
    allowed = {field.name for field in msgspec.structs.fields(kind)} - set(kind.state_fields)
    unknown = sorted(set(table.params) - allowed)
    if unknown:
        message = (
            f"{where}.params: unknown {', '.join(unknown)}; "
            f"{table.strategy_class} takes {', '.join(sorted(allowed)) or 'none'}"
        )
        raise LoadError(message)
    problems = Problems(text_numbers=True)
    strategy = convert(table.params, kind, f"{where}.params", problems)
    if problems:
        raise LoadError("\n".join(problems))
    assert isinstance(strategy, Strategy), "a Struct without problems is built"
    try:
        strategy.check(tuple(table.symbols or all_symbols))
    except ValueError as error:
        message = f"{where}.params: {error}"
        raise LoadError(message) from error
    except Exception as error:
        raise LoadError(_raised(f"{where}.class: {table.strategy_class}.check", error)) from error
    _assert_comes_back(strategy, f"{where}.class: {table.strategy_class}")
    _assert_can_start(strategy, f"{where}.class: {table.strategy_class}")
    return strategy


def _raised(what: str, error: Exception) -> str:
    return f"{what}() raised {type(error).__name__}: {error}"


def _assert_can_start(strategy: Strategy, what: str) -> None:
    """Refuse a strategy that cannot say what it needs before its first bar.

    Raises:
        LoadError: which of its methods raises, or returns something else.
    """
    try:
        warmup = strategy.warmup()
    except Exception as error:
        raise LoadError(_raised(f"{what}.warmup", error)) from error
    if type(warmup) is not int:
        message = f"{what}.warmup() is no whole number of bars: {warmup!r}"
        raise LoadError(message)
    try:
        schedules = tuple(strategy.schedules())
    except Exception as error:
        raise LoadError(_raised(f"{what}.schedules", error)) from error
    for each in schedules:
        if not isinstance(each, Schedule):
            message = f"{what}.schedules() has {each!r}, which is no Schedule"
            raise LoadError(message)
    names = [each.name for each in schedules]
    if len(set(names)) < len(names):
        message = f"{what}.schedules() names two of them alike: {', '.join(names)}"
        raise LoadError(message)


def _assert_comes_back(strategy: Strategy, what: str) -> None:
    """Refuse a strategy that a snapshot would not give back as it was.

    Raises:
        LoadError: which field does not, as far as that can be told.
    """
    why = _lost_in_json(strategy, type(strategy))
    if not why:
        return
    for field in msgspec.structs.fields(strategy):
        value = getattr(strategy, field.name)
        lost = _lost_in_json(value, field.type)
        if lost:
            why = f"its field {field.name}, a {type(value).__name__}: {lost}"
            break
    message = f"{what} would not come back from a snapshot, which is JSON: {why}"
    raise LoadError(message)


def _lost_in_json(value: object, kind: Any) -> str:  # noqa: ANN401 - a type form
    """Say why `value` is not read back from JSON as it was written, nothing where it is."""
    try:
        read = msgspec.json.decode(msgspec.json.encode(value), type=kind)
        lost = "" if read == value else f"it comes back as {read!r}"
    except Exception as error:  # noqa: BLE001 - the user's own code, and any value
        lost = str(error) or type(error).__name__
    return lost


def code_hash(kind: type) -> str:
    """Return the hash of the source of every module that defines `kind` or one of its bases.

    It does not cover what those modules import; a strategy's own helpers belong into its module.
    """
    digest = sha256()
    for each in kind.__mro__:
        if issubclass(each, Strategy):
            module = inspect.getmodule(each)
            if module is not None:
                digest.update(inspect.getsource(module).encode())
    return digest.hexdigest()
