"""Keeps secrets and account numbers out of what is written for others, by key and by value."""

import re
from collections.abc import Collection, Mapping
from typing import Final

REDACTED: Final = "[REDACTED]"
SHORTEST: Final = 6
"""A secret of fewer characters is not looked for in texts: it would blot out ordinary words."""

_KEY: Final = re.compile(
    r"account|pass(word|wd|phrase)|api_?key|secret|token|credential|auth", re.IGNORECASE
)
"""Also `authorization`, and whatever has one of these in it."""
_ACCOUNT_NUMBER: Final = re.compile(r"\b(?:DU|DF|DI|U|F|I)[0-9]{5,9}\b")
"""How Interactive Brokers numbers accounts, those of advisors included."""
_IN_URL: Final = re.compile(r"(?<=://)[^/\s@]+(?=@)")
"""Who logs in, in an address."""


class Redaction:
    """Replaces what must not be seen; `secrets` are the values themselves."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """Look for each of `secrets`, the longest first: one may be part of another."""
        known = sorted({each for each in secrets if len(each) >= SHORTEST}, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        """Return `text` without secrets and account numbers."""
        if self._values is not None:
            text = self._values.sub(REDACTED, text)
        text = _ACCOUNT_NUMBER.sub(REDACTED, text)
        return _IN_URL.sub(REDACTED, text)

    def value(self, value: object) -> object:
        """Return `value` with every text in it redacted, and every field whose name says so."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self.text(str(key)): REDACTED if _KEY.search(str(key)) else self.value(each)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(each) for each in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))
