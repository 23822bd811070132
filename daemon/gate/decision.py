"""What the gate answers. Only it can make a `RiskApproved`; execution accepts nothing else."""

import msgspec

from events import Check, OrderIntended


class _Seal:
    """What the gate puts on one intent, and no other."""

    __slots__ = ("intent",)

    def __init__(self, intent: OrderIntended) -> None:
        self.intent = intent


class RiskApproved(msgspec.Struct, frozen=True):
    """Proof that `intent` passed the gate. `seal` is the gate's own, and for that intent alone."""

    intent: OrderIntended
    checks: tuple[Check, ...]
    seal: object

    def __post_init__(self) -> None:
        """Refuse to exist without the seal on this very intent."""
        if not isinstance(self.seal, _Seal) or self.seal.intent is not self.intent:
            message = "only daemon.gate may approve an order"
            raise TypeError(message)


class RiskAsks(msgspec.Struct, frozen=True):
    """`intent` passes, or its batch does, if the broker's margin for it allows that."""

    intent: OrderIntended
    checks: tuple[Check, ...]


class RiskRefused(msgspec.Struct, frozen=True):
    """`intent` did not pass; the failed checks say why."""

    intent: OrderIntended
    checks: tuple[Check, ...]


def approve(intent: OrderIntended, checks: tuple[Check, ...]) -> RiskApproved:
    """Seal an approval. For `daemon.gate` only; a test looks for other callers."""
    return RiskApproved(intent, checks, _Seal(intent))
