"""The sweep: circles of objects go within the hour, whatever the collector thinks."""

import asyncio
import gc
import weakref

from daemon.memory import sweep


class _Circle:
    def __init__(self) -> None:
        self.itself = self


async def test_a_circle_that_nobody_reaches_is_swept_up() -> None:
    gc.disable()
    try:
        seen = weakref.ref(_Circle())
        assert seen() is not None
        sweeping = asyncio.create_task(sweep(every_s=0.001))
        async with asyncio.timeout(60):
            while seen() is not None:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.001)
        sweeping.cancel()
    finally:
        gc.enable()
