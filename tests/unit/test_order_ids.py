"""Client order ids: one decision has one id, whenever it is made; two honest decisions have two."""

import re
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from daemon.core.order_ids import client_order_id
from daemon.strategies import Intent
from events import ClientOrderId, OrderIntended, OrderType, Symbol, TimeInForce
from tests.builders import a_fill, fold, utc
from tests.core_desk import CoreDesk, Scripted, buy, of

PATTERN = re.compile(r"[A-Za-z0-9]{1,20}-[0-9]{8}T[0-9]{6}-[0-9a-f]{24}")
CAUSE = "A|60|2024-01-02T15:00:00+00:00"
LIMIT: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(99)}


def an_id(intent: Intent | None = None, **changes: Any) -> ClientOrderId:  # noqa: ANN401 - any part
    parts: dict[str, Any] = {
        "journal_id": "j1",
        "strategy": "trend",
        "cause_key": CAUSE,
        "cause_time": utc("2024-01-02T15:00"),
        "leg": 0,
        "intent": intent or buy("100"),
    }
    return client_order_id(**(parts | changes))


def test_an_id_is_the_symbol_the_time_of_the_cause_and_24_hex_digits() -> None:
    assert an_id().startswith("A-20240102T150000-")
    assert PATTERN.fullmatch(an_id())


@pytest.mark.parametrize(
    ("intent", "identity", "digits"),
    [
        (
            buy("100"),
            f'["j1","trend","{CAUSE}",0,"A","100","MKT",null,null,"DAY"]',
            "5ede1f3bec80e144a22b4ee8",
        ),
        (
            buy("-1.5", **LIMIT, time_in_force=TimeInForce.GTC),
            f'["j1","trend","{CAUSE}",0,"A","-1.5","LMT","99",null,"GTC"]',
            "5d40d85cd3a9597a59fe4e6d",
        ),
        (
            buy("100", **LIMIT, outside_rth=True, expected_edge_usd=Decimal(7)),
            f'["j1","trend","{CAUSE}",0,"A","100","LMT","99",null,"DAY","outside_rth"]',
            "e0c9adb5a40eeabec988f837",
        ),
    ],
)
def test_the_digits_are_a_hash_of_what_the_decision_is_the_same_in_every_release(
    intent: Intent, identity: str, digits: str
) -> None:
    # Never change these: an order of an earlier release must be found again under its id.
    assert sha256(identity.encode()).hexdigest()[:24] == digits
    assert an_id(intent).rpartition("-")[2] == digits


@pytest.mark.parametrize(
    ("symbol", "shown"),
    [("BRK B", "BRKB"), ("BTC/USD", "BTCUSD"), ("BF.B", "BFB"), ("X" * 20, "X" * 20)],
)
def test_of_the_symbol_only_letters_and_digits_are_shown(symbol: str, shown: str) -> None:
    order_id = an_id(buy(symbol=Symbol(symbol)))
    assert order_id.startswith(f"{shown}-")
    assert PATTERN.fullmatch(order_id)


def test_symbols_that_look_alike_without_their_signs_have_different_ids() -> None:
    assert an_id(buy(symbol=Symbol("BF.B"))) != an_id(buy(symbol=Symbol("BF/B")))


def test_the_longest_id_is_that_of_a_symbol_of_20_characters() -> None:
    # 20 + 1 + 15 + 1 + 24, see ops/decisions/0002.
    assert len(an_id(buy(symbol=Symbol("X" * 20)))) == 61
    assert len(an_id(buy(symbol=Symbol("X")))) == 42


