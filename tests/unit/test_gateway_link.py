"""Whether anything may be sent: the connection's state, the windows, the pace."""

from datetime import UTC, datetime, time, timedelta

import pytest

from daemon.brokers.gateway.codes import ForLink
from daemon.brokers.gateway.connection import Connection
from daemon.brokers.gateway.pacing import Lane, Pacer
from daemon.brokers.gateway.windows import Windows, weekly_login_since
from events import (
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerRestored,
)
from projections.broker import LinkState
from tests.builders import utc


def connected() -> Connection:
    connection = Connection("127.0.0.1:4002", 1001, sends=True)
    connection.opened(178, 7)
    connection.verified()
    return connection


# The connection.


def test_a_socket_alone_is_no_connection_before_the_lists_are_there() -> None:
    connection = Connection("127.0.0.1:4002", 1001, sends=True)
    assert connection.state is LinkState.DISCONNECTED
    assert connection.opened(178, 7) == []
    assert connection.state is LinkState.DEGRADED
    assert connection.why_not == "the broker's lists are not there yet"
    assert connection.verified() == [BrokerConnected("127.0.0.1:4002", 1001, 178, 7)]
    assert (connection.state, connection.why_not) == (LinkState.CONNECTED, "")


@pytest.mark.parametrize("what", [ForLink.SERVERS_LOST, ForLink.SERVERS_AWAY])
def test_lost_servers_stop_orders_and_say_so_once(what: ForLink) -> None:
    connection = connected()
    assert connection.told(what, "1100: gone") == [BrokerDisconnected("1100: gone")]
    # It repeats many times in a reset.
    assert connection.told(what, "1100: gone") == []
    assert (connection.state, connection.is_up) == (LinkState.DEGRADED, False)


@pytest.mark.parametrize(
    ("code", "lost"), [(ForLink.SERVERS_BACK, 0), (ForLink.SERVERS_BACK_DATA_LOST, 1)]
)
def test_servers_that_are_back_are_believed_after_the_lists_have_come_again(
    code: ForLink, lost: int
) -> None:
    connection = connected()
    connection.told(ForLink.SERVERS_LOST, "1100")
    breaks = connection.breaks
    reports = connection.told(code, "back")
    assert [type(each) for each in reports] == [BrokerDataLost] * lost
    assert connection.why_not == "back: the lists have to come again"
    assert connection.breaks > breaks
    assert [type(each) for each in connection.verified()] == [BrokerConnected]


def test_a_restored_connection_that_was_never_said_to_be_lost_is_doubted_as_well() -> None:
    connection = connected()
    reports = connection.told(ForLink.SERVERS_BACK, "1102")
    assert [type(each) for each in reports] == [BrokerDisconnected]


def test_market_data_that_is_lost_stops_no_order() -> None:
    connection = connected()
    lost = connection.told(ForLink.MARKET_DATA_LOST, "2103")
    assert lost == [BrokerDegraded("2103", "market data")]
    assert (connection.state, connection.why_not) == (LinkState.DEGRADED, "")


@pytest.mark.parametrize(
    ("lost", "back", "part"),
    [
        (ForLink.MARKET_DATA_LOST, ForLink.MARKET_DATA_BACK, "market data"),
        (ForLink.MARKET_DATA_LOST, ForLink.MARKET_DATA_IDLE, "market data"),
        (ForLink.HISTORY_LOST, ForLink.HISTORY_BACK, "history"),
        (ForLink.HISTORY_LOST, ForLink.HISTORY_IDLE, "history"),
        (ForLink.DEFINITIONS_LOST, ForLink.DEFINITIONS_BACK, "definitions"),
    ],
)
def test_a_farm_that_is_back_or_comes_on_demand_is_said_so_once(
    lost: ForLink, back: ForLink, part: str
) -> None:
    connection = connected()
    connection.told(lost, "gone")
    assert connection.told(back, "there") == [BrokerRestored(part, "there")]
    assert connection.state is LinkState.CONNECTED
    assert connection.told(back, "there") == []


