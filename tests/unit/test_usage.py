"""What the usage line of every command says about its arguments."""

from collections.abc import Iterator

import click

from ops.cli import traded


def every_command(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    within = click.Context(group, info_name=name)
    for each in group.list_commands(within):
        command = group.get_command(within, each)
        assert command is not None, each
        if isinstance(command, click.Group):
            yield from every_command(command, f"{name} {each}")
        else:
            yield f"{name} {each}", command


def test_what_may_be_left_out_is_shown_in_brackets_and_nothing_else_is() -> None:
    seen = 0
    for name, command in every_command(traded, "traded"):
        for argument in command.params:
            if isinstance(argument, click.Argument):
                seen += 1
                shown = argument.make_metavar(click.Context(command))
                assert shown.startswith("[") is not argument.required, f"{name} {shown}"
    assert seen > 10
