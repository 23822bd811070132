"""`python -m tests.gate_campaign --cases N --seed S`: the gate against its oracle.

Draws worlds, limits and orders, asks both, and prints every case on which they differ. A negative
control blinds the gate to one check after the other: each must be noticed. Where another check
always refuses as well, it is noticed by the reasons that differ, and not by a wrong approval.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import msgspec

from daemon.gate import Limits, RiskApproved, RiskAsks
from daemon.gate import gate as the_gate
from daemon.gate.checks import CHECKS
from events import ClientOrderId, OrderIntended, OrderType, Symbol, TimeInForce
from projections import State
from tests.gate_oracle import Asked, Oracle, Row
from tests.gate_world import STRATEGIES, SYMBOLS, World, a_kind, a_world, books_of, moment

CASES_A_WORLD = 12
CONTROL_CASES_MAX = 100_000
NOTICED_ENOUGH = 100
"""How often a check must be missed among others before only its wrong approvals are counted."""
NONSENSE = [Decimal(text) for text in ("NaN", "sNaN", "Infinity", "-Infinity", "1.797e308")]
NONSENSE += [Decimal(2_147_483_647), Decimal("1e-30")]

Option = tuple[str, list[Any]]
TABLES: dict[str, list[Option]] = {
    "account": [
        ("max_order_shares", [50, 1000, 10**6]),
        ("max_order_usd", [5_000_00, 10**8, 10**9]),
        ("max_position_shares", [100, 1000, 10**6]),
        ("max_position_usd", [10_000_00, 10**8, 10**9]),
        ("max_orders_a_day", [1, 3, 500]),
        ("allow_short", [True, True, True, False]),
        ("max_daily_loss_usd", [100, 1_000_00, 10**9]),
        ("max_drawdown", [Fraction(1, 20), Fraction(9, 10), Fraction(9, 10)]),
        ("max_gross_usd", [None, None, 10_000_00]),
        ("max_net_usd", [None, None, 10_000_00]),
        ("max_leverage", [Fraction(7, 5), 10, 10]),
        ("emergency_leverage", [Fraction(1, 2), 3, 10]),
        ("max_day_trades", [None, None, 1, 2]),
        ("allow_symbols", [(), (), (), ("A",)]),
        ("deny_symbols", [(), (), (), ("B",)]),
    ],
    "prices": [
        ("max_data_age_s", [60, 1800, 1800, 86_400]),
        ("outlier_threshold", [Fraction(3, 10), Fraction(1)]),
        ("max_distance_last", [Fraction(1, 10), Fraction(1)]),
        ("max_distance_close", [Fraction(3, 10), Fraction(1)]),
    ],
    "orders": [
        ("open_cutoff_s", [120]),
        ("close_cutoff_s", [600]),
        ("allow_opposite", [False, True]),
        ("require_shortable_data", [False, False, True]),
    ],
    "rates": [
        ("window_s", [60, 300, 3600]),
        ("max_orders", [1, 2, 60, 60]),
        ("max_messages", [2, 4, 120, 120]),
        ("max_intents", [1, 4, 100, 100]),
    ],
    "turnover": [
        ("max_a_day", [1, 2, 10, 10]),
        ("min_ratio", [2]),
        ("cost_bps", [5]),
    ],
    "margin": [
        ("account_type", ["margin", "margin", "margin", "cash"]),
        ("initial_share", [Fraction(1, 2), Fraction(1, 10)]),
        ("cushion", [Fraction(1, 5)]),
        ("max_batch_share", [Fraction(4, 5), Fraction(1, 5)]),
        ("ask", [None, None, False, True]),
    ],
}
MAY_NOT_BE_NONE = {"allow_opposite", "require_shortable_data", "account_type", "ask"}
MAY_NOT_BE_NONE |= {"allow_symbols", "deny_symbols"}


def some_limits(random: Random) -> Row:
    """Draw limits in plain numbers, dollars in cents; now and then one is not set."""
    wide = random.random() < 0.7
    tables: Row = {}
    for table, options in TABLES.items():
        tables[table] = {}
        for name, values in options:
            value = values[-1] if wide and table != "margin" else random.choice(values)
            if name in {"max_day_trades", "max_gross_usd", "max_net_usd"} and wide:
                value = None
            if name in {"allow_symbols", "deny_symbols"} and wide:
                value = ()
            if name not in MAY_NOT_BE_NONE and random.random() < 0.002:
                value = None
            tables[table][name] = value
    for table, names in (("symbols", SYMBOLS), ("strategies", STRATEGIES)):
        tables[table] = {
            name: {
                option: random.choice(values)
                for option, values in TABLES["account"][:6]
                if random.random() < 0.3
            }
            for name in names
            if random.random() < 0.15
        }
    return tables


def real(limits: Row) -> Limits:
    """Return the limits as the gate takes them."""

    def number(name: str, value: object) -> object:
        if isinstance(value, Fraction):
            value = Decimal(value.numerator) / value.denominator
        if name.endswith("_usd") and isinstance(value, int):
            return Decimal(value) / 100
        return value

    plain = {
        table: {
            key: {name: number(name, value) for name, value in each.items()}
            if isinstance(each, dict)
            else number(key, each)
            for key, each in options.items()
        }
        for table, options in limits.items()
    }
    return msgspec.convert(plain, Limits, strict=False)


def some_orders(random: Random, world: World) -> list[Asked]:
    count = random.choice([1, 1, 1, 2, 3])
    return [_an_order(random, world, f"n{number}") for number in range(count)]


def _an_order(random: Random, world: World, name: str) -> Asked:
    symbol = random.choice(SYMBOLS)
    known = [close for _, of, close in world.bars if of == symbol]
    price = known[-1] if known else 10_000
    size = Fraction(random.choice([1, 10, 40, 100, 1000])) * random.choice([1, 1, -1])
    if random.random() < 0.06:
        size /= 8
    kind, limit, stop = a_kind(random, price)
    asked = Asked(name, random.choice(STRATEGIES), symbol, size, kind)
    asked.limit = None if limit is None else Fraction(limit)
    asked.stop = None if stop is None else Fraction(stop)
    rare = random.random()
    if rare < 0.06:
        asked.tif = random.choice(["OPG", "CLS"])
    elif rare < 0.2:
        asked.outside = True
    elif rare < 0.24:
        asked.edge = Fraction(random.choice([0, 500, 5_000, 10**6]))
    elif rare < 0.26:
        asked.cancel_after = random.choice([-1, 0, 30])
    elif rare < 0.29:
        asked.limit = random.choice([None, Fraction(0), Fraction(-5), Fraction(10_001, 2)])
    elif rare < 0.3:
        asked.size = Fraction(0)
    return asked


def intended(asked: Asked) -> OrderIntended:
    def cents(value: Fraction | None) -> Decimal | None:
        return None if value is None else Decimal(value.numerator) / value.denominator / 100

    return OrderIntended(
        ClientOrderId(asked.name),
        asked.strategy,
        Symbol(asked.symbol),
        Decimal(asked.size.numerator) / asked.size.denominator,
        OrderType(asked.kind),
        TimeInForce(asked.tif),
        cause_key="made up",
        leg=0,
        limit_price=cents(asked.limit),
        stop_price=cents(asked.stop),
        cancel_after_s=asked.cancel_after,
        outside_rth=asked.outside,
        expected_edge_usd=cents(asked.edge),
    )


def nonsense(random: Random, intent: OrderIntended) -> OrderIntended:
    """Return the intent with one number that is none."""
    number = random.choice(NONSENSE)
    kind = random.choice(["quantity", "limit_price", "stop_price"])
    if kind == "quantity":
        return msgspec.structs.replace(intent, quantity=random.choice([number, Decimal("-0")]))
    order_type = OrderType.LIMIT if kind == "limit_price" else OrderType.STOP
    prices = {"limit_price": None, "stop_price": None, kind: number}
    return msgspec.structs.replace(intent, order_type=order_type, **prices)


class Case:
    """One question to both."""

    def __init__(self, world: World, state: State, limits: Row, batch: list[Asked]) -> None:
        self.world = world
        self.batch = batch
        self.limits = limits
        self.intents = [intended(asked) for asked in batch]
        self._state = state
        self._real = real(limits)
        self._expected: set[str] | None = None

    def answer(self, without: str = "") -> set[str]:
        """Return the checks by which the gate refuses; none: it approves.

        `without` leaves one check out, as if the gate did not have it.
        """
        now = moment(self.world.now)
        answers = the_gate.check(self.intents, self._state, self._real, now)
        failed = {check.name for each in answers for check in each.checks if not check.passed}
        assert bool(failed) is not all(isinstance(each, RiskApproved) for each in answers)
        if any(isinstance(each, RiskAsks) for each in answers):
            assert failed == {"margin_usd"}
            failed = {"margin_asked"}
        return failed - {"batch", without}

    def expected(self) -> set[str]:
        if self._expected is None:
            self._expected = Oracle(self.world, self.limits).refusals(self.batch)
        return self._expected


def cases(seed: int, count: int) -> Iterator[Case]:
    """Yield `count` cases, the same for the same seed."""
    random = Random(seed)
    made = 0
    while made < count:
        world = a_world(random)
        state = books_of(world)
        for _ in range(min(CASES_A_WORLD, count - made)):
            yield Case(world, state, some_limits(random), some_orders(random, world))
            made += 1


WRONG = "WRONG APPROVAL:"


class Tally:
    """What came of a campaign."""

    def __init__(self) -> None:
        self.approved = self.refused = self.nonsense = 0
        self.wrong: list[str] = []
        self.reasons: Counter[str] = Counter()

    def take(self, case: Case, random: Random, without: str = "") -> None:
        found, expected = case.answer(without), case.expected()
        if "valid_input" in found & expected:
            pass  # What is no order has no side: the rest says nothing.
        elif found != expected:
            kind = WRONG if expected and not found else "differs:"
            both = f"gate only {sorted(found - expected)}, oracle only {sorted(expected - found)}"
            self.wrong.append(f"{kind} {both}: {case.batch} in {case.world} under {case.limits}")
        self.approved += not found
        self.refused += bool(found)
        self.reasons.update(found)
        if random.random() < 0.1:
            self.nonsense += 1
            number = random.randrange(len(case.intents))
            case.intents[number] = nonsense(random, case.intents[number])
            if not case.answer():
                self.wrong.append(f"WRONG APPROVAL of nonsense: {case.intents[number]}")


def campaign(seed: int, count: int) -> Tally:
    tally, random = Tally(), Random(seed + 1)
    for case in cases(seed, count):
        tally.take(case, random)
    return tally


class Noticed(msgspec.Struct):
    """How often a gate without one check was told from the oracle, and how often it approved."""

    differs: int = 0
    approvals: int = 0


def control(seed: int, count: int) -> dict[str, Noticed]:
    """Return for each check in how many cases its loss was noticed: none goes unnoticed."""
    noticed = {check.__name__: Noticed() for check in CHECKS}
    for case in cases(seed, count):
        refused = case.answer()
        for name in refused & noticed.keys():
            found = noticed[name]
            if len(refused) == 1 or found.differs < NOTICED_ENOUGH:
                tally = Tally()
                tally.take(case, Random(0), without=name)
                found.differs += bool(tally.wrong)
                found.approvals += any(text.startswith(WRONG) for text in tally.wrong)
    return noticed


def main() -> int:
    """Run a campaign; return 1 when gate and oracle differ, or a check's loss goes unnoticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began = time.monotonic()
    tally = campaign(chosen.seed, chosen.cases)
    for wrong in tally.wrong[:5]:
        print(wrong, "\n")  # noqa: T201 - a script
    approvals = sum(wrong.startswith("WRONG") for wrong in tally.wrong)
    noticed = control(chosen.seed, min(chosen.cases, CONTROL_CASES_MAX))
    unseen = [name for name, found in noticed.items() if not found.differs]
    print(  # noqa: T201 - a script
        f"seed {chosen.seed}: {tally.approved + tally.refused} cases in "
        f"{time.monotonic() - began:.0f} s, {tally.approved} approved, {tally.refused} refused, "
        f"{tally.nonsense} of nonsense; {approvals} wrong approvals, "
        f"{len(tally.wrong)} cases on which gate and oracle differ"
    )
    print("refused by:", dict(tally.reasons.most_common()))  # noqa: T201 - a script
    print("without a check, differing cases / wrong approvals:")  # noqa: T201 - a script
    for name, found in noticed.items():
        print(f"  {name} {found.differs} / {found.approvals}")  # noqa: T201 - a script
    print("checks whose loss nothing notices:", unseen or "none")  # noqa: T201 - a script
    return int(bool(tally.wrong or unseen))


if __name__ == "__main__":
    sys.exit(main())
