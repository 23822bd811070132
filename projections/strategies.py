"""What each strategy answered, counted from the journal, and whether it has failed."""

from collections.abc import Mapping
from typing import Final, assert_never

import msgspec

from events import (
    IntentApproved,
    IntentRefused,
    OperatorShadowed,
    OrderIntended,
    SessionStarted,
    StrategyDeclined,
    StrategyFailed,
    StrategyPromoted,
    Symbol,
)

SHADOW = "shadow"
"""The check that a strategy in shadow does not pass."""

StrategyEvent = OrderIntended | IntentApproved | IntentRefused | StrategyDeclined | StrategyFailed


FAILED: Final = "strategy failed"
"""The cause of the hold behind a failed strategy."""


class StrategyAnswers(msgspec.Struct):
    """One strategy's answers. `declined` holds its standing reason not to trade, by symbol.

    `failed` is why it is not asked any more, until that is forgiven (in the record `forgiven_seq`)
    with the hold that the failure has left; other code (`code_hash`) starts with a clean sheet, but
    behind that hold. In `shadow` it decides and sends nothing, since `shadow_since` days were
    closed; `shadow_passed` intents would have been sent.
    """

    intended: int = 0
    approved: int = 0
    refused: int = 0
    declined: dict[Symbol, StrategyDeclined] = {}
    failed: str = ""
    forgiven_seq: int = 0
    code_hash: str = ""
    shadow: bool = False
    shadow_since: int = 0
    shadow_passed: int = 0
    shadow_refused: int = 0

    def move(self, *, shadow: bool, days: int) -> None:
        """Go into the shadow or out of it, after `days` closed days."""
        self.shadow = shadow
        self.shadow_since = days
        self.shadow_passed = self.shadow_refused = 0


class Strategies(msgspec.Struct):
    """Answers by strategy name."""

    answers: dict[str, StrategyAnswers] = {}

    def of(self, strategy: str) -> StrategyAnswers:
        """Return that strategy's answers so far."""
        return self.answers.get(strategy) or StrategyAnswers()

    def start_session(self, started: SessionStarted, days: int) -> None:
        """Take in which code each strategy runs on from here, after `days` closed days.

        What other code has shown in the shadow says nothing of this one.
        """
        for strategy, code_hash in started.strategies.items():
            answers = self._answers_of(strategy)
            if answers.code_hash != code_hash:
                answers.code_hash = code_hash
                answers.failed = ""
                answers.shadow_since = days
                answers.shadow_passed = answers.shadow_refused = 0

    def forgive(self, strategy: str, seq: int) -> None:
        """Take in that the hold behind a failure is lifted: the strategy is asked again."""
        answers = self._answers_of(strategy)
        answers.failed = ""
        answers.forgiven_seq = seq

    def shadows(self, strategy: str) -> bool:
        """Say whether that strategy decides without sending."""
        answers = self.answers.get(strategy)
        return answers is not None and answers.shadow

    def move(self, event: OperatorShadowed | StrategyPromoted, days: int) -> None:
        """Put a strategy into its shadow, or let it out, after `days` closed days.

        Of one that no session ever had there is nothing to move: its command is refused.
        """
        answers = self.answers.get(event.strategy)
        if answers is not None:
            answers.move(shadow=isinstance(event, OperatorShadowed), days=days)

    def load(self, before: Mapping[str, object], config: Mapping[str, object], days: int) -> None:
        """Put into their shadow the strategies that `config` wants there and `before` did not.

        Only a promotion lets one out: an option that is gone may have been lost.
        """
        for strategy in sorted(shadowed_in(config) - shadowed_in(before)):
            answers = self._answers_of(strategy)
            if not answers.shadow:
                answers.move(shadow=True, days=days)

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
                if answers.shadow:
                    only = all(each.passed or each.name == SHADOW for each in event.checks)
                    answers.shadow_passed += only
                    answers.shadow_refused += not only
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


def shadowed_in(config: Mapping[str, object]) -> frozenset[str]:
    """Return the strategies that a recorded configuration wants in their shadow."""
    tables = config.get("strategies")
    if not isinstance(tables, Mapping):
        return frozenset()
    return frozenset(
        name
        for name, table in tables.items()
        if isinstance(table, Mapping) and table.get("shadow") is True
    )
