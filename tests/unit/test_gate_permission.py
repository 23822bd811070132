"""What the gate lets be traded, sold short, and put against one's own orders. A costs 100."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.gate.limits import AccountType, OrderLimits
from events import (
    ClientOrderId,
    IntentApproved,
    OrderIntended,
    OrderSending,
    OrderType,
    OrderUnknown,
    ShortSaleReported,
)
from events.codec import JournalEvent
from tests.builders import a_bar, a_calendar, a_session, an_order, fold, state_after, utc
from tests.gate_desk import (
    OPENING,
    WIDE,
    A,
    an,
    asked,
    books,
    failed,
    figures,
    holding,
    limits,
    rules,
)

TODAY = date(2024, 1, 2)
MARKET, LIMIT, STOP = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP
AT_90, AT_110 = {"limit_price": Decimal(90)}, {"limit_price": Decimal(110)}


@pytest.mark.parametrize(
    ("allowed", "denied", "note"),
    [
        ((), (), ""),
        (("A", "B"), (), ""),
        (("B",), (), "the symbol is not on the allow list"),
        ((), ("A",), "the symbol is on the deny list"),
        (("A",), ("A",), "the symbol is on the deny list"),
        ((), ("B",), ""),
    ],
)
def test_a_symbol_is_on_the_allow_list_and_not_on_the_deny_list(
    allowed: tuple[str, ...], denied: tuple[str, ...], note: str
) -> None:
    under = limits(allow_symbols=allowed, deny_symbols=denied)
    checks = asked(books(), an("1"), under=under)
    assert checks["symbol_allowed"].note == note
    assert failed(checks) == (["symbol_allowed"] if note else [])


# Shorts: 100 held, of which 60 are on sale.


@pytest.mark.parametrize(
    ("size", "is_short"), [("-40", False), ("-41", True), ("500", False), ("41", False)]
)
def test_a_short_is_what_could_end_short_with_all_that_is_on_sale(
    size: str,
    is_short: bool,  # noqa: FBT001 - a table
) -> None:
    state = fold(holding("100"), *an_order("o2", "-60"), *an_order("o3", "70"))
    checks = asked(state, an(size), under=limits(allow_short=False))
    assert failed(checks) == (["short_allowed"] if is_short else [])


@pytest.mark.parametrize(
    ("account", "symbol", "strategy", "note"),
    [
        (True, None, None, ""),
        (True, True, True, ""),
        (None, None, None, "the account may not sell short"),
        (False, True, True, "the account may not sell short"),
        (True, False, None, "the symbol may not be sold short"),
        (True, None, False, "the strategy may not sell short"),
    ],
)
def test_everyone_who_has_a_say_must_allow_it(
    account: bool | None,  # noqa: FBT001 - a table
    symbol: bool | None,  # noqa: FBT001 - a table
    strategy: bool | None,  # noqa: FBT001 - a table
    note: str,
) -> None:
    under = msgspec.structs.replace(
        limits(allow_short=account),
        symbols={A: OrderLimits(allow_short=symbol)},
        strategies={"trend": OrderLimits(allow_short=strategy)},
    )
    assert asked(books(), an("-1"), under=under)["short_allowed"].note == note


def test_a_strategy_may_be_forbidden_to_sell_what_another_one_holds() -> None:
    under = msgspec.structs.replace(WIDE, strategies={"weights": OrderLimits(allow_short=False)})
    state = holding("100")
    assert failed(asked(state, an("-1", strategy="weights"), under=under)) == ["short_allowed"]
    assert failed(asked(state, an("-1"), under=under)) == []
    assert failed(asked(state, an("1", strategy="weights"), under=under)) == []
    own = msgspec.structs.replace(WIDE, strategies={"trend": OrderLimits(allow_short=False)})
    assert failed(asked(state, an("-100"), under=own)) == []
    assert failed(asked(state, an("-101"), under=own)) == ["short_allowed"]


def test_a_cash_account_sells_nothing_short() -> None:
    under = rules(margin={"account_type": AccountType.CASH})
    assert failed(asked(books(), an("-1"), under=under)) == ["short_allowed"]
    assert failed(asked(holding("1"), an("-1"), under=under)) == []


DATA_NEEDED = rules(orders={"require_shortable_data": True})


@pytest.mark.parametrize(
    ("held", "sold", "needed"), [("0", "-30", 30), ("10", "-40", 30), ("-20", "-30", 30)]
)
def test_no_more_is_sold_short_than_can_be_borrowed(held: str, sold: str, needed: int) -> None:
    state = holding(held) if held != "0" else books()
    for shares, passes in (("30", True), ("29", False), ("0", False)):
        fold(state, ShortSaleReported(A, TODAY, Decimal(shares), restricted=False))
        found = asked(state, an(sold), under=DATA_NEEDED)["shortable"]
        there = Decimal(shares)
        assert figures(found) == (passes, needed, there, there - needed)


@pytest.mark.parametrize(
    "reported",
    [
        None,
        ShortSaleReported(A, TODAY, None, restricted=False),
        ShortSaleReported(A, date(2024, 1, 1), Decimal(1000), restricted=False),
    ],
)
def test_without_a_word_of_today_nothing_is_sold_short(reported: JournalEvent | None) -> None:
    state = books(reported) if reported else books()
    checks = asked(state, an("-1"), under=DATA_NEEDED)
    assert failed(checks) == ["shortable"]
    assert checks["shortable"].note == "nobody has said what can be borrowed today"
    assert failed(asked(state, an("1"), under=DATA_NEEDED)) == []


def test_where_that_word_is_not_needed_it_counts_all_the_same() -> None:
    assert (
        asked(books(), an("-1"))["shortable"].note == "nobody has said what can be borrowed today"
    )
    none_left = books(ShortSaleReported(A, TODAY, Decimal(0), restricted=False))
    assert failed(asked(none_left, an("-1"))) == ["shortable"]
    unsaid = books(ShortSaleReported(A, TODAY, None, restricted=False))
    assert failed(asked(unsaid, an("-1"))) == ["shortable"]


def test_a_report_for_the_next_session_counts_from_the_end_of_this_one() -> None:
    days = a_calendar(a_session("2024-01-02"), a_session("2024-01-03"))
    state = books(days, ShortSaleReported(A, date(2024, 1, 3), Decimal(10), restricted=True))
    # Extended hours of the second end at 01:00 of the third.
    for moment, today in (("2024-01-03T01:00", False), ("2024-01-03T01:01", True)):
        checks = asked(state, an("-1"), now=utc(moment))
        assert checks["shortable"].value == (1 if today else None)
        assert checks["short_restricted"].passed is not today
    lost = books(a_calendar(), ShortSaleReported(A, TODAY, Decimal(10), restricted=True))
    assert failed(asked(lost, an("-1"), under=DATA_NEEDED))[-1:] == ["shortable"]


@pytest.mark.parametrize(
    ("order", "passes"),
    [
        (an("-1"), False),
        (an("-1", order_type=STOP, stop_price=Decimal(90)), False),
        (an("-1", order_type=LIMIT, limit_price=Decimal(110)), True),
        (an("1"), True),
    ],
)
def test_on_a_restricted_day_nothing_is_sold_short_at_the_market(
    order: OrderIntended,
    passes: bool,  # noqa: FBT001 - a table
) -> None:
    state = books(ShortSaleReported(A, TODAY, Decimal(100), restricted=True))
    assert failed(asked(state, order)) == ([] if passes else ["short_restricted"])
    # What is held may be sold as ever, and on another day so may what is not.
    held = fold(holding("1"), ShortSaleReported(A, TODAY, Decimal(100), restricted=True))
    assert failed(asked(held, an("-1"))) == []
    assert failed(asked(books(), order)) == []


# One's own orders.

WORKING: dict[str, dict[str, Any]] = {
    "market": {"order_type": MARKET},
    "limit 90": {"order_type": LIMIT} | AT_90,
    "limit 110": {"order_type": LIMIT} | AT_110,
    "stop 90": {"order_type": STOP, "stop_price": Decimal(90)},
    "stop 100": {"order_type": STOP, "stop_price": Decimal(100)},
    "stop 110": {"order_type": STOP, "stop_price": Decimal(110)},
    "stop limit 110": {"order_type": OrderType.STOP_LIMIT, "stop_price": Decimal(110)} | AT_110,
}


@pytest.mark.parametrize(
    ("working", "new", "meets"),
    [
        # Working orders sell, the new one buys.
        ("market", "market", True),
        ("limit 110", "market", True),
        ("market", "limit 90", True),
        ("limit 110", "limit 90", False),
        ("limit 90", "limit 90", True),
        ("limit 90", "limit 110", True),
        # A stop that has not been reached is not in the market yet: to sell below it, to buy above.
        ("stop 90", "market", False),
        ("stop 110", "market", True),
        ("limit 90", "stop 110", False),
        ("limit 90", "stop 90", True),
        ("stop limit 110", "limit 110", True),
        ("stop limit 110", "limit 90", False),
        # A stop at the last price has been reached.
        ("stop 100", "market", True),
        ("market", "stop 100", True),
    ],
)
@pytest.mark.parametrize("state_of", ["sent", "unknown", "in the batch"])
def test_no_order_stands_against_one_of_our_own_that_it_could_meet(
    working: str,
    new: str,
    meets: bool,  # noqa: FBT001 - a table
    state_of: str,
) -> None:
    sale = an("-10", client_order_id=ClientOrderId("w"), **WORKING[working])
    purchase = an("10", **WORKING[new])
    under = rules(orders={"allow_opposite": False})
    state = books()
    batch: tuple[OrderIntended, ...] = (purchase,)
    if state_of == "in the batch":
        batch = (sale, purchase)
    else:
        sent = OrderSending(ClientOrderId("w"))
        fold(state, sale, IntentApproved(ClientOrderId("w"), ()), sent)
        if state_of == "unknown":
            fold(state, OrderUnknown(ClientOrderId("w"), "no answer"))
    checks = asked(state, *batch, under=under)
    assert checks["own_opposite"].passed is not meets
    assert checks["own_opposite"].note == ("it could trade with w" if meets else "")
    assert asked(state, *batch)["own_opposite"].passed


def test_an_order_on_the_same_side_or_in_another_symbol_is_met_by_nobody() -> None:
    under = rules(orders={"allow_opposite": False})
    state = books(a_bar("100", symbol="B"), *an_order("w", "10"), *an_order("v", "-10", symbol="B"))
    assert failed(asked(state, an("10"), under=under)) == []
    assert failed(asked(state, an("-10"), under=under)) == ["own_opposite"]
    assert failed(asked(state, an("10"), an("-10"), under=under)) == ["own_opposite"]


def test_what_has_no_size_is_met_by_no_sale() -> None:
    under = rules(orders={"allow_opposite": False})
    assert asked(books(), an("0"), an("-10"), under=under)["own_opposite"].passed


def test_without_a_price_a_stop_counts_as_awake() -> None:
    under = rules(orders={"allow_opposite": False})
    stop = an("-10", client_order_id=ClientOrderId("w"), **WORKING["stop 90"])
    state = state_after(*OPENING, stop, IntentApproved(ClientOrderId("w"), ()))
    assert "own_opposite" in failed(asked(state, an("10"), under=under))
