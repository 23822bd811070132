"""The manual page, made of the commands themselves: it says what the help says."""

import re
from collections.abc import Iterator
from importlib import metadata

import click

from ops.cli import GROUPS
from ops.command_tree import Entry, entries, own_options, takes_value
from ops.exit_codes import MEANINGS, NEXT

_FILES = {
    "traded.toml, $XDG_CONFIG_HOME/traded/traded.toml, /etc/traded/traded.toml": (
        "The configuration, the first one that is there. `traded sample-config` prints one with "
        "every option."
    ),
    "/var/lib/traded/journal.db": (
        "The journal of the service. Beside it are its witness, its permit file (.permit, whose "
        "removal stops every order), its snapshots and its segments."
    ),
    "/run/traded": "The control socket and the heartbeat of a daemon that runs.",
}
_ENVIRONMENT = {
    "TRADED_CONFIG": "The configuration, where --config does not say it.",
    "TRADED_LOG": '"human" or "json": the form of the log, which else a terminal decides.',
    "IBKR_ACCOUNT, IBKR_HOST, IBKR_PORT, IBKR_CLIENT_ID": (
        "Where Interactive Brokers is, and which account. The account's number is a secret: a "
        "service has it from $CREDENTIALS_DIRECTORY/ibkr_account, or from the encrypted file."
    ),
    "STATE_DIRECTORY, RUNTIME_DIRECTORY, CREDENTIALS_DIRECTORY": "What systemd sets for a service.",
}


def manual() -> Iterator[str]:
    """Yield the page traded(1), line by line, as man(7) takes it."""
    every = list(entries())
    yield f'.TH TRADED 1 "" "traded {_plain(metadata.version("traded"))}" "User Commands"'
    yield from (".nh", ".ad l")
    yield from (".SH NAME", r"traded \- trade US equities unattended, every step an event")
    yield from (".SH SYNOPSIS", r".B traded", r"[\fIoptions\fR] \fIcommand\fR [\fIarguments\fR]")
    yield ".SH DESCRIPTION"
    yield _plain(
        "Bars in, strategies, one risk gate, a broker, fills, books. Each of them is an event in "
        "one journal, and everything shown is rebuilt from it. Data goes to stdout, messages to "
        "stderr; every command that reads takes --json."
    )
    yield ".SH OPTIONS"
    for option in own_options():
        yield from _option(option)
    for title, names in GROUPS.items():
        yield f'.SH "{_plain(title.upper())}"'
        for entry in every:
            if entry.words[0] in names:
                yield from _command(entry)
    yield ".SH EXIT STATUS"
    for code, meaning in MEANINGS.items():
        yield from _tagged(str(code.value), f"{meaning}. {NEXT[code]}")
    yield ".SH ENVIRONMENT"
    for name, text in _ENVIRONMENT.items():
        yield from _tagged(name, text)
    yield ".SH FILES"
    for name, text in _FILES.items():
        yield from _tagged(name, text)
    yield from (".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1)")


def _command(entry: Entry) -> Iterator[str]:
    yield f'.SS "traded {_plain(" ".join(entry.words))}"'
    yield from (".nf", f".B {_plain(entry.usage)}", ".fi")
    for paragraph in entry.paragraphs:
        is_as_it_is = paragraph.startswith(("\b", "Example"))
        yield from (".PP", ".nf") if is_as_it_is else (".PP",)
        for line in paragraph.removeprefix("\b").strip("\n").split("\n"):
            yield _plain(line)
        if is_as_it_is:
            yield ".fi"
    for option in entry.options:
        yield from _option(option)


def _option(option: click.Option) -> Iterator[str]:
    names = ", ".join([*option.opts, *option.secondary_opts])
    value = ""
    context = click.Context(click.Command("traded"))
    if takes_value(option):
        value = option.make_metavar(context)
    record = option.get_help_record(context)
    text = record[1] if record else ""
    yield from _tagged(f"{names} {value}".strip(), text)


def _tagged(tag: str, text: str) -> Iterator[str]:
    yield from (".TP", f".B {_plain(tag)}", _plain(text) or r"\&")


def _plain(text: str) -> str:
    """Return `text` as one line that troff prints as it is."""
    line = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\`").replace('"', r"\(dq")
    line = re.sub(r"(?<!\\)'", r"\\(aq", line)
    return rf"\&{line}" if line.startswith(".") else line
