"""What is said over the control socket: one line of JSON each way, decoded strictly.

A request names its version and its verb; an answer always comes, or the connection ends. Python's
JSON lets NaN and repeated keys pass, which this does not.
"""

import json
from typing import Final, NoReturn

import msgspec

VERSION: Final = 1
LINE_MAX: Final = 65_536
"""Bytes a request may have, its newline included."""
TIMEOUT_S: Final = 5.0
"""How long one side waits for the other's line."""


class BadRequest(Exception):
    """The line is no request; the text says why."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One command. `token` confirms what was echoed before, for verbs that want that.

    `by` is who asked the caller for it, where that is somebody else: a chat. What is not given is
    not said, so that a daemon of before takes it.
    """

    version: int
    verb: str
    command_id: str
    why: str = ""
    token: str = ""
    args: dict[str, str | bool] = {}
    by: str = ""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it. `exit_code` is the caller's; `token` asks to confirm what `lines` say."""

    version: int
    exit_code: int
    lines: tuple[str, ...]
    token: str = ""
    seq: int = 0


def decode_request(line: bytes) -> Request:
    """Return the request in `line`.

    Raises:
        BadRequest: it is none, or one of another version.
    """
    try:
        fields = json.loads(
            line.decode(), object_pairs_hook=_once_each, parse_constant=_no_constant
        )
        msgspec.json.decode(line)  # It refuses half a surrogate, which no answer could quote.
    except RecursionError as error:
        raise BadRequest("the request is nested too deeply") from error
    except ValueError as error:
        raise BadRequest(f"the request is not JSON: {error}") from error
    if isinstance(fields, dict) and fields.get("version", VERSION) != VERSION:
        said = str(fields["version"])[:20]
        raise BadRequest(f"version {said} is spoken here only as {VERSION}: use the same traded")
    try:
        return msgspec.convert(fields, Request)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error


def encode_line(message: Request | Answer) -> bytes:
    """Return `message` as a line."""
    return msgspec.json.encode(message) + b"\n"


def decode_answer(line: bytes) -> Answer:
    """Return the answer in `line`.

    Raises:
        BadRequest: the daemon said something else.
    """
    try:
        return msgspec.json.decode(line, type=Answer)
    except msgspec.DecodeError as error:
        raise BadRequest(f"the daemon's answer makes no sense: {error}") from error


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("a key stands there twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise BadRequest(f"{name} is not a number")
