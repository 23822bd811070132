from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args

import msgspec
import pytest

from events import (
    CashMovementKind,
    Check,
    ClientOrderId,
    IntentRefused,
    OrderExpired,
    OrderRejected,
    Record,
)
from events.codec import INPUTS, TAGS, Decided, JournalEvent, decode, encode
from events.errors import UnknownEvent
from events.upcast import Fields, Upcast
from tests.builders import a_bar, a_deposit, a_fill, an_intent

# What is in somebody's journal already: these lines must be read, and written, for ever.
STORED: dict[str, JournalEvent] = {
    '{"type":"bar.closed","symbol":"A","span_s":60,"end":"2024-01-02T15:00:00Z","open":"100.50",'
    '"high":"100.50","low":"100.50","close":"100.50","volume":"1000"}': a_bar("100.50"),
    '{"type":"order.intended","client_order_id":"o1","strategy":"trend","symbol":"A",'
    '"quantity":"-0.5","order_type":"MKT","time_in_force":"DAY",'
    '"cause_key":"A|60|20240102T150000","leg":0}': an_intent(quantity="-0.5"),
    '{"type":"intent.refused","client_order_id":"o1","checks":[["order_usd",false,"1E+5","5E+4",'
    '"-5E+4",""]]}': IntentRefused(
        ClientOrderId("o1"),
        (Check("order_usd", False, Decimal("1E+5"), Decimal("5E+4"), Decimal("-5E+4")),),  # noqa: FBT003 (as stored)
    ),
    '{"type":"order.filled","client_order_id":"o1","execution_id":"e1","symbol":"A",'
    '"quantity":"100","price":"0.0001","executed_at":"2024-01-02T15:00:00Z"}': a_fill(
        price="0.0001"
    ),
    '{"type":"order.rejected","client_order_id":"o1","reason":"keine Margin für Käufe 💸"}': (
        OrderRejected(ClientOrderId("o1"), "keine Margin für Käufe 💸")
    ),
    '{"type":"order.expired","client_order_id":"o1"}': OrderExpired(ClientOrderId("o1")),
    '{"type":"cash.moved","kind":"deposit","amount":"100000","reference":"opening capital"}': (
        a_deposit()
    ),
}
TAGS_RELEASED = {
    "bar.closed", "calendar.loaded", "cancel.sending", "cash.moved", "commission.charged",
    "config.loaded", "corporate-action.announced", "corporate-action.applied", "hold.lifted",
    "hold.placed", "intent.approved", "intent.refused", "journal.opened", "order.acknowledged",
    "order.cancelled", "order.expired", "order.filled", "order.intended", "order.rejected",
    "order.sending", "order.unknown", "order.withheld", "order.working", "session.ended",
    "session.started", "strategy.declined", "strategy.failed", "timer.fired",
}  # fmt: skip


@pytest.mark.parametrize("line", STORED)
def test_a_stored_event_is_read(line: str) -> None:
    assert decode(line) == STORED[line]
    assert decode(line.encode()) == STORED[line]


@pytest.mark.parametrize("line", STORED)
def test_an_event_is_written_as_it_was_always_stored(line: str) -> None:
    assert encode(STORED[line]) == line.encode()


def test_no_tag_is_ever_given_up() -> None:
    assert set(TAGS.values()) >= TAGS_RELEASED


def test_every_event_has_its_own_tag() -> None:
    assert len(set(TAGS.values())) == len(TAGS)


def test_every_event_is_an_input_or_decided_and_never_both() -> None:
    decided = set(get_args(Decided))
    assert INPUTS | decided == set(TAGS)
    assert not INPUTS & decided


def test_every_event_says_what_it_means() -> None:
    assert [kind for kind in TAGS if not (kind.__doc__ or "").strip().endswith(".")] == []


def test_events_refuse_change() -> None:
    for kind in TAGS:
        assert kind.__struct_config__.frozen, kind  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        a_fill().price = Decimal(1)  # type: ignore[misc] # that is the point


