"""Where alerts arrive in tests: a real web server and a real mail server, on the loopback."""

import json
import socketserver
import threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class WebSink:
    """Keeps what is posted to it, JSON decoded, and the paths that are asked for.

    It answers with `code`, to GETs with `location` where that is set, and to nobody while `hangs`.
    """

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.code, self.location = 200, ""
        self.hangs = threading.Event()
        self._end = threading.Event()
        sink = self

        class Web(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                while sink.hangs.is_set() and not sink._end.wait(0.01):
                    pass
                if sink.code == 200:
                    sink.posted.append(json.loads(body))
                self._answer()

            def do_GET(self) -> None:
                sink.asked.append(self.path)
                self._answer()

            def _answer(self) -> None:
                self.send_response(sink.code)
                if sink.location:
                    self.send_header("Location", sink.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
        self.port = int(self._server.server_address[1])

    def target(self, tag: str = "") -> str:
        """Return its address as a target, with a password and a path that nobody may see."""
        at = f"json://planted:pass-word@127.0.0.1:{self.port}/planted-path"
        return f"{tag}={at}" if tag else at

    @property
    def titles(self) -> list[str]:
        """What was posted, by title."""
        return [str(each["title"]) for each in self.posted]

    @property
    def texts(self) -> str:
        """All that was posted."""
        return "\n".join(f"{each['title']}\n{each['message']}" for each in self.posted)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._server.shutdown()
        self._server.server_close()


class MailSink:
    """Keeps the subject and the text of each mail it takes."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str]] = []
        sink = self

        class Smtp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 sink\r\n")
                while line := self.rfile.readline():
                    word = line.split()[0].upper()
                    if word == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines: list[bytes] = []
                        while (text := self.rfile.readline()) not in {b".\r\n", b""}:
                            lines.append(text)
                        sink._take(b"".join(lines))
                    self.wfile.write(b"250 done\r\n")
                    if word == b"QUIT":
                        return

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    def _take(self, raw: bytes) -> None:
        mail = message_from_bytes(raw, policy=policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        self.mails.append((str(mail["Subject"]), str(body.get_content())))

    def target(self) -> str:
        """Return its address as a target."""
        names = "smtp=127.0.0.1&from=traded@example.org&to=you@example.org&mode=insecure"
        return f"mailto://127.0.0.1:{self.port}?{names}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
