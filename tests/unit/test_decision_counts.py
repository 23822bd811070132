"""Counting decisions: events in, counts out."""

from decimal import Decimal

from events import (
    Check,
    ClientOrderId,
    ConfigLoaded,
    DataMode,
    IntentApproved,
    IntentRefused,
    JournalOpened,
    Mode,
    OperatorShadowed,
    OrderIntended,
    Record,
    SessionStarted,
    StrategyDeclined,
    StrategyPromoted,
    Symbol,
    nanoseconds,
)
from events.codec import JournalEvent
from ops.decision_counts import (
    Blocker,
    Decision,
    Outcome,
    SessionModes,
    ShadowTimes,
    counted,
    decisions_in,
)
from tests.builders import a_bar, an_intent, utc

DAY = "2024-01-02T15:00"


def declined(
    reason: str, before: int = 0, *, symbol: str = "A", strategy: str = "trend"
) -> StrategyDeclined:
    """Return a declined answer; the one before it had been given `before` times."""
    return StrategyDeclined(strategy, Symbol(symbol), "signal", reason, before)


def refused(order_id: str, *names: str) -> IntentRefused:
    """Return a refusal by the checks of those names; one more has passed."""
    failed = [Check(name, passed=False, value=Decimal(9), limit=Decimal(5)) for name in names]
    return IntentRefused(ClientOrderId(order_id), (Check("valid_input", passed=True), *failed))


def approved(order_id: str) -> IntentApproved:
    return IntentApproved(ClientOrderId(order_id), (Check("valid_input", passed=True),))


def decisions(
    *events: JournalEvent,
    shadows: tuple[str, ...] = (),
    at: str = DAY,
    mode: DataMode | None = DataMode.REPLAY,
) -> list[Decision]:
    """Return the decisions in `events`, newest first, as the command finds them."""
    intents = {event.client_order_id: event for event in events if isinstance(event, OrderIntended)}
    records = [
        Record(seq, nanoseconds(utc(at)), event) for seq, event in enumerate(events, start=1)
    ]
    return list(
        decisions_in(
            reversed(records),
            intents.get,
            lambda strategy, _seq: strategy in shadows,
            lambda _seq: mode,
        )
    )


def test_an_answer_is_counted_as_often_as_the_next_one_says() -> None:
    # "flat" was given 7 times before "long", "long" 3 times before "flat", which stands since.
    found = decisions(declined("flat"), declined("long", 7), declined("flat", 3))
    assert [(each.blockers[0].name, each.evaluations) for each in found] == [
        ("signal: flat", 1),
        ("signal: long", 3),
        ("signal: flat", 7),
    ]


def test_each_symbol_and_strategy_tells_of_its_own_answers() -> None:
    found = decisions(
        declined("flat"),
        declined("flat", symbol="B"),
        declined("flat", strategy="other"),
        declined("long", 4),
        declined("long", 5, symbol="B"),
    )
    told = {(each.strategy, each.symbol, each.blockers[0].name): each.evaluations for each in found}
    assert told["trend", Symbol("A"), "signal: flat"] == 4
    assert told["trend", Symbol("B"), "signal: flat"] == 5
    assert told["other", Symbol("A"), "signal: flat"] == 1


def test_what_an_order_interrupts_is_not_told_by_what_comes_after() -> None:
    # After an order a strategy starts to count afresh, so 0 is all that is known of "flat".
    found = decisions(declined("flat"), an_intent("o1"), approved("o1"), declined("long", 0))
    assert [each.evaluations for each in found] == [1, 1, 1]
    assert [each.outcome for each in found] == [
        Outcome.DECLINED,
        Outcome.APPROVED,
        Outcome.DECLINED,
    ]


def test_a_refusal_names_every_check_that_failed_and_no_other() -> None:
    (found,) = decisions(an_intent("o1"), refused("o1", "position_usd", "holds"))
    assert found.outcome is Outcome.REFUSED
    assert found.blockers == (Blocker("gate", "position_usd"), Blocker("gate", "holds"))
    assert (found.strategy, found.symbol, str(found.day)) == ("trend", "A", "2024-01-02")


def test_other_events_and_answers_to_unknown_intents_are_no_decisions() -> None:
    assert decisions(a_bar(), refused("gone", "holds"), an_intent("o1")) == []


