"""`traded check-transition`: whether a strategy may leave its shadow."""

import sys
from pathlib import Path

import click

from daemon.core.promotion import requirements
from daemon.exit_codes import ExitCode
from events import BY_HAND
from ops.books import read_books
from ops.opened import opened
from ops.options import journal_option, json_option
from ops.recorded_config import recorded_config
from ops.render import print_json, print_table, say


@click.command()
@click.argument("strategy")
@journal_option
@json_option
def command(*, strategy: str, journal: Path, as_json: bool) -> None:
    """Hold STRATEGY against the promotion rule in force, and change nothing; exit 3 if it fails.

    Example: traded check-transition trend
    """
    with opened(journal) as reader:
        state = read_books(reader).state
    names = state.strategies.answers.keys() - {BY_HAND}
    if strategy not in names:
        known = ", ".join(sorted(names)) or "none"
        raise click.UsageError(f"the journal knows no strategy {strategy}; it knows {known}")
    rule = recorded_config(state.identity.config).promotion
    found = requirements(state, strategy, rule)
    passed = all(each.met for each in found)
    if as_json:
        print_json({"strategy": strategy, "passed": passed, "requirements": found})
    else:
        rows = [
            (each.name, each.asked, each.found, "ok" if each.met else "NOT MET") for each in found
        ]
        print_table(("requirement", "asked", "found", ""), rows)
        say(f"{strategy} {'may' if passed else 'may not'} be promoted")
    sys.exit(ExitCode.OK if passed else ExitCode.FINDINGS)
