"""`traded secrets`: the secrets it needs, where each comes from, and a file for them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import click

from daemon.secrets.encrypted_file import (
    PASSPHRASE_SHORTEST,
    EncryptedFile,
    find_passphrase,
    secrets_path,
)
from daemon.secrets.names import PASSPHRASE_FILE, SECRETS, BadSecret, SecretName
from daemon.secrets.sources import SIZE_MAX_BYTES, look_for
from ops.options import json_option
from ops.render import print_json, print_table, say

_NAMES: Final = click.Choice([str(name) for name in SECRETS])
_NOT_SET: Final = "not set"


@click.group()
def command() -> None:
    """Say which secrets there are, and keep them in an encrypted file.

    A secret is looked for in systemd's credentials ($CREDENTIALS_DIRECTORY/NAME), then in the
    environment (its name in capitals), then in this file. None is ever in the configuration, the
    journal, a log or an argument: `set` reads it from the terminal or from stdin.

    The file is $TRADED_SECRETS_FILE, else traded/secrets.json in $XDG_CONFIG_HOME or ~/.config. A
    daemon that nobody types at finds the passphrase as the credential traded_secrets_passphrase or
    in the file named by $TRADED_SECRETS_PASSPHRASE_FILE, which must lie in another folder.

    Example: traded secrets init && traded secrets set ibkr_account
    """


@command.command()
def init() -> None:
    """Make the file, empty, and choose its passphrase."""
    path = secrets_path(os.environ)
    if path.exists():
        raise click.UsageError(f"{path} is there already: `traded secrets rotate` changes it")
    EncryptedFile(path, _new_passphrase()).save()
    say(f"{path}: made, with no secret in it", "  next: traded secrets set ibkr_account")


@command.command(name="set")
@click.argument("name", type=_NAMES)
def set_one(name: str) -> None:
    """Keep the secret NAME, typed or from stdin."""
    file = _opened()
    value = _typed(name).strip()
    if not value or len(value) > SIZE_MAX_BYTES or "\n" in value:
        raise click.UsageError(f"{name}: give one line of 1 to {SIZE_MAX_BYTES} characters")
    file.set(SecretName(name), value)
    file.save()
    say(f"{name} is in {file.path}")


@command.command(name="list")
@json_option
def list_all(*, as_json: bool) -> None:
    """Show each secret's name, what it is for, and where it comes from; never the secret."""
    sources = {name: _source_of(name) for name in SECRETS}
    rows = [(str(name), _shown(sources[name]), use) for name, use in SECRETS.items()]
    if as_json:
        fields = ("name", "source", "use")
        print_json({"secrets": [dict(zip(fields, row, strict=True)) for row in rows]})
        return
    print_table(("secret", "from", "what it is"), rows)
    say(*sorted({str(each) for each in sources.values() if isinstance(each, BadSecret)}), err=True)


@command.command()
def rotate() -> None:
    """Encrypt the whole file anew, under another passphrase."""
    file = _opened()
    file.rotate(_new_passphrase())
    file.save()
    say(f"{file.path}: {len(file.names())} secrets under the new passphrase")
    if os.environ.get(PASSPHRASE_FILE):
        say(f"  next: put the new one into the file {PASSPHRASE_FILE} names", err=True)


@command.command(name="export-unit")
def export_unit() -> None:
    """Print a drop-in for the service with each secret encrypted for this machine alone.

    Example: traded secrets export-unit > /etc/systemd/system/traded.service.d/secrets.conf
    """
    tool = shutil.which("systemd-creds")
    if tool is None:
        raise click.UsageError("systemd-creds is not here: it comes with systemd 250 and newer")
    say("[Service]")
    for name in SECRETS:
        found = look_for(name, os.environ)
        if found is not None:
            say(*_encrypted(tool, name, found.value))


def _encrypted(tool: str, name: SecretName, value: str) -> list[str]:
    """Return the setting of a unit that holds `value`, as this machine alone can read it."""
    done = subprocess.run(  # noqa: S603 - systemd's own tool; the secret goes through stdin
        [tool, "encrypt", f"--name={name}", "--pretty", "-", "-"],
        input=value,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BadSecret(f"systemd-creds cannot encrypt {name}: {done.stderr.strip()}")
    return done.stdout.rstrip("\n").split("\n")


def _source_of(name: SecretName) -> str | BadSecret:
    """Return where the secret comes from, or what is wrong there."""
    try:
        found = look_for(name, os.environ)
    except BadSecret as error:
        return error
    return str(found.source) if found else _NOT_SET


def _shown(source: str | BadSecret) -> str:
    return "CANNOT BE HAD" if isinstance(source, BadSecret) else source


def _opened() -> EncryptedFile:
    path = secrets_path(os.environ)
    if not path.exists():
        raise click.UsageError(f"there is no {path}: `traded secrets init` makes it")
    return EncryptedFile(path, find_passphrase(os.environ) or _asked(path))


def _asked(path: Path) -> str:
    if not sys.stdin.isatty():
        raise BadSecret(f"nothing opens {path}: set {PASSPHRASE_FILE}, or run this on a terminal")
    answer: str = click.prompt("passphrase", hide_input=True, err=True)
    return answer


def _new_passphrase() -> str:
    """Return one that was typed twice, or the first line of stdin."""
    if sys.stdin.isatty():
        answer: str = click.prompt(
            "new passphrase", hide_input=True, confirmation_prompt="once more", err=True
        )
    else:
        answer = sys.stdin.readline().rstrip("\n")
    if len(answer) < PASSPHRASE_SHORTEST:
        raise click.UsageError(f"a passphrase has at least {PASSPHRASE_SHORTEST} characters")
    return answer


def _typed(name: str) -> str:
    if sys.stdin.isatty():
        answer: str = click.prompt(name, hide_input=True, err=True)
        return answer
    return sys.stdin.read(SIZE_MAX_BYTES + 2)
