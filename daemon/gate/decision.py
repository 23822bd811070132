"""What the gate answers. Only it can make a `RiskApproved`; execution accepts nothing else."""

from typing import Final

import msgspec

from events import Check, OrderIntended

_SEAL: Final = object()


class RiskApproved(msgspec.Struct, frozen=True):
    """Proof that `intent` passed the gate. `seal` is known to the gate's own package alone."""

    intent: OrderIntended
    checks: tuple[Check, ...]
    seal: object

    def __post_init__(self) -> None:
        """Refuse to exist without the seal."""
        if self.seal is not _SEAL:
            message = "only daemon.gate may approve an order"
            raise TypeError(message)


class RiskRefused(msgspec.Struct, frozen=True):
    """`intent` did not pass; the failed checks say why."""

    intent: OrderIntended
    checks: tuple[Check, ...]


def approve(intent: OrderIntended, checks: tuple[Check, ...]) -> RiskApproved:
    """Seal an approval. For `daemon.gate` only; a test looks for other callers."""
    return RiskApproved(intent, checks, _SEAL)
