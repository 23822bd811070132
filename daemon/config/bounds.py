"""Bounds on what an operator may write, and the walk that checks a whole table against its Struct.

msgspec stops at the first mistake and knows no bounds on Decimals; an operator wants all mistakes
at once, each with the path of its key.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cache, lru_cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from events import Symbol

PositiveDecimal = Annotated[Decimal, Meta(extra={"gt": 0})]
Share = Annotated[Decimal, Meta(extra={"gt": 0, "le": 1})]
"""A share of something: above 0, at most 1."""
Weight = Annotated[Decimal, Meta(extra={"ge": -1, "le": 1})]
BasisPoints = Annotated[Decimal, Meta(extra={"ge": 0, "lt": 10_000})]
"""Hundredths of a percent taken off a price, so less than all of it."""

Count = Annotated[int, Meta(gt=0, le=100_000)]
"""How many of something there may be."""
Rate = Annotated[int, Meta(gt=0, le=1_000)]
"""How many of something there may be in a window: as many as are remembered."""
DayTrades = Annotated[int, Meta(gt=0, le=100)]
"""How many day trades there may be: as many as are remembered."""
Window = Annotated[int, Meta(gt=0, le=3_600)]
"""A whole number of seconds, at most an hour."""
DaySeconds = Annotated[int, Meta(gt=0, le=86_400)]
"""A whole number of seconds, at most a day."""
Age = Annotated[int, Meta(gt=0, le=1_000_000_000)]
"""A whole number of seconds, as many as anybody may want."""
Multiple = Annotated[Decimal, Meta(extra={"gt": 0, "le": 10})]
"""So many times something: above 0, at most 10."""

NUMBER_MAX = Decimal("1e15")
"""Beyond any price, quantity or amount; what is larger is a slip of the keyboard."""
PLACES_MAX = 18
"""Finer than any price, quantity or share of something."""
SYMBOL_PATTERN = re.compile(r"[A-Z0-9][A-Z0-9 ./-]{0,19}")

_SHOWN_MAX = 100
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([Ee][+-]?[0-9]+)?")
_MISSING = object()


class Problems(list[str]):
    """What is wrong, each entry with the path of its key.

    `text_numbers` lets Decimals come as text, which is how the journal keeps them.
    """

    def __init__(self, *, text_numbers: bool = False) -> None:
        """Start with none."""
        super().__init__()
        self.text_numbers = text_numbers

    def add(self, path: str, what: str) -> object:
        """Note that `path` is wrong, and return a marker for "no value"."""
        self.append(f"{path or 'the file'}: {what}")
        return _MISSING


def convert(
    value: object,
    kind: Any,  # noqa: ANN401 - a type form, which has no type of its own
    path: str,
    problems: Problems,
) -> Any:  # noqa: ANN401 - of the type that `kind` says
    """Return `value` as `kind`; mistakes below `path` go to `problems` instead of raising."""
    origin = get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(value, kind, path, problems)
    if origin is dict:
        return _table(value, get_args(kind), path, problems)
    if origin is tuple and get_args(kind)[1:] == (...,):
        return _array(value, get_args(kind)[0], path, problems)
    if origin in {Union, UnionType}:
        inner = [each for each in get_args(kind) if each is not type(None)]
        if len(inner) == 1:
            return None if value is None else convert(value, inner[0], path, problems)
    return _leaf(value, kind, path, problems)


@lru_cache(maxsize=4_096)
def is_symbol(text: str) -> bool:
    """Say whether `text` can be a symbol: `BRK B` and `BTC/USD` can."""
    return SYMBOL_PATTERN.fullmatch(text) is not None


def _struct(value: object, kind: type[msgspec.Struct], path: str, problems: Problems) -> object:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        return problems.add(path, f"must be a table, not {_shown(value)}")
    known, hints = _fields_of(kind)
    fields = {field.encode_name: field.name for field in known}
    for name in value:
        if name not in fields:
            problems.add(_join(path, name), f"unknown; there is {', '.join(fields)}")
    for field in known:
        if field.required and field.encode_name not in value:
            problems.add(_join(path, field.encode_name), "is missing")
    found = {
        fields[name]: convert(each, hints[fields[name]], _join(path, name), problems)
        for name, each in value.items()
        if name in fields
    }
    kept = {name: each for name, each in found.items() if each is not _MISSING}
    if any(field.required and field.name not in kept for field in known):
        return _MISSING
    return kind(**kept)


@cache
def _fields_of(
    kind: type[msgspec.Struct],
) -> tuple[tuple[msgspec.structs.FieldInfo, ...], dict[str, Any]]:
    """Return the fields of `kind`, and their types: finding them out costs most of a conversion."""
    return msgspec.structs.fields(kind), get_type_hints(kind, include_extras=True)


def _table(value: object, kinds: tuple[Any, ...], path: str, problems: Problems) -> object:
    key, inner = kinds
    if not isinstance(value, Mapping):
        return problems.add(path, f"must be a table, not {_shown(value)}")
    found = {}
    for name, each in value.items():
        if key is Symbol and not is_symbol(name):
            problems.add(_join(path, name), "is not a symbol: A-Z, 0-9, blank, '.', '/', '-'")
            continue
        named = name if key in {str, Symbol} else _leaf(name, key, _join(path, name), problems)
        look = _free if inner is object else convert
        found[named] = look(each, inner, _join(path, name), problems)
    return {name: each for name, each in found.items() if _MISSING not in (name, each)}


def _array(
    value: object,
    inner: Any,  # noqa: ANN401 - a type form
    path: str,
    problems: Problems,
) -> object:
    if not isinstance(value, list | tuple):
        return problems.add(path, f"must be a list, not {_shown(value)}")
    found = [convert(each, inner, f"{path}[{index}]", problems) for index, each in enumerate(value)]
    return tuple(each for each in found if each is not _MISSING)


def _free(
    value: object,
    kind: object,
    path: str,
    problems: Problems,
) -> object:
    """Return `value` as it is, whatever it is, as long as its numbers are numbers."""
    if isinstance(value, Mapping):
        return {
            name: _free(each, kind, _join(path, name), problems) for name, each in value.items()
        }
    if isinstance(value, list):
        return [_free(each, kind, f"{path}[{i}]", problems) for i, each in enumerate(value)]
    problem = _nonsense(value)
    return problems.add(path, problem) if problem else value


def _leaf(
    value: object,
    kind: Any,  # noqa: ANN401 - a type form
    path: str,
    problems: Problems,
) -> object:
    if kind is Symbol:
        if isinstance(value, str) and is_symbol(value):
            return value
        return problems.add(
            path, f"{_shown(value)} is not a symbol: A-Z, 0-9, blank, '.', '/', '-'"
        )
    plain, bounds = _unwrapped(kind)
    if plain is Decimal:
        return _decimal(value, bounds, path, problems)
    if plain in {int, float}:
        value = _plain_number(value, plain, problems)
    problem = _nonsense(value)
    if problem:
        return problems.add(path, problem)
    if isinstance(value, Decimal):
        whole = plain is int and value == value.to_integral_value()
        value = int(value) if whole else float(value)
    return _converted(value, kind, plain, path, problems)


def _converted(
    value: object,
    kind: Any,  # noqa: ANN401 - a type form
    plain: object,
    path: str,
    problems: Problems,
) -> object:
    """Return `value` as `kind`, which is `plain` under its annotations; say what is wanted else."""
    if isinstance(plain, type) and issubclass(plain, StrEnum) and value not in list(plain):
        choice = ", ".join(repr(each.value) for each in plain)
        return problems.add(path, f"must be one of {choice}, not {_shown(value)}")
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        wanted = _described(kind)
        if wanted:
            return problems.add(path, f"must be {wanted}, not {_shown(value)}")
        return problems.add(path, f"{error} (it is {_shown(value)})")


def _plain_number(value: object, plain: type, problems: Problems) -> object:
    """Return `value`, but as a number where the journal made a text of one with a point."""
    is_text = problems.text_numbers and isinstance(value, str) and _NUMBER.fullmatch(value)
    if is_text and (plain is float or not str(value).lstrip("-").isdecimal()):
        return Decimal(str(value))
    return value


def _decimal(value: object, bounds: Mapping[str, int], path: str, problems: Problems) -> object:
    if problems.text_numbers and isinstance(value, str) and _NUMBER.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return problems.add(path, f"must be a number, not {_shown(value)}")
    problem = _nonsense(value)
    if problem:
        return problems.add(path, problem)
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    tests = {"gt": number.__gt__, "ge": number.__ge__, "le": number.__le__, "lt": number.__lt__}
    words = {"gt": "above", "ge": "at least", "le": "at most", "lt": "below"}
    for name, bound in bounds.items():
        if not tests[name](Decimal(bound)):
            return problems.add(path, f"must be {words[name]} {bound}, it is {number}")
    return number


def _nonsense(value: object) -> str:
    """Return why `value` makes no sense for any option, empty where it may."""
    if isinstance(value, str):
        return "" if value.isprintable() else f"{_shown(value)} has characters that cannot be shown"
    if not isinstance(value, int | float | Decimal):
        return ""
    is_finite = not isinstance(value, Decimal) or value.is_finite()
    if not (is_finite and -NUMBER_MAX <= value <= NUMBER_MAX):
        return f"{_shown(value)} is not a finite number of a sensible size"
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    if isinstance(exponent, int) and exponent < -PLACES_MAX:
        return f"{_shown(value)} has more than {PLACES_MAX} decimal places"
    return ""


def _shown(value: object) -> str:
    """Return `value` as the operator wrote it, or about so, never at length."""
    try:
        text = str(value) if isinstance(value, Decimal) else repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _unwrapped(kind: Any) -> tuple[Any, Mapping[str, int]]:  # noqa: ANN401 - a type form
    """Return the type without its annotations, and the bounds they carry."""
    if get_origin(kind) is not Annotated:
        return kind, {}
    plain, *notes = get_args(kind)
    bounds: dict[str, int] = {}
    for note in notes:
        bounds |= (note.extra or {}) if isinstance(note, Meta) else {}
    return plain, bounds


def _described(kind: object) -> str:
    """Return what is wanted in words, where a pattern of letters would say it to nobody."""
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return next((note.description or "" for note in notes if isinstance(note, Meta)), "")


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)
