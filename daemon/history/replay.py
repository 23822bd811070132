"""Making the recorded decisions again: the same core over the recorded inputs, compared as it goes.

Recovery and `replay --redecide` are this one walk. What the journal says is what is folded; what
the core would have said is only compared with it.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec

from daemon.core.core import Core, CoreSettings
from daemon.core.recorder import Recorder
from daemon.core.strategy_runs import StrategyRun
from daemon.history.code_hash import code_version
from events import (
    CancelSending,
    ConfigLoaded,
    HoldPlaced,
    HoldScope,
    IntentApproved,
    IntentRefused,
    MarginRequested,
    OrderIntended,
    OrderSending,
    Record,
    SessionStarted,
    StrategyDeclined,
    StrategyFailed,
    Trip,
)
from events.codec import INPUTS, Decided
from projections import State
from projections.orders import Order


class Renewed(msgspec.Struct, frozen=True):
    """What runs under a configuration.

    `incomparable` says of which strategies today's code cannot decide again what they decided
    under it, and why.
    """

    runs: Sequence[StrategyRun]
    settings: CoreSettings
    incomparable: dict[str, str]


_TRIPPED_BY_STRATEGIES = frozenset({Trip.RUNAWAY, Trip.ORDER_RATE})

Renew = Callable[[ConfigLoaded, Sequence[StrategyRun], int], Renewed]
"""Configuration loaded, the runs so far, the seq reached -> what runs from here on."""


class Difference(msgspec.Struct, frozen=True):
    """Input `seq` led to something else than recorded. One of both events is None: nothing there.

    `strategy` is whose decision it was, empty where no strategy is behind it.
    """

    seq: int
    recorded: Record | None
    decided: Decided | None
    strategy: str


class Turn(msgspec.Struct, frozen=True):
    """One recorded input and all that was decided on it."""

    input: Record
    decisions: tuple[Record, ...]


def turns(records: Iterable[Record]) -> Iterator[Turn]:
    """Yield the turns of a journal: each input with the decisions recorded behind it."""
    head: Record | None = None
    decisions: list[Record] = []
    for record in records:
        if type(record.event) in INPUTS:
            if head is not None:
                yield Turn(head, tuple(decisions))
            head, decisions = record, []
        else:
            decisions.append(record)
    if head is not None:
        yield Turn(head, tuple(decisions))


class Comparing(Recorder):
    """Folds what a journal has recorded on the input in hand, and notes where the core differs.

    `muted` strategies are shown everything and compared with nothing; `uncompared` counts what
    was recorded of them, by name.
    """

    def __init__(self, state: State) -> None:
        """Go on from `state`."""
        super().__init__(state)
        self.muted: frozenset[str] = frozenset()
        self.uncompared: Counter[str] = Counter()
        self.decisions = 0
        self.differences: list[Difference] = []
        self._expected: deque[Record] = deque()
        self._input_seq = 0

    def expect(self, turn: Turn) -> None:
        """Take up a turn: its decisions are what the core should come to."""
        self._input_seq = turn.input.seq
        self._expected.extend(turn.decisions)
        self.decisions += len(turn.decisions)

    def settle(self, turn: Turn) -> None:
        """Fold what the core has not come to: the journal counts."""
        if self.state.seq < turn.input.seq:
            # The live core would have dropped it as a repeat; the journal has it.
            self._differ(turn.input, None, "")
            self.state.apply(turn.input)
        while self._expected:
            self._fold_unmatched(self._expected.popleft())
        self.records.clear()
        self.effects.clear()

    def decide(
        self,
        event: Decided,
        cause: int,  # noqa: ARG002 - the recorded cause counts, not the one given here
        order: Order | None = None,  # noqa: ARG002 - nor this one
    ) -> int:
        """Fold the recorded twin of `event`; without one, note the difference and fold nothing."""
        strategy = self._strategy_of(event)
        if strategy in self.muted:
            return self.state.seq
        for index, record in enumerate(self._expected):
            if record.event == event:
                for _ in range(index):
                    self._fold_unmatched(self._expected.popleft())
                self.state.apply(self._expected.popleft())
                return record.seq
        self._differ(None, event, strategy)
        return self.state.seq

    def _fold_unmatched(self, record: Record) -> None:
        strategy = self._strategy_of(record.event)
        if strategy in self.muted:
            self.uncompared[strategy] += 1
        else:
            self._differ(record, None, strategy)
        self.state.apply(record)

    def _differ(self, recorded: Record | None, decided: Decided | None, strategy: str) -> None:
        self.differences.append(Difference(self._input_seq, recorded, decided, strategy))

    def _strategy_of(self, event: object) -> str:
        if isinstance(event, OrderIntended | StrategyDeclined | StrategyFailed):
            return event.strategy
        if isinstance(event, IntentApproved | IntentRefused | OrderSending):
            return self.state.orders.strategy_of(event.client_order_id) or ""
        if isinstance(event, MarginRequested):
            return self.state.orders.strategy_of(event.orders[0]) or ""
        if isinstance(event, HoldPlaced) and event.scope is HoldScope.STRATEGY:
            return event.target
        if isinstance(event, HoldPlaced) and event.cause == Trip.ORDER_RATE:
            return event.subject  # By whose order it was tripped.
        return self._strategy_behind(event) if isinstance(event, CancelSending) else ""

    def _strategy_behind(self, cancel: CancelSending) -> str:
        """Return the strategy that tripped what asks for the cancel, if one did."""
        order = self.state.orders.find(cancel.client_order_id)
        if order is not None and cancel.reason in _TRIPPED_BY_STRATEGIES:
            for hold in self.state.holds.in_scope(order.intent.strategy, order.symbol):
                if hold.cause == cancel.reason:
                    return hold.subject or hold.target
        return ""


class ReplayCore:
    """A core that follows a journal, with the configuration the journal names at every point.

    `renew` says, for a configuration in the journal, which strategies run under it and with which
    settings.
    """

    def __init__(
        self,
        state: State,
        begun: Renewed,
        renew: Renew,
        *,
        compare_all: bool,
        changed: Collection[str] = (),
    ) -> None:
        """Go on from `state`, which must be where the records to come start, with what `begun` has.

        With `compare_all` strategies are compared even where the journal was written by other
        code than today's: that is what an upgrade gate asks. Without it they are muted there, from
        the start those named in `changed`. `incomparable` is why some cannot be compared at all.
        """
        self.comparing = Comparing(state)
        self.core = Core(state, begun.runs, begun.settings, self.comparing)
        self.settings = begun.settings
        self.incomparable = dict(begun.incomparable)
        self._renew = renew
        self._compare_all = compare_all
        self._mute(begun.incomparable, changed)

    @property
    def runs(self) -> list[StrategyRun]:
        """The strategies as far as they have come."""
        return list(self.core.desk.runs.values())

    def follow(self, turn: Turn) -> None:
        """Take one recorded turn."""
        state = self.core.state
        match turn.input.event:
            case ConfigLoaded() as loaded:
                renewed = self._renew(loaded, self.runs, state.seq)
                self.settings = renewed.settings
                self.core = Core(state, renewed.runs, renewed.settings, self.comparing)
                self.incomparable = renewed.incomparable | self.incomparable
                self._mute(renewed.incomparable, self._changed)
            case SessionStarted() as started if not self._compare_all:
                self._mute(self._incomparable_now, self._changed_in(started))
            case _:
                pass
        self.comparing.expect(turn)
        self.core.step(turn.input.event, turn.input.at)  # type: ignore[arg-type] # an input, by `turns`
        self.comparing.settle(turn)

    def _changed_in(self, started: SessionStarted) -> list[str]:
        """Return the strategies whose code or parameters were others in the session that starts.

        Where traded itself was another one, that is all of them, and what is nobody's: a new check
        of the gate makes no strategy a suspect.
        """
        if started.code_version != code_version():
            return ["", *(run.name for run in self.runs)]
        return [
            run.name
            for run in self.runs
            if started.strategies.get(run.name, run.code_hash) != run.code_hash
        ]

    def _mute(self, incomparable: Collection[str], changed: Collection[str]) -> None:
        self._incomparable_now, self._changed = incomparable, changed
        self.comparing.muted = frozenset((*incomparable, *changed))
