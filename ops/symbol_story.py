"""Why a symbol is traded or not: what is held, what holds it, and what each strategy says."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from daemon.core.strategy_runs import Tally
from events import (
    ClientOrderId,
    HoldPlaced,
    IntentRefused,
    OrderIntended,
    StrategyDeclined,
    Symbol,
    utc_from_nanoseconds,
)
from events.journal import JournalReader
from ops.books import Books
from ops.lines import Line, line_of
from ops.order_records import OrderRecords, order_records
from ops.order_sentences import check_text, order_text
from ops.recorded_config import RecordedStrategy, recorded_config
from ops.render import age, moment, money, one_line, price, quantity
from ops.sentences import bar_text, hold_text, order_id_of
from projections import State
from projections.order_states import OrderState


class OrderGlance(msgspec.Struct, frozen=True):
    """An order in a line, and which checks failed where it was refused."""

    seq: int
    at: datetime
    client_order_id: ClientOrderId
    text: str
    state: OrderState
    failed: list[str]


class StrategyAnswer(msgspec.Struct, frozen=True):
    """How one strategy stands to the symbol.

    `stage` and `reason` are its standing answer not to trade, empty where its last answer was an
    order or there was none; `since` is the event it stands since. `times` is how often it was
    given up to event `times_upto`, None where nobody counted.
    """

    strategy: str
    asked: bool
    shadow: bool
    failed: str
    stage: str
    reason: str
    since: Line | None
    times: int | None
    times_upto: int
    last_intent: OrderGlance | None
    last_refusal: OrderGlance | None


class SymbolStory(msgspec.Struct, frozen=True):
    """All that stands about one symbol after event `seq`. Money is US dollars."""

    kind: Literal["symbol"]
    symbol: Symbol
    seq: int
    now: datetime
    configured: bool
    exchange: str
    quantity: Decimal
    average_entry_price: Decimal | None
    value_usd: Decimal
    unrealised_usd: Decimal
    realised_usd: Decimal
    last_bar_end: datetime | None
    last_close: Decimal | None
    last_bar: str
    open_orders: list[OrderGlance]
    holds: list[HoldPlaced]
    strategies: list[StrategyAnswer]


def symbol_story(reader: JournalReader, books: Books, symbol: Symbol, now: datetime) -> SymbolStory:
    """Return the story of `symbol`; ages count from `now`."""
    state = books.state
    terms, bar = state.symbols.get(symbol), state.market.last.get(symbol)
    position = state.positions.held(symbol)
    configured = recorded_config(state.identity.config).strategies
    names = dict.fromkeys([*configured, *state.strategies.answers])
    return SymbolStory(
        kind="symbol",
        symbol=symbol,
        seq=state.seq,
        now=now,
        configured=terms is not None,
        exchange=terms.exchange if terms else "",
        quantity=position.quantity,
        average_entry_price=position.average_entry_price,
        value_usd=state.pnl.values.get(symbol, Decimal(0)),
        unrealised_usd=state.pnl.unrealised_pnl(symbol, position),
        realised_usd=position.realised_pnl,
        last_bar_end=bar.end if bar else None,
        last_close=bar.close if bar else None,
        last_bar=bar_text(bar) if bar else "",
        open_orders=[
            _glance(found)
            for order in state.orders.open_for(symbol)
            if (found := order_records(reader, order.client_order_id)) is not None
        ],
        holds=_holds(state, symbol, names),
        strategies=[_answer(reader, books, name, symbol, configured.get(name)) for name in names],
    )


def _holds(state: State, symbol: Symbol, strategies: Iterable[str]) -> list[HoldPlaced]:
    """Return every hold that an order in `symbol` could meet."""
    found = {hold.hold_id: hold for hold in state.holds.in_scope("", symbol)}
    for name in strategies:
        found |= {hold.hold_id: hold for hold in state.holds.in_scope(name, symbol)}
    return list(found.values())


def _answer(
    reader: JournalReader,
    books: Books,
    name: str,
    symbol: Symbol,
    configured: RecordedStrategy | None,
) -> StrategyAnswer:
    answers = books.state.strategies.of(name)
    declined = answers.declined.get(symbol)
    memory = books.memories.get(name)
    tally = memory.tallies.get(symbol) if memory and declined else None
    counted = tally if tally and declined and _says(tally, declined) else None
    return StrategyAnswer(
        strategy=name,
        asked=configured is not None and symbol in (configured.symbols or (symbol,)),
        shadow=answers.shadow,
        failed=answers.failed,
        stage=declined.stage if declined else "",
        reason=declined.reason if declined else "",
        since=_since(reader, declined) if declined else None,
        times=counted.evaluations if counted else None,
        times_upto=books.snapshot_seq,
        last_intent=_last(reader, OrderIntended, name, symbol) if answers.intended else None,
        last_refusal=_last(reader, IntentRefused, name, symbol) if answers.refused else None,
    )


def _says(tally: Tally, declined: StrategyDeclined) -> bool:
    return (tally.given.stage, tally.given.reason) == (declined.stage, declined.reason)


def _since(reader: JournalReader, declined: StrategyDeclined) -> Line | None:
    found = (
        each for each in reader.records_back(kinds=[StrategyDeclined]) if each.event == declined
    )
    record = next(found, None)
    return None if record is None else line_of(record)


def _last(
    reader: JournalReader, kind: type[OrderIntended | IntentRefused], name: str, symbol: Symbol
) -> OrderGlance | None:
    """Return the last order of that strategy in `symbol` that has an event of `kind`."""
    for record in reader.records_back(kinds=[kind]):
        order_id = order_id_of(record.event)
        intended = None if order_id is None else reader.find(OrderIntended, order_id)
        if (
            intended is not None
            and isinstance(intended.event, OrderIntended)
            and (intended.event.strategy, intended.event.symbol) == (name, symbol)
        ):
            found = order_records(reader, intended.event.client_order_id)
            return None if found is None else _glance(found)
    return None


def _glance(found: OrderRecords) -> OrderGlance:
    order = found.order
    refusals = (each.event for each in found.records if isinstance(each.event, IntentRefused))
    return OrderGlance(
        seq=found.intended.seq,
        at=utc_from_nanoseconds(found.intended.at),
        client_order_id=order.client_order_id,
        text=order_text(order.intent),
        state=order.state,
        failed=[check_text(check) for each in refusals for check in each.failed],
    )


def told(story: SymbolStory) -> Iterator[str]:
    """Yield the story as a person reads it."""
    where = story.exchange if story.configured else "not configured: no strategy may trade it"
    yield f"{one_line(story.symbol)} ({one_line(where)})"
    if story.quantity:
        entry, worth = price(story.average_entry_price), money(story.value_usd)
        yield f"  held      {quantity(story.quantity)} at {entry} on average, worth {worth}"
        yield f"            {money(story.unrealised_usd)} unrealised"
    else:
        yield "  held      nothing"
    yield f"            {money(story.realised_usd)} realised so far"
    if story.last_bar_end is None:
        yield "  last bar  none: without a price the gate refuses every order"
    else:
        when = f"{moment(story.last_bar_end)}, {age(story.last_bar_end, story.now)}"
        yield f"  last bar  {when}: {story.last_bar}"
    for order in story.open_orders:
        yield f"  open      {_order_text(order)}"
    if not story.open_orders:
        yield "  open      no order"
    for hold in story.holds:
        yield f"  HOLD      {hold_text(hold)}"
    for answer in story.strategies:
        yield ""
        yield from _about_strategy(answer, story)


def _about_strategy(answer: StrategyAnswer, story: SymbolStory) -> Iterator[str]:
    shadow = " (in shadow: decides, sends nothing)" if answer.shadow else ""
    yield f"{one_line(answer.strategy)}{shadow}"
    if answer.failed:
        yield f"  now       FAILED, is asked no more: {one_line(answer.failed)}"
    elif not answer.asked:
        yield f"  now       is not asked about {one_line(story.symbol)}"
    elif answer.since is None:
        said = "its last answer was an order" if answer.last_intent else "has not said anything"
        yield f"  now       {said}"
    else:
        yield f"  now       does not trade: {one_line(answer.stage)}: {one_line(answer.reason)}"
        since = f"since event {answer.since.seq}, {moment(answer.since.at)}"
        yield f"            {since}{_times(answer, story)}"
    if answer.last_intent:
        yield f"  last      {_order_text(answer.last_intent)}"
    if answer.last_refusal:
        yield f"  refused   {_order_text(answer.last_refusal)}"
        for check in answer.last_refusal.failed:
            yield f"            FAILED  {check}"


def _times(answer: StrategyAnswer, story: SymbolStory) -> str:
    if answer.times is None:
        return ""
    upto = "" if answer.times_upto == story.seq else f" up to event {answer.times_upto}"
    times = "once" if answer.times == 1 else f"{answer.times:,} times"
    return f", said {times}{upto}"


def _order_text(order: OrderGlance) -> str:
    when = f"event {order.seq}, {moment(order.at)}"
    return f"{order.text}: {order.state} ({when}) {one_line(order.client_order_id)}"
