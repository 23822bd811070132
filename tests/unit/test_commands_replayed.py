"""A day with every command there is: folded, cut, snapshotted and decided again, it is the same."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from daemon.core.core import CoreSettings
from daemon.core.promotion import PromotionRule
from daemon.core.strategy_runs import StrategyRun
from daemon.history.replay import Renewed, ReplayCore, turns
from daemon.strategies import Answer, Strategy, View
from events import (
    BarClosed,
    ConfigLoaded,
    HoldLevel,
    HoldScope,
    JournalOpened,
    Mode,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorKilled,
    OperatorLifted,
    OperatorPromoteAsked,
    OperatorReconcileAsked,
    OperatorReloaded,
    OperatorResolveAsked,
    OperatorResumed,
    OperatorShadowed,
    OrderAcknowledged,
    OrderCancelled,
    OrderIntended,
    OrderSending,
    OrderType,
    PermitLost,
    Record,
    SessionStarted,
    TimeInForce,
)
from events.codec import TAGS, Command, decode, encode
from projections import State
from tests.builders import a_bar, a_calendar, a_commission, a_config, a_deposit, a_fill, a_session
from tests.core_desk import A, CoreDesk, buy, of
from tests.gate_desk import limits
from tests.looks import a_look, listed
from tests.operators import an_order_by_hand, held, said

LIMIT: dict[str, Any] = {
    "order_type": OrderType.LIMIT,
    "limit_price": Decimal(90),
    "time_in_force": TimeInForce.GTC,
}
PLAN: dict[str, Answer] = {
    "15:01": buy("100"),
    "15:02": buy("5", **LIMIT),
    "15:03": buy("6", **LIMIT),
    "15:05": buy("7"),
    "15:07": buy("8"),
    "15:09": buy("9"),
    "15:11": buy("10"),
}
RULE = PromotionRule(0, 1, Decimal(1))
NARROW = CoreSettings(limits(max_order_shares="8"), 30, RULE)
WIDE = CoreSettings(limits(max_daily_loss_usd="500"), 30, RULE)
TERMS = a_config("A", "B").symbols


class Planned(Strategy):
    """Answers bars by the clock."""

    bars: int = 0

    def on_bar(self, bar: BarClosed, view: View) -> Answer:  # noqa: ARG002 - as every strategy's
        self.bars += 1
        return PLAN.get(f"{bar.end:%H:%M}") if bar.symbol == A else None


def settings_of(loaded: ConfigLoaded) -> CoreSettings:
    return NARROW if loaded.config else WIDE


def runs() -> list[StrategyRun]:
    return [StrategyRun("trend", Planned(), "code", frozenset({A}))]


class Day:
    """One live day: `records` is its journal, `state` what the core knew at its end."""

    def __init__(self) -> None:
        self.desk = CoreDesk(opening=())
        self.desk.core = type(self.desk.core)(self.desk.state, runs(), WIDE)
        self.desk.recorder = self.desk.core.recorder
        self.records: list[Record] = []
        self._number = 0
        self._trade()

    def take(self, event: Any, at: str | None = None) -> list[Record]:  # noqa: ANN401 - an input
        taken = self.desk.step(event, at)
        self.records += taken
        return taken

    def tell(self, kind: type[Command], /, *fields: Any) -> list[Record]:  # noqa: ANN401 - any field
        return self.take(self.named(said(kind, *fields)))

    def named(self, command: Command) -> Command:
        self._number += 1
        return msgspec.structs.replace(command, command_id=f"cmd-{self._number}")

    def bar(self, at: str, close: str = "100", day: str = "02") -> list[Record]:
        return self.take(a_bar(close, end=f"2024-01-{day}T{at}"))

    def fill(self, taken: list[Record], quantity: str) -> list[Record]:
        (sent,) = of(taken, OrderSending)
        self._number += 1
        known: dict[str, Any] = {
            "execution_id": f"e{self._number}",
            "order_id": sent.client_order_id,
        }
        fill = a_fill(quantity, executed_at="2024-01-02T15:01", **known)
        return self.take(fill) + self.take(a_commission("0", **known))

    def _trade(self) -> None:
        self.take(JournalOpened("j1", Mode.LIVE, "mine"), "2024-01-02T12:00")
        self.take(SessionStarted("1.0", {"trend": "code"}, {}))
        self.take(ConfigLoaded({}, TERMS))
        days = (a_session(f"2024-01-0{day}") for day in (2, 3, 4))
        self.take(a_calendar(*days))
        self.take(a_deposit("1000000"))
        self.tell(OperatorResumed)
        self.fill(self.bar("15:01"), "100")
        for at in ("15:02", "15:03"):
            (sent,) = of(self.bar(at), OrderSending)
            self.take(OrderAcknowledged(sent.client_order_id))
        first, second = list(self.desk.state.orders.open)
        self.tell(OperatorCancelAsked, first)
        self.take(OrderCancelled(first, "asked for"))
        self.take(self.named(held(HoldScope.STRATEGY, "trend")))
        self.bar("15:05")
        self.take(self.named(held(HoldScope.SYMBOL, "A", HoldLevel.REDUCE)))
        self.tell(OperatorLifted, "no such hold")
        self.tell(OperatorResumed, "trend")
        self.tell(OperatorLifted, next(iter(self.desk.state.holds.active)))
        self.fill(self.take(self.named(an_order_by_hand("3"))), "3")
        self.tell(OperatorShadowed, "trend")
        self.bar("15:07")
        self.tell(OperatorPromoteAsked, "trend")
        self.tell(OperatorReloaded, {"limits.account.max_order_shares": ("9", "8")})
        self.desk.core.use(NARROW)
        self.take(ConfigLoaded({"narrow": True}, TERMS))
        self.bar("15:09")
        self.tell(OperatorReloaded, {"limits.account.max_order_shares": ("8", "9")})
        self.desk.core.use(WIDE)
        self.take(ConfigLoaded({}, TERMS))
        self.tell(OperatorKilled)
        self.take(PermitLost("gone as well"))
        self.tell(OperatorFlattenAsked, A)
        for closing in of(self.take(OrderCancelled(second, "asked for")), OrderIntended):
            known = {"execution_id": closing.strategy, "order_id": closing.client_order_id}
            quantity = str(closing.quantity)
            self.take(a_fill(quantity, executed_at="2024-01-02T15:10", **known))
            self.take(a_commission("0", **known))
        self.tell(OperatorResumed)
        self.fill(self.bar("15:11"), "10")
        self.bar("15:12", "40")  # 600 lost: the circuit breaker.
        self.bar("15:00", "40", "03")  # It lifts.
        self.tell(OperatorReconcileAsked)
        for at in ("2024-01-03T15:01:00", "2024-01-03T15:01:10"):
            there = [listed("", "4", symbol="B")]
            self.take(a_look({"A": "10", "B": "5"}, "7", there, at=at, costs={"B": "41"}), at)
        self.tell(OperatorResolveAsked, None)


DAY = Day()
EVERY_COMMAND = {tag for kind, tag in TAGS.items() if tag.startswith("operator.")}


def folded(state: State, records: list[Record]) -> State:
    for record in records:
        state.apply(msgspec.structs.replace(record, event=decode(encode(record.event))))
    return state


def as_bytes(state: State) -> bytes:
    return msgspec.json.encode(state)


def test_the_day_has_every_command_and_what_each_leads_to() -> None:
    happened = {TAGS[type(record.event)] for record in DAY.records}
    assert happened >= EVERY_COMMAND
    assert happened >= {"permit.lost", "command.refused", "strategy.promoted", "hold.lifted"}
    assert happened >= {"break.opened", "break.resolved", "reconcile.completed"}
    assert happened >= {"position.adjusted", "cash.adjusted", "order.adopted"}
    assert DAY.desk.state.positions.held(A).quantity == 10


def test_the_books_are_a_fold_of_the_journal_alone() -> None:
    assert as_bytes(folded(State(), DAY.records)) == as_bytes(DAY.desk.state)


@pytest.mark.parametrize("cut", range(1, len(DAY.records), 3))
def test_books_restored_from_a_snapshot_anywhere_come_to_the_same(cut: int) -> None:
    before = folded(State(), DAY.records[:cut])
    restored = msgspec.json.decode(as_bytes(before), type=State)
    assert as_bytes(folded(restored, DAY.records[cut:])) == as_bytes(DAY.desk.state)


def replayed(records: list[Record]) -> ReplayCore:
    core = ReplayCore(
        State(),
        Renewed((), CoreSettings(), {}),
        lambda loaded, before, _seq: Renewed(list(before) or runs(), settings_of(loaded), {}),
        compare_all=True,
    )
    for turn in turns(records):
        core.follow(turn)
    return core


def test_every_decision_made_again_is_the_same() -> None:
    found = replayed(DAY.records).comparing
    assert found.differences == []
    assert found.decisions > 40
    assert as_bytes(found.state) == as_bytes(DAY.desk.state)


@pytest.mark.parametrize(
    "tag", ["hold.placed", "hold.lifted", "command.refused", "strategy.promoted", "cancel.sending"]
)
def test_a_decision_that_is_missing_is_found(tag: str) -> None:
    # The last of its kind is taken out, and what follows moves up.
    index = max(n for n, each in enumerate(DAY.records) if TAGS[type(each.event)] == tag)
    rest = [*DAY.records[:index], *DAY.records[index + 1 :]]
    found = replayed(rest).comparing.differences
    assert any(each.decided and TAGS[type(each.decided)] == tag for each in found)
