"""What holds for every story of what the gate reads besides orders and money."""

from datetime import date, timedelta
from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from events import (
    AccountReported,
    CancelSending,
    ClientOrderId,
    ContractResolved,
    IntentApproved,
    IntentRefused,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    OrderFilled,
    Record,
    ShortSaleReported,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    nanoseconds,
)
from events.codec import JournalEvent
from projections import State
from tests.builders import (
    a_bar,
    a_calendar,
    a_config,
    a_fill,
    a_session,
    a_split,
    an_intent,
    an_order,
    utc,
)

SYMBOLS = st.sampled_from([Symbol("A"), Symbol("B")])
NUMBERS = st.integers(1, 400).map(Decimal)
KINDS = ("halt", "resume", "contract", "short", "account", "margin", "trade", "bar", "split")
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), SYMBOLS, NUMBERS, st.integers(0, 20)), max_size=30
)
Step = tuple[str, Symbol, Decimal, int]


def margin_story(number: int, symbol: Symbol, size: Decimal) -> tuple[JournalEvent, ...]:
    request, order = f"m{number}", ClientOrderId(f"q{number}")
    intent = an_intent(order, str(size), symbol=symbol)
    asked = MarginRequested(request, (order,), utc("2024-01-06T00:00"))
    answer = MarginReported(request, size, size, size + 1)
    refused = IntentRefused(order, ())
    stories: tuple[tuple[JournalEvent, ...], ...] = (
        (intent, asked),
        (intent, asked, answer),
        (intent, asked, MarginUnavailable(request, "no"), refused),
        (intent, asked, answer, IntentApproved(order, ())),
        (answer,),
    )
    return stories[number % len(stories)]


def told(step: Step, number: int, now: str) -> tuple[JournalEvent, ...]:  # noqa: PLR0911 - one a kind
    kind, symbol, size, more = step
    match kind:
        case "halt":
            return (SymbolHalted(symbol, str(more)),)
        case "resume":
            return (SymbolResumed(symbol),)
        case "contract":
            return (ContractResolved(symbol, more, size / 100, None),)
        case "short":
            return (ShortSaleReported(symbol, date(2024, 1, 2), size, restricted=bool(more % 2)),)
        case "account":
            return (AccountReported(size, size / 2, size / 4),)
        case "margin":
            return margin_story(number, symbol, size)
        case "bar":
            return (a_bar(str(size), symbol=symbol, end=now),)
        case "split":
            return (msgspec.structs.replace(a_split("2:1", "0", "0"), action_id=f"s{number}"),)
        case _:
            order_id = f"t{number}"
            quantity = str(size if more % 2 else -size)
            fill = a_fill(
                quantity, order_id=order_id, execution_id=order_id, symbol=symbol, executed_at=now
            )
            cancel = CancelSending(ClientOrderId(order_id), "so")
            return (*an_order(order_id, quantity, symbol=symbol), cancel, fill)


def story(steps: list[Step]) -> list[Record]:
    moment = utc("2024-01-02T14:31")
    days = [a_session(f"2024-01-{day:02}") for day in (2, 3, 4, 5)]
    events: list[tuple[int, JournalEvent]] = [
        (nanoseconds(moment), a_config("A", "B")),
        (nanoseconds(moment), a_calendar(*days)),
    ]
    for number, step in enumerate(steps):
        moment += timedelta(minutes=7 * step[3])
        now = f"{moment:%Y-%m-%dT%H:%M:%S}"
        events += [(nanoseconds(moment), event) for event in told(step, number, now)]
    return [Record(seq, at, event) for seq, (at, event) in enumerate(events, 1)]


def folded(records: list[Record], state: State | None = None) -> State:
    state = state or State()
    for record in records:
        state.apply(record)
    return state


@settings(max_examples=200, deadline=None)
@given(STEPS, st.floats(0, 1))
def test_any_prefix_snapshotted_and_the_rest_is_the_whole(steps: list[Step], cut: float) -> None:
    records = story(steps)
    at = round(cut * len(records))
    whole = folded(records)
    before = msgspec.json.decode(msgspec.json.encode(folded(records[:at])), type=State)
    resumed = folded(records[at:], before)
    assert resumed == whole
    assert msgspec.json.encode(resumed) == msgspec.json.encode(whole)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_counts_are_what_plain_counting_says(steps: list[Step]) -> None:
    records = story(steps)
    state = folded(records)
    trades = [step for step in steps if step[0] == "trade"]
    assert len(state.activity.orders.at) == len(trades)
    assert len(state.activity.messages.at) == 2 * len(trades)
    halted = {}
    for kind, symbol, *_ in steps:
        if kind in {"halt", "resume"}:
            halted[symbol] = kind == "halt"
    assert set(state.halts.active) == {symbol for symbol, is_so in halted.items() if is_so}
    assert state.activity.orders.at == sorted(state.activity.orders.at)
    # What is waited for is what was asked and is still to be decided.
    assert set(state.margin.requests) == set(state.margin.asked.values())
    for order in state.margin.asked:
        assert order in state.orders.open


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_what_sales_brought_is_all_there_within_a_month(steps: list[Step]) -> None:
    records = story(steps)
    brought = sum(
        -record.event.quantity * record.event.price
        for record in records
        if isinstance(record.event, OrderFilled) and record.event.quantity < 0
    )
    assert sum(folded(records).settlement.proceeds.values()) == brought
