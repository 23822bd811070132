"""`shadow = true` in the configuration: into the shadow from the start, out of it by promotion."""

from decimal import Decimal

import pytest

from daemon.core.core import CoreSettings
from daemon.core.promotion import PromotionRule
from events import (
    ConfigLoaded,
    IntentRefused,
    OperatorPromoteAsked,
    OperatorShadowed,
    OrderSending,
    SessionStarted,
)
from projections.strategies import shadowed_in
from tests.builders import a_config
from tests.core_desk import OPENING, CoreDesk, Scripted, buy, of
from tests.gate_desk import WIDE
from tests.operators import said

SYMBOLS = a_config("A", "B").symbols
ANY = PromotionRule(min_sessions=0, min_intents=0, max_refused_share=Decimal(1))
CODE = {"trend": "code", "other": "code"}


def loaded(**shadows: bool | None) -> ConfigLoaded:
    """Return a configuration of strategies by name; None says nothing of a shadow."""
    tables = {
        name: {} if shadow is None else {"shadow": shadow} for name, shadow in shadows.items()
    }
    return ConfigLoaded({"strategies": tables}, SYMBOLS)


def a_desk(*events: ConfigLoaded) -> CoreDesk:
    desk = CoreDesk(Scripted(), Scripted(), opening=(OPENING[0], *events, *OPENING[2:]))
    desk.core.use(CoreSettings(WIDE, promotion=ANY))
    return desk


def restart(desk: CoreDesk, config: ConfigLoaded) -> None:
    desk.step(config)
    desk.step(SessionStarted("1.0", CODE, {}))


def promote(desk: CoreDesk, command_id: str = "cmd-promote") -> None:
    desk.step(said(OperatorPromoteAsked, "trend", command_id=command_id))


def in_shadow(desk: CoreDesk) -> bool:
    return desk.state.strategies.shadows("trend")


def test_it_decides_and_sends_nothing_from_the_first_bar_on() -> None:
    desk = a_desk(loaded(trend=True))
    trend, other = (run.strategy for run in desk.runs)
    assert isinstance(trend, Scripted)
    assert isinstance(other, Scripted)
    trend.bars, other.bars = [buy("10")], [buy("20")]
    taken = desk.minute()
    (refused,) = of(taken, IntentRefused)
    assert [check.name for check in refused.failed] == ["shadow"]
    (sent,) = of(taken, OrderSending)
    assert sent.client_order_id != refused.client_order_id


def test_a_promotion_outlasts_every_restart_that_says_the_same() -> None:
    desk = a_desk(loaded(trend=True))
    promote(desk)
    assert not in_shadow(desk)
    for _ in range(2):
        restart(desk, loaded(trend=True))
        assert not in_shadow(desk)


def test_turning_it_on_anew_takes_the_strategy_back() -> None:
    desk = a_desk(loaded(trend=True))
    promote(desk)
    restart(desk, loaded(trend=False))
    assert not in_shadow(desk)
    restart(desk, loaded(trend=True))
    assert in_shadow(desk)


@pytest.mark.parametrize("shadow", [False, None])
def test_an_option_that_is_gone_lets_nothing_out(shadow: bool | None) -> None:  # noqa: FBT001 - a table
    desk = a_desk(loaded(trend=True))
    restart(desk, loaded(trend=shadow))
    assert in_shadow(desk)
    promote(desk)
    assert not in_shadow(desk)


def test_a_strategy_left_out_for_a_while_comes_back_where_the_configuration_wants_it() -> None:
    desk = a_desk(loaded(trend=True))
    promote(desk)
    restart(desk, loaded(other=None))
    restart(desk, loaded(trend=True, other=None))
    assert in_shadow(desk)


def test_what_an_operator_put_into_the_shadow_stays_there_whatever_the_configuration_says() -> None:
    desk = a_desk(loaded(trend=None))
    restart(desk, loaded(trend=None))
    desk.step(said(OperatorShadowed, "trend"))
    restart(desk, loaded(trend=False))
    assert in_shadow(desk)


def test_being_asked_into_the_shadow_twice_counts_on() -> None:
    desk = a_desk(loaded(trend=None))
    restart(desk, loaded(trend=None))
    desk.step(said(OperatorShadowed, "trend"))
    strategy = desk.runs[0].strategy
    assert isinstance(strategy, Scripted)
    strategy.bars = [buy("10")]
    desk.minute()
    restart(desk, loaded(trend=True))
    assert desk.state.strategies.of("trend").shadow_passed == 1


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"strategies": []},
        {"strategies": {"trend": 5}},
        {"strategies": {"t": {"shadow": "yes"}}},
    ],
)
def test_a_configuration_of_another_kind_shadows_nobody(config: dict[str, object]) -> None:
    assert shadowed_in(config) == frozenset()
