"""Whatever a strategy answers, raises or does to the arithmetic, it alone is put on HALT."""

import decimal
from asyncio import CancelledError
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.core.answers import (
    ANSWERS_MAX,
    CANCEL_AFTER_MAX_S,
    NESTING_MAX,
    TEXT_MAX,
    VALUES_MAX,
    read_answer,
)
from daemon.strategies import Answer, Every, Intent, NoTrade, Schedule, Strategy, View
from events import (
    BarClosed,
    ConfigLoaded,
    CorporateActionApplied,
    OrderIntended,
    OrderType,
    StrategyFailed,
    SymbolTerms,
)
from events.codec import decode, encode
from tests.builders import a_fill, a_split
from tests.core_desk import OPENING, A, CoreDesk, Scripted, buy, kinds, of
from tests.gate_desk import limits

SENT = ["order.intended", "intent.approved", "order.sending"]
FAILED = ["strategy.failed", "hold.placed"]
HALF = "\ud800"
"""Half a character: no file and no journal can hold it."""
FLAT = NoTrade("signal", "flat")


class Speechless(Exception):
    """What is wrong it cannot say."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Nameless(BaseException):
    """No Exception at all, and it ends the process of who asks what it is."""

    def __str__(self) -> str:
        raise SystemExit(3)


class Wordy(Exception):
    """Says something else each time it is asked, and that is no plain text."""

    def __str__(self) -> str:
        return Fickle(f"{HALF} and on and on " * 1_000)


class Fickle(str):
    """A text that cannot be written, compared or hashed."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("not now")

    def __len__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


class Restless(Mapping[str, int]):
    """A mapping without an end."""

    def __getitem__(self, key: str) -> int:
        return len(key)

    def __iter__(self) -> Iterator[str]:
        name = ""
        while True:
            name += "x"
            yield name

    def __len__(self) -> int:
        return 1


class Unwritable:
    """A value that has no text."""

    def __str__(self) -> str:
        raise KeyError("text")


class Mine(Decimal):
    """A number that is whatever it likes to be."""

    def is_finite(self) -> bool:
        raise ZeroDivisionError("who asks?")


endless: list[Any] = []
endless.append(endless)
nested: Any = FLAT
for _ in range(NESTING_MAX + 1):
    nested = [nested]

HOSTILE: dict[str, Any] = {
    "the end of the process": SystemExit(1),
    "the end of a generator": GeneratorExit(),
    "no exception at all": BaseException("oops"),
    "an exception that raises when it is shown": Speechless(),
    "one that ends the process when it is shown": Nameless(),
    "an exception that goes on for ever": Wordy(),
    "an exception with half a character": ValueError(HALF),
    "a list that holds itself": endless,
    "lists in lists in lists": nested,
    "too many answers": [FLAT] * (ANSWERS_MAX + 1),
    "a cancel in thirty thousand years": buy(cancel_after_s=10**12),
    "a cancel after more than a day": buy(cancel_after_s=CANCEL_AFTER_MAX_S + 1),
    "a cancel at once": buy(cancel_after_s=0),
    "hours in words": buy(outside_rth="yes"),
    "hours as a number": buy(outside_rth=1),
    "an edge that is a float": buy(expected_edge_usd=1.5),
    "an edge that is no number": buy(expected_edge_usd=Decimal("NaN")),
    "a cancel before the sending": buy(cancel_after_s=-5),
    "a cancel of thousands of digits": buy(cancel_after_s=10**5_000),
    "half a character for a reason": NoTrade("stage", HALF),
    "half a character for a stage": NoTrade(HALF, "reason"),
    "half a character for a symbol": NoTrade("stage", "reason", HALF),  # type: ignore[arg-type] # the point
    "half a character to buy": buy(symbol=HALF),
    "half a character for a value": buy(values={"close": HALF}),
    "half a character for a name": buy(values={HALF: 1}),
    "a novel for a reason": NoTrade("stage", "x" * (TEXT_MAX + 1)),
    "a novel for a value": buy(values={"close": "x" * (TEXT_MAX + 1)}),
    "a novel to buy": buy(symbol="A" * 10**6),
    "too many values": buy(values={str(number): number for number in range(VALUES_MAX + 1)}),
    "values without an end": buy(values=Restless()),
    "a value that has no text": buy(values={"close": Unwritable()}),
    "a value of thousands of digits": buy(values={"close": 10**5_000}),
    "a number of its own kind": buy(quantity=Mine(10)),
    "a number with a million zeros": buy("1e1000000"),
    "a number beyond all sizes": buy(quantity=Decimal("1e999999999")),
    "a number of a million digits": buy("1" * 1_000_000),
    "a price with a million places": buy(
        order_type=OrderType.LIMIT, limit_price=Decimal("1e-1000000")
    ),
    "a text that is not itself": buy(symbol=Fickle("B")),
}