def test_times_are_stored_in_utc_to_the_microsecond() -> None:
    moment = datetime(2024, 1, 2, 15, 0, 0, 123456, tzinfo=UTC)
    fill = msgspec.structs.replace(a_fill(), executed_at=moment)
    assert b'"2024-01-02T15:00:00.123456Z"' in encode(fill)
    assert decode(encode(fill)) == fill


@pytest.mark.parametrize("number", ["0.1", "100.00", "1E+30", "-1E-30", "0E-8", "-0", "1" * 28])
def test_a_number_keeps_every_digit_and_its_exponent(number: str) -> None:
    read = decode(encode(a_deposit(number)))
    assert str(read.amount) == number  # type: ignore[union-attr] # a cash movement


# What this version does not know.


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"type":"order.teleported","client_order_id":"o1"}', "order.teleported"),
        ('{"type":"order.filled.v2","client_order_id":"o1"}', "order.filled.v2"),
        ('{"type":"order.expired","client_order_id":"o1","mood":"sad"}', "mood"),
        ('{"type":"order.expired","client_order_id":7}', "client_order_id"),
        ('{"type":"order.expired"}', "client_order_id"),
        ('{"type":"cash.moved","kind":"gift","amount":"1","reference":"x"}', "gift"),
        ('{"type":"cash.moved","kind":"deposit","amount":"much","reference":"x"}', "amount"),
        ('{"type":7}', "type"),
        ('{"client_order_id":"o1"}', "type"),
        ("{}", "type"),
        ("[]", "object"),
        ("null", "object"),
    ],
)
def test_what_no_event_of_this_version_says_is_refused(body: str, said: str) -> None:
    with pytest.raises(UnknownEvent, match=said) as refusal:
        decode(body)
    assert "run the version of traded that wrote it" in str(refusal.value)


# Older forms. None exists yet, so these are made up.


def from_cents(fields: Fields) -> Fields:
    """Bring `cash.moved.v0` up to date, which counted in cents and called a deposit "in"."""
    return {
        "kind": CashMovementKind.DEPOSIT if fields["way"] == "in" else CashMovementKind.WITHDRAWAL,
        "amount": str(Decimal(fields["cents"]) / 100),
        "reference": fields["reference"],
    }


def from_the_beginning(fields: Fields) -> Fields:
    """Bring `money` up to `cash.moved.v0`."""
    return {"way": "in", "cents": fields["cents"], "reference": "?"}


OLDER = {
    "cash.moved.v0": Upcast("cash.moved", from_cents),
    "money": Upcast("cash.moved.v0", from_the_beginning),
}


def test_an_older_form_is_brought_up_to_date() -> None:
    body = '{"type":"cash.moved.v0","way":"in","cents":"1050","reference":"savings"}'
    assert decode(body, OLDER) == a_deposit("10.5", "savings")


def test_a_form_older_still_is_brought_up_step_by_step() -> None:
    assert decode('{"type":"money","cents":"99"}', OLDER) == a_deposit("0.99", "?")


def test_an_older_form_is_unknown_where_no_one_brings_it_up_to_date() -> None:
    with pytest.raises(UnknownEvent, match=r"cash\.moved\.v0"):
        decode('{"type":"cash.moved.v0","way":"in","cents":"1050","reference":"savings"}')


def test_what_is_brought_up_to_date_wrongly_is_refused() -> None:
    broken = {"money": Upcast("cash.moved", lambda _: {"kind": "deposit"})}
    with pytest.raises(UnknownEvent, match="brought up to date"):
        decode('{"type":"money","cents":"99"}', broken)


def test_today_s_forms_are_read_the_same_beside_older_ones() -> None:
    assert decode(encode(a_fill()), OLDER) == a_fill()


def test_a_record_holds_an_event_with_its_place() -> None:
    record = Record(3, 17, a_fill(), trace=1, cause=2)
    assert (record.seq, record.at, record.trace, record.cause) == (3, 17, 1, 2)
    assert Record(3, 17, a_fill()).trace is None
