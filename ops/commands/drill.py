"""`traded drill`: rehearsals of what must work on the day it is needed."""

import click

from ops.drills.crash import crash
from ops.drills.restore import restore


@click.group()
def command() -> None:
    """Rehearse the worst on your own data, in a scratch folder: the real journal stays untouched.

    Example: traded drill restore
    """


command.add_command(crash)
command.add_command(restore)
