"""The gate: its checks, holds and batches, and the proof it gives. A share costs 100 dollars.

What it holds against limits is in test_gate_limits.py.
"""

import ast
import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from daemon import gate
from daemon.brokers import Broker
from daemon.brokers.faults import FaultyBroker
from daemon.brokers.paper import PaperBroker
from daemon.gate import Limits, RiskApproved, RiskRefused
from events import (
    Check,
    ConfigLoaded,
    HoldLevel,
    HoldScope,
    OrderType,
    Symbol,
    SymbolTerms,
    TimeInForce,
)
from projections import State
from tests.builders import (
    TUESDAY,
    a_bar,
    a_calendar,
    a_config,
    a_deposit,
    an_order,
    fold,
    state_after,
    utc,
)
from tests.gate_desk import (
    ALL_CHECKS,
    OPENING,
    WIDE,
    A,
    a_hold,
    an,
    asked,
    books,
    failed,
    holding,
    limits,
)

# The whole.


def test_a_plain_order_within_wide_limits_passes_every_check_in_order() -> None:
    checks = asked(books(), an("10"))
    assert list(checks) == ALL_CHECKS
    assert failed(checks) == []


def test_every_check_is_made_and_recorded_also_after_the_first_has_failed() -> None:
    checks = asked(State(), an("10", order_type=OrderType.LIMIT), under=Limits())
    assert list(checks) == ALL_CHECKS
    # Without books, calendar and price nothing that needs one of them can be shown to be right.
    assert set(failed(checks)) == {
        *("valid_input", "size_step", "session_open", "order_hours", "price_known", "data_age_s"),
        *("outlier", "order_shares", "order_usd", "position_shares", "position_usd"),
        *("gross_usd", "net_usd", "leverage", "emergency_leverage", "margin_usd"),
        *("batch_margin_usd", "daily_loss", "drawdown"),
    }


@pytest.mark.parametrize("quantity", ["NaN", "sNaN"])
def test_a_number_that_is_none_leaves_no_check_unasked(quantity: str) -> None:
    checks = asked(books(a_hold(HoldLevel.REDUCE)), an(quantity))
    assert list(checks) == ALL_CHECKS
    assert checks["valid_input"].note == f"the quantity is {quantity}"
    assert {"holds", "order_shares", "order_usd", "position_shares"} <= set(failed(checks))


def test_an_exception_inside_a_check_refuses_and_the_other_checks_go_on() -> None:
    # A time without a zone cannot be compared with the sessions.
    checks = asked(books(), an(), now=datetime(2024, 1, 2, 15))  # noqa: DTZ001 - the point
    assert failed(checks) == ["session_open", "order_hours", "data_age_s", "equity_known"]
    assert checks["session_open"].note.startswith("TypeError: ")
    assert list(checks) == ALL_CHECKS


def test_the_same_question_gets_the_same_answer_and_moves_nothing() -> None:
    state = holding("10")
    before = msgspec.json.encode(state)
    assert asked(state, an("5")) == asked(state, an("5"))
    assert msgspec.json.encode(state) == before


# Input.

GOOD, BAD = Decimal("0.5"), [Decimal(text) for text in ("0", "-5", "NaN", "sNaN", "Infinity")]


