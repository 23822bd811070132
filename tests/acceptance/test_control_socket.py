"""The control socket abused in every way: a clear error, and a daemon that trades on unharmed.

One daemon takes all of it, its market outside; behind each abuse it is asked whether it still is
the same process, answers, and sends orders.
"""

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from daemon.control.protocol import LINE_MAX, TIMEOUT_S
from daemon.control.server import CONNECTIONS_MAX
from tests.live_desk import Daemon, a_daemon, heard

GOOD: dict[str, Any] = {"version": 1, "verb": "ping", "command_id": "test-1234"}
AS_NOBODY = """
import os, sys
from pathlib import Path
from tests.live_desk import say
os.setgroups([]); os.setgid({gid}); os.setuid({uid})
print(say(Path(sys.argv[1]), sys.argv[2].encode() + b"\\n").decode(), end="")
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with a_daemon(tmp_path_factory.mktemp("abused") / "d") as found:
        found.busy()
        pid = found.running.pid
        yield found
        assert found.running.pid == pid
        assert found.end() == 0, found.log
        assert "Traceback" not in found.log


@pytest.fixture(autouse=True)
def unharmed(daemon: Daemon) -> Iterator[None]:
    before = len(daemon.rows("operator.killed", "operator.held", "hold.placed"))
    yield
    assert daemon.running.poll() is None, daemon.log
    assert daemon.tell("ping").exit_code == 0
    daemon.busy(sent=5, resting=0)
    assert len(daemon.rows("operator.killed", "operator.held", "hold.placed")) == before


def line(**fields: Any) -> bytes:  # noqa: ANN401 - any value
    """Return a good request as a line, some of its fields others; None leaves one out."""
    said = {name: value for name, value in (GOOD | fields).items() if value is not None}
    return json.dumps(said).encode() + b"\n"


def answer(raw: bytes) -> tuple[int, str]:
    """Return exit code and text of the one answer in `raw`."""
    assert raw.endswith(b"\n"), raw
    (only,) = raw.splitlines()
    found = json.loads(only)
    assert found["version"] == 1
    return found["exit_code"], "\n".join(found["lines"])


WRONG: list[tuple[str, bytes, str]] = [
    ("nothing", b"\n", "the request is not JSON"),
    ("no JSON", b"kill\n", "the request is not JSON"),
    ("half of it", b'{"version": 1, "verb": "kill"\n', "the request is not JSON"),
    ("not UTF-8", b'{"version": 1, "verb": "\xff"}\n', "the request is not JSON"),
    ("a list", b"[]\n", "Expected `object`"),
    ("a null", b"null\n", "Expected `object`"),
    ("a key twice", line()[:-2] + b', "verb": "kill"}\n', "a key stands there twice"),
    ("a key of args twice", line(args={})[:-3] + b'"a": "1", "a": "2"}}\n', "stands there twice"),
    ("NaN", b'{"version": NaN}\n', "NaN is not a number"),
    ("Infinity", b'{"version": Infinity}\n', "Infinity is not a number"),
    ("-Infinity", b'{"version": -Infinity}\n', "-Infinity is not a number"),
    ("too large a number", b'{"version": 1e999}\n', "the request is not JSON"),
    ("far too many digits", b'{"version": ' + b"1" * 5000 + b"}\n", "the request is not JSON"),
    ("nested", line(args="")[:-4] + b"[" * 30_000 + b"]" * 30_000 + b"}\n", "nested too deeply"),
    ("objects in each other", b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"\n", "nested too deeply"),
    ("half a surrogate", line(verb="\ud800"), "the request is not JSON"),
    ("version 2", line(version=2), "version 2 is spoken here only as 1"),
    ("version 0", line(version=0), "version 0 is spoken here only as 1"),
    ("version true", line(version=True), "Expected `int`, got `bool`"),
    ("version 1.5", line(version=1.5), "version 1.5 is spoken here only as 1"),
    ("no version", line(version=None), "missing required field `version`"),
    ("no verb", line(verb=None), "missing required field `verb`"),
    ("no id", line(command_id=None), "missing required field `command_id`"),
    ("a short id", line(verb="kill", command_id="x"), "command_id must be 8 to 64"),
    ("an id of blanks", line(verb="kill", command_id=" " * 9), "command_id must be 8 to 64"),
    ("a field too many", line(colour="red"), "unknown field `colour`"),
    ("a verb nobody knows", line(verb="trade"), "there is no verb 'trade'; there is cancel, "),
    ("a verb in capitals", line(verb="KILL"), "there is no verb 'KILL'"),
    ("a verb with an escape", line(verb="\x1b[2J"), r"there is no verb '\x1b[2J'"),
    ("an argument too many", line(verb="kill", args={"now": "yes"}), "kill takes no now"),
    ("arguments of a ping", line(args={"a": "b"}), "ping takes no arguments"),
    ("an argument missing", line(verb="lift"), "lift needs hold"),
    ("an argument of numbers", line(verb="lift", args={"hold": 5}), "Expected `bool | str`"),
    ("a flag for a text", line(verb="lift", args={"hold": True}), "hold must be a text"),
    ("a text for a flag", line(verb="flatten", args={"all": "yes"}), "all must be true or false"),
    ("a level of its own", line(verb="hold", args={"level": "STOP"}), "one of REDUCE, HALT"),
    ("a long reason", line(verb="kill", why="x" * 501), "why has 501 characters, at most 500"),
    ("a reason of escapes", line(verb="kill", why="\x1b[31m"), "characters that cannot be shown"),
    ("a reason of two lines", line(verb="kill", why="a\nb"), "characters that cannot be shown"),
    ("a quantity of nothing", line(verb="order", args={"quantity": "0"}), "must not be 0"),
    ("a quantity that is none", line(verb="order", args={"quantity": "NaN"}), "which is no number"),
    ("an endless quantity", line(verb="order", args={"quantity": "1e99"}), "finite number"),
    ("no symbol", line(verb="order", args={"quantity": "1"}), "order needs symbol"),
    (
        "a symbol that cannot be one",
        line(verb="order", args={"quantity": "1", "symbol": "A;rm -rf"}),
        "'A;rm -rf' is not a symbol",
    ),
    (
        "a price of nothing",
        line(verb="order", args={"quantity": "1", "symbol": "A", "limit_price": "-1"}),
        "limit_price must be above 0",
    ),
]


@pytest.mark.parametrize(("raw", "said"), [each[1:] for each in WRONG], ids=[w[0] for w in WRONG])
def test_what_is_no_command_is_told_what_is_wrong_with_it(
    daemon: Daemon, raw: bytes, said: str
) -> None:
    code, text = answer(daemon.say(raw))
    assert code == 2
    assert said in text
    assert text.isprintable()


def test_a_line_may_be_64_kib_long_and_no_byte_longer(daemon: Daemon) -> None:
    for length, said in ((LINE_MAX, "why has"), (LINE_MAX + 1, "more than 65536 bytes")):
        bare = len(line(verb="kill", why=""))
        raw = line(verb="kill", why="x" * (length - bare))
        assert len(raw) == length
        code, text = answer(daemon.say(raw))
        assert (code, said in text) == (2, True)


def test_a_line_without_end_is_not_read_to_its_end(daemon: Daemon) -> None:
    code, text = answer(daemon.say(b"x" * 10_000_000))
    assert (code, "more than 65536 bytes" in text) == (2, True)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_connection_takes_one_command(daemon: Daemon, end: bytes) -> None:
    began = time.monotonic()
    code, text = answer(daemon.say(line() + line(verb="kill").rstrip(b"\n") + end))
    assert (code, text) == (2, "one command a connection")
    assert time.monotonic() - began < TIMEOUT_S / 2


def test_a_line_that_comes_in_pieces_is_a_line(daemon: Daemon) -> None:
    with calling(daemon) as connection:
        for byte in line():
            connection.sendall(bytes([byte]))
        code, text = answer(heard(connection))
    assert (code, "the trading loop answers" in text) == (0, True)


def test_a_caller_too_slow_is_told_so_and_keeps_nobody_waiting(daemon: Daemon) -> None:
    began = time.monotonic()
    with calling(daemon) as connection:
        slow = threading.Thread(target=drip, args=(connection, line(verb="kill")))
        slow.start()
        assert daemon.tell("ping").exit_code == 0
        assert time.monotonic() - began < TIMEOUT_S / 2
        code, text = answer(heard(connection))
        slow.join()
    assert (code, text) == (2, "no whole line came within 5 s")
    assert TIMEOUT_S <= time.monotonic() - began < TIMEOUT_S + 2


def test_a_caller_who_goes_in_the_middle_of_a_line_commands_nothing(daemon: Daemon) -> None:
    for part in (1, 20, len(line(verb="kill")) - 1):
        with calling(daemon) as connection:
            connection.sendall(line(verb="kill")[:part])
    for part in (1, 20):
        with calling(daemon) as connection:
            connection.sendall(line(verb="kill")[:part])
            connection.shutdown(socket.SHUT_WR)
            assert answer(heard(connection)) == (2, "the line broke off")


def test_who_goes_without_waiting_is_not_obeyed(daemon: Daemon) -> None:
    daemon.running.send_signal(signal.SIGSTOP)
    with calling(daemon) as connection:
        connection.sendall(line(verb="hold", command_id="test-gone"))
    daemon.running.send_signal(signal.SIGCONT)
    time.sleep(0.3)
    assert not [row for row in daemon.rows("operator.held") if "test-gone" in row[6]]


def test_a_flood_of_callers_is_answered_or_turned_away_and_none_is_left_waiting(
    daemon: Daemon,
) -> None:
    answers: list[tuple[int, str]] = []

    def call() -> None:
        answers.append(answer(daemon.say(line(), wait_s=15)))

    callers = [threading.Thread(target=call) for _ in range(200)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(answers) == 200
    assert {code for code, _ in answers} <= {0, 5}
    turned_away = [text for code, text in answers if code == 5]
    assert all("16 callers are being answered" in text for text in turned_away)
    assert len(turned_away) < 200


def test_callers_who_say_nothing_take_every_place_for_five_seconds_at_most(
    daemon: Daemon,
) -> None:
    silent = [connect(daemon) for _ in range(CONNECTIONS_MAX)]
    try:
        time.sleep(0.2)
        code, text = answer(daemon.say(line()))
        assert (code, "try again, or kill --offline" in text) == (5, True)
        daemon.busy(sent=5, resting=0)
        daemon.wait("place", lambda: answer(daemon.say(line()))[0] == 0, TIMEOUT_S + 2)
    finally:
        for connection in silent:
            connection.close()


def test_two_hundred_silent_callers_use_up_no_descriptors(daemon: Daemon) -> None:
    before = descriptors(daemon)
    callers = [connect(daemon) for _ in range(200)]
    for caller in callers:
        caller.close()
    daemon.wait("descriptors given back", lambda: descriptors(daemon) <= before + 2)


def test_nobody_else_may_command(daemon: Daemon) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else: run this test as root as well")
    nobody = pwd.getpwnam("nobody")
    # Even with the folder open to all, which it is not, the kernel says who calls.
    folder, mode = daemon.socket.parent, daemon.socket.stat().st_mode
    folder.parent.chmod(0o711)
    folder.chmod(0o711)
    daemon.socket.chmod(0o666)
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-c", AS_NOBODY.format(uid=nobody.pw_uid, gid=nobody.pw_gid)),
                *(str(daemon.socket), line(verb="kill").decode().strip()),
            ],
            cwd=Path(__file__).parents[2],
            env=daemon.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        folder.chmod(0o700)
        daemon.socket.chmod(mode)
    assert done.stdout, done.stderr
    code, text = answer(done.stdout.encode())
    assert (code, text) == (5, f"user nobody ({nobody.pw_uid}) may not do this")


def test_the_socket_and_its_folder_are_closed_to_others(daemon: Daemon) -> None:
    assert daemon.socket.stat().st_mode & 0o777 == 0o600
    assert daemon.socket.parent.stat().st_mode & 0o777 == 0o700


def connect(daemon: Daemon) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(daemon.socket))
    connection.settimeout(15)
    return connection


def calling(daemon: Daemon) -> closing[socket.socket]:
    return closing(connect(daemon))


def drip(connection: socket.socket, text: bytes) -> None:
    """Say a byte every tenth of a second, as long as anybody listens."""
    for byte in text:
        try:
            connection.sendall(bytes([byte]))
        except OSError:
            return
        time.sleep(0.1)


def descriptors(daemon: Daemon) -> int:
    return len(list(Path(f"/proc/{daemon.running.pid}/fd").iterdir()))
