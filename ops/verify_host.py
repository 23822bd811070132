"""`ops/verify-host`: whether an installed host is as it should be, point by point."""

import os
import sys
from pathlib import Path

import click

from daemon.exit_codes import ExitCode
from ops.host_checks import USER, Host, Verdict, points_of
from ops.render import print_fields, print_json, print_table, say

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("name", default="traded")
@click.option("--root", type=_FOLDER, default=Path("/"), help="Look at the host below this folder.")
@click.option("--user", default=USER, show_default=True, help="The service's user.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, exact and complete.")
def command(name: str, root: Path, user: str, *, as_json: bool) -> None:
    """Look at the host on which traded was installed, as root; change nothing.

    NAME is the configuration's, /etc/traded/NAME.toml: `traded` for the one of traded.service.
    Exit code 0: nothing fails, though there may be warnings. 3: something does.

    Example: verify-host --json
    """
    host = Host(root, name, os.environ, user)
    # What a service gets from systemd, also for the commands that are run here.
    os.environ.update(host.environment)
    points = list(points_of(host))
    failed = sum(each.verdict is Verdict.FAIL for each in points)
    if as_json:
        print_json({"host": name, "sound": not failed, "points": points})
    else:
        rows = [(str(each.verdict), each.name, each.found) for each in points]
        print_table(("", "what", "found"), rows)
        todo = [(f"  {each.name}", each.next) for each in points if each.next]
        if todo:
            say("", "next:")
            print_fields(todo)
        say("", f"NOT SOUND: {failed} of {len(points)} fail" if failed else "sound")
    sys.exit(ExitCode.FINDINGS if failed else ExitCode.OK)


if __name__ == "__main__":
    command()
