"""Who may see the pages of `traded watch`: whoever has the token, under a name that is ours."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ops.watch.http.access import HEADERS, WRONG_MAX, Access
from ops.watch.http.connections import CONNECTIONS_MAX, HEAD_MAX, REQUEST_S
from ops.watch.http.stream import STREAMS_MAX
from tests.journals import a_story, write
from tests.watch_site import BEARER, TOKEN, WAIT_S, Site, Streamed, site

WRONG = {"Authorization": "Bearer a-token-that-nobody-can-guess-0123456788"}
STATUS = "/api/v1/status"
HOSTS = ("desk.example",)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("watched") / "journal.db"
    asyncio.run(write(path, *a_story()))
    return path


@pytest.fixture(scope="module")
def shared(journal: Path) -> Iterator[Site]:
    with site(journal, hosts=HOSTS) as made:
        yield made


@pytest.fixture
def pages(shared: Site) -> Site:
    """Return the pages, with no wrong token counted yet."""
    shared.server.access = Access(TOKEN, HOSTS, shared.port)
    return shared


# The token.


def test_the_token_opens_everything_and_without_it_nothing_is_said(pages: Site) -> None:
    for path in ("/", "/metrics", STATUS, "/api/v1/stream", "/nowhere", "/index.html"):
        refused = pages.ask(path, {})
        assert refused.status == 401, path
        assert b"100,000" not in refused.body
    assert pages.ask(STATUS).json["seq"] == 5
    assert pages.ask("/metrics").status == 200
    assert b"<title>traded</title>" in pages.ask("/").body


@pytest.mark.parametrize(
    "said",
    [
        WRONG,
        {"Authorization": "Bearer "},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": "Bearer \xe9\xff"},
        {"Cookie": f"traded_watch_8466={TOKEN}"},
    ],
)
def test_what_is_not_quite_the_token_is_none(pages: Site, said: dict[str, str]) -> None:
    assert pages.ask(STATUS, said).status == 401


def test_a_cookie_that_is_the_token_itself_is_wrong(pages: Site) -> None:
    said = {"Cookie": f"traded_watch_{pages.port}={TOKEN}"}
    assert pages.ask(STATUS, said).status == 401


def test_the_link_sets_a_cookie_and_leaves_no_token_in_the_address(pages: Site) -> None:
    login = pages.ask(f"/?token={TOKEN}", {})
    assert (login.status, login.headers["location"]) == (303, "/")
    cookie, *terms = login.headers["set-cookie"].split("; ")
    assert sorted(terms) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    assert TOKEN not in str(login.headers)
    assert pages.ask(STATUS, {"Cookie": cookie}).status == 200
    assert pages.ask(STATUS, {"Cookie": cookie[:-1]}).status == 401


@pytest.mark.parametrize("path", [f"{STATUS}?token={TOKEN}", f"/index.html?token={TOKEN}"])
def test_a_token_in_any_other_address_opens_nothing(pages: Site, path: str) -> None:
    assert pages.ask(path, {}).status == 401


def test_many_wrong_tokens_are_too_many_and_the_right_one_still_is_right(pages: Site) -> None:
    answers = [pages.ask(STATUS, WRONG).status for _ in range(WRONG_MAX + 5)]
    assert answers == [401] * WRONG_MAX + [429] * 5
    assert pages.ask(f"/?token={TOKEN}x", {}).status == 429
    # Nobody locks the operator out: a token of this length is not found by trying.
    assert pages.ask(STATUS).status == 200


def test_health_and_readiness_need_no_token_and_name_no_money_and_no_symbol(pages: Site) -> None:
    for path in ("/-/healthy", "/-/ready"):
        open_ = pages.ask(path, {})
        assert open_.status == 503, "no daemon runs"
        assert open_.json["schema_version"] == 1
        for secret in (b"100,000", b"USD", b"found", b'"A"', b"data A"):
            assert secret not in open_.body, path
    assert b"equity" in pages.ask("/-/ready").body, "the token sees what was found"


# The host and the method.


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "desk.example"])
def test_our_own_names_are_served_with_a_port_and_without(pages: Site, host: str) -> None:
    assert pages.ask(STATUS, host=host).status == 200
    assert pages.ask(STATUS, host=f"{host}:{pages.port}").status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:8466", "127.0.0.1.nip.io", "", "[::]"],
)
@pytest.mark.parametrize("path", [STATUS, "/-/healthy", "/metrics", f"/?token={TOKEN}"])
def test_a_name_that_was_rebound_to_this_machine_is_refused(
    pages: Site, host: str, path: str
) -> None:
    refused = pages.ask(path, host=host)
    assert refused.status == 421
    assert "set-cookie" not in refused.headers


def test_a_request_without_a_host_or_with_two_is_refused(pages: Site) -> None:
    head = b"GET /-/healthy HTTP/1.1\r\nConnection: close\r\n%b\r\n"
    assert b" 4" in pages.say(head % b"")[:11]
    two = b"Host: localhost\r\nHost: evil.example\r\n"
    assert b" 4" in pages.say(head % two)[:11]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", [STATUS, "/-/healthy", "/"])
def test_nothing_can_be_changed(pages: Site, method: str, path: str) -> None:
    refused = pages.ask(path, {**BEARER, "Content-Length": "0"}, method)
    assert refused.status == 405
    assert refused.headers["allow"] == "GET, HEAD"


def test_head_has_the_headers_and_no_body(pages: Site) -> None:
    for path in (STATUS, "/-/healthy", "/metrics", "/", "/api/v1/stream"):
        assert pages.ask(path, method="HEAD").body == b"", path


def test_a_body_is_not_read(pages: Site) -> None:
    head = f"GET {STATUS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    assert pages.say(head.encode() + b"x" * 9).startswith(b"HTTP/1.1 400")


# Browsers.


@pytest.mark.parametrize(
    "path", ["/", STATUS, "/metrics", "/-/healthy", "/nowhere", "/api/v1/stream"]
)
@pytest.mark.parametrize("said", [BEARER, {}])
def test_every_answer_tells_browsers_to_keep_to_it(
    pages: Site, path: str, said: dict[str, str]
) -> None:
    found = pages.ask(path, {**said, "Origin": "http://evil.example"}, "HEAD").headers
    for name, value in HEADERS.items():
        assert found[name.lower()] == value, name
    policy = found["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not [name for name in found if name.startswith("access-control")]


def test_even_what_is_no_request_is_answered_under_the_same_rules(pages: Site) -> None:
    answer = pages.say(b"GET / HTTP/1.1\r\nHost: localhost\r\nno header <script>\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 400")
    assert b"default-src 'none'" in answer
    assert b"script>" not in answer


# Paths and sizes.


@pytest.mark.parametrize(
    "path",
    [
        "/../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fserver.py",
        "/....//....//server.py",
        "/index.html/../../app.py",
        "//etc/passwd",
        "/index.html%00.png",
        "/console/index.html",
        "/.",
        "/api/v1/bars/..%2f..%2f..%2fetc%2fpasswd",
        "/api/v1/orders/..%2f..%2fetc",
    ],
)
def test_no_path_leads_out_of_the_console(pages: Site, path: str) -> None:
    answer = pages.ask(path)
    assert answer.status == 404
    assert b"root:" not in answer.body


@pytest.mark.parametrize(
    "said",
    [
        b"GET /" + b"a" * (2 * HEAD_MAX) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * (2 * HEAD_MAX) + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"GET /\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_what_is_too_long_or_no_http_is_refused_and_the_next_is_served(
    pages: Site, said: bytes
) -> None:
    with suppress(ConnectionError):
        assert pages.say(said + b"\r\n\r\n").partition(b" ")[2].startswith(b"4")
    assert pages.ask("/-/healthy", {}).status == 503


def test_it_listens_on_the_loopback_alone(pages: Site) -> None:
    listening = {
        bytes.fromhex(address)[::-1] if len(address) == 8 else address
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        if Path(table).exists()
        for line in Path(table).read_text().splitlines()[1:]
        for address, _, port in [line.split()[1].partition(":")]
        if int(port, 16) == pages.port and line.split()[3] == "0A"
    }
    six = "00000000000000000000000001000000"
    assert listening <= {socket.inet_aton("127.0.0.1"), six}
    assert socket.inet_aton("127.0.0.1") in listening


# Many, and slow ones.


def test_who_speaks_too_slowly_is_dropped_while_others_are_served(pages: Site) -> None:
    with closing(pages.connect()) as slow, closing(pages.connect()) as silent:
        begun = time.monotonic()
        with suppress(ConnectionError):  # One letter a tenth of a second: never a whole request.
            for letter in f"GET {STATUS} HTTP/1.1\r\nX: " + "a" * 10_000:
                slow.sendall(letter.encode())
                time.sleep(0.1)
                if not int(10 * time.monotonic()) % 10:
                    assert pages.ask("/-/healthy", {}).status == 503
        assert time.monotonic() - begun >= REQUEST_S - 1
        assert silent.recv(1) == b"", "nor does who says nothing keep a connection"


def test_a_thousand_streams_leave_those_that_are_there_and_the_pages(pages: Site) -> None:
    first = [Streamed(pages) for _ in range(STREAMS_MAX)]
    assert {each.answer.status for each in first} == {200}
    head = f"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    refused = 0
    for _ in range(1_000 - STREAMS_MAX):
        with suppress(ConnectionError):
            refused += b" 503 " in pages.say(f"{head}Connection: close\r\n\r\n".encode())
    assert refused == 1_000 - STREAMS_MAX
    assert pages.ask(STATUS).status == 200
    assert first[0].until("status")["data"]
    for each in first:
        each.close()
    pages.wait_for(lambda: pages.server.stream.clients == 0)
    again = Streamed(pages)
    assert again.answer.status == 200
    again.close()


def test_connections_beyond_the_most_are_closed_and_room_is_made_again(pages: Site) -> None:
    held = [pages.connect() for _ in range(CONNECTIONS_MAX + 50)]
    closed = 0
    for each in held[CONNECTIONS_MAX:]:
        each.settimeout(WAIT_S)
        with suppress(ConnectionError):
            closed += each.recv(1) == b""
    assert closed >= 45
    for each in held:
        each.close()
    pages.wait_for(pages.answers)
