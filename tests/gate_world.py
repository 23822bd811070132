"""A made-up world for the gate, in plain numbers, and the journal that tells of it.

Minutes count from midnight of 2 January 2024, UTC; money is in cents, as whole numbers. What is
drawn here is read twice: as events by the books, and as it stands by `tests.gate_oracle`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

from events import (
    AccountReported,
    BarClosed,
    CalendarLoaded,
    CancelSending,
    CashMoved,
    CashMovementKind,
    ClientOrderId,
    CommissionCharged,
    ConfigLoaded,
    ContractResolved,
    ExecutionId,
    FreshnessMode,
    FreshnessTerms,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    IntentApproved,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    OrderCancelled,
    OrderFilled,
    OrderIntended,
    OrderSending,
    OrderType,
    OrderUnknown,
    OrderWorking,
    Record,
    SessionHours,
    SessionStarted,
    ShortSaleReported,
    Symbol,
    SymbolHalted,
    SymbolResumed,
    SymbolTerms,
    TimeInForce,
    TimerFired,
    TimerKind,
    nanoseconds,
)
from events.codec import JournalEvent
from projections import State

EPOCH = datetime(2024, 1, 2, tzinfo=UTC)
DAY = 1440
# Tuesday to Friday, and Monday to Wednesday; the third day closes early.
SESSION_DAYS = (0, 1, 2, 3, 6, 7, 8)
HALF_DAY = 2
SYMBOLS = ("A", "B", "Z")
STRATEGIES = ("trend", "weights")


def opens(day: int) -> int:
    return day * DAY + 870


def closes(day: int) -> int:
    return day * DAY + (1080 if day == HALF_DAY else 1260)


def moment(minute: int) -> datetime:
    return EPOCH + timedelta(minutes=minute)


def dollars(cents: int) -> Decimal:
    return Decimal(cents) / 100


def shares(size: Fraction) -> Decimal:
    return Decimal(size.numerator) / size.denominator


@dataclass
class Placed:
    """An order that was approved: its whole size, what is filled of it, and what became of it.

    One that is `asking` is not approved yet: the broker is being asked about it.
    """

    name: str
    strategy: str
    symbol: str
    size: Fraction
    kind: str
    limit: int | None
    stop: int | None
    at: int
    filled: Fraction = Fraction(0)
    fill_price: int = 0
    fee_known: bool = True
    is_over: bool = False
    cancelling: bool = False
    asking: bool = False


Word = tuple[str, int | None, int]
"""What is said to a question: "yes" with the margin needed (or unset) and what there is, "no", the
time that is "over", or another "start" of the daemon."""


@dataclass
class Query:
    """What the broker is asked about orders, and what was said, in order, at the minute `now`."""

    names: tuple[str, ...]
    is_due: bool = False
    words: list[Word] = field(default_factory=list)


@dataclass
class World:
    """Everything that is so at the minute `now`, bars and orders in the order they came."""

    now: int
    deposit: int
    terms: dict[str, dict[str, Any]]
    bars: list[tuple[int, str, int]] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    cancels: list[int] = field(default_factory=list)
    refused_intents: list[tuple[int, str]] = field(default_factory=list)
    holds: list[tuple[str, str, str]] = field(default_factory=list)
    halted: set[str] = field(default_factory=set)
    steps: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    shorts: dict[str, tuple[int, int | None, bool]] = field(default_factory=dict)
    account: tuple[int, int] | None = None
    asks: bool = False
    queries: list[Query] = field(default_factory=list)
    live: bool = False
    watch: tuple[str, int, bool] = ("per_symbol", 1800, False)
    believed: Fraction | None = None


def a_world(random: Random) -> World:
    """Draw a world in which most things are usual, and anything may be."""
    day = random.choice(SESSION_DAYS)
    usual = random.randrange(opens(day), closes(day) + 1)
    now = usual if random.random() < 0.9 else random.randrange(30, 9 * DAY)
    extended = random.random() < 0.3
    terms = {
        symbol: {
            "exchange": "24/7" if symbol == "Z" else "NYSE",
            "enforce": random.random() < 0.93,
            "extended": extended,
            "fractions": symbol == "Z" or random.random() < 0.1,
        }
        for symbol in SYMBOLS
        if random.random() < 0.97
    }
    world = World(now, random.choice([10**6, 10**8, 10**8, 10**9]), terms)
    _bars(world, random)
    _orders(world, random)
    _news(world, random)
    return world


def _bars(world: World, random: Random) -> None:
    for symbol in SYMBOLS:
        price = random.choice([50, 9_000, 10_000, 12_345, 101])
        ends = [
            world.now - random.randrange(0, 40) for _ in range(random.choice([0, 2, 3, 3, 4, 4]))
        ]
        ends += [random.randrange(30, world.now + 1) for _ in range(random.choice([0, 0, 1, 3]))]
        for end in sorted(set(ends)):
            if end > 20:
                jump = random.choice([1.0] * 8 + [1.01, 0.99, 1.25, 0.8, 1.4, 0.5, 2.0])
                price = max(1, round(price * jump))
                world.bars.append((end, symbol, price))
    world.bars.sort()


def _orders(world: World, random: Random) -> None:
    for number in range(random.choice([0, 1, 2, 3, 5])):
        symbol = random.choice(SYMBOLS)
        known = [close for _, of, close in world.bars if of == symbol]
        price = known[-1] if known else 10_000
        whole = random.choice([1, 10, 40, 100]) * random.choice([1, 1, -1])
        size = Fraction(whole, 8 if symbol == "Z" and random.random() < 0.5 else 1)
        at = max(21, world.now - random.choice([0, 0, 1, 2, 5, 30, 400, 1500, 4000]))
        kind, limit, stop = a_kind(random, price)
        order = Placed(f"p{number}", random.choice(STRATEGIES), symbol, size, kind, limit, stop, at)
        order.asking = random.random() < 0.1
        if order.asking:
            world.placed.append(order)
            continue
        if random.random() < 0.6:
            order.filled = random.choice([size, size, size / 2])
            order.fill_price = price
            order.fee_known = random.random() < 0.7
        order.is_over = order.filled == size or random.random() < 0.2
        order.cancelling = not order.is_over and random.random() < 0.2
        if order.cancelling:
            world.cancels.append(at)
        world.placed.append(order)
    world.placed.sort(key=lambda order: order.at)
    for _ in range(random.choice([0, 0, 1, 6])):
        at = max(21, world.now - random.choice([0, 1, 3]))
        world.refused_intents.append((at, random.choice(STRATEGIES)))
    world.refused_intents.sort()


def a_kind(random: Random, price: int) -> tuple[str, int | None, int | None]:
    """Return an order's type, its limit and its stop, near `price` as a rule."""
    kind = random.choice(["MKT", "MKT", "LMT", "STP", "STP LMT"])
    near = [max(1, round(price * random.choice([1, 1.02, 0.98, 1.1, 0.9, 1.3]))) for _ in "12"]
    limit = near[0] if "LMT" in kind else None
    return kind, limit, near[1] if "STP" in kind else None


