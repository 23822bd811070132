"""What a run takes from the machine it is on: the disk, the operator's socket, whoever watches it.

A simulation has its own.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from daemon.clock import Clock
from daemon.config.options import Config
from daemon.control.address import make_folder, socket_path
from daemon.control.dispatch import Dispatch
from daemon.control.server import ControlServer, own_and_root
from daemon.engine import Engine
from daemon.pulse import attend
from daemon.systemd import systemd
from events.journal import Journal

if TYPE_CHECKING:
    from daemon.brokers.gateway.assembly import GatewayParts


@contextmanager
def listening(
    engine: Engine, journal: Path, config: Config, reread: Callable[[], Config]
) -> Iterator[None]:
    """Serve the operator's socket meanwhile, where the configuration wants one."""
    if not config.control.enabled:
        yield
        return
    path = socket_path(journal, os.environ)
    loop, to = asyncio.get_running_loop(), systemd(os.environ, os.getpid())
    dispatch = Dispatch(engine, loop, config, reread, to)
    server = ControlServer(path, own_and_root() | guests(config), dispatch)
    try:
        yield
    finally:
        server.close()
        dispatch.close()


async def beating(engine: Engine, session: int, config: Config) -> None:
    """Let whoever watches see that the daemon is there, until cancelled."""
    to = systemd(os.environ, os.getpid())
    await attend(engine, session, os.environ, to, listens=config.control.enabled)


def build_gateway_parts(config: Config, wall: Clock) -> "GatewayParts | None":
    """Return what talks to Interactive Brokers, None where nothing is to.

    Raises:
        ConfigError: what is configured cannot be.
    """
    if "ibkr" not in {config.broker.kind, config.feed.kind}:
        return None
    # Its library takes a quarter of a second and 40 MB: only who trades there pays for it.
    from daemon.brokers.gateway.assembly import build_gateway  # noqa: PLC0415 - see above

    return build_gateway(config, os.environ, wall)


class Machine(msgspec.Struct, frozen=True):
    """What a run takes from the machine it is on, its clock apart; a simulation has its own.

    `listen` lets an operator in while the engine runs, `beat` shows that it does, for a session
    that a given event has opened; `draw_id` names a new journal, `gateway` builds what talks to
    Interactive Brokers.
    """

    open_journal: Callable[[Path], Awaitable[Journal]] = Journal.open
    listen: Callable[[Engine, Path, Config, Callable[[], Config]], AbstractContextManager[None]] = (
        listening
    )
    beat: Callable[[Engine, int, Config], Coroutine[None, None, None]] = beating
    draw_id: Callable[[], str] = partial(secrets.token_hex, 8)
    gateway: Callable[[Config, Clock], "GatewayParts | None"] = build_gateway_parts


def guests(config: Config) -> frozenset[int]:
    """Return who may command besides the daemon's own user and root."""
    return frozenset(config.control.allowed_uids) - own_and_root()


def make_socket_folder(config: Config, journal: Path) -> None:
    """Make the folder of the operator's socket, before anything is recorded that needs an end.

    Raises:
        UnsafeFolder, OutOfReach: it is another's, or a guest would not get there.
    """
    if config.control.enabled:
        make_folder(socket_path(journal, os.environ), guests(config))
