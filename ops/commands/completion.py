"""`traded completion`: what a shell needs to complete commands and options."""

import click

from ops.completion import SHELLS
from ops.render import say


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def command(shell: str) -> None:
    """Print a script that completes commands, options and files in a shell.

    It has all names in it and starts no process, so that a TAB is answered at once; print it anew
    with a new version of traded. `make install` puts it where bash, zsh and fish find it.

    Example: traded completion bash > ~/.local/share/bash-completion/completions/traded
    """
    say(*SHELLS[shell]())
