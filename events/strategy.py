"""What a strategy answered when it was not an order."""

from events.base import Event, Symbol


class StrategyDeclined(Event, frozen=True, tag="strategy.declined"):
    """No trade, and why; recorded when stage or reason changes, not at every evaluation.

    `evaluations` counts how often the previous answer was given before this one.
    """

    strategy: str
    symbol: Symbol
    stage: str
    reason: str
    evaluations: int


class StrategyFailed(Event, frozen=True, tag="strategy.failed"):
    """The strategy raised, or decided differently from the journal. It is on HALT from here."""

    strategy: str
    error: str
