"""The identity of a backtest's journal: the hash of its configuration.

Order ids rest on it, so an option that is new, and left as it is, must not change it: the backtest
made before there was such an option is still the same backtest.
"""

from hashlib import sha256
from typing import Any

import msgspec

from daemon.config import Config, FreshnessConfig, SymbolConfig
from daemon.config_file import to_event
from events import ConfigLoaded, Symbol


class _Terms(msgspec.Struct, frozen=True):
    """A symbol's terms as they were at first; all later ones are in the configuration as well."""

    exchange: str
    enforce_hours: bool
    extended_hours: bool


class _Identity(msgspec.Struct, frozen=True, tag="config.loaded"):
    """What is hashed."""

    config: dict[str, Any]
    symbols: dict[Symbol, _Terms]


def backtest_id(config: Config) -> str:
    """Return the journal id of a backtest under `config`: the same again for the same options."""
    event = to_event(config)
    terms = {
        symbol: _Terms(each.exchange, each.enforce_hours, each.extended_hours)
        for symbol, each in event.symbols.items()
    }
    encoded = msgspec.json.encode(_Identity(_as_at_first(event), terms), order="deterministic")
    return sha256(encoded).hexdigest()[:16]


def _as_at_first(event: ConfigLoaded) -> dict[str, Any]:
    """Return the configuration without what has been added since and is left at its default."""
    tree: dict[str, Any] = dict(event.config)
    if tree["freshness"] == msgspec.json.decode(msgspec.json.encode(FreshnessConfig())):
        del tree["freshness"]
    tree["symbols"] = {
        symbol: {
            name: value
            for name, value in table.items()
            if (name, value) != ("bar_every_s", SymbolConfig().bar_every_s)
        }
        for symbol, table in tree["symbols"].items()
    }
    return tree
