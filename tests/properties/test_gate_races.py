"""Many strategies in one turn, and many turns: no limit is ever passed, nor headroom lost.

A plain model counts what the broker has of ours, working and unknown alike, and what it filled.
"""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.gate.limits import OrderLimits
from events import (
    BarClosed,
    ClientOrderId,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderIntended,
    OrderRejected,
    OrderSending,
    OrderUnknown,
    OrderWorking,
    Record,
)
from events.codec import Input
from tests.builders import a_bar, a_commission, a_fill
from tests.core_desk import CoreDesk, Scripted, buy
from tests.gate_desk import an, asked, rules

NAMES = ("trend", "other", "third")
MOST = 100
OWN = 60
PRICE = 100
ORDERS_A_WINDOW = 12
ORDERS_A_DAY = 40
ENDS = (OrderCancelled, OrderRejected, OrderExpired)

SIZES = st.integers(1, 70).flatmap(lambda size: st.sampled_from([size, -size]))
ASKED = st.tuples(*[st.lists(SIZES, max_size=4) for _ in NAMES])
WORDS = st.sampled_from(["ack", "working", "unknown", "part", "fill", "end", "late"])
SAID = st.lists(st.tuples(st.integers(0, 50), WORDS, st.integers(1, 70)), max_size=5)
TURNS = st.lists(st.tuples(ASKED, SAID), min_size=1, max_size=12)

LIMITS = msgspec.structs.replace(
    rules(
        account={"max_position_shares": MOST, "max_gross_usd": MOST * PRICE},
        rates={"max_orders": ORDERS_A_WINDOW, "window_s": 300},
        turnover={"max_a_day": 10**5},
    ),
    strategies={"other": OrderLimits(max_position_shares=Decimal(OWN))},
)
LIMITS = msgspec.structs.replace(
    LIMITS,
    account=msgspec.structs.replace(
        LIMITS.account,
        max_position_shares=Decimal(MOST),
        max_gross_usd=Decimal(MOST * PRICE),
        max_orders_a_day=ORDERS_A_DAY,
    ),
)


class Model:
    """What was sent and is not over, what is held, and when orders went out."""

    def __init__(self) -> None:
        self.desk = CoreDesk(*(Scripted() for _ in NAMES), under=LIMITS)
        self.left: dict[ClientOrderId, int] = {}
        self.whose: dict[ClientOrderId, str] = {}
        self.ended: dict[ClientOrderId, int] = {}
        self.held = dict.fromkeys(NAMES, 0)
        self.sent: list[int] = []
        self.minute = 0
        self.executions = 0

    @property
    def at(self) -> str:
        return f"2024-01-02T{15 + self.minute // 60}:{self.minute % 60:02}"

    def turn(self, wanted: tuple[list[int], ...]) -> None:
        """Let each strategy ask for its sizes, all on one bar."""
        self.minute += 1
        for run, sizes in zip(self.desk.runs, wanted, strict=True):
            assert isinstance(run.strategy, Scripted)
            run.strategy.bars = [[buy(str(size)) for size in sizes]] if sizes else []
        bar: BarClosed = a_bar(str(PRICE), end=self.at)
        self.note(self.desk.step(bar))

    def note(self, records: list[Record]) -> None:
        intents = {
            record.event.client_order_id: record.event
            for record in records
            if isinstance(record.event, OrderIntended)
        }
        for record in records:
            if isinstance(record.event, OrderSending):
                intent = intents[record.event.client_order_id]
                self.left[intent.client_order_id] = int(intent.quantity)
                self.whose[intent.client_order_id] = intent.strategy
                self.sent.append(self.minute)

    def tell(self, number: int, word: str, size: int) -> None:
        """Report something about an order that is open, or filled late about one that is not."""
        pool = self.ended if word == "late" else self.left
        if not pool:
            return
        order = list(pool)[number % len(pool)]
        report: Input
        match word:
            case "ack":
                report = OrderAcknowledged(order, "7")
            case "working":
                report = OrderWorking(order)
            case "unknown":
                self.desk.recorder.emit(OrderUnknown(order, "no answer"))
                return
            case "end":
                kind = ENDS[size % len(ENDS)]
                report = kind(order, "so")
                self.ended[order] = self.left.pop(order)
            case "late":
                return
            case _:
                left = self.left[order]
                filled = left if word == "fill" else max(min(left, size), -size)
                report = self.fill(order, filled)
        self.desk.step(report, self.at)

    def fill(self, order: ClientOrderId, filled: int) -> Input:
        self.executions += 1
        execution = f"x{self.executions}"
        fee = a_commission("0", order_id=order, execution_id=execution)
        self.desk.step(fee, self.at)
        self.held[self.whose[order]] += filled
        self.left[order] -= filled
        if not self.left[order]:
            del self.left[order]
        at = f"{self.at}:00"
        return a_fill(
            str(filled), str(PRICE), order_id=order, execution_id=execution, executed_at=at
        )

    def worst(self, strategy: str | None = None) -> int:
        """Return the largest position that any subset of the open orders could lead to."""
        names = [strategy] if strategy else NAMES
        open_now = [left for order, left in self.left.items() if self.whose[order] in names]
        held = sum(self.held[name] for name in names)
        buys = sum(left for left in open_now if left > 0)
        sells = sum(left for left in open_now if left < 0)
        return max(abs(held + buys), abs(held + sells))

    def check(self) -> None:
        assert self.worst() <= MOST
        assert self.worst("other") <= OWN
        window = [minute for minute in self.sent if minute > self.minute - 5]
        assert len(window) <= ORDERS_A_WINDOW
        assert len(self.sent) <= ORDERS_A_DAY
        self.check_headroom()

    def check_headroom(self) -> None:
        """See that the gate counts exactly what the model does: no more, and no less."""
        found = asked(self.desk.state, an("1"), under=LIMITS)
        held = sum(self.held.values())
        buys = sum(left for left in self.left.values() if left > 0)
        sells = sum(left for left in self.left.values() if left < 0)
        expected = max(abs(held + buys + 1), abs(held + sells))
        assert found["position_shares"].value == expected
        assert found["position_shares"].headroom == MOST - expected
        assert found["gross_usd"].value == expected * PRICE
        assert found["orders_a_day"].value == len(self.sent) + 1