@pytest.mark.parametrize("quantity", ["0", "-0", "NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_quantity_must_be_finite_and_not_zero(quantity: str) -> None:
    assert "valid_input" in failed(asked(books(), an(quantity)))


@pytest.mark.parametrize(
    ("number", "passes"),
    [
        ("1.797e308", False),
        ("2147483647", False),
        ("-2147483647", False),
        ("2147483646", True),
        ("2147483648", True),
        ("1000000000000", True),
        ("1000000000001", False),
        ("1.000000000001", True),
        ("1.0000000000001", False),
    ],
)
def test_what_brokers_write_for_no_number_is_none_and_numbers_are_of_a_size(
    number: str,
    passes: bool,  # noqa: FBT001 - a table
) -> None:
    assert asked(books(), an(number))["valid_input"].passed is passes
    if Decimal(number) > 0:
        for kind, name in ((OrderType.LIMIT, "limit_price"), (OrderType.STOP, "stop_price")):
            order = an("1", order_type=kind, **{name: Decimal(number)})
            assert asked(books(), order)["valid_input"].passed is passes


@pytest.mark.parametrize(
    ("order_type", "needed"),
    [
        (OrderType.MARKET, ()),
        (OrderType.LIMIT, ("limit_price",)),
        (OrderType.STOP, ("stop_price",)),
        (OrderType.STOP_LIMIT, ("limit_price", "stop_price")),
    ],
)
def test_an_order_has_the_prices_its_type_needs_and_no_others(
    order_type: OrderType, needed: tuple[str, ...]
) -> None:
    prices = dict.fromkeys(needed, GOOD)
    assert failed(asked(books(), an(order_type=order_type, **prices))) == []
    for name in ("limit_price", "stop_price"):
        wrong = [None, *BAD] if name in needed else [GOOD]
        for price in wrong:
            order = an(order_type=order_type, **(prices | {name: price}))
            assert "valid_input" in failed(asked(books(), order)), (name, price)


def test_a_symbol_must_be_configured() -> None:
    checks = asked(books(a_bar("100", symbol="C")), an(symbol=Symbol("C")))
    assert checks["valid_input"].note == "the symbol is not configured"
    assert failed(checks)[:4] == ["valid_input", "size_step", "session_open", "order_hours"]
    rest = an("1", order_type=OrderType.LIMIT, limit_price=Decimal(1), symbol=Symbol("C"))
    refused = failed(asked(books(), msgspec.structs.replace(rest, time_in_force=TimeInForce.OPG)))
    assert refused[:3] == ["valid_input", "size_step", "price_step"]
    assert "auction_cutoff" in refused


@pytest.mark.parametrize(
    ("seconds", "passes"),
    [(1, True), (0, False), (-1, False), (2147483646, True), (2147483647, False)],
)
def test_a_time_to_cancel_after_is_positive(seconds: int, passes: bool) -> None:  # noqa: FBT001 - a table
    assert asked(books(), an(cancel_after_s=seconds))["valid_input"].passed is passes


# Holds.

ORDERS = {"opens": "10", "closes": "-100", "turns": "-101", "adds": "1"}


@pytest.mark.parametrize("level", list(HoldLevel))
def test_under_halt_nothing_passes_and_under_reduce_what_stays_within_the_position(
    level: HoldLevel,
) -> None:
    state = fold(holding("100"), a_hold(level))
    passed = {name for name, size in ORDERS.items() if not failed(asked(state, an(size)))}
    assert passed == ({"closes"} if level is HoldLevel.REDUCE else set())


def test_reducing_a_short_is_buying_it_back() -> None:
    state = fold(holding("-100"), a_hold(HoldLevel.REDUCE))
    assert [failed(asked(state, an(size))) for size in ("100", "101", "-1")] == [
        [],
        ["holds"],
        ["holds"],
    ]


def test_where_nothing_is_held_nothing_reduces() -> None:
    state = books(a_hold(HoldLevel.REDUCE))
    assert ["holds" in failed(asked(state, an(size))) for size in ("1", "-1", "0")] == [True] * 3


def test_under_reduce_open_orders_on_the_same_side_count_too() -> None:
    # 100 long, 60 to sell already: 40 more may be sold. A buy in between makes no room.
    state = fold(holding("100"), *an_order("o2", "-60"), *an_order("o3", "50"))
    fold(state, a_hold(HoldLevel.REDUCE))
    assert failed(asked(state, an("-40"))) == []
    assert failed(asked(state, an("-41"))) == ["holds"]


@pytest.mark.parametrize(
    ("scope", "target", "stopped"),
    [
        (HoldScope.ALL, "", {"trend A", "trend B", "weights A"}),
        (HoldScope.STRATEGY, "trend", {"trend A", "trend B"}),
        (HoldScope.SYMBOL, "A", {"trend A", "weights A"}),
    ],
)
def test_a_hold_stops_what_it_covers(scope: HoldScope, target: str, stopped: set[str]) -> None:
    state = books(a_bar("100", symbol="B"), a_hold(HoldLevel.HALT, scope, target))
    orders = {
        f"{strategy} {symbol}": an(strategy=strategy, symbol=Symbol(symbol))
        for strategy, symbol in (("trend", "A"), ("trend", "B"), ("weights", "A"))
    }
    assert {name for name, order in orders.items() if failed(asked(state, order))} == stopped


def test_of_two_holds_the_stricter_one_wins() -> None:
    state = fold(holding("100"), a_hold(HoldLevel.REDUCE))
    fold(state, msgspec.structs.replace(a_hold(HoldLevel.HALT), hold_id="h2", cause="other"))
    check = asked(state, an("-1"))["holds"]
    assert (check.passed, check.note) == (False, "HALT: test, other")


# Session and price.


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("14:29:59.999999", False),
        ("14:30", True),
        ("21:00", True),  # The day's last bar ends here.
        ("21:00:00.000001", False),
    ],
)
def test_the_exchange_must_be_open(at: str, is_open: bool) -> None:  # noqa: FBT001 - a table
    state = state_after(*OPENING)
    checks = asked(state, an(), now=utc(f"2024-01-02T{at}"))
    assert checks["session_open"].passed is is_open


@pytest.mark.parametrize("tif", [TimeInForce.OPG, TimeInForce.CLS])
def test_an_auction_order_may_wait_for_its_auction(tif: TimeInForce) -> None:
    state = state_after(*OPENING, a_bar("100", end="2024-01-02T00:30"))
    fold(state, a_bar("100", end="2024-01-02T00:31"))
    checks = asked(state, an(time_in_force=tif), now=utc("2024-01-02T03:00"))
    assert not {"session_open", "order_hours", "auction_cutoff"} & set(failed(checks))


