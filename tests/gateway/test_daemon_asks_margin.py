"""What-if through the whole daemon: the gate asks, the gateway weighs, and the gate decides again.

The account has 1,000 dollars; the broker wants half of what is bought as margin, the gate itself
reckons with a twentieth, and a fifth of what there is has to stay free.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from events import (
    Check,
    IntentApproved,
    IntentRefused,
    MarginReported,
    MarginRequested,
    OrderFilled,
    OrderIntended,
    OrderSending,
    TimerFired,
    TimerKind,
)
from ops.gateway_sim.faults import Fault, FaultKind
from ops.gateway_sim.floor import Floor
from ops.gateway_sim.opening import open_floor
from ops.gateway_sim.working_orders import BookRules
from tests.gateway_daemon import Running, a_daemon, a_day_begun
from tests.gateway_desk import ACCOUNT, TUESDAY

LIMITS = """
max_leverage = 4
emergency_leverage = 8
[limits.margin]
initial_share = 0.05
answer_deadline_s = 30
"""
POOR = Decimal(1_000)
pytestmark = pytest.mark.usefixtures("gateway_account")


def poor_floor(rules: BookRules | None = None) -> Floor:
    return open_floor(
        None, ACCOUNT, POOR, TUESDAY, None, symbols=["AAPL", "MSFT"], order_rules=rules
    )


def the_margin_check(daemon: Running) -> Check:
    """Return what the gate found of the margin of the first order it refused."""
    return next(each for each in daemon.of(IntentRefused)[0].failed if each.name == "margin_usd")


def decided_after_the_answer(daemon: Running, kind: type) -> None:
    """Assert the way of the first order: asked about, answered or not, and only then decided."""
    kinds = [type(record.event) for record in daemon.records]
    intended, asked, decided = (
        kinds.index(each) for each in (OrderIntended, MarginRequested, kind)
    )
    assert intended < asked < decided
    if kind is IntentRefused:
        assert OrderSending not in kinds


async def test_an_order_the_broker_would_carry_is_approved_and_filled(tmp_path: Path) -> None:
    async with (
        a_day_begun(floor=poor_floor()) as gateway,
        a_daemon(tmp_path, gateway, shares=5, more=LIMITS, trades=True) as daemon,
    ):
        await daemon.adopt()
        await daemon.trade_until(lambda: daemon.of(OrderFilled))
        decided_after_the_answer(daemon, IntentApproved)
        answer = daemon.of(MarginReported)[0]
        # 5 at the last price of 150: half of 750, of what the commission of a dollar leaves.
        assert (answer.initial_after, answer.equity_after) == (Decimal(375), Decimal(999))
        (check,) = [c for c in daemon.of(IntentApproved)[0].checks if c.name == "margin_usd"]
        assert check.value == Decimal(375)


async def test_an_order_for_which_the_broker_wants_too_much_margin_is_refused(
    tmp_path: Path,
) -> None:
    async with (
        a_day_begun(floor=poor_floor()) as gateway,
        a_daemon(tmp_path, gateway, shares=11, more=LIMITS, trades=True) as daemon,
    ):
        await daemon.adopt()
        await daemon.trade_until(lambda: daemon.of(IntentRefused))
        decided_after_the_answer(daemon, IntentRefused)
        check = the_margin_check(daemon)
        # Half of 11 x 150 is 825; four fifths of 999 are 799.20.
        assert (check.value, check.limit) == (Decimal(825), Decimal("799.20"))
        assert gateway.gateway.floor.all_open_orders() == []


async def test_no_answer_in_time_is_a_no(tmp_path: Path) -> None:
    lost = [Fault(FaultKind.LOST, "openOrder", nth=nth) for nth in range(1, 20)]
    async with (
        a_day_begun(floor=poor_floor()) as gateway,
        a_daemon(tmp_path, gateway, shares=5, more=LIMITS, trades=True) as daemon,
    ):
        for fault in lost:
            gateway.gateway.plan.add(fault)
        await daemon.adopt()
        await daemon.trade_until(lambda: daemon.of(IntentRefused), parts=2)
        decided_after_the_answer(daemon, IntentRefused)
        assert daemon.of(MarginReported) == []
        assert the_margin_check(daemon).note == "the broker said no margin: no answer in time"
        fired = [each.kind for each in daemon.of(TimerFired)]
        assert TimerKind.MARGIN_DEADLINE in fired


async def test_an_answer_without_figures_is_a_no(tmp_path: Path) -> None:
    async with (
        a_day_begun(floor=poor_floor(BookRules(weighs=False))) as gateway,
        a_daemon(tmp_path, gateway, shares=5, more=LIMITS, trades=True) as daemon,
    ):
        await daemon.adopt()
        await daemon.trade_until(lambda: daemon.of(IntentRefused), parts=2)
        decided_after_the_answer(daemon, IntentRefused)
        assert not the_margin_check(daemon).passed
        assert gateway.gateway.floor.all_open_orders() == []
