"""Events with one text in every place a text can be, found by their types: no list to keep up."""

import builtins
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect

from events import (
    BarClosed,
    ConfigLoaded,
    HoldPlaced,
    IntentApproved,
    IntentRefused,
    JournalOpened,
    OrderIntended,
    OrderSending,
    Record,
)
from events.codec import JournalEvent
from ops.sentences import order_id_of
from tests.builders import TUESDAY, records, utc
from tests.journals import writing

HOSTILE = (
    "[red]\x1b[31mred\x1b[0m[/red][/] \x1b[2J\x1b[1;1H\x1b]0;title\x07\r\nFAKED \x9b2J\x85FAKED\tx"
    "\x08\x7f\u202eltr\u202c\u2066\u2028\u200b\U000e0041 é"
)
"""Colours, clears, moves, rings, breaks lines, turns direction, hides; markup; and an honest é."""
KINDS: tuple[type[JournalEvent], ...] = get_args(JournalEvent)
_EARLY = (JournalOpened, ConfigLoaded, BarClosed)
_LATE = (HoldPlaced,)
"""Last, so that nothing lifts it."""
_BEFORE: tuple[type[JournalEvent], ...] = (OrderIntended, IntentApproved, OrderSending)
"""What comes before any report on an order."""


def an_event(kind: type[JournalEvent], text: str) -> Any:  # noqa: ANN401 - an event of `kind`
    """Return an event of `kind` in which every text there can be is `text`, and every number 1."""
    return _value(inspect.type_info(kind), text)


def a_story_of(text: str) -> Iterator[JournalEvent]:
    """Yield an event of every kind; each that is about an order is about one of its own."""
    middle = [kind for kind in KINDS if kind not in {*_EARLY, *_LATE, *_BEFORE}]
    for kind in (*_EARLY, *middle, *_LATE):
        event = an_event(kind, text)
        if kind is ConfigLoaded:
            yield msgspec.structs.replace(event, config={text: text, "strategies": {text: {}}})
        elif "client_order_id" in kind.__struct_fields__:
            # Ids of their own, which begin with the text: `explain` takes them before symbols.
            own = f"{text} {kind.__name__}"
            for earlier in _BEFORE[:1] if kind is IntentRefused else _BEFORE:
                yield msgspec.structs.replace(an_event(earlier, text), client_order_id=own)
            ids = {"client_order_id", "execution_id"} & {*kind.__struct_fields__}
            yield msgspec.structs.replace(event, **dict.fromkeys(ids, own))
        else:
            yield event


async def write_story(path: Path, text: str) -> list[JournalEvent]:
    """Write a journal of the story of `text`, and return its events."""
    events = list(a_story_of(text))
    async with writing(path) as journal:
        await journal.append(list(_walks(events)))
    return events


def _walks(events: list[JournalEvent]) -> Iterator[Record]:
    """Yield `events` as records, what is about one order as one walk from the bar before it."""
    walk = ""
    root = last = None
    for record in records(*events):
        order_id = order_id_of(record.event)
        if isinstance(record.event, BarClosed):
            root = record.seq
        if order_id is None:
            yield record
            continue
        last = last if order_id == walk else root
        yield msgspec.structs.replace(record, trace=root, cause=last)
        walk, last = order_id, record.seq


def _value(kind: inspect.Type, text: str) -> Any:  # noqa: ANN401, C901, PLR0911, PLR0912 - a value of `kind`
    match kind:
        case inspect.StructType():
            return kind.cls(**{each.name: _value(each.type, text) for each in kind.fields})
        case inspect.StrType() | inspect.CustomType(cls=builtins.object):
            return text
        case inspect.DictType():
            return {_value(kind.key_type, text): _value(kind.value_type, text)}
        case inspect.VarTupleType():
            return (_value(kind.item_type, text),)
        case inspect.TupleType():
            return tuple(_value(each, text) for each in kind.item_types)
        case inspect.UnionType():
            return _value(next(each for each in kind.types if not _is_none(each)), text)
        case inspect.EnumType():
            return next(iter(kind.cls))
        case inspect.BoolType():
            return False
        case inspect.IntType():
            return 1
        case inspect.DecimalType():
            return Decimal(1)
        case inspect.DateTimeType():
            return utc(TUESDAY)
        case inspect.DateType():
            return date(2024, 1, 2)
        case _:
            raise NotImplementedError(kind)


def _is_none(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.NoneType)
