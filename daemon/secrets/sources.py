"""Finds a secret by its name: systemd's credentials first, then the environment.

A secret is one line of text. Its name is how its file under $CREDENTIALS_DIRECTORY is called, and
in capitals the variable of the environment: `ibkr_account`, IBKR_ACCOUNT.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NewType

SecretName = NewType("SecretName", str)

ACCOUNT: Final = SecretName("ibkr_account")
"""The number of the account at Interactive Brokers."""
WATCH_TOKEN: Final = SecretName("traded_watch_token")
"""What a browser or a scraper shows to `traded watch`."""
ALERT_URLS: Final = SecretName("traded_alert_urls")
"""Where alerts go, as Apprise's URLs, separated by blanks: they hold tokens of other services."""
PING_URL: Final = SecretName("traded_ping_url")
"""What is asked every minute while all is well, so that its silence is an alarm."""

SIZE_MAX_BYTES: Final = 10_000


class BadSecret(Exception):
    """A secret is there and cannot be used; the text never has it in it."""


def find_secret(name: SecretName, environment: Mapping[str, str]) -> str | None:
    """Return the secret of that name, None where nobody has set it.

    Raises:
        BadSecret: it is there, and empty, unreadable or too large.
    """
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if folder and (path := Path(folder) / name).exists():
        return _read(path)
    found = environment.get(name.upper())
    return found.strip() or None if found is not None else None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(SIZE_MAX_BYTES + 1).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSecret(f"the credential {path} cannot be read: {type(error).__name__}") from None
    if not text or len(text) > SIZE_MAX_BYTES:
        raise BadSecret(f"the credential {path} is empty or longer than {SIZE_MAX_BYTES} bytes")
    return text
