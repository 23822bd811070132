"""What the gate must answer, written a second time from the contract, in plain numbers.

It shares no code with the gate and none with the books: it reads the made-up world as it stands
(`tests.gate_world`), in cents, minutes and fractions. Each rule says which check must refuse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.gate_world import DAY, SESSION_DAYS, Placed, Word, World, closes, opens

Row = dict[str, Any]
AUCTIONS = ("OPG", "CLS")


@dataclass
class Asked:
    """An order that is asked for; prices and edge in cents."""

    name: str
    strategy: str
    symbol: str
    size: Fraction
    kind: str = "MKT"
    limit: Fraction | None = None
    stop: Fraction | None = None
    tif: str = "DAY"
    outside: bool = False
    edge: Fraction | None = None
    cancel_after: int | None = None

    @property
    def own(self) -> list[Fraction]:
        return [price for price in (self.limit, self.stop) if price is not None]


@dataclass
class Books:
    """The world at its last minute, worked out from its bars and orders alone."""

    cash: Fraction = Fraction(0)
    held: dict[str, Fraction] = field(default_factory=dict)
    own: dict[tuple[str, str], Fraction] = field(default_factory=dict)
    marks: dict[str, Fraction] = field(default_factory=dict)
    seen: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    fees: Fraction = Fraction(0)
    equity: Fraction = Fraction(0)
    peak: Fraction = Fraction(0)
    day_start: Fraction = Fraction(0)
    flows: Fraction = Fraction(0)
    day_end: int = 0
    count_day: int = 0
    today: list[Placed] = field(default_factory=list)
    opened: dict[str, bool] = field(default_factory=dict)
    day_trades: list[int] = field(default_factory=list)
    doubted: set[str] = field(default_factory=set)


def in_hours(minute: Fraction | int, *, extended: bool, ends: bool = False) -> bool:
    """Say whether the exchange is open; with `ends`, its very opening counts as well."""
    for day in SESSION_DAYS:
        since = opens(day) - (330 if extended else 0)
        until = closes(day) + (240 if extended else 0)
        if since < minute <= until or (ends and minute == since):
            return True
    return False


def open_minutes(since: int, until: int, *, extended: bool) -> int | None:
    if until > closes(SESSION_DAYS[-1]) + 240 or since < opens(0) - 330:
        return None
    total = 0
    for day in SESSION_DAYS:
        first = opens(day) - (330 if extended else 0)
        last = closes(day) + (240 if extended else 0)
        total += max(0, min(until, last) - max(since, first))
    return total


def session_of(minute: int) -> int | None:
    """Return the first day whose extended hours end at that minute or later."""
    return next((day for day in SESSION_DAYS if closes(day) + 240 >= minute), None)


def books_of(world: World) -> Books:
    books = Books(day_end=closes(0), count_day=closes(0))
    _deposit(books, world)
    told: list[tuple[int, int, Any]] = [(end, 0, bar) for end, *bar in world.bars]
    told += [(order.at, 1, order) for order in world.placed]
    told += [(at, 2, None) for at, _ in world.refused_intents]
    for minute, kind, what in sorted(told, key=lambda each: each[:2]):
        _turn(books, minute)
        if kind == 0:
            _bar(books, world, minute, *what)
        elif kind == 1:
            _order(books, world, what)
    _turn(books, world.now)
    return books


def _deposit(books: Books, world: World) -> None:
    books.cash = books.flows = books.equity = books.peak = Fraction(world.deposit)


def _turn(books: Books, minute: int) -> None:
    """Begin the days that a minute belongs to."""
    if minute > books.day_end:
        following = [closes(day) for day in SESSION_DAYS if closes(day) >= minute]
        if following:
            books.day_start, books.flows, books.day_end = books.equity, Fraction(0), following[0]
    if minute > books.count_day:
        midnight = (minute // DAY + 1) * DAY
        books.count_day = books.day_end if books.day_end >= minute else midnight
        books.today, books.opened = [], {}


def _worth(books: Books) -> None:
    held = sum(size * books.marks[symbol] for symbol, size in books.held.items())
    books.equity = books.cash + held
    books.peak = max(books.peak, books.equity)


def _bar(books: Books, world: World, minute: int, symbol: str, close: int) -> None:
    terms = world.terms.get(symbol)
    if terms is None:
        return
    is_open = terms["exchange"] == "24/7" or in_hours(minute, extended=terms["extended"])
    if terms["enforce"] and not is_open:
        return
    seen = books.seen.setdefault(symbol, [])
    moves = [abs(Fraction(close, earlier) - 1) for _, earlier in seen[-2:]]
    seen.append((minute, close))
    jumped = world.believed is not None and bool(moves) and min(moves) > world.believed
    if jumped and symbol not in books.doubted:
        books.doubted.add(symbol)  # It counts with the bar after it.
    else:
        books.doubted.discard(symbol)
    if books.held.get(symbol) and symbol not in books.doubted:
        books.marks[symbol] = Fraction(close)
        _worth(books)


def _order(books: Books, world: World, order: Placed) -> None:
    if order.asking:
        return
    books.today.append(order)
    if not order.filled:
        return
    held = books.held.get(order.symbol, Fraction(0))
    if world.terms.get(order.symbol, {}).get("exchange") != "24/7":
        _count_day_trade(books, order.symbol, held, order.filled)
    books.held[order.symbol] = held + order.filled
    key = (order.strategy, order.symbol)
    books.own[key] = books.own.get(key, Fraction(0)) + order.filled
    value = Fraction(order.filled * order.fill_price)
    books.cash -= value
    if not order.fee_known:
        books.fees += max(Fraction(100), abs(value) / 100)
    books.marks[order.symbol] = Fraction(order.fill_price)
    _worth(books)


def _count_day_trade(books: Books, symbol: str, held: Fraction, size: Fraction) -> None:
    grows = held == 0 or (held > 0) == (size > 0)
    if not grows and books.opened.get(symbol):
        books.day_trades.append(books.count_day)
        books.opened[symbol] = False
    if grows or abs(size) > abs(held):
        books.opened[symbol] = True


class Oracle:
    """Judges orders in one world under one set of limits (plain numbers, None where not set)."""

    def __init__(self, world: World, limits: Row) -> None:
        self.world = world
        self.limits = limits
        self.books = books_of(world)
        self.live = [order for order in world.placed if not order.is_over]
        self.batch: Sequence[Asked] = ()
        # Asked for many times, and worked out once for each beginning of the batch.
        self._extremes: dict[tuple[int, str, str | None], tuple[Fraction, Fraction, Fraction]] = {}
        self._exposures: dict[int, tuple[Fraction, Fraction, Fraction] | None] = {}

    # What is there.

    def last(self, symbol: str) -> Fraction | None:
        seen = self.books.seen.get(symbol)
        return Fraction(seen[-1][1]) if seen else None

    def rest(self, ahead: Sequence[Asked]) -> Iterator[tuple[Any, Fraction]]:
        """Yield every order that may still fill, with what may: the live ones, then `ahead`."""
        for order in self.live:
            yield order, order.size - order.filled
        # Of what the broker is asked about counts what is not judged here: a share of A each.
        for name in {name for query in self.world.queries for name in query.names}:
            if name not in {asked.name for asked in self.batch}:
                yield Asked(name, "trend", "A", Fraction(1)), Fraction(1)
        for asked in ahead:
            yield asked, asked.size

    def extremes(
        self, ahead: Sequence[Asked], symbol: str, strategy: str | None
    ) -> tuple[Fraction, Fraction, Fraction]:
        """Return what is held of the symbol, and the most and least it could become."""
        key = (len(ahead), symbol, strategy)
        if key not in self._extremes:
            self._extremes[key] = self._extremes_of(ahead, symbol, strategy)
        return self._extremes[key]

    def _extremes_of(
        self, ahead: Sequence[Asked], symbol: str, strategy: str | None
    ) -> tuple[Fraction, Fraction, Fraction]:
        if strategy is None:
            held = self.books.held.get(symbol, Fraction(0))
        else:
            held = self.books.own.get((strategy, symbol), Fraction(0))
        most = least = held
        for order, size in self.rest(ahead):
            if order.symbol == symbol and strategy in {None, order.strategy}:
                if size > 0:
                    most += size
                else:
                    least += size
        return held, most, least

    def reduces(self, ahead: Sequence[Asked], strategy: str | None = None) -> bool:
        asked = ahead[-1]
        held, most, least = self.extremes(ahead, asked.symbol, strategy)
        return held < 0 and most <= 0 if asked.size > 0 else held > 0 and least >= 0

    def exposure(self, ahead: Sequence[Asked]) -> tuple[Fraction, Fraction, Fraction] | None:
        """Return gross, net and held exposure in cents, None where a price is missing."""
        if len(ahead) not in self._exposures:
            self._exposures[len(ahead)] = self._exposure_of(ahead)
        return self._exposures[len(ahead)]

    def _exposure_of(self, ahead: Sequence[Asked]) -> tuple[Fraction, Fraction, Fraction] | None:
        gross = up = down = now = Fraction(0)
        ordered = {order.symbol for order, _ in self.rest(ahead)}
        for symbol in ordered | {name for name, size in self.books.held.items() if size}:
            price = self.last(symbol)
            if price is None:
                return None
            held, most, least = self.extremes(ahead, symbol, None)
            now += abs(held) * price
            for order, _ in self.rest(ahead):
                if order.symbol == symbol:
                    price = max([price, *(own for own in (order.limit, order.stop) if own)])
            gross += max(abs(most), abs(least)) * price
            up, down = up + most * price, down + least * price
        return gross, max(abs(up), abs(down)), now

    @property
    def equity(self) -> Fraction:
        return self.books.equity - self.books.fees

    def tightest(self, name: str, asked: Asked, *, strategy_too: bool) -> Fraction | None:
        tables = [self.limits["account"], self.limits["symbols"].get(asked.symbol, {})]
        if strategy_too:
            tables.append(self.limits["strategies"].get(asked.strategy, {}))
        found = [table[name] for table in tables if table.get(name) is not None]
        return min(found) if found else None

    # The judgement.

    def refusals(self, batch: Sequence[Asked]) -> set[str]:
        """Return the checks that must refuse any order of the batch; none: it must pass.

        `margin_asked` alone: it must pass once the broker has been asked and has said yes.
        """
        self.batch = batch
        self._extremes.clear()
        self._exposures.clear()
        found: set[str] = set()
        for number in range(len(batch)):
            found |= self.of_one(batch[: number + 1], batch)
        return found if found == {"margin_asked"} else found - {"margin_asked"}

    def of_one(self, ahead: Sequence[Asked], batch: Sequence[Asked]) -> set[str]:
        rules = (
            *(self.shape, self.permission, self.hours, self.auction, self.prices, self.shorts),
            *(self.counts, self.sizes, self.exposures, self.money, self.losses),
        )
        return {name for rule in rules for name in rule(ahead, batch)}

    def shape(self, ahead: Sequence[Asked], _batch: Sequence[Asked]) -> Iterator[str]:
        asked = ahead[-1]
        terms = self.world.terms.get(asked.symbol)
        wants = {"MKT": (0, 0), "LMT": (1, 0), "STP": (0, 1), "STP LMT": (1, 1)}[asked.kind]
        has = (asked.limit is not None, asked.stop is not None)
        sound = has == wants and all(price > 0 for price in asked.own) and asked.size != 0
        sound = sound and (asked.cancel_after is None or asked.cancel_after > 0)
        sound = sound and not (asked.tif in AUCTIONS and "STP" in asked.kind)
        if terms is None or not sound:
            yield "valid_input"
        price_step, size_step = self.world.steps.get(asked.symbol, (None, None))
        step = size_step if size_step is not None else None if terms and terms["fractions"] else 1
        if terms is None or (step is not None and asked.size % step):
            yield "size_step"
        for price in asked.own:
            if terms is None:
                yield "price_step"
            elif price_step is not None or terms["exchange"] != "24/7":
                usual = Fraction(1) if price >= 100 else Fraction(1, 100)
                if price % (price_step if price_step is not None else usual):
                    yield "price_step"

    def permission(self, ahead: Sequence[Asked], _batch: Sequence[Asked]) -> Iterator[str]:
        asked, account = ahead[-1], self.limits["account"]
        allowed, denied = account["allow_symbols"], account["deny_symbols"]
        if asked.symbol in denied or (allowed and asked.symbol not in allowed):
            yield "symbol_allowed"
        levels = [
            level
            for level, scope, target in self.world.holds
            if scope == "all"
            or (scope == "strategy" and target == asked.strategy)
            or (scope == "symbol" and target == asked.symbol)
        ]
        if "HALT" in levels or ("REDUCE" in levels and not self.reduces(ahead)):
            yield "holds"
        if asked.symbol in self.world.halted:
            yield "symbol_halted"
        if not self.limits["orders"]["allow_opposite"] and self.meets_own(ahead):
            yield "own_opposite"

    def meets_own(self, ahead: Sequence[Asked]) -> bool:
        asked = ahead[-1]
        last = self.last(asked.symbol)
        for order, size in self.rest(ahead[:-1]):
            if order.symbol != asked.symbol or (size > 0) == (asked.size > 0):
                continue
            buy, sell = (asked, order) if asked.size > 0 else (order, asked)
            if last is not None and buy.stop is not None and last < buy.stop:
                continue
            if last is not None and sell.stop is not None and last > sell.stop:
                continue
            if buy.limit is None or sell.limit is None or buy.limit >= sell.limit:
                return True
        return False

    def hours(self, ahead: Sequence[Asked], _batch: Sequence[Asked]) -> Iterator[str]:
        asked, now = ahead[-1], self.world.now
        terms = self.world.terms.get(asked.symbol)
        if terms is None:
            yield from ("session_open", "order_hours")
            return
        free = not terms["enforce"] or terms["exchange"] == "24/7"
        regular = free or in_hours(now, extended=False, ends=True)
        extended = terms["extended"] and in_hours(now, extended=True, ends=True)
        if asked.tif not in AUCTIONS and not regular and not extended:
            yield "session_open"
        if asked.outside:
            no_limit = asked.kind != "LMT" or asked.tif in AUCTIONS
            if no_limit or (terms["enforce"] and not terms["extended"]):
                yield "order_hours"
        elif asked.tif not in AUCTIONS and not regular:
            yield "order_hours"

    def auction(self, ahead: Sequence[Asked], _batch: Sequence[Asked]) -> Iterator[str]:
        asked, now = ahead[-1], self.world.now
        if asked.tif not in AUCTIONS:
            return
        terms = self.world.terms.get(asked.symbol)
        if terms is None or terms["exchange"] == "24/7":
            yield "auction_cutoff"
        elif terms["enforce"]:
            opening = asked.tif == "OPG"
            cut = self.limits["orders"]["open_cutoff_s" if opening else "close_cutoff_s"]
            coming = [opens(day) if opening else closes(day) for day in SESSION_DAYS]
            coming = [minute for minute in coming if minute > now]
            if cut is None or not coming or now >= Fraction(coming[0]) - Fraction(cut) / 60:
                yield "auction_cutoff"

    def prices(self, ahead: Sequence[Asked], batch: Sequence[Asked]) -> Iterator[str]:
        asked, rules = ahead[-1], self.limits["prices"]
        if any(self.is_stale(each.symbol) for each in batch) and not self.reduces(ahead):
            yield "data_stale"
        seen = self.books.seen.get(asked.symbol, [])
        if not seen:
            yield "price_known"
        age = self.age(asked.symbol)
        if rules["max_data_age_s"] is None or age is None or age * 60 > rules["max_data_age_s"]:
            yield "data_age_s"
        out_at_market = not asked.own and self.reduces(ahead)
        jump = rules["outlier_threshold"]
        if not seen or jump is None or not (self.is_believed(asked.symbol) or out_at_market):
            yield "outlier"
        yield from self.collars(asked, seen)

    def is_stale(self, symbol: str) -> bool:
        """Say whether the watch must call the symbol's data stale, by the age of whose data."""
        mode, _, recorded = self.world.watch
        if not (recorded or self.world.live):
            return False
        if mode == "per_symbol":
            return self.lacks_bars(symbol)
        watched = [name for name in self.world.terms if name not in self.world.halted]
        old = sum(map(self.lacks_bars, watched))
        too_many = {"latest": len(watched), "oldest": 1, "median": len(watched) // 2 + 1}
        return bool(watched) and old >= too_many[mode]

    def lacks_bars(self, symbol: str) -> bool:
        """Say whether the last bar is too old, counted from the daemon's start if there is none."""
        terms, seen = self.world.terms.get(symbol), self.books.seen.get(symbol)
        if terms is None or symbol in self.world.halted:
            return False
        restarted = any(word == "start" for query in self.world.queries for word, *_ in query.words)
        since = seen[-1][0] if seen else self.world.now if restarted else 20
        # A minute of grace, and the minute that a bar takes.
        allowed = max(Fraction(self.world.watch[1], 60), 2 if seen else 1)
        if terms["exchange"] == "24/7" or not terms["enforce"]:
            return self.world.now - since >= allowed
        open_for = 0
        for day in SESSION_DAYS:
            first = opens(day) - (330 if terms["extended"] else 0)
            last = closes(day) + (240 if terms["extended"] else 0)
            open_for += max(0, min(self.world.now, last) - max(since, first))
        return open_for >= allowed

    def collars(self, asked: Asked, seen: list[tuple[int, int]]) -> Iterator[str]:
        rules = self.limits["prices"]
        near = rules["max_distance_last"]
        if near is None or (
            asked.own and (not seen or self.reach(asked, Fraction(seen[-1][1])) > near)
        ):
            yield "collar_last"
        far, jump = rules["max_distance_close"], rules["outlier_threshold"]
        if far is None:
            yield "collar_close"
        elif asked.own and seen:
            ends = self.session_end(asked.symbol, seen[-1][0])
            today = [close for end, close in seen if self.session_end(asked.symbol, end) == ends]
            before = [close for end, close in seen if self.session_end(asked.symbol, end) != ends]
            if before and self.reach(asked, Fraction(before[-1])) > far:
                agree = len(today) > 1 and jump is not None
                if not agree or abs(Fraction(today[-1], today[-2]) - 1) > jump:
                    yield "collar_close"

    def reach(self, asked: Asked, reference: Fraction) -> Fraction:
        """Return how much too high a buyer's prices are, or too low a seller's."""
        buys, found = asked.size >= 0, Fraction(0)
        if asked.stop is not None:
            # It would be in the market at once.
            found = (reference - asked.stop if buys else asked.stop - reference) / reference
            reference = max(reference, asked.stop) if buys else min(reference, asked.stop)
        if asked.limit is not None:
            gap = asked.limit - reference if buys else reference - asked.limit
            found = max(found, gap / reference)
        return found

    def session_end(self, symbol: str, minute: int) -> int:
        day = None if self.world.terms[symbol]["exchange"] == "24/7" else session_of(minute)
        if day is not None:
            return closes(day) + 240
        return -(-minute // DAY) * DAY

    def age(self, symbol: str) -> int | None:
        terms, seen = self.world.terms.get(symbol), self.books.seen.get(symbol)
        if terms is None or not seen:
            return None
        since, now = seen[-1][0], self.world.now
        if terms["exchange"] == "24/7" or not terms["enforce"] or since >= now:
            return max(now - since, 0)
        return open_minutes(since, now, extended=terms["extended"])

    def shorts(self, ahead: Sequence[Asked], _batch: Sequence[Asked]) -> Iterator[str]:
        asked, limits = ahead[-1], self.limits
        if asked.size > 0:
            return
        held, _, least = self.extremes(ahead, asked.symbol, None)
        _, _, own_least = self.extremes(ahead, asked.symbol, asked.strategy)
        of_symbol = limits["symbols"].get(asked.symbol, {}).get("allow_short")
        of_strategy = limits["strategies"].get(asked.strategy, {}).get("allow_short")
        is_cash = limits["margin"]["account_type"] == "cash"
        may = limits["account"]["allow_short"] and of_symbol is not False and not is_cash
        if (least < 0 and not may) or (own_least < 0 and of_strategy is False):
            yield "short_allowed"
        if least >= 0:
            return
        day, shares, restricted = self.world.shorts.get(asked.symbol, (None, None, False))
        terms = self.world.terms.get(asked.symbol)
        known = terms is not None and terms["exchange"] == "NYSE"
        known = known and day is not None and day == session_of(self.world.now)
        if not known:
            if limits["orders"]["require_shortable_data"]:
                yield "shortable"
            return
        if shares is None or -least - max(-held, Fraction(0)) > shares:
            yield "shortable"
        if restricted and asked.kind in {"MKT", "STP"}:
            yield "short_restricted"

    def counts(self, ahead: Sequence[Asked], _batch: Sequence[Asked]) -> Iterator[str]:
        asked, rates, more = ahead[-1], self.limits["rates"], len(ahead)
        window = rates["window_s"]
        since = None if window is None else self.world.now - Fraction(window) / 60
        sent = [order.at for order in self.world.placed if not order.asking]
        intents = [order.at for order in self.world.placed if order.strategy == asked.strategy]
        intents += [at for at, name in self.world.refused_intents if name == asked.strategy]
        if asked.strategy == "trend":
            intents += [self.world.now for query in self.world.queries for _ in query.names]
        for check, limit, times, plus in (
            ("order_rate", rates["max_orders"], sent, more),
            ("message_rate", rates["max_messages"], sent + self.world.cancels, more),
            ("runaway", rates["max_intents"], intents, 0),
        ):
            if since is None or limit is None or sum(at > since for at in times) + plus > limit:
                yield check
        today = self.books.today
        of_symbol = sum(order.symbol == asked.symbol for order in today)
        of_strategy = sum(order.strategy == asked.strategy for order in today)
        most = self.limits["account"]["max_orders_a_day"]
        by_symbol = self.limits["symbols"].get(asked.symbol, {}).get("max_orders_a_day")
        by_strategy = self.limits["strategies"].get(asked.strategy, {}).get("max_orders_a_day")
        counted = ((most, len(today)), (by_symbol, of_symbol), (by_strategy, of_strategy))
        if most is None or any(limit is not None and n + more > limit for limit, n in counted):
            yield "orders_a_day"
        yield from self.turning(ahead)

    def turning(self, ahead: Sequence[Asked]) -> Iterator[str]:
        asked, rules, out = ahead[-1], self.limits["turnover"], self.reduces(ahead)
        pair = (asked.strategy, asked.symbol)
        turns = sum((order.strategy, order.symbol) == pair for order in self.books.today)
        turns += sum((each.strategy, each.symbol) == pair for each in ahead)
        most = rules["max_a_day"]
        if most is None or (turns > most and not out):
            yield "turnover"
        last = self.last(asked.symbol)
        if rules["min_ratio"] is None or rules["cost_bps"] is None:
            yield "edge_usd"
        elif asked.edge is not None:
            if last is None:
                yield "edge_usd"
            else:
                size, price = abs(asked.size), max([last, *asked.own])
                fee = max(Fraction(100), size / 2)
                cost = 2 * (fee + size * price * rules["cost_bps"] / 10_000)
                if asked.edge < rules["min_ratio"] * cost and not out:
                    yield "edge_usd"
        yield from self.day_trading(ahead, out=out)

    def day_trading(self, ahead: Sequence[Asked], *, out: bool) -> Iterator[str]:
        asked, most = ahead[-1], self.limits["account"]["max_day_trades"]
        terms = self.world.terms.get(asked.symbol)
        if most is None or (terms is not None and terms["exchange"] == "24/7"):
            return
        ends = [closes(day) for day in SESSION_DAYS]
        at = next((number for number, end in enumerate(ends) if end >= self.books.count_day), None)
        since = 0 if at is None else ends[max(at - 4, 0)]
        done = sum(day >= since for day in self.books.day_trades)
        opened = {symbol for symbol, is_open in self.books.opened.items() if is_open}
        for order, size in self.rest(ahead):
            held = self.books.held.get(order.symbol, Fraction(0))
            if held == 0 or (held > 0) == (size > 0):
                opened.add(order.symbol)
        if done + len(opened) > most and not out:
            yield "day_trades"

    def sizes(self, ahead: Sequence[Asked], _batch: Sequence[Asked]) -> Iterator[str]:
        asked, out = ahead[-1], self.reduces(ahead)
        last = self.last(asked.symbol)
        price = None if last is None else max([last, *asked.own])
        size = abs(asked.size)
        _, most, least = self.extremes(ahead, asked.symbol, None)
        worst = max(abs(most), abs(least))
        for check, value, strategy_too, forgiven in (
            ("order_shares", size, True, False),
            ("order_usd", price and size * price, True, False),
            ("position_shares", worst, False, out),
            ("position_usd", price and worst * price, False, out),
        ):
            limit = self.tightest(f"max_{check}", asked, strategy_too=strategy_too)
            if limit is None or ((value is None or value > limit) and not forgiven):
                yield check
        own = self.limits["strategies"].get(asked.strategy, {})
        _, most, least = self.extremes(ahead, asked.symbol, asked.strategy)
        worst, out = max(abs(most), abs(least)), self.reduces(ahead, asked.strategy)
        shares, usd = own.get("max_position_shares"), own.get("max_position_usd")
        if (shares is not None and worst > shares and not out) or (
            usd is not None and (price is None or worst * price > usd) and not out
        ):
            yield "strategy_position"

    def exposures(self, ahead: Sequence[Asked], _batch: Sequence[Asked]) -> Iterator[str]:
        account, found, out = self.limits["account"], self.exposure(ahead), self.reduces(ahead)
        times, emergency = account["max_leverage"], account["emergency_leverage"]
        for check, number in (("gross_usd", 0), ("net_usd", 1)):
            own = account[f"max_{check}"]
            if times is None:
                yield check
                continue
            most = times * self.equity
            most = most if own is None else min(most, own)
            if not out and (found is None or found[number] > most):
                yield check
        equity, unknown = self.equity, found is None or self.equity <= 0
        gross, now = (Fraction(0), Fraction(0)) if found is None else (found[0], found[2])
        if times is None or (not out and (unknown or gross > times * equity)):
            yield "leverage"
        if emergency is None or (not out and (unknown or now >= emergency * equity)):
            yield "emergency_leverage"

    def money(self, ahead: Sequence[Asked], batch: Sequence[Asked]) -> Iterator[str]:
        asked, rules = ahead[-1], self.limits["margin"]
        if rules["account_type"] == "cash":
            if asked.size > 0:
                yield from self.settled(ahead)
            return
        out, account = self.reduces(ahead), self.world.account
        have = self.equity if account is None else min(self.equity, Fraction(account[0]))
        yield from self.margin(ahead, have, out=out)
        whole, share = self.exposure(batch), rules["initial_share"]
        most = rules["max_batch_share"]
        unset = share is None or most is None
        if unset or (not out and (whole is None or whole[0] * share > have * most)):
            yield "batch_margin_usd"

    def margin(self, ahead: Sequence[Asked], have: Fraction, *, out: bool) -> Iterator[str]:
        rules, found = self.limits["margin"], self.exposure(ahead)
        said = self.said_of(ahead[-1].name)
        if rules["cushion"] is None or rules["initial_share"] is None:
            yield "margin_usd"
            return
        word, need, has = said or ("yes", 0, 0)
        if word != "yes" or need is None:
            yield "margin_usd"
            return
        if out:
            return
        if found is None:
            yield "margin_usd"
            return
        needed = found[0] * rules["initial_share"]
        if self.world.account is not None:
            more = (found[0] - found[2]) * rules["initial_share"]
            needed = max(needed, self.world.account[1] + more)
        if said is not None:
            needed, have = max(needed, Fraction(need)), min(have, Fraction(has))
        if needed > have * (1 - rules["cushion"]):
            yield "margin_usd"
        elif said is None:
            ask = rules["ask"]
            if self.world.asks if ask is None else ask:
                yield "margin_asked"

    def said_of(self, name: str) -> Word | None:
        """Return the first that counts of what was said to the question about that order."""
        for number, query in enumerate(self.world.queries):
            if name in query.names:
                later = [word for each in self.world.queries[number + 1 :] for word in each.words]
                # Another start ends every question asked before it.
                for word in [*query.words, *(word for word in later if word[0] == "start")]:
                    # What comes when it is due is late; that it is due, or all begins anew, is not.
                    if word[0] in {"over", "start"} or not query.is_due:
                        return word
        return None

    def settled(self, ahead: Sequence[Asked]) -> Iterator[str]:
        cost = Fraction(0)
        for order, size in self.rest(ahead):
            if size > 0:
                last = self.last(order.symbol)
                if last is None:
                    yield "settled_usd"
                    return
                usd = size * max([last, *(own for own in (order.limit, order.stop) if own)])
                cost += usd + max(Fraction(100), usd / 100)
        if cost > self.books.cash - self.books.fees - self.unsettled():
            yield "settled_usd"

    def unsettled(self) -> Fraction:
        """Return the proceeds of sales that wait: two settlement days, all of it before T+1."""
        waiting = Fraction(0)
        for order in self.world.placed:
            always = self.world.terms.get(order.symbol, {}).get("exchange") == "24/7"
            if order.filled >= 0 or always:
                continue
            traded = self.trade_day(order)
            later = [day for day in SESSION_DAYS if traded is not None and day > traded]
            if len(later) < 2 or opens(later[1]) - 330 > self.world.now:
                waiting += Fraction(-order.filled * order.fill_price)
        return waiting

    def trade_day(self, order: Placed) -> int | None:
        if order.symbol in self.world.terms:
            return session_of(order.at) if session_of(order.at) is not None else order.at // DAY
        return order.at // DAY

    def losses(self, ahead: Sequence[Asked], _batch: Sequence[Asked]) -> Iterator[str]:
        account, out, books = self.limits["account"], self.reduces(ahead), self.books
        loss = max(books.fees - (books.equity - books.day_start - books.flows), Fraction(0))
        most = account["max_daily_loss_usd"]
        if most is None or (loss >= most and not out):
            yield "daily_loss"
        most = account["max_drawdown"]
        lost = max(books.peak - self.equity, Fraction(0))
        if most is None or (not out and (books.peak <= 0 or lost >= most * books.peak)):
            yield "drawdown"
        allowed = self.limits["prices"]["max_data_age_s"]
        held = [symbol for symbol, size in books.held.items() if size]
        minutes = None if allowed is None else Fraction(allowed) / 60
        known = minutes is not None and all(
            self.is_fresh(each, minutes) and self.is_believed(each) for each in held
        )
        if minutes is None or not (known or out):
            yield "equity_known"

    def is_believed(self, symbol: str) -> bool:
        """Say whether the last price is near one of the two before it, or the first."""
        limit, seen = self.limits["prices"]["outlier_threshold"], self.books.seen.get(symbol, [])
        earlier = [Fraction(close) for _, close in seen[-3:-1]]
        moves = [abs(Fraction(seen[-1][1]) / close - 1) for close in earlier]
        return limit is not None and (not moves or min(moves) <= limit)

    def is_fresh(self, symbol: str, minutes: Fraction) -> bool:
        """Say whether the next minute bar is late by no more than `minutes` of session."""
        seen = self.books.seen.get(symbol)
        if not seen:
            return False
        age = self.age(symbol)
        by_the_clock = self.world.now - seen[-1][0]
        return by_the_clock <= minutes or (age is not None and age <= minutes + 1)
