"""Making the recorded decisions again: the same core over the recorded inputs, compared as it goes.

Recovery and `replay --redecide` are this one walk. What the journal says is what is folded; what
the core would have said is only compared with it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from daemon.core import Core, CoreSettings
from daemon.strategy_runs import StrategyRun
from events import (
    ConfigLoaded,
    IntentApproved,
    IntentRefused,
    OrderIntended,
    OrderSending,
    Record,
    SessionStarted,
    StrategyDeclined,
    StrategyFailed,
)
from events.codec import INPUTS, Decided, Input
from projections import State
from projections.orders import Order

Renew = Callable[
    [ConfigLoaded, Sequence[StrategyRun], int], tuple[Sequence[StrategyRun], CoreSettings]
]
"""Configuration loaded, the runs so far, the seq reached -> the runs and settings from here on."""


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


class ReplayCore(Core):
    """A core that follows a journal: it folds what is recorded and notes where it would differ.

    `renew` says, for a configuration in the journal, which strategies run under it and with which
    settings. `muted` strategies are shown everything and compared with nothing.
    """

    def __init__(
        self,
        state: State,
        runs: Sequence[StrategyRun],
        settings: CoreSettings,
        renew: Renew,
        *,
        compare_all: bool,
    ) -> None:
        """Go on from `state`, which must be where the records to come start.

        With `compare_all` strategies are compared even where the journal was written by other
        code than today's: that is what an upgrade gate asks. Without it they are muted there.
        """
        super().__init__(state, runs, settings)
        self.renew = renew
        self.compare_all = compare_all
        self.muted: frozenset[str] = frozenset()
        self.decisions = 0
        self.differences: list[Difference] = []
        self._recorded: deque[Record] = deque()
        self._input: Record | None = None

    def follow(self, turn: Turn) -> None:
        """Take one recorded turn."""
        self._input = turn.input
        match turn.input.event:
            case ConfigLoaded() as loaded:
                self._change_runs(*self.renew(loaded, list(self.runs.values()), self.state.seq))
            case SessionStarted() as started if not self.compare_all:
                self._mute_changed(started)
            case _:
                pass
        self._recorded.extend(turn.decisions)
        self.decisions += len(turn.decisions)
        folded_before = self.state.seq
        self.step(turn.input.event, turn.input.at)  # type: ignore[arg-type] # an input, by `turns`
        if self.state.seq == folded_before:
            # The live core would have dropped it as a repeat; the journal has it, so it counts.
            self._differ(turn.input, None, "")
            self.state.apply(turn.input)
        while self._recorded:
            self._fold_unmatched(self._recorded.popleft())
        self.records.clear()
        self.effects.clear()

    def _change_runs(self, runs: Sequence[StrategyRun], settings: CoreSettings) -> None:
        kept = (self.records, self.effects, self.repeats_dropped)
        Core.__init__(self, self.state, runs, settings)
        self.records, self.effects, self.repeats_dropped = kept

    def _mute_changed(self, started: SessionStarted) -> None:
        """Mute the strategies whose code or parameters were others in the session that starts."""
        self.muted = frozenset(
            name
            for name, run in self.runs.items()
            if started.strategies.get(name, run.code_hash) != run.code_hash
        )

    def _take(self, event: Input, at: int, order: Order | None = None) -> None:
        assert self._input is not None, "follow a turn, do not step"
        super()._take(event, at, order)

    def _record(  # the recorded cause counts, not the one given here
        self,
        event: Decided,
        cause: int,
        order: Order | None = None,  # noqa: ARG002 - as `Core`'s
    ) -> int:
        strategy = self._strategy_of(event)
        if strategy in self.muted:
            return self.state.seq
        for index, record in enumerate(self._recorded):
            if record.event == event:
                for _ in range(index):
                    self._fold_unmatched(self._recorded.popleft())
                self.state.apply(self._recorded.popleft())
                return record.seq
        self._differ(None, event, strategy)
        return self.state.seq

    def _fold_unmatched(self, record: Record) -> None:
        strategy = self._strategy_of(record.event)
        if strategy not in self.muted:
            self._differ(record, None, strategy)
        self.state.apply(record)

    def _differ(self, recorded: Record | None, decided: Decided | None, strategy: str) -> None:
        assert self._input is not None, "follow a turn, do not step"
        self.differences.append(Difference(self._input.seq, recorded, decided, strategy))

    def _strategy_of(self, event: object) -> str:
        if isinstance(event, OrderIntended | StrategyDeclined | StrategyFailed):
            return event.strategy
        if isinstance(event, IntentApproved | IntentRefused | OrderSending):
            order = self.state.orders.find(event.client_order_id)
            return order.intent.strategy if order else ""
        return ""
