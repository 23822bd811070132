"""A journal opened to be shown: what is missing at its end is said before anything is read."""

from pathlib import Path

from events.journal import JournalReader


def opened(path: Path) -> JournalReader:
    """Return a reader of the journal at `path`, for the caller to close.

    Raises:
        JournalError: it cannot be read, or does not end where its witness says.
    """
    reader = JournalReader(path)
    try:
        reader.assert_witnessed()
    except BaseException:
        reader.close()
        raise
    return reader
