"""What holds for every journal, whatever happened: random stories, folded and checked.

A `Story` writes a journal as a broker and a market could, and keeps cash and shares itself, by
plain addition: that is what the folds are held against.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from events import (
    CancelSending,
    CashMoved,
    ClientOrderId,
    CommissionCharged,
    CorporateActionAnnounced,
    CorporateActionApplied,
    CorporateActionKind,
    HoldLevel,
    HoldLifted,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentRefused,
    OrderAcknowledged,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
    OrderWithheld,
    OrderWorking,
    Record,
    StrategyDeclined,
    Symbol,
    TimerFired,
    TimerKind,
    nanoseconds,
)
from events.codec import JournalEvent
from projections import State
from projections.market import PRICE_FLOOR
from projections.positions import FLAT, after_fill
from tests.builders import (
    a_bar,
    a_calendar,
    a_commission,
    a_config,
    a_deposit,
    a_fill,
    a_payment,
    a_session,
    a_withdrawal,
    an_intent,
    an_order,
    utc,
)

CENT = Decimal("0.01")
DUST = Decimal("0.0001")
ROUNDING = Decimal("1e-7")
"""Dollars a share: a few splits in a row, each restating prices to a hundred-millionth."""

EXECUTIONS = (OrderFilled, CommissionCharged, CashMoved, CorporateActionApplied)
REPORTS = (OrderAcknowledged, OrderWorking, OrderCancelled, OrderRejected, OrderExpired)

Step = tuple[str, int, int, Decimal]
"""What happens, two whole numbers and a price to make it of."""

PRICES = st.decimals("0.01", "900", places=4)
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(
            (
                *("trade", "trade", "trade", "crossed", "rejected", "unsent", "bar", "bar", "flow"),
                *("split", "dividend", "pay", "hold", "answer", "calendar"),
            )
        ),
        st.integers(0, 2000),
        st.integers(1, 400).flatmap(lambda size: st.sampled_from([size, -size])),
        PRICES,
    ),
    max_size=25,
)


class Story:
    """A journal in the making, and what plain addition says of its cash and shares."""

    def __init__(self, steps: list[Step]) -> None:
        self.records: list[Record] = []
        self.now = utc("2024-01-02T14:00")
        self.cash = self.fees = Decimal(0)
        self.held = {"A": Decimal(0), "B": Decimal(0)}
        self.prices = {"A": Decimal(10), "B": Decimal(20)}
        self.marks = dict(self.prices)
        self.unpaid: list[CashMoved] = []
        self.tell(a_config("A", "B"))
        self.tell(a_calendar(*(a_session(f"2024-01-0{day}") for day in (2, 3, 4, 5))))
        self.flow(1000, Decimal(0))
        for kind, number, size, price in steps:
            self.now += timedelta(minutes=number % 200)
            self.act(kind, number, size, price)

    @property
    def serial(self) -> int:
        return len(self.records) + 1

    def tell(self, *events: JournalEvent) -> None:
        for event in events:
            self.records.append(Record(self.serial, nanoseconds(self.now), event))

    def act(  # noqa: C901, PLR0912 - one flat branch a kind of step
        self, kind: str, number: int, size: int, price: Decimal
    ) -> None:
        symbol, strategy = "AB"[number % 2], ("trend", "weights")[number // 2 % 2]
        order_id = f"o{self.serial}"
        order = an_order(order_id, str(size), symbol=symbol, strategy=strategy)
        match kind:
            case "trade":
                self.tell(*order, OrderAcknowledged(ClientOrderId(order_id)))
                self.fill(order_id, symbol, size // 2, price, late_fee=number % 3 == 0)
                self.fill(order_id, symbol, size - size // 2, price, late_fee=number % 5 == 0)
            case "crossed":
                self.tell(*order, CancelSending(ClientOrderId(order_id), "too slow"))
                self.tell(OrderUnknown(ClientOrderId(order_id), "no answer"))
                self.tell(OrderCancelled(ClientOrderId(order_id)))
                self.fill(order_id, symbol, size, price, late_fee=False)
            case "rejected":
                self.tell(*order, OrderRejected(ClientOrderId(order_id), "no margin"))
            case "unsent":
                self.tell(an_intent(order_id), IntentRefused(ClientOrderId(order_id), ()))
                order_id = f"o{self.serial}"
                self.tell(*an_order(order_id), OrderWithheld(ClientOrderId(order_id), "dry run"))
            case "bar":
                self.now += timedelta(seconds=1)
                self.prices[symbol] = self.marks[symbol] = price
                self.tell(a_bar(str(price), symbol=symbol, end=f"{self.now:%Y-%m-%dT%H:%M:%S}"))
            case "flow":
                self.flow(size, price)
            case "split":
                self.split(symbol, *((7, 1), (1, 20), (3, 2), (1, 3))[number % 4])
            case "dividend":
                self.dividend(symbol, (self.marks[symbol] / 10).quantize(CENT))
            case "pay":
                for payment in self.unpaid:
                    self.cash += payment.amount
                self.tell(*self.unpaid)
                self.unpaid = []
            case "hold":
                self.hold(number, strategy)
            case "answer":
                self.tell(StrategyDeclined(strategy, Symbol(symbol), "signal", str(number), 1))
                self.tell(TimerFired(TimerKind.SCHEDULE, f"{strategy}/daily", self.now))
            case "calendar":
                day = f"{self.now + timedelta(days=1):%Y-%m-%d}"
                self.tell(a_calendar(a_session(day)))

    def fill(
        self, order_id: str, symbol: str, size: int, price: Decimal, *, late_fee: bool
    ) -> None:
        if not size:
            return
        execution_id = f"e{self.serial}"
        fee = (abs(size) * price / 1000).quantize(CENT)
        fill = a_fill(
            str(size),
            str(price),
            execution_id=execution_id,
            order_id=order_id,
            symbol=symbol,
            executed_at=f"{self.now:%Y-%m-%dT%H:%M:%S}",
        )
        charge = a_commission(str(fee), execution_id=execution_id, order_id=order_id)
        self.tell(*((fill, charge) if late_fee else (charge, fill)))
        self.cash -= size * price + fee
        self.fees += fee
        self.held[symbol] += size
        self.marks[symbol] = price

    def flow(self, size: int, price: Decimal) -> None:
        amount = abs(size) + price
        flow = a_deposit if size > 0 else a_withdrawal
        self.tell(flow(str(amount), f"flow {self.serial}"))
        self.cash += amount if size > 0 else -amount

    def split(self, symbol: str, new: int, old: int) -> None:
        held, price = self.held[symbol], self.prices[symbol]
        exact = Fraction(held) * new / old
        whole = Decimal(int(exact))
        in_lieu = rounded_cents((exact - Fraction(whole)) * Fraction(price) * old / new)
        self.tell(
            CorporateActionApplied(
                f"split {self.serial}",
                Symbol(symbol),
                CorporateActionKind.SPLIT,
                held,
                whole,
                new,
                old,
                price,
                in_lieu,
            )
        )
        self.held[symbol] = whole
        self.cash += in_lieu
        for known in (self.prices, self.marks):
            known[symbol] = max((known[symbol] * old / new).quantize(DUST), DUST)

    def dividend(self, symbol: str, a_share: Decimal) -> None:
        held = self.held[symbol]
        due = (held * a_share).quantize(CENT)
        action_id = f"dividend {self.serial}"
        kind = CorporateActionKind.DIVIDEND
        ex_date = self.now.date()
        self.tell(
            CorporateActionAnnounced(
                action_id, Symbol(symbol), ex_date, kind, cash_per_share=a_share
            ),
            CorporateActionApplied(
                action_id,
                Symbol(symbol),
                kind,
                held,
                held,
                cash_per_share=a_share,
                receivable=due,
            ),
        )
        if due:
            payment = a_payment(str(a_share), str(due))
            self.unpaid.append(msgspec.structs.replace(payment, reference=action_id))
        self.marks[symbol] = max(self.marks[symbol] - a_share, DUST)

    def hold(self, number: int, strategy: str) -> None:
        scope = list(HoldScope)[number % 3]
        target = {HoldScope.STRATEGY: strategy, HoldScope.SYMBOL: "A"}.get(scope, "")
        level = list(HoldLevel)[number % 2]
        lifts = HoldLifts.OPERATOR
        placed = HoldPlaced(f"h{self.serial}", scope, level, "test", "op", "why", lifts, target)
        self.tell(placed)
        if number % 3:
            self.tell(HoldLifted(placed.hold_id, "op", "seen"))


def rounded_cents(dollars: Fraction) -> Decimal:
    return Decimal(round(dollars * 100)) / 100


def folded(records: list[Record], state: State | None = None) -> State:
    state = state or State()
    for record in records:
        state.apply(record)
    return state


def through_a_snapshot(state: State) -> State:
    return msgspec.json.decode(msgspec.json.encode(state), type=State)


def each_moment(check: Callable[[State], None], records: list[Record]) -> State:
    state = State()
    for record in records:
        state.apply(record)
        check(state)
    return state


# The books balance.


def balances(state: State) -> None:
    cash, positions, pnl = state.cash, state.positions, state.pnl
    earned = cash.external_flows + cash.dividends + positions.realised_pnl
    assert cash.balance == earned - cash.fees - positions.cost
    assert cash.receivable == sum(cash.receivables.values())
    assert pnl.equity == cash.balance + cash.receivable + pnl.value
    assert pnl.value == sum(pnl.values.values())
    assert pnl.gross == sum(map(abs, pnl.values.values()))


def parts_sum_to_the_whole(state: State) -> None:
    for symbol, whole in state.positions.account.items():
        parts = [book.get(symbol, FLAT) for book in state.positions.by_strategy.values()]
        assert sum(part.quantity for part in parts) == whole.quantity
        assert sum(part.realised_pnl - part.cost for part in parts) == (
            whole.realised_pnl - whole.cost
        )


def values_what_is_held(state: State) -> None:
    for symbol, whole in state.positions.account.items():
        rounding = state.pnl.values[symbol] - whole.quantity * state.pnl.marks[symbol]
        assert abs(rounding) <= abs(whole.quantity) * ROUNDING
        assert whole.quantity or not whole.cost
        assert state.pnl.marks[symbol] > 0


@settings(max_examples=120, deadline=None)
@given(STEPS)
def test_the_books_balance_after_every_event(steps: list[Step]) -> None:
    def check(state: State) -> None:
        balances(state)
        parts_sum_to_the_whole(state)
        values_what_is_held(state)

    each_moment(check, Story(steps).records)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_cash_fees_and_shares_are_what_plain_addition_says(steps: list[Step]) -> None:
    story = Story(steps)
    state = folded(story.records)
    assert state.cash.balance == story.cash
    assert state.cash.fees == story.fees
    assert state.cash.uncharged == {}
    for symbol, shares in story.held.items():
        assert state.positions.held(Symbol(symbol)).quantity == shares


@settings(max_examples=120, deadline=None)
@given(STEPS)
def test_no_corporate_action_moves_equity(steps: list[Step]) -> None:
    # It says the same in other words. What is paid in cash is rounded to the cent, and a fraction
    # is paid at the last close, while what is held may be valued at a later fill.
    state = State()
    for record in Story(steps).records:
        before, marks = state.pnl.equity, dict(state.pnl.marks)
        state.apply(record)
        event = record.event
        if isinstance(event, CorporateActionApplied):
            if state.pnl.marks.get(event.symbol) == PRICE_FLOOR:
                continue  # The dividend was no smaller than the price.
            expected = before
            if event.reference_price is not None and event.symbol in marks:
                ratio = Decimal(event.old_shares) / event.new_shares
                fraction = event.quantity_before / ratio - event.quantity_after
                expected += fraction * (event.reference_price - marks[event.symbol]) * ratio
            assert abs(state.pnl.equity - expected) < CENT


# Replay.


@settings(max_examples=120, deadline=None)
@given(STEPS, st.floats(0, 1))
def test_any_prefix_snapshotted_and_the_rest_is_the_whole(steps: list[Step], cut: float) -> None:
    records = Story(steps).records
    at = round(cut * len(records))
    whole = folded(records)
    resumed = folded(records[at:], through_a_snapshot(folded(records[:at])))
    assert resumed == whole
    assert msgspec.json.encode(resumed) == msgspec.json.encode(whole)


# Repeats.


@settings(max_examples=120, deadline=None)
@given(STEPS, st.data())
def test_reports_repeated_at_any_later_moment_change_nothing(
    steps: list[Step], data: st.DataObject
) -> None:
    once = Story(steps).records
    twice = list(once)
    for record in once:
        if isinstance(record.event, EXECUTIONS) and data.draw(st.booleans()):
            known = twice.index(record)
            place = data.draw(st.integers(known + 1, len(twice)))
            # As if it came with the record before it: neither seq nor time are part of the books.
            before = twice[place - 1]
            twice.insert(place, Record(before.seq, before.at, record.event))
    assert folded(twice) == folded(once)


@settings(max_examples=80, deadline=None)
@given(STEPS, st.data())
def test_a_broker_that_repeats_its_last_word_changes_nothing(
    steps: list[Step], data: st.DataObject
) -> None:
    once = Story(steps).records
    twice = []
    for record in once:
        repeats = 1 if isinstance(record.event, REPORTS) and data.draw(st.booleans()) else 0
        twice += [record] * (1 + repeats)
    assert folded(twice) == folded(once)


# Results.

TRADES = st.lists(
    st.tuples(
        st.decimals("-500", "500", places=3).filter(bool),
        st.decimals("0.0001", "2000", places=4),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(TRADES)
def test_the_realised_result_is_average_cost_in_exact_fractions(
    trades: list[tuple[Decimal, Decimal]],
) -> None:
    position = FLAT
    held = average = realised = Fraction(0)
    for quantity, price in trades:
        position = after_fill(position, quantity, price)
        traded, at = Fraction(quantity), Fraction(price)
        side = 1 if held > 0 else -1
        closing = min(abs(traded), abs(held)) if held * traded < 0 else Fraction(0)
        kept, opening = abs(held) - closing, abs(traded) - closing
        realised += side * closing * (at - average)
        if opening:
            average = (kept * average + opening * at) / (kept + opening)
        held += traded
        assert Fraction(position.quantity) == held
        assert abs(Fraction(position.realised_pnl) - realised) < Fraction(1, 10**6)
        assert abs(Fraction(position.cost) - held * average) < Fraction(1, 10**6)


@settings(max_examples=200, deadline=None)
@given(TRADES)
def test_result_and_cost_together_are_exactly_what_was_paid(
    trades: list[tuple[Decimal, Decimal]],
) -> None:
    position, paid = FLAT, Decimal(0)
    for quantity, price in trades:
        position = after_fill(position, quantity, price)
        paid += quantity * price
    assert position.quantity == sum((quantity for quantity, _ in trades), Decimal(0))
    assert position.cost - position.realised_pnl == paid
