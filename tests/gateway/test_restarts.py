"""What survives the gateway's own end, and when the calendar takes it away."""

import asyncio
import signal
import sys
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import msgspec
import pytest

from ops.gateway_sim.schedule import Schedule
from ops.gateway_sim.store import save
from ops.gateway_sim.virtual_clock import VirtualClock
from tests.gateway_desk import (
    TUESDAY,
    a_client,
    a_floor,
    a_gateway,
    a_raw_client,
    until,
)

ROOT = Path(__file__).parents[2]


async def test_the_account_goes_on_where_it_was_with_its_orders_and_its_ids(tmp_path: Path) -> None:
    state = tmp_path / "state.json"

    async with (
        a_gateway(save=lambda written: save(state, written)) as running,
        a_client(running) as desk,
    ):
        desk.market("BUY", 10)
        resting = desk.limit("BUY", 5, 140, orderRef="rests")
        await until(lambda: resting.orderStatus.status == "Submitted" and desk.ib.positions())
        perm_id = resting.order.permId
        highest = resting.order.orderId

    async with a_gateway(floor=a_floor(state=state)) as running, a_raw_client(running) as client:
        assert int(client.of(9)[0][2]) > highest
        async with a_client(running, 8) as desk:
            assert desk.ib.positions()[0].position == 10
            (found,) = await desk.ib.reqAllOpenOrdersAsync()
            assert (found.order.permId, found.order.orderRef) == (perm_id, "rests")
            assert len(await desk.ib.reqExecutionsAsync()) == 1


async def test_executions_are_those_since_midnight_in_new_york(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with (
        a_gateway(save=lambda written: save(state, written)) as running,
        a_client(running) as desk,
    ):
        desk.market("BUY", 10)
        await until(lambda: desk.executions)
        # 23:59 in New York, and a minute later.
        running.gateway.clock.go_to(datetime(2024, 1, 3, 4, 59, tzinfo=UTC))
        assert len(await desk.ib.reqExecutionsAsync()) == 1
        running.gateway.clock.go_to(datetime(2024, 1, 3, 5, 0, tzinfo=UTC))
        assert await desk.ib.reqExecutionsAsync() == []
        assert desk.ib.positions()[0].position == 10


async def test_a_restart_breaks_every_connection_and_keeps_what_was_transmitted() -> None:
    async with a_gateway() as running:
        async with a_client(running) as desk:
            kept = desk.limit("BUY", 10, 140, orderRef="kept")
            desk.limit("BUY", 10, 139, orderRef="untransmitted", transmit=False)
            await until(lambda: kept.orderStatus.status == "Submitted")
            running.gateway.mishaps.restart(0.3)
            await until(lambda: not desk.ib.isConnected())
        refused = 0
        while True:
            try:
                async with a_raw_client(running) as client:
                    if client.of(9):
                        break
            except ConnectionError:
                refused += 1
            await asyncio.sleep(0.02)
        assert refused
        async with a_client(running) as again:
            assert [t.order.orderRef for t in again.ib.openTrades()] == ["kept"]


async def test_every_night_it_restarts_at_its_hour() -> None:
    nightly = Schedule(restarts_at=time(23, 45), has_server_resets=False, has_weekly_login=False)
    async with a_gateway(schedule=nightly) as running, a_client(running) as desk:
        # 23:44 in New York; then 23:45, and a minute of absence.
        running.gateway.clock.go_to(datetime(2024, 1, 3, 4, 44, tzinfo=UTC))
        await asyncio.sleep(0.1)
        assert desk.ib.isConnected()
        running.gateway.clock.go_to(datetime(2024, 1, 3, 4, 45, tzinfo=UTC))
        await until(lambda: not desk.ib.isConnected())
        assert running.gateway.is_away
        await until(lambda: not running.is_listening)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", running.port)
        running.gateway.clock.go_to(datetime(2024, 1, 3, 4, 46, tzinfo=UTC))
        assert not running.gateway.is_away
        await asyncio.sleep(0.1)
        await desk.connect(running, 7)


async def test_once_a_week_it_waits_for_a_person() -> None:
    weekly = Schedule(has_server_resets=False)
    sunday_evening = datetime(2024, 1, 8, 4, 44, tzinfo=UTC)  # 23:44 on Sunday in New York
    async with (
        a_gateway(floor=a_floor(sunday_evening), schedule=weekly) as running,
        a_client(running) as desk,
    ):
        running.gateway.clock.go_to(sunday_evening + timedelta(minutes=1))
        await until(lambda: not desk.ib.isConnected())
        running.gateway.clock.go_to(sunday_evening + timedelta(hours=2))
        await asyncio.sleep(0.1)
        assert running.gateway.is_away
        running.gateway.mishaps.log_in()
        await asyncio.sleep(0.1)
        await desk.connect(running, 7)


async def test_ib_resets_its_servers_at_night_and_connections_stay() -> None:
    resets = Schedule(restarts_at=None)
    async with a_gateway(schedule=resets) as running, a_client(running) as desk:
        # 00:15 to 01:45 in New York.
        running.gateway.clock.go_to(datetime(2024, 1, 3, 5, 15, tzinfo=UTC))
        await until(lambda: desk.codes == [1100])
        running.gateway.clock.go_to(datetime(2024, 1, 3, 6, 45, tzinfo=UTC))
        await until(lambda: desk.codes == [1100, 1102])
        assert desk.ib.isConnected()


async def test_a_clock_at_speed_brings_the_night_in_a_moment() -> None:
    nightly = Schedule(has_server_resets=False, has_weekly_login=False)
    # Thirteen hours and 45 minutes to the restart, a minute of absence: at 100,000 times the speed.
    clock = VirtualClock(TUESDAY, speed=100_000)
    async with a_gateway(clock=clock, schedule=nightly) as running, a_client(running) as desk:
        await until(lambda: not desk.ib.isConnected())


async def test_the_command_keeps_its_account_through_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    port = 0
    for held in (0, 10):
        process, port = await _started(state, port)
        try:
            desk_running = _At(port)
            async with a_client(desk_running) as desk:  # type: ignore[arg-type]
                assert sum(position.position for position in desk.ib.positions()) == held
                if not held:
                    trade = desk.market("BUY", 10)
                    await until(lambda trade=trade: trade.orderStatus.status == "Filled")  # type: ignore[misc]
                    await until(lambda: state.exists() and b'"Filled"' in state.read_bytes())
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()


class _At:
    """A gateway of another process: only its port is known."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.gateway = self
        self.sessions: dict[int, object] = {}


async def _started(state: Path, port: int) -> tuple[asyncio.subprocess.Process, int]:
    bars = state.with_name("AAPL.csv")
    bars.write_text(
        "ts,open,high,low,close,volume\n"
        "2024-01-02T14:30:00Z,150,151,149,150,100000\n"
        "2024-01-02T14:31:00Z,150,151,149,150,100000\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", "gateway-sim", "--bars", str(bars)),
        *("--port", str(port), "--state", str(state), "--json", "--speed", "20"),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    said = msgspec.json.decode(await process.stdout.readline(), type=dict[str, object])
    assert said["listening"], said
    return process, int(str(said["port"]))
