"""A flatten that does not come to its end at once: asked for again, refused late, or cut short."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.gate import Limits
from events import (
    CancelSending,
    CancelWithheld,
    ClientOrderId,
    CommandRefused,
    HoldLevel,
    HoldPlaced,
    HoldScope,
    IntentRefused,
    OperatorFlattenAsked,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderIntended,
    OrderRejected,
    OrderSending,
    OrderType,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    Symbol,
)
from tests.builders import a_config, a_fill
from tests.core_desk import OPENING, A, kinds, of
from tests.operators import Told, said
from tests.unit.test_flatten import FLATTEN, intended

LIMIT: dict[str, Any] = {"order_type": OrderType.LIMIT, "limit_price": Decimal(95)}
AGAIN = msgspec.structs.replace(FLATTEN, command_id="cmd-again")
ALL_AGAIN = said(OperatorFlattenAsked, command_id="cmd-again")


# Asked for again.


def test_a_second_flatten_does_not_undo_the_first_and_adds_no_order() -> None:
    desk = Told()
    order = desk.sends("5", **LIMIT)
    desk.step(FLATTEN)
    assert kinds(desk.step(AGAIN)) == ["operator.flatten-asked"], "the cancel is awaited"
    assert intended(desk.cancelled(order)) == [("trend", "A", Decimal(-100))]


@pytest.mark.parametrize("again", [AGAIN, ALL_AGAIN])
def test_a_second_flatten_asks_again_for_a_cancel_that_nobody_has_answered(
    again: OperatorFlattenAsked,
) -> None:
    desk = Told()
    order = desk.sends("5", **LIMIT)
    desk.step(FLATTEN)
    assert of(desk.pass_time("2024-01-02T16:00"), OrderUnknown)
    (asked,) = of(desk.step(again), CancelSending)
    assert asked.client_order_id == order
    assert intended(desk.cancelled(order)) == [("trend", "A", Decimal(-100))]


def test_an_order_that_shows_to_be_alive_after_its_cancel_was_lost_is_asked_to_end_again() -> None:
    desk = Told()
    order = desk.sends("5", **LIMIT)
    desk.step(FLATTEN)
    desk.pass_time("2024-01-02T16:00")
    (asked,) = of(desk.step(OrderWorking(order)), CancelSending)
    assert asked.client_order_id == order
    assert kinds(desk.step(OrderWorking(order))) == [], "the same word again is no news"


def test_a_flatten_that_waits_for_an_order_now_unknown_goes_on_when_told_to_trust() -> None:
    desk = Told()
    order = desk.sends("5", **LIMIT)
    desk.step(FLATTEN)
    taken = desk.pass_time("2024-01-02T16:00")
    assert of(taken, OrderUnknown)
    assert desk.state.commands.flattening
    again = msgspec.structs.replace(FLATTEN, command_id="cmd-again", trust_broker=True)
    taken = desk.step(again)
    assert not of(taken, CommandRefused)
    assert intended(taken) == [("trend", "A", Decimal(-100))]
    # Had it filled after all, that is held and seen.
    desk.fill(order, "5")
    assert desk.state.positions.held(A).quantity == 105


# Refused late, or cut short.


def waiting() -> tuple[Told, ClientOrderId]:
    """Return a desk whose flatten waits for the end of that order."""
    desk = Told()
    order = desk.sends("5", **LIMIT)
    desk.step(FLATTEN)
    return desk, order


def test_a_flatten_that_is_refused_when_its_person_has_gone_leaves_a_hold_that_says_so() -> None:
    desk, order = waiting()
    taken = desk.step(OrderCancelled(order), "2024-01-02T22:00")
    assert of(taken, IntentRefused)
    (hold,) = of(taken, HoldPlaced)
    assert (hold.cause, hold.scope, hold.target) == ("flatten failed", HoldScope.SYMBOL, A)
    assert hold.level is HoldLevel.REDUCE
    assert hold.why == (
        "100 are still held: refused by session_open NYSE is closed, order_hours outside regular "
        "hours an order must be a limit order and say outside_rth; `traded flatten A` again, then "
        "lift this"
    )


def test_a_flatten_that_waits_for_an_order_nobody_here_can_cancel_leaves_one_too() -> None:
    desk, order = waiting()
    taken = desk.step(CancelWithheld(order, "client 7 placed it: cancel it there"))
    (hold,) = of(taken, HoldPlaced)
    assert hold.cause == "flatten failed"
    assert f"{order} is in the way: client 7 placed it: cancel it there" in hold.why
    # Nothing else is asked of it again and again; once it has gone, the flatten goes on.
    assert of(taken, CancelSending) == []
    assert of(desk.step(OrderCancelled(order)), OrderSending)


def test_a_cancel_withheld_of_which_nobody_knows_or_that_is_answered_is_a_repeat() -> None:
    desk, order = waiting()
    withheld = CancelWithheld(order, "client 7 placed it")
    desk.step(withheld)
    assert desk.step(withheld) == []
    assert desk.step(CancelWithheld(ClientOrderId("nobody's"), "it is")) == []


def test_one_that_is_refused_at_once_is_told_in_the_answer_and_leaves_no_hold() -> None:
    desk = Told()
    assert of(desk.step(FLATTEN, "2024-01-02T22:00"), HoldPlaced) == []


@pytest.mark.parametrize(
    "end",
    [
        OrderRejected(ClientOrderId(""), "no"),
        OrderCancelled(ClientOrderId(""), "the session is over"),
        OrderExpired(ClientOrderId(""), "the day is over"),
        OrderWithheld(ClientOrderId(""), "no permit file"),
    ],
)
def test_a_closing_order_that_ends_without_having_closed_leaves_one_too(end: Any) -> None:  # noqa: ANN401 - any of the four
    desk = Told()
    (sent,) = of(desk.step(FLATTEN), OrderIntended)
    if not isinstance(end, OrderWithheld):
        desk.step(OrderAcknowledged(sent.client_order_id))
        desk.fill(sent.client_order_id, "-60")
    taken = desk.step(msgspec.structs.replace(end, client_order_id=sent.client_order_id))
    (hold,) = of(taken, HoldPlaced)
    assert hold.cause == "flatten failed"
    assert end.reason in hold.why
    assert of(desk.step(AGAIN), OrderSending), "and another flatten passes it"


def test_what_is_only_withheld_by_a_dry_run_is_no_failure() -> None:
    dry = msgspec.structs.replace(a_config("A", "B"), config={"dry_run": True})
    desk = Told(opening=(OPENING[0], dry, *OPENING[2:]))
    (sent,) = of(desk.step(FLATTEN), OrderSending)
    assert of(desk.step(OrderWithheld(sent.client_order_id, "dry run")), HoldPlaced) == []


# Without what other orders need.


def test_a_flatten_needs_no_limit_that_is_set() -> None:
    desk = Told()
    desk.core.orders.limits = Limits()
    taken = desk.step(FLATTEN)
    assert of(taken, IntentRefused) == []
    (sent,) = of(taken, OrderSending)
    desk.fill(sent.client_order_id, "-100")
    assert desk.state.positions.held(A).quantity == 0


def test_what_is_not_configured_any_more_says_what_to_do() -> None:
    desk = Told()
    c = a_fill("10", symbol="C", order_id="x", execution_id="x", executed_at="2024-01-02T15:10")
    desk.step(c)
    taken = desk.step(said(OperatorFlattenAsked, Symbol("C"), command_id="cmd-flat"))
    (refused,) = of(taken, IntentRefused)
    assert refused.failed[0].note == (
        "the symbol is not configured: add [symbols.C] and restart, or close it at the broker"
    )
