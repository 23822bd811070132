"""What the log has of a living daemon: every line findable by its ids, none of them a flood."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from events import (
    BarClosed,
    ClientOrderId,
    ExecutionId,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    OrderFilled,
    OrderRejected,
    Record,
    Symbol,
    nanoseconds,
)
from events.codec import JournalEvent
from ops.failures import Failure
from ops.log.events import A_MINUTE, EventLog
from ops.log.lines import Level

NOON = datetime(2024, 1, 2, 17, 0, tzinfo=UTC)
ORDER = ClientOrderId("BRK B-20240102T170000-0123456789abcdef01234567")


class Lines:
    """Keeps what is logged."""

    for_people = False

    def __init__(self) -> None:
        self.lines: list[tuple[str, Level, dict[str, object]]] = []

    def line(self, text: str, level: Level = Level.INFO, **fields: object) -> None:
        self.lines.append((text, level, fields))

    def fail(self, failure: Failure) -> None:
        raise AssertionError(failure)


def fill(number: int) -> OrderFilled:
    return OrderFilled(
        ORDER, ExecutionId(f"e{number}"), Symbol("BRK B"), Decimal(10), Decimal(1), NOON
    )


def records(*events: JournalEvent, every: timedelta = timedelta(seconds=1)) -> list[Record]:
    return [
        Record(seq, nanoseconds(NOON + seq * every), event, 3, 2)
        for seq, event in enumerate(events, 1)
    ]


def logged(*events: JournalEvent, every: timedelta = timedelta(seconds=1)) -> Lines:
    lines = Lines()
    log = EventLog(lines)
    log.take(records(*events, every=every))
    log.finish()
    return lines


def test_a_line_names_the_event_its_walk_its_order_and_the_symbol_of_that() -> None:
    ((text, level, fields),) = logged(fill(1)).lines
    assert "10" in text
    assert level is Level.INFO
    assert fields == {
        "type": "order.filled",
        "seq": 1,
        "trace": 3,
        "cause": 2,
        "at": "2024-01-02T17:00:01+00:00",
        "symbol": "BRK B",
        "client_order_id": ORDER,
    }


def test_bars_are_left_to_the_journal() -> None:
    one = Decimal(1)
    assert logged(BarClosed(Symbol("A"), 60, NOON, one, one, one, one, one)).lines == []


def test_what_an_operator_should_look_at_is_a_warning() -> None:
    hold = HoldPlaced("h", HoldScope.ALL, HoldLevel.HALT, "x", "y", "z", HoldLifts.OPERATOR)
    rejected = OrderRejected(ORDER, "no")
    assert [level for _, level, _ in logged(hold, rejected).lines] == [Level.WARNING] * 2


def test_a_flood_of_one_kind_is_cut_off_each_minute_and_counted() -> None:
    # 25 fills in 25 seconds: 20 lines, and one that says how many more there were.
    lines = logged(*map(fill, range(A_MINUTE + 5))).lines
    assert len(lines) == A_MINUTE + 1
    text, level, fields = lines[-1]
    assert text == "and 5 more order.filled of BRK B like it: `traded tail --type order.filled`"
    assert (level, fields) == (Level.NOTICE, {"type": "order.filled", "symbol": "BRK B"})


def test_the_next_minute_begins_anew() -> None:
    # A fill every four seconds: 15 a minute, none too many.
    lines = logged(*map(fill, range(50)), every=timedelta(seconds=4)).lines
    assert len(lines) == 50
