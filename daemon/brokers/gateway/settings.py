"""Where the gateway is and which account is meant: from the environment, the configuration first.

The account's number is a secret (daemon.secrets), never in the configuration. It is shown nowhere:
not in the journal, not in a log, not in a message; everywhere it reads as the alias configured.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from daemon.config.file import ConfigError
from daemon.config.options import Config
from daemon.secrets.names import ACCOUNT as ACCOUNT_SECRET
from daemon.secrets.names import BadSecret
from daemon.secrets.sources import find_secret
from events import Mode

HOST: Final = "127.0.0.1"
CLIENT_ID: Final = 1001
PAPER_PORT: Final = 7497
LIVE_PORT: Final = 7496
_PAPER_PORTS: Final = frozenset({7497, 4002})
_LIVE_PORTS: Final = frozenset({7496, 4001})
PORT_MAX: Final = 65_535
CLIENT_ID_MAX: Final = 2**31 - 1

ACCOUNT: Final = ACCOUNT_SECRET.upper()
"""What it is called in the environment; systemd's credential is called `ibkr_account`."""
_VARIABLES: Final = {"host": "IBKR_HOST", "port": "IBKR_PORT", "client_id": "IBKR_CLIENT_ID"}


class GatewaySettings(msgspec.Struct, frozen=True):
    """How to reach the gateway. `account` is the number at the broker, `alias` what we call it."""

    host: str
    port: int
    client_id: int
    account: str
    alias: str

    @property
    def endpoint(self) -> str:
        """Host and port in one word."""
        return f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        """Return everything but the account's number."""
        return f"<gateway {self.endpoint}, client {self.client_id}, account {self.alias}>"


class Found(msgspec.Struct, frozen=True):
    """The settings, and what an operator should know of where they come from."""

    settings: GatewaySettings
    notices: tuple[str, ...]


def find_settings(config: Config, environment: Mapping[str, str]) -> Found:
    """Return the settings of `config` over those of `environment` over the defaults.

    Raises:
        ConfigError: one is missing or cannot be so, or port, account and mode do not go together.
    """
    problems: list[str] = []
    is_live = config.mode is Mode.LIVE
    table = config.gateway
    host = table.host or environment.get(_VARIABLES["host"], "") or HOST
    standard = LIVE_PORT if is_live else PAPER_PORT
    port = _number("port", table.port, environment, standard, PORT_MAX, problems)
    client_id = _number(
        "client_id", table.client_id, environment, CLIENT_ID, CLIENT_ID_MAX, problems
    )
    account = _account(environment, problems)
    sends = config.broker.kind == "ibkr"
    if sends and account is not None:
        problems += _objections(config, port, account)
    if problems:
        raise ConfigError(problems)
    settings = GatewaySettings(host, port, client_id, account or "", config.account)
    return Found(settings, tuple(_overridden(config, environment)))


def _account(environment: Mapping[str, str], problems: list[str]) -> str | None:
    """Return the number of the account, empty for none; None where what is there is no good."""
    try:
        return find_secret(ACCOUNT_SECRET, environment) or ""
    except BadSecret as error:
        problems.append(f"{ACCOUNT}: {error}")
        return None


def assert_account(settings: GatewaySettings, managed: tuple[str, ...]) -> None:
    """Refuse a login that has not the account that is meant; no number is named.

    Raises:
        ConfigError: it has other ones.
    """
    if settings.account and settings.account not in managed:
        count = "one account" if len(managed) == 1 else f"{len(managed)} accounts"
        login = f"the login at {settings.endpoint} has {count}"
        what = "log in as the right user, or set the variable right"
        raise ConfigError(
            [f"{ACCOUNT}: {login}, and the one in the variable is none of them: {what}"]
        )


def _objections(config: Config, port: int, account: str) -> Iterator[str]:
    if not account:
        how = f"as the credential {ACCOUNT_SECRET}, in the environment or by `traded secrets set`"
        yield f"{ACCOUNT} is not set: the account orders are for, {how}"
        return
    is_live = config.mode is Mode.LIVE
    # Paper accounts, of advisors too, begin with a D: DU, DF, DI.
    if is_live == account.startswith("D"):
        kind = "a paper account" if is_live else "an account with real money"
        yield f"{ACCOUNT}: names {kind}, and mode is {config.mode.value!r}"
    if port in (_PAPER_PORTS if is_live else _LIVE_PORTS):
        kind = "paper" if is_live else "real-money"
        listens = f"{port} is where {kind} logins listen"
        yield f"gateway.port: {listens}, and mode is {config.mode.value!r}"


def _number(  # noqa: PLR0913, PLR0917 - three places it may come from, and its bounds
    name: str,
    configured: int | None,
    environment: Mapping[str, str],
    standard: int,
    largest: int,
    problems: list[str],
) -> int:
    if configured is not None:
        return configured
    variable = _VARIABLES[name]
    text = environment.get(variable, "").strip()
    if not text:
        return standard
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= largest):
        problems.append(f"{variable}: {text!r} is no whole number from 1 to {largest}")
        return standard
    return int(text)


def _overridden(config: Config, environment: Mapping[str, str]) -> Iterator[str]:
    for name, variable in _VARIABLES.items():
        ours, theirs = getattr(config.gateway, name), environment.get(variable, "")
        if ours and theirs and str(ours) != theirs:
            yield f"gateway.{name} = {ours} of the configuration counts, not {variable} = {theirs}"
