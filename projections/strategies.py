"""What each strategy answered, counted from the journal, and whether it has failed."""

from typing import assert_never

import msgspec

from events import (
    IntentApproved,
    IntentRefused,
    OrderIntended,
    StrategyDeclined,
    StrategyFailed,
    Symbol,
)

StrategyEvent = OrderIntended | IntentApproved | IntentRefused | StrategyDeclined | StrategyFailed


class StrategyAnswers(msgspec.Struct):
    """One strategy's answers. `declined` holds its standing reason not to trade, by symbol."""

    intended: int = 0
    approved: int = 0
    refused: int = 0
    declined: dict[Symbol, StrategyDeclined] = {}
    failed: str = ""


class Strategies(msgspec.Struct):
    """Answers by strategy name."""

    answers: dict[str, StrategyAnswers] = {}

    def of(self, strategy: str) -> StrategyAnswers:
        """Return that strategy's answers so far."""
        return self.answers.get(strategy) or StrategyAnswers()

    def apply(self, event: StrategyEvent, strategy: str) -> None:
        """Count one answer of `strategy`."""
        answers = self.answers.get(strategy)
        if answers is None:
            answers = self.answers[strategy] = StrategyAnswers()
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
