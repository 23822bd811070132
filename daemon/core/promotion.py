"""The rule a strategy in shadow must meet before its orders are sent. It fails closed."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from daemon.config.bounds import Share
from projections import State


class PromotionRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sessions in shadow, intents that would have been sent, and the share the gate may refuse."""

    min_sessions: int = 10
    min_intents: int = 1
    max_refused_share: Share = Decimal("0.20")


class Requirement(msgspec.Struct, frozen=True):
    """One requirement: what is asked, what is so."""

    name: str
    met: bool
    asked: str
    found: str


def requirements(state: State, strategy: str, rule: PromotionRule) -> list[Requirement]:
    """Return every requirement of the rule with what the books say of it."""
    return list(_requirements(state, strategy, rule))


def unmet(state: State, strategy: str, rule: PromotionRule) -> list[str]:
    """Return what `strategy` lacks, in words; nothing where it may be promoted."""
    return [
        f"{each.name}: {each.found}, asked is {each.asked}"
        for each in _requirements(state, strategy, rule)
        if not each.met
    ]


def _requirements(state: State, strategy: str, rule: PromotionRule) -> Iterator[Requirement]:
    answers = state.strategies.of(strategy)
    yield Requirement("in shadow", answers.shadow, "yes", "yes" if answers.shadow else "no")
    failed = answers.failed or "no"
    yield Requirement("failed", not answers.failed, "no", failed)
    sessions = state.pnl.days - answers.shadow_since
    yield Requirement(
        "sessions in shadow",
        sessions >= rule.min_sessions,
        f"at least {rule.min_sessions}",
        str(sessions),
    )
    decided = answers.shadow_passed + answers.shadow_refused
    yield Requirement(
        "intents in shadow",
        decided >= rule.min_intents,
        f"at least {rule.min_intents}",
        str(decided),
    )
    share = Decimal(answers.shadow_refused) / decided if decided else Decimal(1)
    yield Requirement(
        "share the gate would have refused",
        share <= rule.max_refused_share,
        f"at most {rule.max_refused_share}",
        f"{share:.2f}",
    )
