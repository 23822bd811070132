"""The `traded` command with a terminal for its stdout, and what a screen makes of its output."""

import os
import pty
import re
import subprocess
import termios
from collections.abc import Mapping
from pathlib import Path

from tests.command_line import TRADED, environment

SGR = re.compile(r"\x1b\[[\d;]*m")
"""Colour and weight, which is all that our tables send."""


def on_a_terminal(
    *words: str | Path, columns: int = 1_000, variables: Mapping[str, str] | None = None
) -> str:
    """Run a command to its end; return what the terminal got on stdout, its lines ended by LF."""
    ours, theirs = pty.openpty()
    try:
        termios.tcsetwinsize(theirs, (50, columns))
        with subprocess.Popen(
            [TRADED, *words],
            cwd="/",
            env=environment(Path("/"), TERM="xterm-256color", **(variables or {})),
            stdout=theirs,
            stderr=subprocess.DEVNULL,
        ) as process:
            os.close(theirs)
            text = _read(ours).decode()
            process.wait(timeout=60)
    finally:
        os.close(ours)
    return text.replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    """Return all that comes until the other end is closed, which Linux says with an error."""
    found = b""
    while True:
        try:
            found += os.read(terminal, 65_536)
        except OSError:
            return found


def not_shown(text: str) -> set[str]:
    """Return the characters of `text` that do something to a screen instead of standing on it."""
    return {each for each in text if not (each.isprintable() or each == "\n")}
