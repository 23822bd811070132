"""Columns of events give back what was put into them: to the byte, as events, and to anybody."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import BarClosed, IntentApproved
from events.chain import Row
from events.codec import TAGS, decode, encode
from events.columns import parts_of, records_of, rows_of
from events.orders import Check
from tests.builders import a_bar
from tests.segment_reader import events_of

PRICES = st.sampled_from([str(100 + cents) for cents in range(7)])
NAMES = st.text(max_size=3)


def a_row(seq: int, tag: str, body: str, key: str | None = None) -> Row:
    """Return a row without its hash, which columns do not keep."""
    return (seq, 10 * seq, tag, key, None, seq // 2 or None, body, b"")


def rows_with(events: list[Any]) -> list[Row]:
    return [
        a_row(seq, TAGS[type(event)], encode(event).decode(), event.key())
        for seq, event in enumerate(events, 1)
    ]


def assert_all_come_back(rows: list[Row]) -> list[dict[str, Any]]:
    """Read the columns of `rows` in each way there is; return them as JSON."""
    parts = parts_of(rows)
    assert sorted(row for _, _, text in parts for row in rows_of(text)) == rows
    by_hand = sorted((row for _, _, text in parts for row in events_of(text)), key=lambda it: it[0])
    assert by_hand == [(*row[:2], *row[3:6], json.loads(row[6])) for row in rows]
    return [json.loads(text) for _, _, text in parts]


def assert_all_are_read(rows: list[Row]) -> None:
    """Read them as events, too, against the decoder of single rows."""
    for tag, own, text in parts_of(rows):
        _, records = records_of(tag, text)
        assert [each.event for each in records] == [decode(row[6]) for row in own]


def a_bar_of(prices: list[str]) -> BarClosed:
    opened, high, low, close = map(Decimal, prices)
    return msgspec.structs.replace(a_bar(), open=opened, high=high, low=low, close=close)


@given(st.lists(st.lists(PRICES, min_size=4, max_size=4), min_size=1, max_size=40))
def test_bars_come_back(prices: list[list[str]]) -> None:
    rows = rows_with([a_bar_of(each) for each in prices])
    assert_all_come_back(rows)
    assert_all_are_read(rows)


CHECKS = st.builds(
    Check,
    name=NAMES,
    passed=st.booleans(),
    value=st.none() | PRICES.map(Decimal),
    note=st.sampled_from(["", "50 %s", 'a "word", [1,2]']),
)


@given(st.lists(st.lists(CHECKS, max_size=3).map(tuple), min_size=1, max_size=30))
def test_approvals_come_back_whatever_the_gate_has_checked(checks: list[tuple[Check, ...]]) -> None:
    events = [IntentApproved(f"o{number}", each) for number, each in enumerate(checks)]  # type: ignore[arg-type] # an order's id
    rows = rows_with(events)
    assert_all_come_back(rows)
    assert_all_are_read(rows)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=5,
)


@given(st.lists(st.tuples(ANYTHING, ANYTHING), min_size=1, max_size=30))
def test_what_nobody_knows_comes_back_as_it_was(fields: list[tuple[Any, Any]]) -> None:
    bodies = [
        msgspec.json.encode({"type": "of.old", "one": one, "other": other}).decode()
        for one, other in fields
    ]
    assert_all_come_back([a_row(seq, "of.old", body) for seq, body in enumerate(bodies, 1)])


def test_prices_that_bars_share_are_there_once() -> None:
    # Seven prices, four columns, sixty bars: each column has each of them.
    prices = [str(100 + number % 7) for number in range(63)]
    rows = rows_with([a_bar_of(prices[n : n + 4]) for n in range(60)])
    (part,) = assert_all_come_back(rows)
    assert part["body"]["open"]["of"] == sorted(set(prices))
    assert [part["body"][name].get("like") for name in ("high", "low", "close")] == ["open"] * 3
    assert_all_are_read(rows)


def test_checks_that_come_to_the_same_are_there_once() -> None:
    same, other = Check("holds", passed=True), Check("runaway", passed=True)
    events = [
        IntentApproved(f"o{n}", (same, msgspec.structs.replace(other, value=Decimal(n))))  # type: ignore[arg-type] # an order's id
        for n in range(20)
    ]
    (part,) = assert_all_come_back(rows_with(events))
    first, second = part["body"]["checks"]["each"]
    assert first == [["holds", True, None, None, None, ""]]
    assert len(second) == 20
    assert_all_are_read(rows_with(events))


def test_lists_with_room_between_their_values_stay_whole() -> None:
    bodies = [f'{{"type":"of.old","one":["a", "b{n}"]}}' for n in range(9)]
    rows = [a_row(seq, "of.old", body) for seq, body in enumerate(bodies, 1)]
    (part,) = assert_all_come_back(rows)
    assert isinstance(part["body"]["one"], list)


def test_columns_of_different_types_share_nothing() -> None:
    # The symbols are the very texts that the prices are, and yet no prices.
    prices = [str(100 + number % 7) for number in range(20)]
    bars = [a_bar_of([price] * 4) for price in prices]
    named = [msgspec.structs.replace(bar, symbol=str(bar.open)) for bar in bars]
    assert_all_are_read(rows_with(named))
    ((tag, _, text),) = parts_of(rows_with(named))
    changed = text.replace(b'"like":"open"', b'"like":"symbol"')
    assert changed != text
    with pytest.raises(msgspec.ValidationError):
        records_of(tag, changed)