def test_what_came_back_while_nothing_could_be_sent_is_not_said_to_be_missing_after() -> None:
    connection = connected()
    connection.told(ForLink.MARKET_DATA_LOST, "2103")
    connection.told(ForLink.SERVERS_LOST, "1100")
    assert connection.told(ForLink.MARKET_DATA_BACK, "2104") == []
    connection.told(ForLink.SERVERS_BACK, "1102")
    assert [type(each) for each in connection.verified()] == [BrokerConnected]
    # What is still gone is said with the connection, by its name.
    connection.told(ForLink.HISTORY_LOST, "2105")
    connection.told(ForLink.SERVERS_LOST, "1100")
    connection.told(ForLink.SERVERS_BACK, "1102")
    assert connection.verified()[1:] == [BrokerDegraded("2105", "history")]


def test_farms_that_idle_say_nothing_of_servers_that_are_away() -> None:
    connection = connected()
    connection.told(ForLink.SERVERS_AWAY, "2110")
    assert connection.told(ForLink.MARKET_DATA_IDLE, "2108") == []
    assert connection.why_not == "2110"


def test_what_a_user_of_the_connection_misses_is_part_of_its_state() -> None:
    connection = connected()
    assert connection.lacks("bars of AAPL", "162") == [BrokerDegraded("162", "bars of AAPL")]
    assert connection.lacks("bars of AAPL", "162 again") == []
    assert (connection.state, connection.why_not) == (LinkState.DEGRADED, "")
    assert connection.restored("bars of AAPL", "they come") == [
        BrokerRestored("bars of AAPL", "they come")
    ]
    connection.closed("closed")
    assert connection.lacks("bars of AAPL", "162") == []


def test_silence_and_the_end_of_the_socket_are_one_loss() -> None:
    connection = connected()
    assert connection.silent("no sign") == [BrokerDisconnected("no sign")]
    assert connection.closed("no sign") == []
    assert connection.state is LinkState.DISCONNECTED


def test_what_was_degraded_before_is_said_with_the_connection() -> None:
    connection = Connection("127.0.0.1:4002", 1001, sends=True)
    connection.opened(178, 7)
    connection.told(ForLink.HISTORY_LOST, "2105")
    assert [type(each) for each in connection.verified()] == [BrokerConnected, BrokerDegraded]


def test_codes_without_a_socket_say_nothing() -> None:
    connection = Connection("127.0.0.1:4002", 1001, sends=True)
    assert connection.told(ForLink.SERVERS_BACK, "1102") == []
    assert connection.state is LinkState.DISCONNECTED


def test_a_gateway_that_listens_elsewhere_is_gone() -> None:
    connection = connected()
    assert connection.told(ForLink.SOCKET_MOVED, "1300") == []
    assert connection.closed("closed") == [BrokerDisconnected("closed")]


def test_servers_that_were_away_are_back_when_a_farm_is() -> None:
    connection = connected()
    connection.told(ForLink.SERVERS_AWAY, "2110")
    connection.told(ForLink.MARKET_DATA_BACK, "2104")
    assert connection.why_not == "2104: the lists have to come again"
    # A lost line is said to be back in so many words.
    connection.told(ForLink.SERVERS_LOST, "1100")
    connection.told(ForLink.MARKET_DATA_BACK, "2104")
    assert connection.why_not == "1100"


# The windows, New York time: five hours behind UTC in winter, four in summer.

PLAIN = Windows()


