"""`traded sample-config`: a configuration to start from, every option explained."""

from collections.abc import Iterator
from importlib import resources
from typing import get_args

import click
import msgspec

from daemon.config.file import ENVIRONMENT_PREFIX
from daemon.config.options import Config
from ops.render import say


@click.command()
@click.option("--env", "as_environment", is_flag=True, help="The options as TRADED_* variables.")
def command(as_environment: bool) -> None:  # noqa: FBT001 - click's way
    """Print every option with its unit, its default and a conservative alternative.

    Example: traded sample-config > traded.toml
    """
    if not as_environment:
        say(*sample().splitlines())
        return
    for name, default in environment_options(Config(), ()):
        say(f"#{name}=" if default is None else f"{name}={default}")


def sample() -> str:
    """Return the sample configuration's text."""
    return resources.files("ops").joinpath("sample-config.toml").read_text(encoding="utf-8")


def environment_options(
    table: msgspec.Struct, path: tuple[str, ...]
) -> Iterator[tuple[str, str | None]]:
    """Yield each option's name in the environment, and its default as it would be written there.

    None is an option without a default. Tables named by the operator (symbols, strategies) are
    left to the file.
    """
    for field in msgspec.structs.fields(type(table)):
        value = getattr(table, field.name)
        here = (*path, field.encode_name)
        if isinstance(value, msgspec.Struct):
            yield from environment_options(value, here)
        elif not _is_keyed_by_the_operator(field.type):
            written = None if value is None else msgspec.json.encode(value).decode().strip('"')
            yield ENVIRONMENT_PREFIX + "__".join(here).upper(), written


def _is_keyed_by_the_operator(kind: object) -> bool:
    """Say whether an option of that type is tables of ours under names of the operator's."""
    inner = get_args(kind)[-1:]
    return any(isinstance(each, type) and issubclass(each, msgspec.Struct) for each in inner)