@given(TURNS)
@settings(max_examples=150, deadline=None)
def test_no_limit_is_passed_whatever_is_asked_in_one_turn_and_said_between_turns(
    turns: list[tuple[tuple[list[int], ...], list[tuple[int, str, int]]]],
) -> None:
    model = Model()
    for wanted, said in turns:
        model.turn(wanted)
        model.check()
        for number, word, size in said:
            model.tell(number, word, size)
            model.check()


@given(SIZES, st.sampled_from(ENDS), st.integers(0, 70))
@settings(max_examples=100, deadline=None)
def test_what_was_reserved_is_released_to_the_share_when_an_order_ends(
    size: int, end: type[OrderCancelled] | type[OrderRejected] | type[OrderExpired], filled: int
) -> None:
    model = Model()
    model.turn(([size], [], []))
    (order,) = model.left
    before = asked(model.desk.state, an("1"), under=LIMITS)["position_shares"].value
    assert before == max(abs(max(size, 0) + 1), abs(min(size, 0)))
    part = min(filled, abs(size) - 1) * (1 if size > 0 else -1)
    if part:
        model.desk.step(model.fill(order, part), model.at)
        model.check()
    model.desk.step(end(order, "so"), model.at)
    left = asked(model.desk.state, an("1"), under=LIMITS)["position_shares"]
    # What was filled stays, and one share more is asked about.
    counted = max(abs(part + 1), abs(part))
    assert (left.value, left.headroom) == (counted, MOST - counted)


@given(st.lists(SIZES, min_size=2, max_size=6))
@settings(max_examples=100, deadline=None)
def test_two_intents_of_one_turn_never_both_pass_on_the_same_headroom(sizes: list[int]) -> None:
    model = Model()
    model.turn((sizes[0::3], sizes[1::3], sizes[2::3]))
    buys = sum(left for left in model.left.values() if left > 0)
    sells = -sum(left for left in model.left.values() if left < 0)
    assert max(buys, sells) <= MOST
    # And what did not pass would have been too much, whatever else was asked.
    taken = sorted(model.left.values())
    for size in sizes:
        if size not in taken:
            side = buys if size > 0 else sells
            own = sum(
                abs(left)
                for order, left in model.left.items()
                if model.whose[order] == "other" and (left > 0) == (size > 0)
            )
            assert side + abs(size) > MOST or own + abs(size) > OWN
