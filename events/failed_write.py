"""What the disk refuses beside an append: a failed write all the same."""

from collections.abc import Iterator
from contextlib import contextmanager

from events.errors import JournalWriteFailed


@contextmanager
def cannot_write(what: str, also: type[Exception] = OSError) -> Iterator[None]:
    """Say `what` could not be written where the disk refuses, and raises OSError or `also`.

    Raises:
        JournalWriteFailed: it did.
    """
    try:
        yield
    except (OSError, also) as error:
        message = f"{what}: {error}"
        raise JournalWriteFailed(message) from error
