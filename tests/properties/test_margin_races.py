"""Many batches asked about at once, answered in any order and way: what is reserved is exact.

A plain model adds up what was asked about, sent and filled.
"""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from events import (
    IntentRefused,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    OperatorCancelAsked,
    OrderCancelled,
    OrderIntended,
    OrderSending,
    Record,
    SessionStarted,
)
from events.codec import Input
from tests.builders import a_bar
from tests.core_desk import CoreDesk, Scripted, buy
from tests.gate_desk import an, asked, rules
from tests.operators import said

MOST = 100
ASKING = rules(
    margin={"ask": True, "cushion": "0"},
    account={"max_position_shares": str(MOST), "max_gross_usd": str(100 * MOST)},
)
PROBE = rules(margin={"ask": False}, account={"max_position_shares": str(MOST)})
NAMES = ("trend", "other", "third")
WAYS = ("yes", "no", "too much", "unset", "nan", "twice", "deadline", "cancel", "end", "restart")

SIZES = st.integers(1, 70).flatmap(lambda size: st.sampled_from([size, -size]))
WANTED = st.tuples(*[st.lists(SIZES, max_size=3) for _ in NAMES])
SAID = st.lists(st.tuples(st.sampled_from(WAYS), st.integers(0, 20)), max_size=6)
TURNS = st.lists(st.tuples(WANTED, SAID), min_size=1, max_size=8)


class Model:
    """What is asked about and what is sent and not over, as plain numbers by order."""

    def __init__(self) -> None:
        self.desk = CoreDesk(*(Scripted() for _ in NAMES), under=ASKING)
        self.size: dict[str, int] = {}
        self.asked: dict[str, str] = {}
        self.sent: set[str] = set()
        self.minute = 0

    def turn(self, wanted: tuple[list[int], ...]) -> None:
        """Let each strategy ask for its sizes on one bar; nothing that was asked is overdue yet."""
        for run, sizes in zip(self.desk.runs, wanted, strict=True):
            assert isinstance(run.strategy, Scripted)
            run.strategy.bars = [[buy(str(size)) for size in sizes]] if sizes else []
        self.minute += 1
        at = f"2024-01-02T15:00:00.{self.minute:06}"
        self.note(self.desk.step(a_bar("100", end=at), at))

    def note(self, records: list[Record]) -> None:
        for record in records:
            match record.event:
                case OrderIntended() as intent:
                    self.size[intent.client_order_id] = int(intent.quantity)
                case MarginRequested() as request:
                    self.asked[request.orders[0]] = request.request_id
                case IntentRefused() as refused:
                    self.asked.pop(refused.client_order_id, None)
                case OrderSending() as sending:
                    del self.asked[sending.client_order_id]
                    self.sent.add(sending.client_order_id)
                case _:
                    pass

    def say(self, way: str, number: int) -> None:
        """Let one thing happen, to one of the questions where it is about one."""
        if way == "end" and self.sent:
            order = sorted(self.sent)[number % len(self.sent)]
            self.sent.remove(order)
            self.desk.step(OrderCancelled(order))  # type: ignore[arg-type] # an id is a text
        elif way == "deadline":
            self.note(self.desk.pass_time("2024-01-02T15:00:30"))
            assert not self.asked
        elif way == "restart":
            self.desk.step(SessionStarted("1", {}, {}))
            self.note(self.desk.pass_time("2024-01-02T15:00:01"))
            assert not self.asked
        elif self.asked:
            order = sorted(self.asked)[number % len(self.asked)]
            for event in answers(way, self.asked[order], order):
                self.note(self.desk.step(event))
            assert order not in self.asked

    def check(self) -> None:
        """See that the gate counts what the model does, no more and no less, and never too much."""
        counted = [self.size[order] for order in (*self.asked, *self.sent)]
        buys = sum(size for size in counted if size > 0)
        sells = sum(size for size in counted if size < 0)
        assert max(buys, -sells) <= MOST
        found = asked(self.desk.state, an("1"), under=PROBE)["position_shares"]
        assert found.value == max(buys + 1, -sells)
        reserved = {
            order.client_order_id: order.reserved for order in self.desk.state.orders.open.values()
        }
        assert reserved == {order: self.size[order] for order in (*self.asked, *self.sent)}
        assert self.desk.state.margin.asked == self.asked
        assert set(self.desk.state.margin.requests) == set(self.asked.values())


def answers(way: str, request: str, order: str) -> list[Input]:
    """Return what is said about a question, and then a yes that comes too late to count."""
    none, enough = Decimal(0), Decimal(10**6)
    yes = MarginReported(request, none, none, enough)
    first: dict[str, Input] = {
        "yes": yes,
        "twice": yes,
        "no": MarginUnavailable(request, "no"),
        "too much": MarginReported(request, enough + 1, none, enough),
        "unset": MarginReported(request, None, None, None),
        "nan": MarginReported(request, Decimal("NaN"), none, enough),
        "cancel": said(OperatorCancelAsked, order, command_id=f"cancel-{request}"),
    }
    # What ends an order that is sent, where none is, is the broker's no.
    return [first.get(way, first["no"]), yes]


@given(TURNS)
@settings(max_examples=200, deadline=None)
def test_whatever_is_answered_what_was_reserved_is_sent_or_released_to_the_share(
    turns: list[tuple[tuple[list[int], ...], list[tuple[str, int]]]],
) -> None:
    model = Model()
    for wanted, said_then in turns:
        model.turn(wanted)
        model.check()
        for way, number in said_then:
            model.say(way, number)
            model.check()


@given(st.lists(SIZES, min_size=2, max_size=6))
@settings(max_examples=100, deadline=None)
def test_two_questions_of_one_turn_never_both_pass_on_the_same_headroom(sizes: list[int]) -> None:
    model = Model()
    model.turn((sizes[0::3], sizes[1::3], sizes[2::3]))
    for order in sorted(model.asked, reverse=True):
        model.say("yes", sorted(model.asked).index(order))
        model.check()
    # Everything that was asked about is sent: it had its headroom from the question on.
    assert not model.asked
