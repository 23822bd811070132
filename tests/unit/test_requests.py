"""Numbers in a request: as people write them, and nothing that only Python takes for one."""

import os
from decimal import Decimal

import pytest

from daemon.control.protocol import VERSION, BadRequest, Request, decode_request, encode_line
from daemon.control.requests import Arguments, command_of
from daemon.control.server import Caller


def asked(number: str) -> Arguments:
    return Arguments(Request(VERSION, "order", "cmd-00001", args={"quantity": number}))


@pytest.mark.parametrize("text", ["1", "-10", "+3", "0.5", ".5", "10.", "1e3", "2.5E-1"])
def test_a_number_is_taken_as_it_is_written(text: str) -> None:
    assert asked(text).number("quantity") == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "1_000",
        "\uff11\uff10",
        "\u0663",
        "1,000",
        " 1",
        "",
        ".",
        "1e",
        "0x10",
        "NaN",
        "inf",
        "-Infinity",
    ],
)
def test_what_only_looks_like_a_number_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="quantity"):
        asked(text).number("quantity")


@pytest.mark.parametrize("text", ["1e13", "-1e999", "9" * 60])
def test_a_number_of_no_sensible_size_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="sensible size"):
        asked(text).number("quantity")


def killed_by(by: str, uid: int, verb: str = "kill") -> str:
    """Return whom the journal will name."""
    request = Request(VERSION, verb, "chat-0000", "why", by=by)
    command = command_of(request, Caller(uid, "ann"), dict)
    assert (command.uid, command.why) == (uid, "why")
    return command.by


def test_a_kill_for_a_chat_is_the_chats_where_the_daemons_own_user_says_so() -> None:
    for own in (0, os.geteuid()):
        assert killed_by("chat:4711", own) == "chat:4711"
        assert killed_by("", own) == "ann"
    assert killed_by("", 4_242) == "ann"


def test_no_guest_speaks_for_others_and_nobody_for_more_than_a_kill() -> None:
    with pytest.raises(BadRequest, match="only the daemon's own user"):
        killed_by("chat:4711", 4_242)
    for verb in ("resume", "cancel-all", "reconcile"):
        with pytest.raises(BadRequest, match="only to kill"):
            killed_by("chat:4711", 0, verb)


@pytest.mark.parametrize("by", ["ann", "chat:", "chat:-1", "chat:x", "chat:1 ", "chat:" + "1" * 21])
def test_whoever_is_named_is_a_chat_by_its_number(by: str) -> None:
    with pytest.raises(BadRequest, match="chat:NUMBER"):
        killed_by(by, 0)


def test_what_is_not_said_of_a_request_is_not_written_so_that_an_older_daemon_takes_it() -> None:
    line = encode_line(Request(VERSION, "kill", "cli-00001"))
    assert line == b'{"version":1,"verb":"kill","command_id":"cli-00001"}\n'
    asked = Request(VERSION, "kill", "cli-00001", "why", by="chat:1")
    assert decode_request(encode_line(asked)) == asked
