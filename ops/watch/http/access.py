"""Who may ask: on the loopback there are other users, and browsers that other sites have sent here.

A request is refused for its method, its host or a missing token, in that order; nothing it says
comes back in the answer. The token is compared in constant time, and so is the cookie that stands
for it in a browser: a digest, so that the token itself lies in no browser.
"""

import hmac
import secrets
from collections import deque
from collections.abc import Sequence
from hashlib import sha256
from time import monotonic
from typing import Final

from aiohttp import web

TOKEN_MIN: Final = 32
"""Characters; a drawn token has 43. What is shorter could be guessed."""
WRONG_MAX: Final = 10
WRONG_WITHIN_S: Final = 60.0
"""So many wrong tokens are answered within that time; further ones only hear that they are many."""
OPEN_PATHS: Final = frozenset({"/-/healthy", "/-/ready"})
"""What everybody on this machine may see: it says nothing that is not for everybody."""
_METHODS: Final = frozenset({"GET", "HEAD"})
_HERE: Final = ("localhost", "127.0.0.1", "[::1]")

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "traded",
}
"""On every answer there is."""

_LOGIN_NEEDED: Final = (
    "<!doctype html><meta charset=utf-8><title>traded</title>"
    "<p>This page needs the token of <code>traded watch</code>. Open "
    "<code>http://localhost:PORT/?token=TOKEN</code> with the token it was started with, or"
    ' <a href="/">go on</a> if you just have.'
)


def drawn_token() -> str:
    """Return a token nobody can guess."""
    return secrets.token_urlsafe(32)


class Access:
    """Judges requests by the `token` and the names of hosts that count as this one."""

    def __init__(self, token: str, hosts: Sequence[str], port: int) -> None:
        """Take the token, further `hosts` and the port, which sets cookies of several apart."""
        self._token = token.encode()
        self._hosts = frozenset(name.lower() for name in (*_HERE, *hosts))
        self._cookie = f"traded_watch_{port}"
        self._pass = hmac.new(self._token, b"traded watch cookie", sha256).hexdigest()
        self._wrong: deque[float] = deque(maxlen=WRONG_MAX)

    def answer(self, request: web.BaseRequest) -> web.Response | None:
        """Return why `request` is refused, or its login; None where it may go on."""
        if request.method not in _METHODS:
            return _refused(
                405, "only GET and HEAD: nothing can be changed here", Allow="GET, HEAD"
            )
        if not self._is_ours(request.headers.getall("Host", [])):
            return _refused(421, "this host is not served here; see watch.hosts")
        if request.body_exists:
            return _refused(400, "a request to read has no body")
        if request.path == "/" and "token" in request.query:
            return self._logged_in(request.query.getall("token"))
        if request.path in OPEN_PATHS:
            return None
        return self._without_token(request)

    def is_known(self, request: web.BaseRequest) -> bool:
        """Say whether `request` bears the token, or the cookie that stands for it."""
        return self._borne(request) is True

    def _is_ours(self, named: Sequence[str]) -> bool:
        if len(named) != 1:
            return False
        name, colon, port = named[0].lower().rpartition(":")
        if not colon or not port.isdecimal():  # No port: an IPv6 address ends in its bracket.
            name = named[0].lower()
        return name in self._hosts

    def _borne(self, request: web.BaseRequest) -> bool | None:
        """Return whether what `request` bears is right, None where it bears nothing."""
        said = request.headers.getall("Authorization", [])
        if said:
            kind, _, token = said[0].partition(" ")
            return len(said) == 1 and kind.lower() == "bearer" and self._is_right(token.strip())
        cookie = request.cookies.get(self._cookie)
        if cookie is None:
            return None
        return hmac.compare_digest(cookie.encode(errors="replace"), self._pass.encode())

    def _is_right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(errors="replace"), self._token)

    def _without_token(self, request: web.BaseRequest) -> web.Response | None:
        borne = self._borne(request)
        if borne is True:
            return None
        if borne is False:
            return self._wrong_token()
        if request.path == "/":
            return web.Response(status=401, text=_LOGIN_NEEDED, content_type="text/html")
        return _refused(401, "a token is needed", **{"WWW-Authenticate": "Bearer"})

    def _wrong_token(self) -> web.Response:
        now = monotonic()
        if len(self._wrong) == WRONG_MAX and now - self._wrong[0] < WRONG_WITHIN_S:
            return _refused(429, "too many wrong tokens; try later", **{"Retry-After": "60"})
        self._wrong.append(now)
        return _refused(401, "the token is wrong", **{"WWW-Authenticate": "Bearer"})

    def _logged_in(self, tokens: Sequence[str]) -> web.Response:
        """Answer the link that brings the token: it is gone from the address at once."""
        if len(tokens) != 1 or not self._is_right(tokens[0]):
            return self._wrong_token()
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(self._cookie, self._pass, path="/", httponly=True, samesite="Strict")
        return answer


def _refused(status: int, why: str, **headers: str) -> web.Response:
    answer = web.Response(status=status, text=f"{why}\n", headers=headers)
    answer.force_close()
    return answer
