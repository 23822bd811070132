"""What is said of an error that ends a command: what is wrong, what comes next, the exit code."""

import traceback

import msgspec

from daemon.exit_codes import ExitCode
from ops.exit_codes import code_for


class Failure(msgspec.Struct, frozen=True):
    """The end of a command. The first of `lines` says what is wrong, or begins a traceback."""

    code: ExitCode
    lines: tuple[str, ...]


def failure_of(error: Exception) -> Failure:
    """Return how `error` ends the command; one that we do not expect is a bug, told whole."""
    cause = _cause(error)
    code = code_for(cause)
    if code is None:
        whole = "".join(traceback.format_exception(error)).rstrip().split("\n")
        return Failure(ExitCode.FAILURE, tuple(whole))
    first, *more = _told(cause)
    return Failure(code, (f"traded: {first}", *(f"  {line}" for line in more)))


def _told(error: Exception) -> list[str]:
    """Return what was found and what to do next, or all that is wrong, a line each."""
    hint = getattr(error, "hint", "")
    if isinstance(error, OSError) and error.strerror:
        return [f"{error.filename}: {error.strerror}" if error.filename else error.strerror]
    return [str(error.args[0]), f"next: {hint}"] if hint else str(error).split("\n")


def _cause(error: Exception) -> Exception:
    """Return the one error inside the groups that task groups make of it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
