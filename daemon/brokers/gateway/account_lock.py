"""One daemon an account: whoever comes second on this host is told who is there, and connects not.

The lock is a name in Linux's abstract socket namespace: it needs no folder that two users share, it
ends with its process whatever ends that, and a copy of the journal elsewhere meets the same one.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256

from daemon.brokers.gateway.settings import GatewaySettings
from events.errors import JournalLocked

_CREDENTIALS = struct.Struct("3i")


class AccountLocked(JournalLocked):
    """Another process of this host trades the account at that gateway."""

    hint = (
        "stop it first: to each of two daemons the other's orders are a stranger's; a copy of a "
        "journal is not for running beside the first"
    )


@contextmanager
def holding_account(settings: GatewaySettings) -> Iterator[None]:
    """Keep the account at that gateway for this process meanwhile.

    Raises:
        AccountLocked: another process has it.
    """
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as lock:
        name = _name(settings)
        try:
            lock.bind(name)
        except OSError as error:
            pid = _holder(name)
            who = f"process {pid}" if pid else "another process"
            message = f"account {settings.alias} at {settings.endpoint} is traded by {who}"
            raise AccountLocked(message, pid) from error
        # Listening tells who asks whom he met; nobody is ever let in.
        lock.listen(1)
        yield


def _name(settings: GatewaySettings) -> str:
    """Return the lock's name: it says the account's number to nobody."""
    try:
        host = socket.gethostbyname(settings.host)
    except OSError:
        host = settings.host
    what = f"{host}:{settings.port}/{settings.account}"
    return f"\0traded/{sha256(what.encode()).hexdigest()}"


def _holder(name: str) -> int | None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as asking:
        try:
            asking.connect(name)
            found = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        except OSError:
            return None
    pid: int = _CREDENTIALS.unpack(found)[0]
    return pid or None
