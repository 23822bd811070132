"""Client order ids: the same decision made again, after a restart or a restore, is the same id."""

import re
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256

import msgspec

from daemon.strategies import Intent
from events import ClientOrderId, Symbol

_NOT_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]")


def client_order_id(  # noqa: PLR0913 - each is a part of the identity
    *,
    journal_id: str,
    strategy: str,
    cause_key: str,
    cause_time: datetime,
    leg: int,
    intent: Intent,
) -> ClientOrderId:
    """Return `SYMBOL-YYYYMMDDTHHMMSS-<24 hex>` for an order intent.

    The hash covers the journal, the strategy, the natural key of the cause, the leg, and the
    order's fields as intended. Two honest equal orders differ by cause or leg. The readable part
    is the symbol's letters and digits and the UTC time of the cause; it uses only characters every
    broker accepts in an order reference.
    """
    identity: tuple[object, ...] = (
        journal_id,
        strategy,
        cause_key,
        leg,
        intent.symbol,
        _plain(intent.quantity),
        intent.order_type,
        _plain(intent.limit_price),
        _plain(intent.stop_price),
        intent.time_in_force,
    )
    if intent.outside_rth:
        # Only where it is said: the ids of all other orders stay what they have always been.
        identity = (*identity, "outside_rth")
    digest = sha256(msgspec.json.encode(identity)).hexdigest()[:24]
    return ClientOrderId(f"{_letters_and_digits(intent.symbol)}-{_compact(cause_time)}-{digest}")


@lru_cache(maxsize=4_096)
def _letters_and_digits(symbol: Symbol) -> str:
    return _NOT_ALPHANUMERIC.sub("", symbol)


def _compact(moment: datetime) -> str:
    """Return YYYYMMDDTHHMMSS; strftime takes three times as long."""
    return moment.isoformat(timespec="seconds")[:19].replace("-", "").replace(":", "")


def _plain(number: Decimal | None) -> str | None:
    """Return `number` without trailing zeros, so that 100 and 100.0 are the same order."""
    return None if number is None else f"{number.normalize():f}"
