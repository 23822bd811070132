"""Margin asked of a broker: behind the record of the question, whatever becomes of the answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from daemon import app
from daemon.brokers import Inbox
from daemon.brokers.border import checked
from daemon.brokers.faults import Fault, FaultKind, FaultyBroker, Message
from daemon.brokers.paper import PaperBroker
from daemon.brokers.paper_margin import margin_after
from daemon.config.file import ConfigError
from daemon.config.options import Config
from events import (
    IntentRefused,
    MarginReported,
    MarginRequested,
    MarginUnavailable,
    OrderFilled,
    OrderIntended,
    OrderSending,
    OrderWithheld,
    Record,
    SessionStarted,
    SymbolHalted,
    SymbolResumed,
)
from events.journal import Journal, JournalReader
from ops.commands import explain
from projections import State
from tests.broker_desk import PLAIN
from tests.builders import (
    a_bar,
    a_config,
    a_deposit,
    a_fill,
    an_intent,
    an_order,
    fold,
    state_after,
)
from tests.core_desk import A, Scripted, buy, kinds, of
from tests.engine_desk import Works, minutes, works
from tests.gate_desk import books, rules
from tests.small_runs import TREND, Minutes, Place, config
from tests.unit.test_engine_live import Quiet

ASKING = rules(margin={"ask": True, "cushion": "0"})
LATE, DUPLICATE, _, LOST, UNSET = FaultKind
NO_ANSWER = ["the broker said no margin: no answer in time"]


class Askable(Quiet):
    """A broker outside that can be asked; `unwritten` are questions nobody could read before."""

    def __init__(self, journal: Path) -> None:
        super().__init__()
        self.asked: list[tuple[str, Sequence[OrderIntended]]] = []
        self.unwritten: list[str] = []
        self._reader = JournalReader(journal)

    def ask_margin(self, request_id: str, intents: Sequence[OrderIntended]) -> None:
        self.asked.append((request_id, intents))
        if self._reader.find(MarginRequested, request_id) is None:
            self.unwritten.append(request_id)

    def close(self) -> None:
        self._reader.close()


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(tmp_path / "journal.db")
    yield opened
    await opened.close()


@pytest.fixture
def outside(journal: Journal) -> Iterator[Askable]:
    broker = Askable(journal.path)
    yield broker
    broker.close()


def why_refused(at: Works) -> list[str]:
    return [
        each.note or each.name
        for refusal in of(at.written(), IntentRefused)
        for each in refusal.failed
    ]


# A broker outside.


async def test_the_question_leaves_when_its_record_is_durable_and_the_order_behind_the_answer(
    journal: Journal, outside: Askable
) -> None:
    async with works(journal, outside, Scripted(bars=[buy("10")]), under=ASKING) as at:
        await at.run(minutes(0, 0))
        ((request_id, (intent,)),) = outside.asked
        assert outside.unwritten == []
        assert outside.submitted == []
        yes = MarginReported(request_id, Decimal(500), Decimal(250), Decimal(10**6))
        at.engine.stop_reason = ""  # The feed of this run has ended, and with it its orders.
        outside.report(yes)
        await at.engine.commit()
        assert outside.submitted == [intent.client_order_id]
        assert kinds(at.written())[-4:] == [
            "margin.requested",
            "margin.reported",
            "intent.approved",
            "order.sending",
        ]


async def test_a_broker_that_never_answers_sends_nothing(
    journal: Journal, outside: Askable
) -> None:
    strategy = Scripted(bars=[buy("10")])
    async with works(journal, outside, strategy, under=ASKING) as at:
        await at.run(minutes(0, 1))
        assert why_refused(at) == NO_ANSWER
        outside.report(MarginReported(outside.asked[0][0], Decimal(0), Decimal(0), Decimal(10**6)))
        await at.engine.commit()
        assert outside.submitted == []
        assert kinds(at.written())[-1] == "margin.reported"


async def test_a_broker_that_cannot_answer_is_not_one_to_be_asked(journal: Journal) -> None:
    broker = Quiet()
    async with works(journal, broker, Scripted(bars=[buy("10")]), under=ASKING) as at:
        await at.run(minutes(0, 1))
        assert why_refused(at) == NO_ANSWER
        assert broker.submitted == []


def test_a_configuration_that_asks_who_cannot_answer_is_refused() -> None:
    tree = {"broker": {"kind": "mine:Broker"}, "limits": {"margin": {"ask": True}}}
    with pytest.raises(ConfigError, match=r"limits\.margin\.ask: mine:Broker cannot say"):
        app.assert_mode(msgspec.convert(tree, Config), Quiet(), Minutes.__new__(Minutes))


@pytest.mark.parametrize("unset", ["NaN", "Infinity", "1.797e308", "1e-30", None, "", 5])
def test_what_is_no_margin_is_unset_behind_the_border(unset: object) -> None:
    number = Decimal(unset) if isinstance(unset, str) and unset else unset
    said = MarginReported("m", number, Decimal(1), Decimal(2))  # type: ignore[arg-type] # a broker may say anything
    assert checked(said, 0) == MarginReported("m", None, Decimal(1), Decimal(2))


def test_answers_and_halts_are_what_a_broker_may_report() -> None:
    for report in (
        MarginReported("m", Decimal(1), Decimal(-1), Decimal(2)),
        MarginUnavailable("m", "no"),
        SymbolHalted(A, "news"),
        SymbolResumed(A),
    ):
        assert checked(report, 0) == report


# The paper broker, with faults.


def test_the_paper_broker_asks_for_half_of_every_position_with_the_orders_filled() -> None:
    state = books()
    short = (*an_order("b", "-20", symbol="B"), a_fill("-20", "50", order_id="b", symbol="B"))
    intents = [an_intent("o1", "30"), an_intent("o2", "-40")]
    no = margin_after(state_after(a_config("A", "B")), "m", intents)
    assert no == MarginUnavailable("m", "no price of A is known")
    # 10 short of A at 100 when both are filled.
    assert margin_after(state, "m", intents) == MarginReported(
        "m", Decimal(500), Decimal(250), Decimal(10_000)
    )
    fold(state, a_bar("50", symbol="B"), *short)
    # And 20 short of B at 50.
    assert margin_after(state, "m", intents) == MarginReported(
        "m", Decimal(1000), Decimal(500), Decimal(10_000)
    )


def faulty(*plan: Fault) -> FaultyBroker:
    return FaultyBroker(PaperBroker(PLAIN), plan)


@pytest.mark.parametrize(
    ("fault", "sent", "why"),
    [
        (Fault(LATE, Message.MARGIN, delay_reports=1), 1, NO_ANSWER),
        (Fault(LOST, Message.MARGIN), 1, NO_ANSWER),
        (Fault(LOST, Message.ASK_MARGIN), 1, NO_ANSWER),
        (Fault(UNSET, Message.MARGIN), 1, ["the broker left the margin unset"]),
        (Fault(DUPLICATE, Message.MARGIN, delay_reports=0), 2, []),
        (Fault(DUPLICATE, Message.MARGIN, delay_reports=1), 2, []),
        (Fault(DUPLICATE, Message.ASK_MARGIN), 2, []),
    ],
)
async def test_an_answer_that_is_late_lost_or_unset_is_a_no_and_a_second_one_nothing(
    journal: Journal, fault: Fault, sent: int, why: list[str]
) -> None:
    strategy = Scripted(bars=[buy("10"), None, buy("20")])
    async with works(journal, faulty(fault), strategy, under=ASKING) as at:
        await at.run(minutes(0, 4))
        assert len(of(at.written(), OrderSending)) == sent
        assert why_refused(at) == why
        fills = [each.quantity for each in of(at.written(), OrderFilled)]
        assert fills == [Decimal(10), Decimal(20)][-sent:]
        assert at.state.margin.requests == {}


def test_only_an_answer_about_margin_can_be_unset() -> None:
    with pytest.raises(ValueError, match=r"only a margin\.reported can be unset, no order\.filled"):
        Fault(UNSET, Message.FILLED)


# The whole daemon, and its journal again.


class Outside(PaperBroker):
    """The paper broker as one outside: what is in the account is for it to say."""

    outside = True

    def __init__(self) -> None:
        super().__init__(PLAIN)

    def connect(self, state: State, inbox: Inbox) -> None:
        super().connect(state, inbox)
        inbox(a_deposit("100000"))


def run(folder: Path, tables: Mapping[str, object]) -> Place:
    """Run the daemon over forty minutes of two symbols, with these tables besides the usual."""
    folder.mkdir(exist_ok=True)
    place = Place(folder / "place")
    (place.folder / "minutes").write_text("40", encoding="utf-8")
    usual = config(place.folder, {"trend": TREND}, 1_000)
    made = msgspec.convert(merged(msgspec.to_builtins(usual), tables), Config, strict=False)

    def started(_prepared: app.Prepared) -> None: ...

    asyncio.run(
        app.run(made, place.folder, place.journal, started=started, progress=lambda _count: None)
    )
    return place


def merged(tree: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        name: merged(tree[name], each) if isinstance(each, dict) and name in tree else each
        for name, each in more.items()
    }
    return tree | both


def events_of(place: Place) -> list[Record]:
    with JournalReader(place.journal) as reader:
        return list(reader.records())


def test_a_run_that_asks_decides_the_same_when_it_is_decided_again(tmp_path: Path) -> None:
    faults = [
        {"kind": "lost", "message": "margin.reported", "nth": 2},
        {"kind": "unset", "message": "margin.reported", "nth": 3},
        {"kind": "duplicate", "message": "margin.reported", "nth": 4},
    ]
    asks = {"limits": {"margin": {"ask": True}}, "broker": {"params": {"faults": faults}}}
    place = run(tmp_path, asks)
    records = events_of(place)
    assert len(of(records, MarginRequested)) > 5
    assert len(of(records, IntentRefused)) == 2
    assert len(of(records, OrderSending)) > 5
    again = place.recover(from_snapshot=False)
    assert again.differences == []
    assert again.decisions > 30
    # A person reads what was asked and answered between the intent and the gate's word.
    sent = of(records, OrderSending)[0].client_order_id
    shown = CliRunner().invoke(explain.command, [sent, "--journal", str(place.journal)]).stdout
    asked_at, passed_at = shown.index("the broker's margin"), shown.index("the gate let it pass")
    assert "what margin the order needs" in shown[asked_at:passed_at]
    assert "with them the account has 100,000.00" in shown[asked_at:passed_at]
    # Cut anywhere, the books come back, and no order is left that nobody would decide.
    asked = [record.seq for record in records if isinstance(record.event, MarginRequested)]
    for number, seq in enumerate(asked[:3]):
        cut = place.cut(seq, tmp_path / f"cut{number}")
        assert len(cut.recover(from_snapshot=False).state.margin.requests) == 1


def test_a_broker_outside_that_can_answer_is_asked_without_being_told_to(tmp_path: Path) -> None:
    outside = f"{Outside.__module__}:{Outside.__qualname__}"
    place = run(tmp_path, {"broker": {"kind": outside}, "dry_run": True})
    records = events_of(place)
    assert [each.asks_margin for each in of(records, SessionStarted)] == [True]
    assert of(records, MarginRequested)
    assert {each.reason for each in of(records, OrderWithheld)} == {"dry run"}
    silent = run(tmp_path / "inside", {})
    assert [each.asks_margin for each in of(events_of(silent), SessionStarted)] == [False]
    assert of(events_of(silent), MarginRequested) == []
