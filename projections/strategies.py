"""What each strategy answered, counted from the journal, and whether it has failed."""

from typing import Final, assert_never

import msgspec

from events import (
    IntentApproved,
    IntentRefused,
    OrderIntended,
    SessionStarted,
    StrategyDeclined,
    StrategyFailed,
    Symbol,
)

StrategyEvent = OrderIntended | IntentApproved | IntentRefused | StrategyDeclined | StrategyFailed


FAILED: Final = "strategy failed"
"""The cause of the hold behind a failed strategy."""


class StrategyAnswers(msgspec.Struct):
    """One strategy's answers. `declined` holds its standing reason not to trade, by symbol.

    `failed` is why it is not asked any more, until that is forgiven (in the record `forgiven_seq`)
    with the hold that the failure has left; other code (`code_hash`) starts with a clean sheet, but
    behind that hold.
    """

    intended: int = 0
    approved: int = 0
    refused: int = 0
    declined: dict[Symbol, StrategyDeclined] = {}
    failed: str = ""
    forgiven_seq: int = 0
    code_hash: str = ""


class Strategies(msgspec.Struct):
    """Answers by strategy name."""

    answers: dict[str, StrategyAnswers] = {}

    def of(self, strategy: str) -> StrategyAnswers:
        """Return that strategy's answers so far."""
        return self.answers.get(strategy) or StrategyAnswers()

    def start_session(self, started: SessionStarted) -> None:
        """Take in which code each strategy runs on from here."""
        for strategy, code_hash in started.strategies.items():
            answers = self._answers_of(strategy)
            if answers.code_hash != code_hash:
                answers.code_hash = code_hash
                answers.failed = ""

    def forgive(self, strategy: str, seq: int) -> None:
        """Take in that the hold behind a failure is lifted: the strategy is asked again."""
        answers = self._answers_of(strategy)
        answers.failed = ""
        answers.forgiven_seq = seq

    def apply(self, event: StrategyEvent, strategy: str) -> None:
        """Count one answer of `strategy`."""
        answers = self._answers_of(strategy)
        match event:
            case OrderIntended():
                answers.intended += 1
                answers.declined.pop(event.symbol, None)
            case IntentApproved():
                answers.approved += 1
            case IntentRefused():
                answers.refused += 1
            case StrategyDeclined():
                answers.declined[event.symbol] = event
            case StrategyFailed():
                answers.failed = event.error
            case _:
                assert_never(event)

    def _answers_of(self, strategy: str) -> StrategyAnswers:
        answers = self.answers.get(strategy)
        if answers is None:
            answers = self.answers[strategy] = StrategyAnswers()
        return answers
