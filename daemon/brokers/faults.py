"""A broker with faults: reports come late, twice, swapped or never; what we send gets lost.

It wraps any broker and follows a plan, so a fault seen once can be seen again. Name the plan in
the configuration, `broker.params.faults` or `broker.params.fault_seed`, or hand it over in a test.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Annotated, Final, assert_never

import msgspec
from msgspec import Meta

from daemon.brokers import AnswersMargin, Broker, Inbox
from daemon.gate import RiskApproved
from events import (
    BarClosed,
    ClientOrderId,
    CorporateActionApplied,
    LookWhy,
    MarginReported,
    OrderIntended,
)
from events.codec import TAGS, Input
from projections import State

SEEDED_FAULTS: Final = 10
SEEDED_NTH_MAX: Final = 10
"""A plan from a seed spoils that many messages, each among the first of its kind."""


class FaultKind(StrEnum):
    """What goes wrong with a message."""

    LATE = "late"
    DUPLICATE = "duplicate"
    REORDERED = "reordered"
    LOST = "lost"
    UNSET = "unset"


class Message(StrEnum):
    """What a fault can befall: a report by its tag, or what we send."""

    ACKNOWLEDGED = "order.acknowledged"
    WORKING = "order.working"
    REJECTED = "order.rejected"
    CANCELLED = "order.cancelled"
    EXPIRED = "order.expired"
    FILLED = "order.filled"
    COMMISSION = "commission.charged"
    MARGIN = "margin.reported"
    SUBMIT = "submit"
    CANCEL = "cancel"
    ASK_MARGIN = "ask-margin"


_SENT: Final = frozenset({Message.SUBMIT, Message.CANCEL, Message.ASK_MARGIN})
_REPORTS: Final = {message.value: message for message in Message if message not in _SENT}


def _possible(message: Message) -> list[FaultKind]:
    """Return what can befall such a message."""
    if message in _SENT:
        return [FaultKind.LOST, FaultKind.DUPLICATE]
    return [kind for kind in FaultKind if kind is not FaultKind.UNSET or message is Message.MARGIN]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `nth` message of that kind, counted from 1 since the broker was made, goes wrong.

    LATE: it is held back until `delay_reports` later reports have come. REORDERED: it changes
    places with the next report. DUPLICATE: it comes a second time, at once or that much later.
    LOST: it never comes. UNSET: a margin comes without its figures. What we send can be LOST, or
    arrive as a DUPLICATE.

    Raises:
        ValueError: that cannot befall such a message, or it is late without a delay.
    """

    kind: FaultKind
    message: Message
    nth: Annotated[int, Meta(gt=0)] = 1
    delay_reports: Annotated[int, Meta(ge=0)] = 1

    def __post_init__(self) -> None:
        """Refuse what would do nothing."""
        if self.kind is FaultKind.UNSET and self.message is not Message.MARGIN:
            raise ValueError(f"only a {Message.MARGIN} can be unset, no {self.message}")
        if self.kind not in _possible(self.message):
            raise ValueError(f"a {self.message} can be lost or a duplicate, not {self.kind}")
        if self.kind is FaultKind.LATE and not self.delay_reports:
            raise ValueError("delay_reports is 0: a late report waits for at least one other")


class _Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    faults: tuple[Fault, ...] = ()
    fault_seed: int | None = None


