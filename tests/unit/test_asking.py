"""Questions to the gateway: what becomes of one when the connection is gone."""

from collections.abc import Callable

import pytest

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.asking import Asking, ConnectionLost
from daemon.brokers.gateway.pacing import Lane

ROWS = frozenset({messages.POSITION})


def nothing_leaves(_lane: Lane, _write: Callable[[], None]) -> None:
    raise ConnectionError("Not connected")


async def test_a_question_that_cannot_be_sent_any_more_is_a_lost_connection() -> None:
    # Who asks may have waited for its turn, and the socket has gone meanwhile.
    asking = Asking(nothing_leaves, answer_s=60)
    with pytest.raises(ConnectionLost, match="Not connected"):
        await asking.listed(lambda: None, messages.POSITIONS_END, ROWS)
    with pytest.raises(ConnectionLost, match="Not connected"):
        await asking.numbered(lambda _request: None, messages.EXECUTIONS_END, ROWS)
