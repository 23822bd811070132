"""What the process does with its memory: what boot left is let be, circles are swept up hourly."""

import asyncio
import gc
from typing import Final

SWEPT_EVERY_S: Final = 3_600.0
"""Left to itself the collector may wait for weeks: by then a quarter of all there was is garbage.

Sweeping empties the interpreter's own stores of spare objects too. It takes a millisecond or two.
"""


def settle() -> None:
    """Let what is there now live as long as the process: no sweep need look at it again."""
    gc.collect()
    gc.freeze()


async def sweep(every_s: float) -> None:
    """Sweep up what nobody can reach any more, every so often, until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        gc.collect()