def test_hours_can_be_longer_or_of_no_concern_and_a_lost_calendar_is_a_closed_exchange() -> None:
    evening = utc("2024-01-02T22:00")
    longer = books(a_config("A", extended_hours=True))
    no_concern = books(ConfigLoaded({}, {A: SymbolTerms("NYSE", False, False)}))  # noqa: FBT003 - its hours
    never_closed = books(ConfigLoaded({}, {A: SymbolTerms("24/7", True, False)}))  # noqa: FBT003 - as above
    lost = books(a_calendar())
    found = [
        asked(state, an(), now=evening)["session_open"].passed
        for state in (books(), longer, no_concern, never_closed, lost)
    ]
    assert found == [False, True, True, True, False]
    assert failed(asked(lost, an())) == ["session_open", "order_hours"]
    fold(lost, a_deposit("1", "more"), at="2024-01-02T15:00:01")
    assert failed(asked(lost, an())) == ["session_open", "order_hours", "data_age_s"]


def test_without_a_price_there_is_no_default_one() -> None:
    checks = asked(state_after(*OPENING), an("10"))
    assert failed(checks) == [
        *("price_known", "data_age_s", "outlier", "order_usd", "position_usd", "gross_usd"),
        *("net_usd", "leverage", "emergency_leverage", "margin_usd", "batch_margin_usd"),
    ]
    assert checks["order_usd"].note == "the value is not known"
    # A price of nothing is none either, though there is a bar, and it is young.
    assert failed(asked(state_after(*OPENING, a_bar("0")), an("10"))) == [
        name for name in failed(checks) if name != "data_age_s"
    ]


@pytest.mark.parametrize(
    ("prices", "reckoned"),
    [
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal(120)}, 120),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal(80)}, 100),
        ({"order_type": OrderType.STOP, "stop_price": Decimal(130)}, 130),
    ],
)
def test_an_order_is_reckoned_at_the_market_or_its_own_higher_price(
    prices: dict[str, object], reckoned: int
) -> None:
    checks = asked(books(), an("10", **prices))
    assert checks["price_known"].value == reckoned
    assert checks["order_usd"].value == checks["position_usd"].value == 10 * reckoned


# Batches.


def test_a_batch_passes_as_a_whole_or_not_at_all() -> None:
    good, bad = an("10"), an("0")
    answers = gate.check((good, bad, good), books(), WIDE, utc(TUESDAY))
    assert {type(answer) for answer in answers} == {RiskRefused}
    assert [answer.intent for answer in answers] == [good, bad, good]
    first, second, _ = answers
    assert [check for check in first.checks if not check.passed] == [
        Check("batch", passed=False, note="another order of its batch is refused")
    ]
    assert [check.name for check in second.checks] == ALL_CHECKS
    assert gate.check((), books(), WIDE, utc(TUESDAY)) == ()


def test_what_stands_earlier_in_a_batch_counts_as_reserved() -> None:
    under = limits(max_position_shares="100")
    assert failed(asked(books(), an("50"), an("50"), under=under)) == []
    assert failed(asked(books(), an("50"), an("51"), under=under)) == ["position_shares"]
    # Buys and sells are kept apart, and another symbol's are nothing here.
    assert failed(asked(books(), an("-50"), an("100"), under=under)) == []
    state = books(a_bar("100", symbol="B"))
    assert failed(asked(state, an("100", symbol=Symbol("B")), an("100"), under=under)) == []


def test_two_sells_of_all_that_is_held_never_both_pass_under_reduce() -> None:
    state = fold(holding("100"), a_hold(HoldLevel.REDUCE))
    assert failed(asked(state, an("-100"), an("-100"))) == ["holds"]
    assert failed(asked(state, an("-60"), an("-40"))) == []


# The proof.


def an_approval() -> RiskApproved:
    (approved,) = gate.check((an("10"),), books(), WIDE, utc(TUESDAY))
    assert isinstance(approved, RiskApproved)
    return approved


def test_an_approval_cannot_be_made_nor_put_on_another_order() -> None:
    approved = an_approval()
    bigger = an("10000")
    for seal in (None, object(), approved.seal):
        with pytest.raises(TypeError, match=r"only daemon\.gate may approve"):
            RiskApproved(bigger, (), seal)
    with pytest.raises(TypeError, match=r"only daemon\.gate may approve"):
        msgspec.structs.replace(approved, intent=bigger)


def test_what_the_gate_has_answered_stays_as_it_is() -> None:
    (refused,) = gate.check((an("0"),), books(), WIDE, utc(TUESDAY))
    for answer in (an_approval(), refused):
        with pytest.raises(AttributeError):
            setattr(answer, "intent", an("10000"))  # noqa: B010 - mypy knows it cannot be done


def test_an_approval_is_all_that_any_broker_takes() -> None:
    for broker in (Broker, PaperBroker, FaultyBroker):
        assert get_type_hints(broker.submit)["approved"] is RiskApproved, broker


def test_nobody_but_the_gate_itself_seals_an_approval() -> None:
    root = Path(__file__).parents[2]
    files = [path for folder in ("daemon", "ops") for path in (root / folder).rglob("*.py")]
    importing = {
        path.relative_to(root).as_posix()
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom | ast.Import)
        and re.search(r"daemon\.gate(\.| import )decision", ast.unparse(node))
    }
    assert importing == {"daemon/gate/__init__.py", "daemon/gate/gate.py"}
