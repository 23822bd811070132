"""The `traded` command: one file a command in `ops/commands`, loaded when it is used."""

import importlib
import os
import sys
from io import TextIOWrapper
from typing import Final

import click

from daemon.exit_codes import ExitCode
from ops.exit_codes import MEANINGS
from ops.failures import failure_of
from ops.render import say

GROUPS: Final[dict[str, dict[str, str]]] = {
    "Run it": {
        "demo": "Thirteen years of real bars through two strategies, in seconds.",
        "run": "Run the daemon in the foreground.",
        "watch": "Watch the daemon from outside: its pages, its numbers, its alerts.",
        "chat": "Answer `status` and `kill` from known people's Telegram; off unless configured.",
        "alert": "Where alerts go; --test sends one to each and says which arrived.",
        "gateway-sim": "A simulated IB Gateway that any TWS API client can trade against.",
    },
    "Look at it": {
        "status": "What it is doing, what holds it, what it does not know; now or back then.",
        "positions": "What is held, at what price, and what it is worth.",
        "holds": "What stops orders, by whom, why, and what ends it.",
        "orders": "Orders, open ones or the last ones.",
        "limits": "Each limit, how much of it is used, and how close it ever came.",
        "breaks": "Where the broker's books and ours differ, and what became of it.",
        "ready": "The checklist before a session; exit 3 if anything fails.",
        "explain": "Why an order was made, filled or refused; why a symbol is not traded.",
        "completeness": "Which bars of a session are there, and which never came.",
        "decisions": "What was decided and what stood in the way: counts and top blockers.",
        "report": "A day, a week or a session: result, fills, refusals; text, HTML, JSON.",
        "tail": "The journal as readable lines; -f follows it.",
    },
    "Stop it, and go on": {
        "kill": "Stop every order at once, until `traded resume`.",
        "resume": "Lift the kill switch, or what holds one strategy.",
        "hold": "Hold the orders of everything, a strategy or a symbol.",
        "lift": "End one hold.",
        "pause": "Hold one strategy.",
        "cancel": "Cancel one order.",
        "cancel-all": "Cancel every open order, and say which are still open.",
        "flatten": "Close what is held in a symbol, or everything.",
        "order": "Make one order by hand, through the same gate.",
        "reload": "Take changed limits without a restart.",
        "shadow": "Let a strategy decide without sending.",
        "check-transition": "Whether a strategy may leave its shadow.",
        "promote": "Let a strategy in shadow send its orders.",
    },
    "Trust it": {
        "reconcile": "What the last comparison with the broker came to; --now makes one.",
        "resolve": "End a break: take what the broker has, or adjust the books.",
        "verify": "Read the whole journal against its hash chain and its witness.",
        "backup": "The journal and what it ran under, in one file that was read back.",
        "restore": "A journal out of a backup, on HALT.",
        "archive": "Older events into a sealed segment; every command still sees them.",
        "drill": "Rehearse the worst: `drill restore` restores the newest backup, elsewhere.",
        "replay": "Rebuild the state from the journal; --redecide makes every decision again.",
    },
    "Configure it": {
        "sample-config": "Every option with its unit, its default and a conservative value.",
        "check-config": "Say everything that is wrong with a configuration.",
        "show-config": "The values in effect, and where each comes from.",
        "secrets": "Which secrets it needs, where each comes from; a file for them.",
        "completion": "What makes a shell complete all this: bash, zsh or fish.",
        "manual": "The manual page, with every command and option.",
        "version": "Versions of traded and of what it stands on.",
    },
}
"""The commands in the order of the help. Summaries stand here so that help loads no command."""

_EXAMPLES: Final = """\
Examples:
  traded demo
  traded sample-config > traded.toml && traded check-config
  traded run --config traded.toml
  traded explain AAPL
"""
_STDOUT, _STDERR = 1, 2


class Commands(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return all names, in the order of the help."""
        return [name for names in GROUPS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"ops.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the commands by what one wants to do."""
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(list(names.items()))
        with formatter.section("Exit codes"):
            codes = (f"{code.value} {meaning}" for code, meaning in MEANINGS.items())
            formatter.write_text(", ".join(codes))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the examples as they are to be typed."""
        formatter.write(f"\n{_EXAMPLES}")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="traded", message="traded %(version)s")
def traded() -> None:
    """Trade US equities unattended, every step an event in one journal.

    Data goes to stdout, messages to stderr. Every command that reads takes --json.
    """


def main() -> None:
    """Run the command line and end the process with a documented exit code."""
    _ready_streams()
    try:
        traded(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        say(*_usage_error(error), err=True)
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(ExitCode.FAILURE)
    except Exception as error:  # noqa: BLE001 - also a bug ends with a documented exit code
        failure = failure_of(error)
        say(*failure.lines, err=True)
        sys.exit(failure.code)


def _ready_streams() -> None:
    """Make stdout and stderr take whatever is written to them."""
    # Closed by who started us: without this the next file opened, a journal say, would be stdout.
    while (spare := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(spare)
    sys.stdout = sys.stdout or os.fdopen(_STDOUT, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(_STDERR, "w", encoding="utf-8")
    # What the other end has no character for is written as its escape, as on stderr anyway.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _usage_error(error: click.ClickException) -> list[str]:
    """Return how the command is used, and what is wrong: a line each, further ones indented."""
    context = getattr(error, "ctx", None)
    first, *more = error.format_message().split("\n")
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return [first, *more]
    usage = []
    if context is not None:
        usage = [*context.get_usage().split("\n"), f"Try '{context.command_path} --help'.", ""]
    return [*usage, f"Error: {first}", *(f"  {line.strip()}" for line in more)]


if __name__ == "__main__":
    main()
