"""`traded manual`: the manual page."""

import click

from ops.manual import manual
from ops.render import say


@click.command()
def command() -> None:
    """Print the manual page, traded(1), with every command and option.

    `make install` puts it where `man traded` finds it.

    Example: traded manual | man -l -
    """
    say(*manual())