DIFFERENT: dict[str, ClientOrderId] = {
    "the plain one": an_id(),
    "another quantity": an_id(buy("101")),
    "a sell": an_id(buy("-100")),
    "a fraction": an_id(buy("100.5")),
    "a limit order": an_id(buy("100", **LIMIT)),
    "another limit": an_id(buy("100", **LIMIT | {"limit_price": Decimal("99.01")})),
    "a stop order": an_id(buy("100", order_type=OrderType.STOP, stop_price=Decimal(99))),
    "a limit where a stop was": an_id(
        buy("100", order_type=OrderType.STOP, limit_price=Decimal(99))
    ),
    "a GTC order": an_id(buy("100", time_in_force=TimeInForce.GTC)),
    "another symbol": an_id(buy("100", symbol=Symbol("B"))),
    "another cause": an_id(cause_key="A|60|2024-01-02T15:01:00+00:00"),
    "another leg": an_id(leg=1),
    "another strategy": an_id(strategy="weights"),
    "another journal": an_id(journal_id="j2"),
    "just after midnight UTC": an_id(cause_time=utc("2024-01-03T00:00:00")),
    "just before midnight UTC": an_id(cause_time=utc("2024-01-02T23:59:59")),
}


def test_two_different_decisions_have_different_ids() -> None:
    assert len(set(DIFFERENT.values())) == len(DIFFERENT)


def test_parts_do_not_run_into_each_other() -> None:
    assert an_id(strategy="ab", cause_key="c") != an_id(strategy="a", cause_key="bc")


@pytest.mark.parametrize("same", ["100.0", "1E+2", "100.00000", "0100"])
def test_a_number_written_otherwise_is_the_same_number(same: str) -> None:
    assert an_id(buy(same)) == an_id(buy("100"))
    priced = {**LIMIT, "limit_price": Decimal(same)}
    assert an_id(buy(**priced)) == an_id(buy(**LIMIT | {"limit_price": Decimal(100)}))


def test_what_only_explains_an_order_is_no_part_of_its_id() -> None:
    assert an_id(buy("100", values={"close": 7})) == an_id()


def test_a_second_is_the_finest_time_shown() -> None:
    assert an_id(cause_time=utc("2024-01-02T15:00:00.999999")) == an_id()


# As the core makes them.


def ids_of(strategy: Scripted, *minutes: str) -> list[ClientOrderId]:
    desk = CoreDesk(strategy)
    records = [record for minute in minutes for record in desk.minute(minute)]
    return [intended.client_order_id for intended in of(records, OrderIntended)]


def test_the_same_decision_made_again_from_the_start_has_the_same_ids() -> None:
    script = [buy("1"), [buy("2"), buy("2")]]
    first, again = (ids_of(Scripted(bars=list(script)), "15:00", "15:01") for _ in range(2))
    assert first == again
    assert len(set(first)) == 3


def test_the_same_order_on_the_next_bar_is_another_one() -> None:
    # A DAY order that expired, then the same as GTC, then as DAY again.
    gtc = buy(time_in_force=TimeInForce.GTC)
    found = ids_of(Scripted(bars=[buy(), gtc, buy()]), "15:00", "15:01", "15:02")
    assert len(set(found)) == 3
    assert [order_id.split("-")[1] for order_id in found] == [
        "20240102T150000",
        "20240102T150100",
        "20240102T150200",
    ]


def test_the_id_goes_by_when_the_cause_happened_not_by_when_we_heard_of_it() -> None:
    # The fill of 15:00:30 is reported at once, or, after a restore, ten minutes later.
    found = []
    for heard in ("2024-01-02T15:00:31", "2024-01-02T15:10"):
        desk = CoreDesk(Scripted(bars=[buy()], fills=[[buy("0"), buy("-10")]], refusals=[buy("3")]))
        order = desk.order(desk.minute("15:00"))
        fill = a_fill("10", order_id=order.client_order_id, executed_at="2024-01-02T15:00:30")
        found.append([each.client_order_id for each in of(desk.step(fill, heard), OrderIntended)])
    assert found[0] == found[1]
    assert [order_id[:18] for order_id in found[0]] == ["A-20240102T150030-"] * 3


def test_an_intent_whose_id_is_known_already_is_dropped_and_counted() -> None:
    # The books have the order, from a journal that lost the bar it came from.
    first = CoreDesk(Scripted(bars=[buy()]))
    (intended,) = of(first.minute("15:00"), OrderIntended)
    again = CoreDesk(Scripted(bars=[buy()]))
    fold(again.state, intended)
    records = again.minute("15:00")
    assert of(records, OrderIntended) == []
    assert again.effects() == []
    assert (again.repeats, again.state.orders.intended) == (1, 1)
