"""The gate: the one pure function every order passes, and the type that proves it did."""

from daemon.gate.decision import RiskApproved, RiskAsks, RiskRefused
from daemon.gate.gate import check
from daemon.gate.limits import Limits

__all__ = ["Limits", "RiskApproved", "RiskAsks", "RiskRefused", "check"]