def _news(world: World, random: Random) -> None:
    rare = random.random
    if rare() < 0.12:
        scope = random.choice(["all", "strategy", "symbol"])
        target = {"all": "", "strategy": "trend", "symbol": "A"}[scope]
        world.holds.append((random.choice(["REDUCE", "HALT"]), scope, target))
    if rare() < 0.05:
        world.halted.add(random.choice(SYMBOLS))
    if rare() < 0.1:
        steps = (random.choice([None, 1, 5]), random.choice([None, 1, 10]))
        world.steps[random.choice(SYMBOLS)] = steps
    for symbol in SYMBOLS:
        if rare() < 0.6:
            day = random.choice([world.now // DAY] * 4 + list(SESSION_DAYS))
            shares = random.choice([None, 0, 10, 50, 1000, 1000])
            world.shorts[symbol] = (day, shares, rare() < 0.2)
    if rare() < 0.2:
        net = random.choice([world.deposit, world.deposit // 2, 2 * world.deposit])
        world.account = (net, random.choice([0, net // 4, net]))
    world.asks = rare() < 0.15
    _questions(world, random)
    world.live = rare() < 0.1
    mode = random.choice(["per_symbol", "per_symbol", "per_symbol", "latest", "oldest", "median"])
    world.watch = (mode, random.choice([60, 600, 1800, 3600]), rare() < 0.15)
    world.believed = random.choice([None, Fraction(3, 10), Fraction(3, 10), Fraction(9, 10)])


def _questions(world: World, random: Random) -> None:
    """Ask about the orders to come: about each alone, or about two of them together."""
    together = random.random() < 0.3
    for names in [("n0", "n1")] if together else [("n0",), ("n1",)]:
        if random.random() > 0.35:
            continue
        query = Query(names, is_due=random.random() < 0.1)
        for _ in range(random.choice([0, 1, 1, 1, 2])):
            have = random.choice([world.deposit, world.deposit // 2])
            need = random.choice([0, 0, have // 4, have, None])
            word = random.choice(["yes"] * 5 + ["no", "over", "start"])
            query.words.append((word, need, have))
        world.queries.append(query)


# The same as a journal.


def journal_of(world: World) -> Iterator[tuple[int, JournalEvent]]:
    """Yield each event with its minute, in the order of time."""
    yield 20, _config(world)
    yield 20, _start(world)
    yield 20, _calendar()
    yield 20, CashMoved(CashMovementKind.DEPOSIT, dollars(world.deposit), "opening capital")
    told: list[tuple[int, int, JournalEvent]] = []
    for end, symbol, close in world.bars:
        price = dollars(close)
        bar = BarClosed(Symbol(symbol), 60, moment(end), price, price, price, price, Decimal(1))
        told.append((end, 0, bar))
    for order in world.placed:
        told += [(order.at, 1, event) for event in _life(order)]
    for number, (at, strategy) in enumerate(world.refused_intents):
        told.append((at, 1, _bare_intent(f"r{number}", strategy)))
    for minute, _, event in sorted(told, key=lambda each: each[:2]):
        yield minute, event
    yield world.now, SymbolResumed(Symbol("none"))  # So that the books are of this minute.
    for event in _news_events(world):
        yield world.now, event


def _config(world: World) -> ConfigLoaded:
    return ConfigLoaded(
        {},
        {
            Symbol(name): SymbolTerms(
                each["exchange"], each["enforce"], each["extended"], each["fractions"]
            )
            for name, each in world.terms.items()
        },
        FreshnessTerms(
            FreshnessMode(world.watch[0]), max_age_s=world.watch[1], recorded=world.watch[2]
        ),
        None if world.believed is None else shares(world.believed),
    )


def _start(world: World) -> SessionStarted:
    return SessionStarted("1", {}, {}, live_feed=world.live, asks_margin=world.asks)


def _calendar() -> CalendarLoaded:
    return CalendarLoaded(
        "NYSE",
        "made up",
        tuple(
            SessionHours(
                date(2024, 1, 2 + day),
                moment(opens(day)),
                moment(closes(day)),
                moment(opens(day) - 330),
                moment(closes(day) + 240),
            )
            for day in SESSION_DAYS
        ),
    )


def _bare_intent(name: str, strategy: str) -> OrderIntended:
    return OrderIntended(
        ClientOrderId(name),
        strategy,
        Symbol("A"),
        Decimal(1),
        OrderType.MARKET,
        TimeInForce.DAY,
        cause_key="made up",
        leg=0,
    )


def _life(order: Placed) -> Iterator[JournalEvent]:
    order_id = ClientOrderId(order.name)
    yield OrderIntended(
        order_id,
        order.strategy,
        Symbol(order.symbol),
        shares(order.size),
        OrderType(order.kind),
        TimeInForce.GTC,
        cause_key="made up",
        leg=0,
        limit_price=None if order.limit is None else dollars(order.limit),
        stop_price=None if order.stop is None else dollars(order.stop),
    )
    if order.asking:
        yield MarginRequested(f"m{order.name}", (order_id,), moment(20 * DAY))
        return
    yield IntentApproved(order_id, ())
    yield OrderSending(order_id)
    yield (OrderUnknown(order_id, "?") if order.at % 3 else OrderWorking(order_id))
    if order.filled:
        execution = ExecutionId(order.name)
        yield OrderFilled(
            order_id,
            execution,
            Symbol(order.symbol),
            shares(order.filled),
            dollars(order.fill_price),
            moment(order.at),
        )
        if order.fee_known:
            yield CommissionCharged(order_id, execution, Decimal(0))
    if order.cancelling:
        yield CancelSending(order_id, "so")
    if order.is_over and order.filled != order.size:
        yield OrderCancelled(order_id)


def _news_events(world: World) -> Iterator[JournalEvent]:
    for number, (level, scope, target) in enumerate(world.holds):
        where = HoldScope(scope)
        yield HoldPlaced(
            f"h{number}", where, HoldLevel(level), "x", "me", "so", HoldLifts.OPERATOR, target
        )
    for symbol in sorted(world.halted):
        yield SymbolHalted(Symbol(symbol))
    for symbol, (price, size) in world.steps.items():
        yield ContractResolved(
            Symbol(symbol),
            1,
            None if price is None else dollars(price),
            None if size is None else Decimal(size),
        )
    for symbol, (day, shares, restricted) in world.shorts.items():
        known = None if shares is None else Decimal(shares)
        when = (EPOCH + timedelta(days=day)).date()
        yield ShortSaleReported(Symbol(symbol), when, known, restricted=restricted)
    if world.account is not None:
        net, initial = world.account
        yield AccountReported(dollars(net), dollars(initial), Decimal(0))
    for query in world.queries:
        for name in query.names:
            yield _bare_intent(name, "trend")
        orders = tuple(map(ClientOrderId, query.names))
        yield MarginRequested(f"m{query.names[0]}", orders, _due(world, query))
        for word in query.words:
            yield _said(world, query, word)


def _due(world: World, query: Query) -> datetime:
    return moment(world.now if query.is_due else world.now + 1)


def _said(world: World, query: Query, said: Word) -> JournalEvent:
    request = f"m{query.names[0]}"
    word, need, have = said
    match word:
        case "yes":
            needs = None if need is None else dollars(need)
            return MarginReported(request, needs, Decimal(0), dollars(have))
        case "no":
            return MarginUnavailable(request, "no")
        case "over":
            return TimerFired(TimerKind.MARGIN_DEADLINE, request, _due(world, query))
        case _:
            return _start(world)


def books_of(world: World) -> State:
    """Return the books after the world's journal."""
    state = State()
    for seq, (minute, event) in enumerate(journal_of(world), 1):
        state.apply(Record(seq, nanoseconds(moment(minute)), event))
    return state
