"""What a connection that is over leaves behind: the collector may not look for days."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from daemon.brokers.ibkr import Wire
from ops.gateway_sim.server import RunningGateway
from tests.gateway_desk import a_gateway, until

CONNECTIONS = 10
LEFT_MAX = 200
"""Objects a connection, both sides together. Of one decoder of ib_async's they would be 2,000."""


@contextmanager
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def test_connections_that_are_over_leave_the_collector_next_to_nothing() -> None:
    async with a_gateway() as running:
        wire = Wire(lambda _kind, _fields: None, lambda _why: None)
        await connect_and_end(wire, running)
        with uncollected():
            for _ in range(CONNECTIONS):
                await connect_and_end(wire, running)
            left = gc.collect()

    assert left < CONNECTIONS * LEFT_MAX


async def connect_and_end(wire: Wire, running: RunningGateway) -> None:
    await wire.open("127.0.0.1", running.port, 7, 10.0)
    wire.close()
    await until(lambda: 7 not in running.gateway.sessions)
