"""Our order, changed by somebody else: it is on record, reserved at its worst, held, and shown.

The books have 100 of A at 100; what is changed is an order for 10 more.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from events import (
    BrokerOrder,
    ClientOrderId,
    HoldPlaced,
    OperatorResolveAsked,
    OrderAmended,
    OrderCancelled,
    OrderType,
    Record,
    TimeInForce,
    WorkingOrders,
)
from ops.cli import traded
from ops.news import News
from ops.sentences import sentence
from projections.amendments import amendment_text
from projections.order_states import OrderState
from tests.builders import a_fill, an_order, utc
from tests.core_desk import A, kinds, of
from tests.gate_desk import an, asked, failed, limits
from tests.journals import OPENED, writing
from tests.looks import listed
from tests.operators import said
from tests.unit.test_reconciliation import Looking

LIMIT = {"order_type": OrderType.LIMIT, "limit_price": Decimal(90)}


def amended(
    order_id: ClientOrderId,
    quantity: str = "20",
    limit: str = "90",
    **more: Any,  # noqa: ANN401 - any field
) -> OrderAmended:
    said_now = OrderAmended(order_id, Decimal(quantity), "LMT", "DAY", Decimal(limit))
    return msgspec.structs.replace(said_now, **more)


class Amended(Looking):
    """A core with an order for 10 at 90, which somebody else then changes."""

    def __init__(self) -> None:
        super().__init__()
        self.order_id = self.sends("10", **LIMIT)

    def change(self, quantity: str = "20", limit: str = "90", **more: str) -> list[Record]:
        return self.step(amended(self.order_id, quantity, limit, **more))

    def filled(self, quantity: str, execution: str = "f1") -> OrderState:
        at = "2024-01-02T15:30"
        self.step(a_fill(quantity, execution_id=execution, order_id=self.order_id, executed_at=at))
        order = self.state.orders.find(self.order_id)
        assert order is not None
        return order.state

    def listed(self, quantity: str, limit: str = "90") -> BrokerOrder:
        """Return the order as the broker lists it."""
        return listed(self.order_id, quantity, order_type="LMT", limit_price=Decimal(limit))

    @property
    def reserved(self) -> Decimal:
        return self.state.orders.open[self.order_id].reserved


def test_an_order_made_larger_is_reserved_as_it_is_now() -> None:
    at = Amended()
    at.change("20")
    assert at.reserved == 20


def test_an_order_made_smaller_stays_reserved_as_it_was_meant() -> None:
    at = Amended()
    at.change("4")
    assert at.reserved == 10


@pytest.mark.parametrize(
    ("price", "worth"),
    [
        ("120", 121 * 120),  # 100 held, 20 ordered and one more asked for, at the new limit.
        ("80", 121 * 100),  # The market is dearer than either limit.
    ],
)
def test_the_gate_reckons_with_the_amended_size_at_the_dearer_price(price: str, worth: int) -> None:
    at = Amended()
    at.change("20", price)
    checks = asked(at.state, an("1", symbol=A), now=utc("2024-01-02T15:02"))
    assert checks["gross_usd"].value == worth


def test_what_passed_beside_the_order_as_meant_does_not_beside_what_it_is() -> None:
    at = Amended()
    # 100 held, 10 on order: 5 more make 115. With 20 on order they would make 125.
    under = limits(max_position_shares=Decimal(120))
    one, now = an("5", symbol=A), utc("2024-01-02T15:02")
    assert "position_shares" not in failed(asked(at.state, one, under=under, now=now))
    at.change("20")
    assert "position_shares" in failed(asked(at.state, one, under=under, now=now))


def test_the_symbol_is_held_until_an_operator_has_looked_and_nothing_is_cancelled() -> None:
    at = Amended()
    taken = at.change("20", "95")
    assert kinds(taken) == ["order.amended", "hold.placed"]
    (hold,) = of(taken, HoldPlaced)
    assert (hold.cause, hold.target, hold.subject) == ("amended order", "A", at.order_id)
    assert hold.working is WorkingOrders.KEEP
    assert "quantity 20 instead of 10, limit 95 instead of 90" in hold.why


def test_an_amendment_follows_from_the_order_it_changed() -> None:
    at = Amended()
    (record, _) = at.change("20")
    assert record.cause == at.state.orders.open[at.order_id].sending_seq


def test_the_same_again_is_a_repeat_and_another_change_is_news_under_the_same_hold() -> None:
    at = Amended()
    at.change("20")
    assert at.change("20") == []
    assert kinds(at.change("30")) == ["order.amended"]
    assert at.reserved == 30


def test_an_order_changed_back_is_reserved_as_meant_and_stays_held() -> None:
    at = Amended()
    at.change("20")
    at.change("10")
    assert at.reserved == 10
    assert len(at.holds) == 1


def test_an_order_made_larger_goes_on_after_what_was_meant_is_filled() -> None:
    at = Amended()
    at.change("20")
    assert at.filled("10") is OrderState.PARTIALLY_FILLED
    assert at.reserved == 10
    assert at.filled("10", "f2") is OrderState.FILLED
    causes = {hold.cause for hold in at.state.holds.active.values()}
    assert causes == {"amended order"}, "what the broker has is no over-fill"


def test_an_order_made_smaller_is_over_when_that_is_filled() -> None:
    at = Amended()
    at.change("4")
    assert at.filled("4") is OrderState.FILLED


def test_two_live_orders_of_one_reference_count_together() -> None:
    at = Amended()
    taken = at.step(amended(at.order_id, "20", live_orders=2))
    assert at.reserved == 20
    assert "2 live orders" in of(taken, HoldPlaced)[0].why


@pytest.mark.parametrize("quantity", ["0", "-20"])
def test_an_order_cannot_become_none_or_one_of_the_other_side(quantity: str) -> None:
    at = Amended()
    (hold,) = of(at.change(quantity), HoldPlaced)
    assert (hold.cause, at.reserved) == ("impossible report", 10)


@pytest.mark.parametrize("known", [True, False])
def test_a_change_of_what_is_over_or_not_ours_holds_everything(*, known: bool) -> None:
    at = Amended()
    if known:
        at.step(OrderCancelled(at.order_id))
    order_id = at.order_id if known else ClientOrderId("nobody's")
    (hold,) = of(at.step(amended(order_id)), HoldPlaced)
    assert (hold.cause, hold.target) == ("impossible report", "")


def test_a_kind_we_have_no_word_for_counts_as_the_kind_that_can_do_most() -> None:
    at = Amended()
    at.change(order_type="TRAIL", time_in_force="GTD")
    terms = at.state.orders.open[at.order_id].terms
    assert (terms.order_type, terms.time_in_force) == (OrderType.MARKET, TimeInForce.GTC)


def test_the_comparison_does_not_count_what_is_reserved_already_once_more() -> None:
    at = Amended()
    at.change("20")
    at.twice({"A": "100"}, orders=[at.listed("20")])
    assert at.breaks == ["amended order A"]
    assert at.state.reconciliation.elsewhere == []


def test_adopting_it_makes_its_terms_ours_and_lifts_both_holds() -> None:
    at = Amended()
    at.change("20", "95")
    at.twice({"A": "100"}, orders=[at.listed("20", "95")])
    assert len(at.holds) == 2
    at.step(said(OperatorResolveAsked, next(iter(at.state.reconciliation.open))))
    order = at.state.orders.open[at.order_id]
    assert (order.intent.quantity, order.intent.limit_price, order.amended) == (20, 95, None)
    assert (at.holds, at.breaks) == ([], [])


def test_a_person_reads_what_was_changed() -> None:
    at = Amended()
    intent = at.state.orders.open[at.order_id].intent
    said_now = amended(at.order_id, "20", "95")
    assert sentence(said_now) == "SOMEBODY ELSE HAS CHANGED IT: now buy 20 LMT DAY, limit 95.00"
    assert amendment_text(intent, said_now) == ("quantity 20 instead of 10, limit 95 instead of 90")
    assert amendment_text(intent, amended(at.order_id, "10")) == "as it was intended"


def test_it_is_news_on_the_terminal_of_the_daemon() -> None:
    at = Amended()
    lines = [*News().of(at.change("20"))]
    assert "SOMEBODY ELSE HAS CHANGED IT" in lines[0]
    assert lines[-1].startswith("  next: `traded holds`")


async def test_orders_and_explain_show_it(tmp_path: Path) -> None:
    journal = tmp_path / "j.db"
    order_id = ClientOrderId("o1")
    changed = amended(order_id, "25", "95")
    async with writing(journal) as writer:
        events = (OPENED, *an_order("o1", "10"), changed)
        at = (
            Record(seq, seq, event, None if seq == 1 else 2) for seq, event in enumerate(events, 1)
        )
        await writer.append([*at])
    told = "quantity 25 instead of 10, type LMT instead of MKT, limit 95 instead of none"
    for words in (("orders",), ("explain", order_id)):
        shown = CliRunner().invoke(traded, [*words, "--journal", str(journal)])
        assert shown.exit_code == 0, shown.output
        assert told in shown.output
    as_json = CliRunner().invoke(traded, ["orders", "--json", "--journal", str(journal)])
    assert json.loads(as_json.output)["orders"][0]["amended"] == told
