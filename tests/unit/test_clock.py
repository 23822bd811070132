import time

from daemon.clock import FeedClock, SystemClock


def test_the_clock_of_recorded_bars_stands_where_the_last_input_stood() -> None:
    clock = FeedClock(100)
    assert clock.now() == clock.now() == 100
    clock.set(250)
    assert clock.now() == 250


def test_the_clock_of_recorded_bars_never_goes_back() -> None:
    clock = FeedClock(100)
    clock.set(99)
    assert clock.now() == 100


def test_the_machines_clock_moves_by_itself_and_cannot_be_set() -> None:
    clock = SystemClock()
    before = time.time_ns()
    clock.set(0)
    assert before <= clock.now() <= time.time_ns()