@pytest.mark.parametrize("hostile", list(HOSTILE))
def test_a_hostile_answer_halts_its_strategy_and_leaves_nothing_half_recorded(hostile: str) -> None:
    desk = CoreDesk(Scripted(bars=[HOSTILE[hostile]]), Scripted(bars=[buy(), buy()]))
    records = desk.minute("15:00")
    assert kinds(records) == ["bar.closed", *FAILED, *SENT]
    assert kinds(desk.minute("15:01")) == ["bar.closed", *SENT]
    for record in records:
        assert decode(encode(record.event)) == record.event
        assert len(encode(record.event)) < 10_000
    (failed,) = of(records, StrategyFailed)
    assert failed.error.isprintable()


@pytest.mark.parametrize(
    "wrong", [each for each in HOSTILE.values() if not isinstance(each, BaseException)]
)
def test_a_sound_part_of_a_hostile_answer_is_not_sent(wrong: object) -> None:
    desk = CoreDesk(Scripted(bars=[[buy(), wrong, buy()]]))
    assert kinds(desk.minute()) == ["bar.closed", *FAILED]
    assert desk.effects() == []


def test_ctrl_c_while_a_strategy_is_asked_is_meant_for_the_daemon() -> None:
    with pytest.raises(KeyboardInterrupt):
        CoreDesk(Scripted(bars=[KeyboardInterrupt()])).minute()


def test_a_strategy_does_not_end_the_engine_by_cancelling_it() -> None:
    # Nobody can cancel from outside what never waits: it is the strategy's own doing.
    records = CoreDesk(Scripted(bars=[CancelledError()])).minute()
    assert of(records, StrategyFailed) == [StrategyFailed("trend", "CancelledError: ")]


@pytest.mark.parametrize("script", ["fills", "refusals", "timers"])
def test_no_question_lets_the_end_of_the_process_through(script: str) -> None:
    trend = msgspec.structs.replace(
        Scripted(bars=[buy("1")], timetable=(Schedule("daily", Every.SESSION),)),
        **{script: [SystemExit(1)]},
    )
    under = limits(max_order_shares="0.5") if script == "refusals" else limits()
    desk = CoreDesk(trend, under=under)
    records = desk.pass_time("2024-01-02T14:31") + desk.minute("15:00")
    if script == "fills":
        records += desk.step(a_fill("1", order_id=desk.order(records).client_order_id))
    assert of(records, StrategyFailed) == [StrategyFailed("trend", "SystemExit: 1")]


def test_what_is_just_within_the_bounds_is_an_answer() -> None:
    wide = buy(
        "1.000000000001",
        cancel_after_s=CANCEL_AFTER_MAX_S,
        values={str(number): "x" * TEXT_MAX for number in range(VALUES_MAX)},
    )
    deep: Any = [NoTrade("é" * TEXT_MAX, "漢" * TEXT_MAX)] * (ANSWERS_MAX - 1)
    for _ in range(NESTING_MAX - 1):
        deep = (deep,)
    # Parts of a share are for the gate to allow.
    terms = {A: SymbolTerms("NYSE", True, False, fractions=True)}  # noqa: FBT003 - its hours
    fractions = [
        ConfigLoaded({}, terms) if type(each) is ConfigLoaded else each for each in OPENING
    ]
    desk = CoreDesk(Scripted(bars=[wide, deep]), opening=fractions)
    assert kinds(desk.minute("15:00")) == ["bar.closed", *SENT]
    assert kinds(desk.minute("15:01")) == ["bar.closed", "strategy.declined"]


