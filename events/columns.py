"""Events column by column, as segments keep them: like with like, so that reading them is quick.

A part holds events of one type that have the same fields, in one line of JSON:

    {"type": "bar.closed", "seq": [7, 9], "at": [...], "key": [null], "trace": [null],
     "cause": [null], "body": {"symbol": ["A", "B"], "span_s": [60], "open": ...}}

A column of one value has that value in every row. A column of values that come again has each of
them once, in `of`, and for each row which one it `is`: it is made once, too, when it is read. One
that is `like` another has its values there: a bar's four prices are mostly the same ones. A column
of lists of one length, such as the gate's checks, has a column for `each` of their places: most
checks come to the same again and again. An event's own text is made again of names and values as
they stand here, which nothing interprets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import repeat
from typing import Any, Final, Generic, TypeVar, cast, get_args, get_origin

import msgspec

from events.base import Event
from events.chain import Row
from events.codec import TAGS, JournalEvent
from events.record import Record

_KINDS: Final[dict[str, type[Event]]] = {tag: kind for kind, tag in TAGS.items()}
_REPEATED: Final = 1.5
"""How often a value has to come, in the mean, to be quicker to look up than to read again."""
Value = TypeVar("Value")


class _Column(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, tag_field="column"):
    pass


class Repeated(_Column, Generic[Value], tag="repeated"):
    """A column of the values `of`; row by row, at which place there it `is`.

    One that is `like` another has none of its own, but that one's.
    """

    is_: list[int] = msgspec.field(name="is")
    of: list[Value] = []
    like: str = ""


class Aligned(_Column, Generic[Value], tag="aligned"):
    """A column of lists as long as one another, with a column for `each` of their places."""

    each: list[list[Value] | Repeated[Value]]


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
        if isinstance(column, Aligned):
            return zip(*map(self.rows_of, column.each), strict=True)
        return column if len(column) == len(self.seq) else repeat(column[0], len(self.seq))


TextColumn = list[msgspec.Raw] | Repeated[msgspec.Raw] | Aligned[msgspec.Raw]


class _Texts(Envelopes):
    body: dict[str, TextColumn]


_body: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
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
    columns = {name: _text_column([bytes(body[name]) for body in bodies]) for name in names}
    _share(tag, columns)
    part = Envelopes(
        tag,
        [row[0] for row in rows],
        _column(ats),
        _column(keys),
        _column(traces),
        _column(causes),
        columns,
    )
    return msgspec.json.encode(part) + b"\n"


def _column(values: Sequence[Value]) -> list[Value] | Repeated[Value]:
    places: dict[Value, int] = {}
    which = [places.setdefault(value, len(places)) for value in values]
    if len(places) == 1:
        return list(places)
    is_repeated = len(places) * _REPEATED <= len(values)
    return Repeated(which, list(places)) if is_repeated else list(values)


def _text_column(texts: list[bytes]) -> TextColumn:
    column = _column(texts)
    if column == texts:
        places = [_column(place) for place in _places(texts)]
        different = sum(len(each.of if isinstance(each, Repeated) else each) for each in places)
        if places and different * _REPEATED <= len(places) * len(texts):
            return Aligned([_raw(place) for place in places])
    return _raw(column)


def _share(tag: str, columns: dict[str, TextColumn]) -> None:
    """Let columns of one type that have most of their values in common have them in one place."""
    kinds = _form(tag).kinds if tag in _KINDS else {}
    tables: dict[str, dict[bytes, int]] = {}
    for name, column in columns.items():
        if not isinstance(column, Repeated):
            continue
        own = [bytes(value) for value in column.of]
        for other, table in tables.items():
            if kinds.get(other) == kinds.get(name) and 2 * len(table.keys() & own) >= len(own):
                places = [table.setdefault(value, len(table)) for value in own]
                columns[name] = Repeated([places[place] for place in column.is_], like=other)
                break
        else:
            tables[name] = {value: place for place, value in enumerate(own)}
    for name, column in columns.items():
        if isinstance(column, Repeated) and not column.like:
            column.of = [msgspec.Raw(value) for value in tables[name]]


def _places(texts: list[bytes]) -> list[list[bytes]]:
    """Return what stands at each place of the lists in `texts`; nothing if they are not alike."""
    if not all(text.startswith(b"[") for text in texts):
        return []
    lists = [[bytes(value) for value in _list.decode(text)] for text in texts]
    if len({len(values) for values in lists}) > 1 or [*map(_joined, lists)] != texts:
        return []
    return [list(place) for place in zip(*lists, strict=True)]


def _joined(values: Iterable[bytes | msgspec.Raw]) -> bytes:
    return b"[" + b",".join(map(bytes, values)) + b"]"


def _raw(column: list[bytes] | Repeated[bytes]) -> list[msgspec.Raw] | Repeated[msgspec.Raw]:
    if isinstance(column, Repeated):
        return Repeated(column.is_, [msgspec.Raw(text) for text in column.of])
    return [msgspec.Raw(text) for text in column]


class _Form(msgspec.Struct):
    """How parts of one type are read: every column at once, with the type its values have."""

    kind: Callable[..., JournalEvent]
    decoder: msgspec.json.Decoder[Envelopes]
    defaults: dict[str, Any]
    kinds: dict[str, Any]


@cache
def _form(tag: str) -> _Form:
    kind = cast("type[JournalEvent]", _KINDS[tag])
    fields = msgspec.structs.fields(kind)
    kinds = {field.encode_name: field.type for field in fields}
    columns = [(name, _columns_of(of) | None, None) for name, of in kinds.items()]
    body = msgspec.defstruct("Body", columns, forbid_unknown_fields=True)
    part = msgspec.defstruct("Part", [("body", body)], bases=(Envelopes,))
    defaults = {field.encode_name: _default(field) for field in fields}
    return _Form(kind, msgspec.json.Decoder(part), defaults, kinds)


def _columns_of(kind: Any) -> Any:  # noqa: ANN401 - a type of whatever it is
    """Return the type of the columns with values of type `kind`."""
    if get_origin(kind) is not tuple or (...) not in get_args(kind):
        return list[kind] | Repeated[kind]
    each: Any = get_args(kind)[0]
    return list[kind] | Repeated[kind] | Aligned[each]


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
    columns = {name: getattr(part.body, name) for name in form.defaults}
    for name, column in columns.items():
        if column is None and form.defaults[name] is msgspec.NODEFAULT:
            raise msgspec.ValidationError(f"{tag} has no {name}")
        like = column.like if isinstance(column, Repeated) else ""
        if like and form.kinds.get(like) != form.kinds[name]:
            raise msgspec.ValidationError(f"{tag} has {name} like {like}, which is of another type")
    _complete(columns)
    values = [
        part.rows_of([form.defaults[name]] if column is None else column)
        for name, column in columns.items()
    ]
    events: Iterator[JournalEvent] = (
        map(form.kind, *values) if values else (form.kind() for _ in part.seq)
    )
    at, trace, cause = map(part.rows_of, (part.at, part.trace, part.cause))
    return part, map(Record, part.seq, at, events, trace, cause)


def _complete(columns: Mapping[str, Any]) -> None:
    """Give the columns that are like others those values."""
    for column in columns.values():
        if isinstance(column, Repeated) and column.like:
            column.of = columns[column.like].of


def rows_of(text: bytes) -> Iterator[Row]:
    """Yield the rows of a part as they were, but for their hashes."""
    part = _texts.decode(text)
    _complete(part.body)
    tag = msgspec.json.encode(part.type)
    names = [msgspec.json.encode(name).replace(b"%", b"%%") for name in part.body]
    body = b'{"type":%b' % tag.replace(b"%", b"%%")
    body += b"".join(b",%b:%%b" % name for name in names) + b"}"
    values = [
        map(_joined, part.rows_of(column)) if isinstance(column, Aligned) else part.rows_of(column)
        for column in part.body.values()
    ]
    columns = (part.at, part.key, part.trace, part.cause)
    envelopes = zip(part.seq, *map(part.rows_of, columns), strict=True)
    bodies = zip(*values, strict=True) if part.body else repeat(())
    for (seq, at, key, trace, cause), body_of in zip(envelopes, bodies, strict=False):
        yield (seq, at, part.type, key, trace, cause, (body % body_of).decode(), b"")


def envelopes_of(text: bytes) -> Envelopes:
    """Return the columns of a part, the body's as they are."""
    return _envelopes.decode(text)
