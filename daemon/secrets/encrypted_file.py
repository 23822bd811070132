"""Secrets in a file of their own, each value encrypted; the passphrase lies somewhere else.

For machines without systemd's credentials. The names can be read, the values cannot: Fernet
(AES-128-CBC and HMAC-SHA256), its key drawn from the passphrase by PBKDF2-HMAC-SHA256.
"""

import os
import secrets
import stat
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from daemon.secrets.names import PASSPHRASE, PASSPHRASE_FILE, SECRETS_FILE, BadSecret, SecretName

VERSION: Final = 1
ITERATIONS: Final = 1_200_000
"""Rounds of PBKDF2: about half a second for each guess at a passphrase, and once a start."""
ITERATIONS_MAX: Final = 100_000_000
SALT_BYTES: Final = 16
PASSPHRASE_SHORTEST: Final = 12
SIZE_MAX_BYTES: Final = 100_000


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    iterations: int
    salt: str
    check: str
    secrets: dict[str, str]


def secrets_path(environment: Mapping[str, str]) -> Path:
    """Return where the encrypted file is, or would be."""
    if given := environment.get(SECRETS_FILE):
        return Path(given)
    home = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '/root')}/.config"
    return Path(home) / "traded" / "secrets.json"


def find_passphrase(environment: Mapping[str, str]) -> str | None:
    """Return the passphrase as it is handed to a process that nobody types at, None without one.

    Raises:
        BadSecret: its file is readable by others, cannot be read, or lies beside what it opens.
    """
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if folder and (credential := Path(folder) / PASSPHRASE).exists():
        return _line_of(credential)
    named = environment.get(PASSPHRASE_FILE)
    if not named:
        return None
    path = Path(named)
    if path.resolve().parent == secrets_path(environment).resolve().parent:
        raise BadSecret(f"{PASSPHRASE_FILE}: {path} lies beside the secrets it opens: move it away")
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise BadSecret(f"{PASSPHRASE_FILE}: {path}: {error.strerror}") from error
    if mode & 0o077:
        raise BadSecret(f"{PASSPHRASE_FILE}: others may read {path}: `chmod 600 {path}`")
    return _line_of(path)


class EncryptedFile:
    """The secrets in the file at `path`, opened with a passphrase."""

    def __init__(self, path: Path, passphrase: str) -> None:
        """Read the file; it need not be there yet.

        Raises:
            BadSecret: it is none, was changed, or the passphrase is another one.
        """
        self.path = path
        self._content = _read(path) if path.exists() else _fresh()
        self._key = _key_of(passphrase, b64decode(self._content.salt), self._content.iterations)
        if self._content.check:
            self._open(
                self._content.check, "the passphrase is another one, or the file was changed"
            )
        else:
            self._content.check = self._seal("traded")

    def names(self) -> list[str]:
        """Return what is in it."""
        return sorted(self._content.secrets)

    def get(self, name: SecretName) -> str | None:
        """Return a secret, None where it is not in the file."""
        found = self._content.secrets.get(name)
        return None if found is None else self._open(found, f"{name} in it was changed")

    def set(self, name: SecretName, value: str) -> None:
        """Keep a secret; nothing is on disk before `save`."""
        self._content.secrets[name] = self._seal(value)

    def rotate(self, passphrase: str) -> None:
        """Encrypt everything anew, under another passphrase and a new salt."""
        values = {name: self.get(SecretName(name)) for name in self.names()}
        self._content = _fresh()
        self._key = _key_of(passphrase, b64decode(self._content.salt), self._content.iterations)
        self._content.check = self._seal("traded")
        for name, value in values.items():
            assert value is not None, "it was just listed"
            self.set(SecretName(name), value)

    def save(self) -> None:
        """Replace the file, whole and durably, for this user alone."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(self._content), indent=2)
        beside = self.path.with_name(f"{self.path.name}.new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        beside.replace(self.path)

    def _seal(self, value: str) -> str:
        from cryptography.fernet import Fernet  # noqa: PLC0415 - only who has such a file pays for it

        return Fernet(self._key).encrypt(value.encode()).decode()

    def _open(self, token: str, otherwise: str) -> str:
        from cryptography.fernet import Fernet, InvalidToken  # noqa: PLC0415 - as above

        try:
            return Fernet(self._key).decrypt(token.encode()).decode()
        except InvalidToken:
            raise BadSecret(f"{self.path}: {otherwise}") from None


def _fresh() -> _Content:
    salt = b64encode(secrets.token_bytes(SALT_BYTES)).decode()
    return _Content(VERSION, ITERATIONS, salt, "", {})


def _read(path: Path) -> _Content:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise BadSecret(f"others may read {path}: `chmod 600 {path}`")
        with path.open("rb") as file:
            content = msgspec.json.decode(file.read(SIZE_MAX_BYTES), type=_Content)
        salt = b64decode(content.salt, validate=True)
    except (OSError, ValueError) as error:
        raise BadSecret(f"{path} is no file of secrets: {error}") from None
    if content.version != VERSION:
        raise BadSecret(f"{path} is of version {content.version}: a newer traded wrote it")
    # Fewer rounds than we make would be somebody's doing, and so would be rounds without end.
    if not (ITERATIONS <= content.iterations <= ITERATIONS_MAX and len(salt) >= SALT_BYTES):
        raise BadSecret(f"{path} was changed: its key would be drawn otherwise than we draw it")
    return content


@lru_cache(maxsize=4)
def _key_of(passphrase: str, salt: bytes, iterations: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC  # noqa: PLC0415 - as above

    kdf = PBKDF2HMAC(algorithm=SHA256(), length=32, salt=salt, iterations=iterations)
    return urlsafe_b64encode(kdf.derive(passphrase.encode()))


def _line_of(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip(os.linesep)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSecret(
            f"the passphrase in {path} cannot be read: {type(error).__name__}"
        ) from None
    if len(text) < PASSPHRASE_SHORTEST:
        raise BadSecret(f"the passphrase in {path} has fewer than {PASSPHRASE_SHORTEST} characters")
    return text
