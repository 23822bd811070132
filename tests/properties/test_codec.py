"""Whatever an event says, its stored form says the same: for every type, by its declaration."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.codec import TAGS, decode, encode

LARGEST = 2**63 - 1
INTEGERS = st.integers(-LARGEST, LARGEST)
DECIMALS = st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=30).map(tuple),
    st.integers(-40, 40),
)
JSON = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: INTEGERS,
    bool: st.booleans(),
    Decimal: DECIMALS,
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
    object: JSON,
    type(None): st.none(),
}


def any_of(declared: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401, PLR0911 - any type form
    """Return values of the type `declared`."""
    if hasattr(declared, "__supertype__"):
        return any_of(declared.__supertype__)
    if declared in PLAIN:
        return PLAIN[declared]
    origin, inside = get_origin(declared), get_args(declared)
    if origin in {UnionType, Union}:
        return st.one_of(*map(any_of, inside))
    if origin is tuple and inside[-1] is not ...:
        return st.tuples(*map(any_of, inside))
    if origin is tuple:
        return st.lists(any_of(inside[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(any_of(inside[0]), any_of(inside[1]), max_size=3)
    if issubclass(declared, Enum):
        return st.sampled_from(list(declared))
    fields = msgspec.structs.fields(declared)
    return st.builds(declared, **{field.name: any_of(field.type) for field in fields})


@pytest.mark.parametrize("kind", TAGS, ids=TAGS.get)
def test_an_event_read_back_is_the_event(kind: type) -> None:
    @settings(max_examples=25, deadline=None)
    @given(any_of(kind))
    def read_back(event: Any) -> None:  # noqa: ANN401 - of any of our types
        body = encode(event)
        again = decode(body)
        assert again == event
        assert encode(again) == body
        assert again.key() == event.key()

    read_back()