def test_counts_add_up_and_the_most_frequent_stands_first() -> None:
    found = decisions(
        declined("flat"),
        declined("long", 6),
        an_intent("o1"),
        refused("o1", "position_usd", "holds"),
        an_intent("o2"),
        refused("o2", "position_usd"),
        an_intent("o3"),
        approved("o3"),
    )
    (counts,) = counted(found, "data", top=3)
    # "flat" 6 times, "long" once, two refusals and an approval.
    assert (counts.group, counts.decisions, counts.evaluations) == ("live", 5, 10)
    assert (counts.declined, counts.refused, counts.approved) == (7, 2, 1)
    assert [(each.name, each.evaluations, each.share) for each in counts.blockers] == [
        ("signal: flat", 6, 0.6),
        ("position_usd", 2, 0.2),
        ("holds", 1, 0.1),
    ]
    assert [each.source for each in counts.blockers] == ["strategy", "gate", "gate"]
    # Equally frequent: the newest first, so `holds` of event 4 before "long" of event 2.
    assert counted(found, "data", top=9)[0].blockers[-1].name == "signal: long"
    assert len(counted(found, "data", top=1)[0].blockers) == 1


def test_decisions_are_told_apart_by_day_strategy_and_symbol() -> None:
    found = [
        *decisions(declined("flat"), declined("flat", symbol="B", strategy="other")),
        *decisions(declined("flat"), at="2024-01-03T15:00"),
    ]
    by = {
        name: [(each.group, each.decisions) for each in counted(found, name, 1)]
        for name in ("day", "strategy", "symbol")
    }
    assert by["day"] == [("2024-01-02", 2), ("2024-01-03", 1)]
    assert by["strategy"] == [("other", 1), ("trend", 2)]
    assert by["symbol"] == [("A", 2), ("B", 1)]


def test_shadow_and_live_are_counted_apart() -> None:
    found = decisions(
        declined("flat", strategy="tried"),
        declined("flat"),
        declined("long", 3),
        shadows=("tried",),
    )
    live, shadow = counted(found, "data", 3)
    assert (live.group, live.evaluations) == ("live", 4)
    assert (shadow.group, shadow.evaluations) == ("shadow", 1)


def test_in_shadow_what_only_the_shadow_kept_from_being_sent_counts_as_approved() -> None:
    found = decisions(
        an_intent("o1", strategy="tried"),
        refused("o1", "shadow"),
        an_intent("o2", strategy="tried"),
        refused("o2", "turnover", "shadow"),
        shadows=("tried",),
    )
    (shadow,) = counted(found, "data", 3)
    assert (shadow.approved, shadow.refused) == (1, 1)
    assert [each.name for each in shadow.blockers] == ["turnover"]


def test_who_was_in_shadow_goes_by_the_moment_of_the_decision() -> None:
    def config(*, shadow: bool) -> ConfigLoaded:
        return ConfigLoaded({"strategies": {"trend": {"shadow": shadow}}}, {})

    moves = [
        Record(10, 0, config(shadow=True)),
        Record(20, 0, StrategyPromoted("trend", "ann")),
        Record(30, 0, config(shadow=True)),  # A restart: the promotion stands.
        Record(40, 0, OperatorShadowed("cmd", "ann", 1, "", "trend")),
        Record(50, 0, config(shadow=False)),  # Nobody is let out by that.
        Record(60, 0, StrategyPromoted("trend", "ann")),
        Record(70, 0, config(shadow=True)),
        Record(80, 0, declined("flat")),
    ]
    was = ShadowTimes(moves)
    shadow = [seq for seq in range(5, 95, 10) if was("trend", seq)]
    assert shadow == [15, 45, 55, 75, 85]
    assert (was("trend", 9), was("trend", 10)) == (False, True)
    assert not was("other", 15)


def test_decisions_on_recorded_and_on_live_bars_of_one_journal_are_told_apart() -> None:
    replayed = decisions(declined("flat"), declined("long", 3))
    live = decisions(declined("flat"), mode=DataMode.PAPER_LIVE)
    before_any = decisions(declined("flat"), mode=None)
    groups = counted([*replayed, *live, *before_any], "data_mode", 1)
    assert [(each.group, each.evaluations) for each in groups] == [
        ("-", 1),
        ("PAPER_LIVE", 1),
        ("REPLAY", 4),
    ]
    (trend,) = counted([*replayed, *live], "strategy", 1)
    assert trend.data_modes == ["PAPER_LIVE", "REPLAY"]


def test_the_data_mode_of_a_decision_is_that_of_the_session_it_was_made_in() -> None:
    opened = JournalOpened("j", Mode.PAPER, "paper")
    sessions = [
        Record(10, 0, SessionStarted("1", {}, {}, data_mode=DataMode.REPLAY)),
        # One that is older than the word has it from the mode and its feed.
        Record(20, 0, SessionStarted("1", {}, {}, live_feed=True)),
    ]
    was = SessionModes(opened, sessions)
    assert [was(seq) for seq in (9, 10, 19, 20, 99)] == [
        None,
        DataMode.REPLAY,
        DataMode.REPLAY,
        DataMode.PAPER_LIVE,
        DataMode.PAPER_LIVE,
    ]