@pytest.mark.parametrize(
    ("moment", "is_closed"),
    [
        ("2024-01-03T05:12:59", False),  # Wednesday 00:12:59
        ("2024-01-03T05:13:00", True),  # two minutes before
        ("2024-01-03T06:44:59", True),  # 01:44:59
        ("2024-01-03T06:45:00", False),
        ("2024-07-03T04:15:00", True),  # summer time
        ("2024-07-03T05:15:00", True),
        ("2024-07-03T06:15:00", False),
        ("2024-01-06T03:57:59", False),  # Friday 22:57:59
        ("2024-01-06T03:58:00", True),
        ("2024-01-06T05:15:00", True),  # Saturday 00:15, within the weekend's
        ("2024-01-06T07:59:59", True),  # Saturday 02:59:59
        ("2024-01-06T08:00:00", False),
        ("2024-01-07T05:15:00", True),  # Sunday 00:15
        ("2024-01-03T15:00:00", False),
    ],
)
def test_nothing_is_submitted_in_or_shortly_before_the_brokers_windows(
    moment: str, *, is_closed: bool
) -> None:
    assert bool(PLAIN.closed(utc(moment))) is is_closed


@pytest.mark.parametrize(
    ("moment", "is_closed"),
    [
        ("2024-01-04T04:42:59", False),  # 23:42:59 in New York
        ("2024-01-04T04:43:00", True),
        ("2024-01-04T04:47:59", True),
        ("2024-01-04T04:48:00", False),
    ],
)
def test_the_gateways_own_restart_is_by_its_own_clock(moment: str, *, is_closed: bool) -> None:
    windows = Windows(time(23, 45), "America/New_York")
    assert bool(windows.closed(utc(moment))) is is_closed


def test_a_restart_at_midnight_begins_before_it() -> None:
    windows = Windows(time(0, 0), "UTC")
    assert windows.closed(datetime(2024, 1, 3, 23, 59, tzinfo=UTC))
    assert windows.closed(datetime(2024, 1, 4, 0, 2, 59, tzinfo=UTC))
    assert not windows.closed(datetime(2024, 1, 4, 0, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("reached", "now", "is_due"),
    [
        ("2024-01-06T12:00", "2024-01-07T05:59", False),  # Sunday 00:59 in New York
        ("2024-01-06T12:00", "2024-01-07T06:00", True),
        ("2024-01-07T06:00", "2024-01-08T12:00", False),
        ("2024-01-07T06:00", "2024-01-14T06:00", True),
        ("2024-01-02T12:00", "2024-01-20T12:00", True),
    ],
)
def test_a_login_is_due_when_a_sunday_lies_in_between(
    reached: str, now: str, *, is_due: bool
) -> None:
    assert weekly_login_since(utc(reached), utc(now)) is is_due


# The pace.


def test_so_many_messages_a_second_and_no_more() -> None:
    pacer: Pacer[int] = Pacer(rate=3)
    for number in range(5):
        pacer.put(Lane.ORDER, number)
    assert list(pacer.due(10.0)) == [0, 1, 2]
    assert pacer.wait_s(10.0) == 1.0
    assert list(pacer.due(10.9)) == []
    assert list(pacer.due(11.0)) == [3, 4]
    assert pacer.wait_s(11.0) is None


def test_a_cancel_overtakes_orders_and_orders_overtake_requests() -> None:
    pacer: Pacer[str] = Pacer(rate=1)
    for lane, item in ((Lane.REQUEST, "list"), (Lane.ORDER, "order"), (Lane.CANCEL, "cancel")):
        pacer.put(lane, item)
    sent = [next(iter(pacer.due(float(second)))) for second in range(3)]
    assert sent == ["cancel", "order", "list"]


def test_what_waits_can_be_taken_back_and_never_leaves() -> None:
    pacer: Pacer[int] = Pacer(rate=1)
    for number in range(3):
        pacer.put(Lane.ORDER, number)
    assert list(pacer.due(0.0)) == [0]
    assert pacer.drop(Lane.ORDER) == [1, 2]
    assert (len(pacer), list(pacer.due(5.0))) == (0, [])


def test_the_window_slides() -> None:
    pacer: Pacer[int] = Pacer(rate=2)
    for number in range(6):
        pacer.put(Lane.ORDER, number)
    assert len(list(pacer.due(0.0))) == 2
    assert len(list(pacer.due(timedelta(seconds=1.5).total_seconds()))) == 2
    assert len(list(pacer.due(2.0))) == 0
    assert len(list(pacer.due(2.5))) == 2
