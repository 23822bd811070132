"""The time of a simulated gateway, shared through a file."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from daemon.clock import read_clocks
from daemon.config.file import ConfigError
from daemon.simulated_time import SimulatedClock, SimulatedTime, read_time, write_time
from events import nanoseconds

OPEN = datetime(2013, 10, 4, 13, 30, tzinfo=UTC)
MINUTE_NS = 60 * 10**9


def test_a_second_of_the_machine_is_a_minute_at_sixty_times_its_speed() -> None:
    shared = SimulatedTime(OPEN, monotonic_ns=5 * 10**9, speed=60)
    assert shared.now(6 * 10**9) == nanoseconds(OPEN) + MINUTE_NS


def test_a_clock_goes_on_from_what_the_gateway_has_written(tmp_path: Path) -> None:
    file = tmp_path / "made" / "gateway.time"
    write_time(file, OPEN, 60)
    clock = SimulatedClock(file)
    before = read_clocks().awake
    first, second = clock.now(), clock.now()
    assert nanoseconds(OPEN) <= first <= second
    assert second <= read_time(file).now(read_clocks().awake)
    assert first >= read_time(file).now(before)
    assert (clock.speed, clock.jump()) == (60, None)


def test_a_gateway_started_anew_at_another_time_is_a_jump_until_that_is_agreed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "gateway.time"
    write_time(file, OPEN, 1)
    clock = SimulatedClock(file)
    write_time(file, OPEN.replace(hour=14), 60)
    jump = clock.jump()
    assert jump is not None
    assert round(jump.ahead_s / 60) == 60
    assert clock.now() < nanoseconds(OPEN) + MINUTE_NS
    clock.agree()
    assert clock.now() >= nanoseconds(OPEN.replace(hour=14))
    assert (clock.speed, clock.jump()) == (60, None)


def test_time_passes_as_before_when_the_gateways_file_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "gateway.time"
    write_time(file, OPEN, 1)
    clock = SimulatedClock(file)
    file.unlink()
    assert clock.jump() is None
    assert clock.now() >= nanoseconds(OPEN)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "traded gateway-sim --clock FILE"),
        (b"{", "gateway.time"),
        (msgspec.json.encode(SimulatedTime(OPEN, 0, 0)), "time does not pass"),
        (msgspec.json.encode(SimulatedTime(OPEN, 2**62, 1)), "before the machine was started"),
    ],
)
def test_a_file_that_is_no_gateways_time_is_refused(
    tmp_path: Path, written: bytes | None, said: str
) -> None:
    file = tmp_path / "gateway.time"
    if written is not None:
        file.write_bytes(written)
    with pytest.raises(ConfigError, match=said):
        SimulatedClock(file)
