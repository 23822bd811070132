"""The account's own figures, as the gateway keeps telling them; reported when they have changed."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from daemon.brokers.gateway import messages
from daemon.brokers.gateway.alias import Alias
from events import AccountReported

_TIME: Final = 8
"""The time of an update of the account: what came before it belongs together."""
_TAGS: Final = ("NetLiquidation", "InitMarginReq", "MaintMarginReq")
_DOLLARS: Final = frozenset({"USD", ""})
_BASE: Final = "BASE"
_UNSAID: Final = Decimal("-Infinity")


_EQUITY: Final = "NetLiquidation"
"""Said once, in the account's base currency; those by currency have tags of their own."""


class AccountFigures:
    """Collects what belongs together. `foreign_base` is a base currency that is not the dollar."""

    def __init__(self, alias: Alias) -> None:
        """Take the figures of the account that `alias` stands for."""
        self._alias = alias
        self._said = dict.fromkeys(_TAGS, _UNSAID)
        self._reported: AccountReported | None = None
        self.foreign_base = ""

    def take(self, kind: int, fields: Sequence[str]) -> AccountReported | None:
        """Take one message; return the figures where it completes some that are news."""
        if kind == messages.ACCOUNT_VALUE:
            self._take(messages.read_account_value(fields))
            return None
        if kind not in {_TIME, messages.ACCOUNT_END} or _UNSAID in self._said.values():
            return None
        report = AccountReported(*(self._said[tag] for tag in _TAGS))
        if report == self._reported:
            return None
        self._reported = report
        return report

    def _take(self, value: messages.AccountValue) -> None:
        if value.tag not in _TAGS or not self._alias.is_ours(value.account):
            return
        if value.currency not in _DOLLARS:
            if value.tag == _EQUITY and value.currency != _BASE:
                self.foreign_base = value.currency
            return  # What is said in another currency is no number of dollars.
        number = messages.number_or_none(value.value)
        if number is not None:
            self._said[value.tag] = number
