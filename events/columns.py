"""Events column by column, as segments keep them: like with like, so that reading them is quick.

A part holds events of one type that have the same fields, in one line of JSON:

    {"type": "bar.closed", "seq": [7, 9], "at": [...], "key": [null], "trace": [null],
     "cause": [null], "body": {"symbol": ["A", "B"], "span_s": [60], "open": ...}}

A column of one value has that value in every row. A column of values that come again has each of
them once, in `of`, and for each row which one it `is`: it is made once, too, when it is read. An
event's own text is made again of names and values as they stand here, which nothing interprets.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import repeat
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from events.base import Event
from events.chain import Row
from events.codec import TAGS, JournalEvent
from events.record import Record

_KINDS: Final[dict[str, type[Event]]] = {tag: kind for kind, tag in TAGS.items()}
_REPEATED: Final = 1.5
"""How often a value has to come, in the mean, to be quicker to look up than to read again."""
Value = TypeVar("Value")


class Repeated(msgspec.Struct, Generic[Value], forbid_unknown_fields=True):
    """A column of the values `of`; row by row, at which place there it `is`."""

    of: list[Value]
    is_: list[int] = msgspec.field(name="is")


class Envelopes(msgspec.Struct):
    """The columns that stand in front of the body, whatever the type."""

    type: str
    seq: list[int]
    at: list[int] | Repeated[int]
    key: list[str | None] | Repeated[str | None]
    trace: list[int | None] | Repeated[int | None]
    cause: list[int | None] | Repeated[int | None]
    body: Any

    def rows_of(self, column: Any) -> Iterable[Any]:  # noqa: ANN401 - a column of whatever it holds
        """Return the values of `column`, one a row."""
        if isinstance(column, Repeated):
            return map(column.of.__getitem__, column.is_)
        return column if len(column) == len(self.seq) else repeat(column[0], len(self.seq))


class _Texts(Envelopes):
    body: dict[str, list[msgspec.Raw] | Repeated[msgspec.Raw]]


_body: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_texts = msgspec.json.Decoder(_Texts)
_envelopes = msgspec.json.Decoder(Envelopes)


def parts_of(rows: Iterable[Row]) -> list[tuple[str, list[Row], bytes]]:
    """Return `rows` by type and fields: each part's type, rows and text, the greatest first."""
    alike: dict[tuple[str, ...], tuple[list[Row], list[dict[str, msgspec.Raw]]]] = {}
    for row in rows:
        fields = _body.decode(row[6])
        own, bodies = alike.setdefault((row[2], *fields), ([], []))
        own.append(row)
        bodies.append(fields)
    found = sorted(alike.items(), key=lambda each: -len(each[1][0]))
    return [(key[0], own, _packed(key, own, bodies)) for key, (own, bodies) in found]


def _packed(key: tuple[str, ...], rows: list[Row], bodies: list[dict[str, msgspec.Raw]]) -> bytes:
    tag, _, *names = key
    _, ats, _, keys, traces, causes, _, _ = zip(*rows, strict=True)
    texts = {name: [bytes(body[name]) for body in bodies] for name in names}
    part = Envelopes(
        tag,
        [row[0] for row in rows],
        _column(ats),
        _column(keys),
        _column(traces),
        _column(causes),
        {name: _raw(_column(column)) for name, column in texts.items()},
    )
    return msgspec.json.encode(part) + b"\n"


def _column(values: Sequence[Value]) -> list[Value] | Repeated[Value]:
    places: dict[Value, int] = {}
    which = [places.setdefault(value, len(places)) for value in values]
    if len(places) == 1:
        return list(places)
    is_repeated = len(places) * _REPEATED <= len(values)
    return Repeated(list(places), which) if is_repeated else list(values)


def _raw(column: list[bytes] | Repeated[bytes]) -> list[msgspec.Raw] | Repeated[msgspec.Raw]:
    if isinstance(column, Repeated):
        return Repeated([msgspec.Raw(text) for text in column.of], column.is_)
    return [msgspec.Raw(text) for text in column]


class _Form(msgspec.Struct):
    """How parts of one type are read: every column at once, with the type its values have."""

    kind: Callable[..., JournalEvent]
    decoder: msgspec.json.Decoder[Envelopes]
    defaults: dict[str, Any]


@cache
def _form(tag: str) -> _Form:
    kind = cast("type[JournalEvent]", _KINDS[tag])
    fields = msgspec.structs.fields(kind)
    columns: list[tuple[str, Any, Any]] = []
    for field in fields:
        one: Any = field.type
        columns.append((field.encode_name, list[one] | Repeated[one] | None, None))
    body = msgspec.defstruct("Body", columns, forbid_unknown_fields=True)
    part = msgspec.defstruct("Part", [("body", body)], bases=(Envelopes,))
    return _Form(kind, msgspec.json.Decoder(part), {f.encode_name: _default(f) for f in fields})


def _default(field: msgspec.structs.FieldInfo) -> Any:  # noqa: ANN401 - of whatever type it is
    made = field.default_factory
    return field.default if made is msgspec.NODEFAULT else made()


def records_of(tag: str, text: bytes) -> tuple[Envelopes, Iterator[Record]]:
    """Return the columns of a part and its records, each made when it is asked for.

    Raises:
        KeyError, msgspec.ValidationError: its events are of an older form, or of no known one.
    """
    form = _form(tag)
    part = form.decoder.decode(text)
    columns = []
    for name, default in form.defaults.items():
        column = getattr(part.body, name)
        if column is None and default is msgspec.NODEFAULT:
            raise msgspec.ValidationError(f"{tag} has no {name}")
        columns.append(part.rows_of([default] if column is None else column))
    events: Iterator[JournalEvent] = (
        map(form.kind, *columns) if columns else (form.kind() for _ in part.seq)
    )
    at, trace, cause = map(part.rows_of, (part.at, part.trace, part.cause))
    return part, map(Record, part.seq, at, events, trace, cause)


def rows_of(text: bytes) -> Iterator[Row]:
    """Yield the rows of a part as they were, but for their hashes."""
    part = _texts.decode(text)
    tag = msgspec.json.encode(part.type)
    names = [msgspec.json.encode(name).replace(b"%", b"%%") for name in part.body]
    body = b'{"type":%b' % tag.replace(b"%", b"%%")
    body += b"".join(b",%b:%%b" % name for name in names) + b"}"
    values = map(part.rows_of, part.body.values())
    columns = (part.at, part.key, part.trace, part.cause)
    envelopes = zip(part.seq, *map(part.rows_of, columns), strict=True)
    bodies = zip(*values, strict=True) if part.body else repeat(())
    for (seq, at, key, trace, cause), body_of in zip(envelopes, bodies, strict=False):
        yield (seq, at, part.type, key, trace, cause, (body % body_of).decode(), b"")


def envelopes_of(text: bytes) -> Envelopes:
    """Return the columns of a part, the body's as they are."""
    return _envelopes.decode(text)
