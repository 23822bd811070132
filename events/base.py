"""The shape every event shares, the ids of the domain, and how a moment is counted."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType

import msgspec

Symbol = NewType("Symbol", str)
ClientOrderId = NewType("ClientOrderId", str)
ExecutionId = NewType("ExecutionId", str)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Event(
    msgspec.Struct,
    frozen=True,
    gc=False,
    tag_field="type",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """A fact. Its tag is the stored name for ever; a default never changes once released.

    `gc=False` is safe because events hold only values, never references back to themselves.
    """

    def key(self) -> str | None:
        """Return the natural identity within the event's type, None where repeats do not matter."""
        return None


def nanoseconds(moment: datetime) -> int:
    """Return aware `moment` as nanoseconds since 1970 UTC, exact to the microsecond."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


@lru_cache(maxsize=64)
def utc_from_nanoseconds(at: int) -> datetime:
    """Return the aware UTC time of `at`, cut to the microsecond."""
    return _EPOCH + _MICROSECOND * (at // 1000)
