"""Every command and option there is, as the manual and the shell's completion need them."""

import inspect
from collections.abc import Iterator

import click
import msgspec

from ops.cli import GROUPS, traded


class Entry(msgspec.Struct, frozen=True):
    """One command: the words that call it behind `traded`, what it is for, what it takes.

    `parts` are the names of the commands below it, none for most.
    """

    words: tuple[str, ...]
    summary: str
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[click.Option, ...]
    arguments: tuple[click.Argument, ...]
    parts: tuple[str, ...]


def entries() -> Iterator[Entry]:
    """Yield every command in the order of the help, each before those below it."""
    root = _root()
    for names in GROUPS.values():
        for name, summary in names.items():
            yield from _entries(name, summary, root)


def shown_options(command: click.Command, context: click.Context) -> tuple[click.Option, ...]:
    """Return the options of a command in the order of its help, --help last."""
    return tuple(
        each
        for each in command.get_params(context)
        if isinstance(each, click.Option) and not each.hidden
    )


def own_options() -> tuple[click.Option, ...]:
    """Return the options of `traded` itself."""
    return shown_options(traded, _root())


def takes_value(option: click.Option) -> bool:
    """Return whether a word follows the option."""
    return not (option.is_flag or option.count)


def _root() -> click.Context:
    return click.Context(traded, info_name="traded", **traded.context_settings)


def _entries(name: str, summary: str, above: click.Context) -> Iterator[Entry]:
    group = above.command
    assert isinstance(group, click.Group)
    command = group.get_command(above, name)
    assert command is not None, name
    context = click.Context(command, info_name=name, parent=above)
    below = command.list_commands(context) if isinstance(command, click.Group) else []
    yield Entry(
        words=tuple(context.command_path.split()[1:]),
        summary=summary or command.get_short_help_str(limit=200),
        usage=" ".join([context.command_path, *command.collect_usage_pieces(context)]),
        paragraphs=tuple(inspect.cleandoc(command.help or "").split("\n\n")),
        options=shown_options(command, context),
        arguments=tuple(
            each for each in command.get_params(context) if isinstance(each, click.Argument)
        ),
        parts=tuple(below),
    )
    for each in below:
        yield from _entries(each, "", context)
