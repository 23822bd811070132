"""Account numbers end here: in every text that comes in, ours becomes its alias, any other a mask.

By field and by value: whole fields that are an account's, and its number inside any other text.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

OTHER: Final = "another-account"
_NUMBER: Final = re.compile(r"\b(?:DU|DF|DI|U|F|I)[A-Z]?[0-9]{5,9}\b")
"""How Interactive Brokers numbers accounts."""


class Alias:
    """Knows the account's number and everything else that may not be written down."""

    def __init__(self, account: str, alias: str) -> None:
        """Replace `account` by `alias`; an empty account is none to replace."""
        self._account = account
        self._alias = alias
        self._others: tuple[str, ...] = ()

    def learn(self, managed: Iterable[str]) -> None:
        """Take note of the login's other accounts, whatever they look like."""
        self._others = tuple(each for each in managed if each and each != self._account)

    def is_ours(self, account: str) -> bool:
        """Say whether a message of `account` is for us: without a name it is."""
        return not account or not self._account or account == self._account

    def text(self, text: str) -> str:
        """Return `text` without any account's number."""
        if self._account:
            text = text.replace(self._account, self._alias)
        for other in self._others:
            text = text.replace(other, OTHER)
        return _NUMBER.sub(OTHER, text)

    def fields(self, fields: Sequence[str]) -> tuple[str, ...]:
        """Return `fields`, each without any account's number."""
        return tuple(self.text(each) for each in fields)
