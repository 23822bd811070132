"""The options every command that reads a journal shares, and where the journal is by default."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ops.render import say

Command = Callable[..., Any]


def journal_option(command: Command, *, is_read: bool = True) -> Command:
    """Add `--journal FILE`; without it the journal is the one the configuration names.

    Who only tells the daemon something need not be able to read it: then it is not `is_read`.
    """
    return click.option(
        "--journal",
        type=click.Path(dir_okay=False, readable=is_read, path_type=Path),
        callback=lambda _context, _option, given: given or default_journal(),
        metavar="FILE",
        help="The journal. [default: the one the configuration names]",
    )(command)


def json_option(command: Command) -> Command:
    """Add `--json`, which the command gets as `as_json`."""
    text = "Print JSON, exact and complete; schema_version says its form."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def count_option(text: str) -> Callable[[Command], Command]:
    """Return what adds `-n N`, which the command gets as `count`; `text` says of what."""
    counted = click.IntRange(min=0)
    return click.option(
        "-n", "count", type=counted, default=20, show_default=True, metavar="N", help=text
    )


def at_option(command: Command) -> Command:
    """Add `--at SEQ|TIME`."""
    text = "As it was then: an event's number, or a time (UTC where it names no zone)."
    return click.option("--at", metavar="SEQ|TIME", help=text)(command)


def default_journal() -> Path:
    """Return the journal the configuration names, and say on stderr which that is.

    Raises:
        click.UsageError: there is no configuration.
        ConfigError: it does not say which journal it is; whatever else is wrong with it counts
            for nothing here.
    """
    # Only needed here: with --journal nothing of the configuration is read.
    from daemon.config.file import ConfigError, named_journal  # noqa: PLC0415 - as above
    from daemon.config.places import find_config  # noqa: PLC0415 - as above

    config_file = find_config(None, os.environ, Path.cwd())
    if config_file is None:
        raise click.UsageError(
            "no journal: give --journal FILE, such as the demo's var/demo/journal.db; "
            "no configuration that could name one was found either"
        )
    try:
        found, problems = named_journal(config_file, os.environ)
    except ConfigError as error:
        raise ConfigError(
            [*error.problems, "next: give --journal FILE to do without it"]
        ) from error
    say(f"journal: {found} (from {config_file})", err=True)
    if problems:
        say(f"note: a start would refuse {config_file}: see `traded check-config`", err=True)
    return found


def kept_option(command: Command) -> Command:
    """Add `--journal FILE` and `--config FILE` of a verb that uses both, each as far as given."""
    text = "The journal. [default: the one the configuration names]"
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("--journal", type=path, metavar="FILE", help=text)(config_option(command))


def kept(journal: Path | None, config_file: Path | None) -> tuple[Path, Path | None]:
    """Return the journal meant, and the configuration that names it, None where none does.

    Raises:
        click.UsageError: neither a journal nor a configuration is to be found.
        ConfigError: the configuration does not say which journal it is.
    """
    from daemon.config.file import ConfigError, named_journal  # noqa: PLC0415 - as above
    from daemon.config.places import find_config  # noqa: PLC0415 - as above

    found = find_config(config_file, os.environ, Path.cwd())
    if journal is None:
        if config_file is None:
            return default_journal(), found
        return named_journal(required_config(config_file), os.environ)[0], found
    try:
        named = named_journal(found, os.environ)[0] if found is not None else journal
    except ConfigError as error:
        say(f"note: the configuration is left out: {error.problems[0]}", err=True)
        return journal, None
    if named.resolve() != journal.resolve():
        say(f"note: {found} is of another journal: it is left out", err=True)
        return journal, None
    return journal, found


def config_option(command: Command) -> Command:
    """Add `--config FILE`, which the command gets as `config_file`."""
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The configuration. [default: the first one found, see `traded run --help`]",
    )(command)


def set_option(command: Command) -> Command:
    """Add `--set KEY=VALUE`, which the command gets as `settings`."""
    return click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set any option by its path, such as broker.slippage_bps=5. Can be repeated.",
    )(command)


def required_config(given: Path | None) -> Path:
    """Return the configuration file to use.

    Raises:
        ConfigError: there is none.
    """
    from daemon.config.file import ConfigError  # noqa: PLC0415 - as above
    from daemon.config.places import find_config  # noqa: PLC0415 - as above

    found = find_config(given, os.environ, Path.cwd())
    if found is None:
        raise ConfigError(
            ["no configuration: give --config FILE, or `traded sample-config > traded.toml`"]
        )
    return found
