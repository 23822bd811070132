"""`traded show-config`: the configuration in effect, and where each value comes from."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import msgspec

from daemon.config.file import as_tables, load_layered
from ops.options import config_option, json_option, required_config, set_option
from ops.render import print_json, say


@click.command()
@config_option
@set_option
@json_option
def command(config_file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 - click
    """Print every option as it is in effect. There are no secrets in a configuration.

    Example: traded show-config --set broker.slippage_bps=5
    """
    path = required_config(config_file)
    layered = load_layered(path, os.environ, settings)
    tree = as_tables(layered.config)
    if as_json:
        print_json({"config": tree, "sources": layered.sources})
        return
    for option, value in _options(tree, ""):
        source = _source(option, layered.sources)
        say(f"{option} = {msgspec.json.encode(value).decode()}  # {source}")


def _source(option: str, sources: Mapping[str, str]) -> str:
    """Return which layer set `option`, itself or the table it is in."""
    found = [key for key in sources if option == key or option.startswith(f"{key}.")]
    return sources[max(found, key=len)] if found else "default"


def _options(tree: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _options(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
