"""Finds a secret by its name: systemd's credentials first, the environment, the encrypted file.

A secret is one line of text. Its name is how its file under $CREDENTIALS_DIRECTORY is called, and
in capitals the variable of the environment: `ibkr_account`, IBKR_ACCOUNT.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from daemon.secrets.encrypted_file import EncryptedFile, find_passphrase, secrets_path
from daemon.secrets.names import PASSPHRASE_FILE, SECRETS, BadSecret, SecretName

SIZE_MAX_BYTES: Final = 10_000


class Source(StrEnum):
    """Where a secret comes from."""

    CREDENTIAL = "systemd's credential"
    ENVIRONMENT = "the environment"
    FILE = "the encrypted file"


class Found(msgspec.Struct, frozen=True):
    """A secret and its source. It shows neither in a text nor in a traceback."""

    value: str
    source: Source

    def __repr__(self) -> str:
        """Return everything but the secret."""
        return f"<a secret from {self.source}>"


def find_secret(name: SecretName, environment: Mapping[str, str]) -> str | None:
    """Return the secret of that name, None where nobody has set it.

    Raises:
        BadSecret: it is there, and empty, unreadable, too large, or nothing opens it.
    """
    found = look_for(name, environment)
    return found.value if found else None


def look_for(name: SecretName, environment: Mapping[str, str]) -> Found | None:
    """Return the secret of that name and where it was found first.

    Raises:
        BadSecret: as `find_secret`.
    """
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if folder and (path := Path(folder) / name).exists():
        return Found(_read(path), Source.CREDENTIAL)
    if text := environment.get(name.upper(), "").strip():
        return Found(text, Source.ENVIRONMENT)
    if not (path := secrets_path(environment)).exists():
        return None
    passphrase = find_passphrase(environment)
    if passphrase is None:
        raise BadSecret(f"{path} is there, and nothing opens it: set {PASSPHRASE_FILE}")
    value = EncryptedFile(path, passphrase).get(name)
    return None if value is None else Found(value, Source.FILE)


def known_secrets(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets that are set, each word of them: what must never be written anywhere."""
    for name in SECRETS:
        try:
            found = find_secret(name, environment)
        except BadSecret:
            continue  # Whoever needs it says so.
        yield from found.split() if found else ()


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(SIZE_MAX_BYTES + 1).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSecret(f"the credential {path} cannot be read: {type(error).__name__}") from None
    if not text or len(text) > SIZE_MAX_BYTES:
        raise BadSecret(f"the credential {path} is empty or longer than {SIZE_MAX_BYTES} bytes")
    return text
