"""What reading commands need of the configuration in a journal, whatever else stands in it.

Unlike `daemon.config.options` this refuses nothing: a journal of another version stays readable.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from daemon.config.bounds import Problems, convert
from daemon.core.looks import ReconciliationTerms
from daemon.core.promotion import PromotionRule
from daemon.disk import HALT_MB, WARN_MB
from events import Symbol


class LossLimits(msgspec.Struct, frozen=True):
    """The account's limits that stop trading once reached; None where not set."""

    max_daily_loss_usd: Decimal | None = None
    max_drawdown: Decimal | None = None


class RecordedLimits(msgspec.Struct, frozen=True):
    """The part of the limits that is about the account."""

    account: LossLimits = LossLimits()


class RecordedStrategy(msgspec.Struct, frozen=True):
    """Which symbols a strategy is asked about; empty means all."""

    symbols: tuple[Symbol, ...] = ()


class RecordedJournal(msgspec.Struct, frozen=True):
    """How much room there must be for the journal."""

    disk_warn_mb: int = WARN_MB
    disk_halt_mb: int = HALT_MB


class RecordedFeed(msgspec.Struct, frozen=True):
    """Where bars come from."""

    kind: str = ""


class RecordedConfig(msgspec.Struct, frozen=True):
    """The parts of a configuration that are shown."""

    journal: RecordedJournal = RecordedJournal()
    feed: RecordedFeed = RecordedFeed()
    limits: RecordedLimits = RecordedLimits()
    strategies: dict[str, RecordedStrategy] = {}
    promotion: PromotionRule = PromotionRule()
    reconciliation: ReconciliationTerms = ReconciliationTerms()


def recorded_config(config: Mapping[str, object]) -> RecordedConfig:
    """Return what is known of `config`, as `config.loaded` holds it.

    What cannot be read counts as not set; the rest counts all the same.
    """
    found = convert(config, RecordedConfig, "", Problems(text_numbers=True))
    assert isinstance(found, RecordedConfig), "nothing in it is required"
    return found