class FaultyBroker:
    """`inner`, with the faults of a plan between it and the engine.

    Raises:
        ValueError: the plan has two faults for one message.
    """

    def __init__(self, inner: Broker, plan: Sequence[Fault]) -> None:
        """Spoil the messages `plan` names."""
        self.outside = inner.outside
        self._inner = inner
        self._plan = {(fault.message, fault.nth): fault for fault in plan}
        if len(self._plan) < len(plan):
            raise ValueError("broker.params.faults names the same message twice: keep one of them")
        self._seen: Counter[Message] = Counter()
        self._held: list[tuple[int, Input]] = []
        self._reports = 0
        self._inbox: Inbox | None = None

    @property
    def next_due(self) -> datetime:
        """When something of the inner broker's ends by itself."""
        return self._inner.next_due

    def connect(self, state: State, inbox: Inbox) -> None:
        """Connect the inner broker. What was held back is lost, as at any restart."""
        self._held = []
        self._inbox = inbox
        self._inner.connect(state, self._spoil)

    def submit(self, approved: RiskApproved) -> None:
        """Send the order, unless this one is to be lost."""
        for _ in range(self._arrivals(Message.SUBMIT)):
            self._inner.submit(approved)

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Send the cancel, unless this one is to be lost."""
        for _ in range(self._arrivals(Message.CANCEL)):
            self._inner.cancel(client_order_id)

    def ask_margin(self, request_id: str, intents: Sequence[OrderIntended]) -> None:
        """Ask the inner broker, unless this question is to be lost."""
        for _ in range(self._arrivals(Message.ASK_MARGIN)):
            if isinstance(self._inner, AnswersMargin):
                self._inner.ask_margin(request_id, intents)

    def observe(self, bar: BarClosed) -> None:
        """Show the inner broker the bar."""
        self._inner.observe(bar)

    def advance(self, now: datetime) -> None:
        """Let the inner broker's time pass."""
        self._inner.advance(now)

    def report_books(self, look_id: str, why: LookWhy, now: datetime) -> None:
        """Have the inner broker report its books, with all that was lost on the way here."""
        self._inner.report_books(look_id, why, now)

    def corporate_action(self, action: CorporateActionApplied) -> None:
        """Show the inner broker the action."""
        self._inner.corporate_action(action)

    def release(self) -> None:
        """Deliver now all that is held back."""
        held, self._held = self._held, []
        for _, report in held:
            self._deliver(report)

    def _arrivals(self, message: Message) -> int:
        """Return how many times what we send now arrives."""
        fault = self._next_fault(message)
        if fault is None:
            return 1
        return 0 if fault.kind is FaultKind.LOST else 2

    def _spoil(self, report: Input) -> None:
        """Pass a report of the inner broker on as the plan says, then what has waited for it."""
        self._reports += 1
        message = _REPORTS.get(TAGS[type(report)])
        fault = self._next_fault(message) if message else None
        if fault is None or fault.kind is FaultKind.DUPLICATE:
            self._deliver(report)
        if fault is not None:
            self._hold(fault, report)
        waiting, self._held = self._held, []
        for last_awaited, held in waiting:
            if last_awaited <= self._reports:
                self._deliver(held)
            else:
                self._held.append((last_awaited, held))

    def _hold(self, fault: Fault, report: Input) -> None:
        match fault.kind:
            case FaultKind.LATE | FaultKind.DUPLICATE:
                self._held.append((self._reports + fault.delay_reports, report))
            case FaultKind.REORDERED:
                self._held.append((self._reports + 1, report))
            case FaultKind.UNSET:
                assert isinstance(report, MarginReported), "nothing else can be unset"
                self._deliver(MarginReported(report.request_id, None, None, None))
            case FaultKind.LOST:
                pass
            case _:
                assert_never(fault.kind)

    def _next_fault(self, message: Message) -> Fault | None:
        self._seen[message] += 1
        return self._plan.get((message, self._seen[message]))

    def _deliver(self, report: Input) -> None:
        assert self._inbox is not None, "connect() comes first"
        self._inbox(report)


def seeded_plan(seed: int) -> tuple[Fault, ...]:
    """Return the plan of that seed: the same in every process and on every machine."""
    chance = Random(seed)  # noqa: S311 - a plan to be seen again, not a secret
    messages = [(message, nth) for message in Message for nth in range(1, SEEDED_NTH_MAX + 1)]
    plan = []
    for message, nth in chance.sample(messages, SEEDED_FAULTS):
        plan.append(Fault(chance.choice(_possible(message)), message, nth, chance.randint(1, 5)))
    return tuple(plan)


def with_faults(inner: Broker, params: dict[str, object]) -> Broker:
    """Return `inner` with the faults that `broker.params` names; itself when it names none.

    Raises:
        ValueError: what `params` says is not a plan; the message names the key.
    """
    try:
        wanted = msgspec.convert(params, _Params)
    except msgspec.ValidationError as error:
        raise ValueError(f"broker.params: {error}") from error
    plan = wanted.faults
    if wanted.fault_seed is not None:
        if plan:
            raise ValueError("broker.params: give faults or fault_seed, not both")
        plan = seeded_plan(wanted.fault_seed)
    return FaultyBroker(inner, plan) if plan else inner
