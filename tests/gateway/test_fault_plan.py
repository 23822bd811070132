"""The plan of faults, the place where messages are held, and the pacing of requests. No sockets."""

import pytest

from ops.gateway_sim.faults import Fault, FaultKind, FaultPlan, plan_from_seed
from ops.gateway_sim.outlet import Outlet
from ops.gateway_sim.pacing import Pacer, Pass, Strike, Wait

ONE, TWO, THREE = ("3", "one"), ("3", "two"), ("3", "three")


def test_a_fault_strikes_at_the_nth_time_of_its_moment_and_once() -> None:
    fault = Fault(FaultKind.LOST, "orderStatus", nth=2)
    plan = FaultPlan([fault])
    moments = ["orderStatus", "openOrder", "orderStatus", "orderStatus"]
    assert [list(plan.strikes(moment)) for moment in moments] == [[], [], [fault], []]
    assert plan.struck == [fault]


def test_a_fault_added_later_counts_from_then_on() -> None:
    plan = FaultPlan()
    plan.strikes("openOrder")
    plan.add(Fault(FaultKind.LOST, "openOrder"))
    assert [each.kind for each in plan.strikes("openOrder")] == [FaultKind.LOST]


def test_the_same_seed_is_the_same_plan_and_every_kind_is_in_some_plan() -> None:
    assert plan_from_seed(4) == plan_from_seed(4)
    assert plan_from_seed(4) != plan_from_seed(5)
    # What is scripted by hand only: it changes nothing that concerns an order, or, doubled, it
    # looks to who counts orders like one that was sent twice.
    by_hand = {
        *(FaultKind.BYTE_BY_BYTE, FaultKind.DELAYED),
        *(FaultKind.HALTED, FaultKind.DOUBLED),
    }
    seeded = {fault.kind for seed in range(200) for fault in plan_from_seed(seed)}
    assert seeded == set(FaultKind) - by_hand


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"kind": FaultKind.LOST, "on": "openOrders"}, "no message"),
        ({"kind": FaultKind.LOST, "on": "placeOrder"}, "is asked"),
        ({"kind": FaultKind.REFUSED, "on": "orderStatus", "code": 201}, "is said"),
        ({"kind": FaultKind.REFUSED, "on": "placeOrder"}, "needs the code"),
        ({"kind": FaultKind.EMPTY, "on": "orderStatus"}, "no bars"),
        ({"kind": FaultKind.DEACTIVATED, "on": "orderStatus"}, "no bar of a subscription"),
        ({"kind": FaultKind.DELAYED, "on": "reqMktData"}, "no 5-second bars"),
        ({"kind": FaultKind.LATE, "on": "orderStatus"}, "later than what"),
    ],
)
def test_a_fault_that_could_do_nothing_is_refused(written: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Fault(**written)  # type: ignore[arg-type]


def passed(outlet: Outlet, message: tuple[str, ...], *kinds: Fault) -> list[str]:
    return [each[1] for each in outlet.passed(message, kinds, 0.0)]


def late(**when: float) -> Fault:
    return Fault(FaultKind.LATE, "orderStatus", **when)  # type: ignore[arg-type]


def test_a_message_is_late_by_so_many_others() -> None:
    outlet = Outlet()
    assert passed(outlet, ONE, late(messages=2)) == []
    assert passed(outlet, TWO) == ["two"]
    assert passed(outlet, THREE) == ["three", "one"]


def test_a_message_is_late_by_so_many_seconds() -> None:
    outlet = Outlet()
    assert passed(outlet, ONE, late(after_s=2)) == []
    assert passed(outlet, TWO) == ["two"]
    assert (outlet.due(1.9), [each[1] for each in outlet.due(2.0)]) == ([], ["one"])


def test_a_message_is_doubled_lost_or_changes_places() -> None:
    outlet = Outlet()
    assert passed(outlet, ONE, Fault(FaultKind.DUPLICATE, "orderStatus")) == ["one", "one"]
    assert passed(outlet, ONE, Fault(FaultKind.LOST, "orderStatus")) == []
    assert passed(outlet, ONE, Fault(FaultKind.REORDERED, "orderStatus")) == []
    assert passed(outlet, TWO) == ["two", "one"]


def test_two_messages_that_change_places_one_after_the_other_both_leave() -> None:
    outlet = Outlet()
    swapped = Fault(FaultKind.REORDERED, "orderStatus")
    assert passed(outlet, ONE, swapped) == []
    assert passed(outlet, TWO, swapped) == []
    assert sorted(passed(outlet, THREE)) == ["one", "three", "two"]


def test_a_pacer_lets_so_many_through_in_any_second_and_the_rest_wait() -> None:
    pacer = Pacer(2, reject=False)
    assert [pacer.verdict(at) for at in (0.0, 0.5, 0.6)] == [Pass(), Pass(), Wait(1.0)]
    # At 1.0 the first is a second old.
    assert [pacer.verdict(at) for at in (1.0, 1.1, 1.5)] == [Pass(), Wait(1.5), Pass()]


def test_or_the_rest_are_strikes_and_the_third_is_the_last() -> None:
    pacer = Pacer(1, reject=True)
    verdicts = [pacer.verdict(0.0) for _ in range(6)]
    assert verdicts == [Pass(), Strike(1, 2, last=False)] * 1 + [
        Pass(),
        Strike(2, 2, last=False),
        Pass(),
        Strike(3, 2, last=True),
    ]


def test_no_limit_is_no_limit() -> None:
    pacer = Pacer(0, reject=True)
    assert {type(pacer.verdict(0.0)) for _ in range(1000)} == {Pass}