def test_a_text_of_another_kind_is_taken_as_the_text_it_is() -> None:
    class Name(str):
        __slots__ = ()

    intent = Intent(Name("A"), Decimal(1), values={Name("close"): Name("100")})  # type: ignore[arg-type] # the point
    reason = NoTrade(Name("stage"), Name("reason"))
    desk = CoreDesk(Scripted(bars=[intent, reason, reason]))
    (intended,) = of(desk.minute("15:00"), OrderIntended)
    assert type(intended.symbol) is str
    assert intended.values == {"close": "100"}
    assert kinds(desk.minute("15:01")) == ["bar.closed", "strategy.declined"]
    assert kinds(desk.minute("15:02")) == ["bar.closed"]


def test_a_plain_reason_stays_the_very_object_so_that_it_is_read_once() -> None:
    (read,) = read_answer([FLAT], {A}, A)
    assert read is FLAT


# Arithmetic. Money is reckoned to 28 digits, and an error in it is never passed over.


class Careless(Strategy):
    """Changes how everybody reckons, then answers."""

    change: str = ""
    answers: list[Any] = msgspec.field(default_factory=list)

    def on_bar(self, bar: BarClosed, view: View) -> Answer:  # noqa: ARG002 - as every strategy's
        self._change()
        answer: Answer = self.answers.pop(0) if self.answers else None
        return answer

    def on_split(self, action: CorporateActionApplied) -> None:  # noqa: ARG002 - as above
        self._change()

    def _change(self) -> None:
        context = decimal.getcontext()
        match self.change:
            case "digits":
                context.prec = 3
            case "rounding":
                context.rounding = decimal.ROUND_UP
            case "size":
                context.Emax = 2
            case "errors":
                context.traps[decimal.Inexact] = True
                context.traps[decimal.InvalidOperation] = False
            case "another":
                decimal.setcontext(decimal.Context(prec=5))
            case "its own":
                with decimal.localcontext() as own:
                    own.prec = 50


CHANGES = ["digits", "rounding", "size", "errors", "another"]


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_strategy_does_to_the_arithmetic_stays_with_it(change: str) -> None:
    before = decimal.getcontext()
    before.clear_flags()
    bound = repr(before)
    careless = Careless(change, [None, buy("7"), buy("8")])
    desk = CoreDesk(careless, Scripted(bars=[None, buy("3")]))
    assert kinds(desk.minute("15:00", close="123456.789")) == ["bar.closed"]
    desk.core.desk.on_split(a_split("3:1", "0", "0"))
    assert Decimal(1) / 3 == Decimal("0.3333333333333333333333333333")
    assert decimal.getcontext() is before
    before.clear_flags()
    assert repr(before) == bound
    # What it reckoned that way it would reckon otherwise after a restart, so it does not count.
    records = desk.minute("15:01", close="123456.789")
    assert kinds(records) == ["bar.closed", *FAILED, *SENT]
    (failed,) = of(records, StrategyFailed)
    assert "decimal.localcontext()" in failed.error
    assert [each.quantity for each in of(records, OrderIntended)] == [3]


def test_a_strategy_may_reckon_in_a_context_of_its_own() -> None:
    desk = CoreDesk(Careless("its own", [buy()]))
    assert kinds(desk.minute()) == ["bar.closed", *SENT]


def test_one_strategys_arithmetic_is_not_anothers() -> None:
    class Exact(Scripted):
        def on_bar(self, bar: BarClosed, view: View) -> Answer:
            return NoTrade("a third", str((bar.close + view.quantity(A)) / 3))

    desk = CoreDesk(Careless("digits"), Exact())
    desk.minute("15:00", close="1")
    assert desk.state.strategies.of("other").declined[A].reason == "0." + "3" * 28
