"""The clocks: that of recorded bars, and the machine's, which setting it does not move."""

import time
from decimal import Decimal

import pytest

from daemon.clock import FeedClock, Reading, SystemClock, read_clocks
from events import ClockJumped

S = 10**9
NOON = 1_704_196_800 * S


class Machine:
    """The clocks of a machine on which a test lets time pass."""

    def __init__(self) -> None:
        self.reading = Reading(NOON, 500 * S, 400 * S)

    def __call__(self) -> Reading:
        return self.reading

    def passes(self, seconds: float, *, wall: float = 0.0, asleep: float = 0.0) -> None:
        """Let so many seconds pass, some asleep, and set the wall clock by `wall` besides."""
        now = self.reading
        self.reading = Reading(
            now.wall + round((seconds + wall) * S),
            now.passed + round(seconds * S),
            now.awake + round((seconds - asleep) * S),
        )


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(machine: Machine) -> SystemClock:
    return SystemClock(machine)


# Of recorded bars.


def test_the_clock_of_recorded_bars_stands_where_the_last_input_stood() -> None:
    clock = FeedClock(100)
    assert clock.now() == clock.now() == 100
    clock.set(250)
    assert clock.now() == 250


def test_the_clock_of_recorded_bars_never_goes_back_and_never_jumps() -> None:
    clock = FeedClock(100)
    clock.set(99)
    clock.agree()
    assert (clock.now(), clock.jump()) == (100, None)


# Of the machine.


def test_the_machines_clocks_are_read_in_nanoseconds_and_count_on() -> None:
    first = read_clocks()
    second = read_clocks()
    assert abs(first.wall - time.time_ns()) < S
    assert first.passed <= second.passed
    assert first.awake <= second.awake
    assert second.awake <= second.passed + S, "asleep it does not count"


def test_it_begins_with_the_wall_clock_and_moves_by_itself(
    machine: Machine, clock: SystemClock
) -> None:
    assert clock.now() == NOON
    machine.passes(10)
    clock.set(0)
    assert clock.now() == NOON + 10 * S


@pytest.mark.parametrize("wall", [86_400, 2.001, -2.001, -86_400])
def test_setting_the_wall_clock_is_a_jump_and_does_not_move_it(
    machine: Machine, clock: SystemClock, wall: float
) -> None:
    machine.passes(10, wall=wall)
    for _ in range(2):
        assert clock.jump() == ClockJumped(Decimal(str(wall)), Decimal(0)), "until it is settled"
        assert clock.now() == NOON + 10 * S


@pytest.mark.parametrize("wall", [2, -2])
def test_two_seconds_are_no_jump_and_are_made_up_for(
    machine: Machine, clock: SystemClock, wall: float
) -> None:
    machine.passes(10, wall=wall)
    assert clock.jump() is None
    assert clock.now() == NOON + (10 + wall) * S
    machine.passes(10, wall=wall)
    assert clock.jump() is None, "it is counted from the last time they agreed"


def test_drifting_apart_unseen_adds_up(machine: Machine, clock: SystemClock) -> None:
    machine.passes(10, wall=1.5)
    machine.passes(10, wall=1.5)
    assert clock.jump() == ClockJumped(Decimal(3), Decimal(0))


@pytest.mark.parametrize(("asleep", "found"), [(2, None), (2.001, "2.001"), (3_600, "3600")])
def test_a_machine_that_slept_has_jumped_and_knows_the_time_all_the_same(
    machine: Machine, clock: SystemClock, asleep: float, found: str | None
) -> None:
    machine.passes(asleep + 1, asleep=asleep)
    expected = None if found is None else ClockJumped(Decimal(0), Decimal(found))
    assert clock.jump() == expected
    assert clock.now() == NOON + round((asleep + 1) * S)


def test_once_told_to_agree_it_takes_the_wall_clocks_word(
    machine: Machine, clock: SystemClock
) -> None:
    machine.passes(10, wall=-3_600, asleep=5)
    assert clock.jump() is not None
    clock.agree()
    assert (clock.jump(), clock.now()) == (None, NOON + (10 - 3_600) * S)


def test_a_wall_clock_that_is_set_right_again_has_not_jumped(
    machine: Machine, clock: SystemClock
) -> None:
    machine.passes(10, wall=3_600)
    machine.passes(10, wall=-3_600)
    assert (clock.jump(), clock.now()) == (None, NOON + 20 * S)
