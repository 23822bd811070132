"""Recording: an event gets its seq and its cause, is folded at once, and waits here to be written.

What has to happen outside waits here too, beside the records that must be durable first.
"""

import msgspec

from daemon.gate import RiskApproved
from events import ClientOrderId, CorporateActionApplied, LookWhy, OrderIntended, Record
from events.codec import Decided, Input
from projections import State
from projections.orders import Order


class Cancel(msgspec.Struct, frozen=True):
    """Ask the broker to cancel this order."""

    client_order_id: ClientOrderId


class AskMargin(msgspec.Struct, frozen=True):
    """Ask the broker what margin `intents`, a batch, would need."""

    request_id: str
    intents: tuple[OrderIntended, ...]


class RefreshCalendars(msgspec.Struct, frozen=True):
    """Make the exchanges' calendars anew: their end has come a day nearer."""


class LookAtBooks(msgspec.Struct, frozen=True):
    """Ask the broker for the whole of its books."""

    look_id: str
    why: LookWhy


Effect = RiskApproved | Cancel | CorporateActionApplied | RefreshCalendars | AskMargin | LookAtBooks
"""What the engine carries out: an order to send, a cancel, an action the broker must know of, the
calendars to be made anew, a question about margin, a look at the broker's books."""


class Recorder:
    """`records` and `effects` collect until the engine takes them; `root` is the input in hand.

    `day_over` is called behind the input that closed a day, before anything is decided on it.
    """

    def __init__(self, state: State) -> None:
        """Go on from `state`."""
        self.state = state
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.repeats_dropped = 0
        self.root = 0
        self.day_over = _nothing
        self._trace: int | None = None

    def take(self, event: Input, at: int, order: Order | None = None) -> None:
        """Record and fold an input; a report on an order follows from that order's sending.

        What is said of its margin follows from the question.
        """
        state = self.state
        seq = state.seq + 1
        if order is None:
            record = Record(seq, at, event)
            self._trace = seq
        else:
            cause = order.sending_seq or order.asked_seq or order.intended_seq
            record = Record(seq, at, event, order.trace, cause)
            self._trace = order.trace
        self.root = seq
        days = state.pnl.days
        state.apply(record)
        self.records.append(record)
        if state.pnl.days != days:
            self.day_over()

    def emit(self, event: Decided, order: Order | None = None) -> int:
        """Record and fold a decision that follows from the input in hand; return its seq."""
        return self.decide(event, self.root, order)

    def decide(self, event: Decided, cause: int, order: Order | None = None) -> int:
        """Record and fold a decision that follows from the event at `cause`; return its seq."""
        seq = self.state.seq + 1
        trace = order.trace if order else self._trace
        record = Record(seq, self.state.at, event, trace, cause)
        self.state.apply(record)
        self.records.append(record)
        return seq


def _nothing() -> None:
    pass
