"""The identity of a backtest's journal: the hash of every option that is not at its default.

Order ids rest on it, so an option that is new, and left as it is, must not change it: the backtest
made before there was such an option is still the same backtest.
"""

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from daemon.config.options import Config


def backtest_id(config: Config) -> str:
    """Return the journal id of a backtest under `config`: the same again for the same options."""
    # Sending is the default of a backtest, whether the file says so or nothing.
    chosen = _chosen(msgspec.structs.replace(config, dry_run=config.is_dry_run or None))
    return sha256(msgspec.json.encode(chosen, order="deterministic")).hexdigest()[:16]


def _chosen(value: object) -> object:
    """Return `value`, of a table only what is not at its default."""
    if isinstance(value, msgspec.Struct):
        return {
            field.encode_name: _chosen(chosen)
            for field in msgspec.structs.fields(value)
            if (chosen := getattr(value, field.name)) != _default(field)
        }
    if isinstance(value, Mapping):
        return {str(name): _chosen(each) for name, each in value.items()}
    return value


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default
