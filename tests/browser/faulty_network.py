"""A network between a client and the local cloud that cuts connections and loses answers, as the client asks it to."""

import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from local.stack import Stack

CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
PAGE = {"Content-Type": "text/html", **CORS}
ANSWERED = {
    "429": (429, {"Retry-After": "1", **CORS}, b'{"error": "too many requests"}'),
    "503": (503, {"Retry-After": "1", **CORS}, b'{"error": "temporarily unavailable"}'),
    "sign-in page": (200, PAGE, b"<h1>Welcome to our Wi-Fi</h1>"),
    "403 page": (403, PAGE, b"<h1>Blocked</h1>"),
    "429 page": (429, {"Retry-After": "1", **PAGE}, b"<h1>Slow down</h1>"),
    "502 page": (502, PAGE, b"<h1>Bad gateway</h1>"),
}
"""Faults that are an answer to a request that does not reach the local cloud."""
LATE_SECONDS = 1
FAULTS = ("cut", "lost", "half", "sign-in page")
"""Before the request, after it, in the middle of its answer; or the answer of a Wi-Fi that wants a sign-in."""


@dataclass(frozen=True)
class Sent:
    """A request as the network saw it."""

    method: str
    path: str
    key: str | None
    if_match: str | None
    status: int


class FaultyNetwork(ThreadingHTTPServer):
    """An HTTP proxy on loopback. /faults?… sets the faults of the next requests; /faults returns how many are left."""

    daemon_threads = True

    def __init__(self, stack: Stack) -> None:
        """Listen on a free port, in front of a running stack."""
        super().__init__(("127.0.0.1", 0), _Exchange)
        self.behind = urlsplit(stack.endpoint_url).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.shop_url = stack.shop_url.replace(stack.endpoint_url, self.url)
        self.search_url = stack.search_url.replace(stack.endpoint_url, self.url)
        self.faults: deque[str] = deque()
        self.sent: list[Sent] = []
        self.late_preflights = False

    def changes(self) -> list[Sent]:
        """Return the changes of carts that were sent."""
        return [sent for sent in self.sent if sent.key]


@contextmanager
def before(stack: Stack) -> Iterator[FaultyNetwork]:
    """Run a faulty network in front of a stack."""
    with FaultyNetwork(stack) as network:
        threading.Thread(target=network.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield network
        network.shutdown()


class _Exchange(BaseHTTPRequestHandler):
    server: FaultyNetwork

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/faults"):
            _, given, names = self.path.partition("?")
            if given:
                self.server.faults = deque(unquote(names).split(","))
            self._answer(200, CORS, str(len(self.server.faults)).encode())
            return
        if self.command == "OPTIONS" and self.server.late_preflights:
            time.sleep(LATE_SECONDS)
        fault = self.server.faults.popleft() if self.server.faults and self.command != "OPTIONS" else ""
        status, headers, content = ANSWERED.get(fault) or ((0, {}, b"") if fault == "cut" else self._forward(body))
        if self.command != "OPTIONS":
            key, match = self.headers["Idempotency-Key"], self.headers["If-Match"]
            path = self.path.partition("/_user_request_")[2]
            self.server.sent.append(Sent(self.command, path, key, match, status))
        if fault == "late":
            time.sleep(LATE_SECONDS)
        if fault in ("cut", "lost"):
            self._reset()
        else:
            with suppress(ConnectionError):  # the page has closed
                self._answer(status, headers, content, half=fault == "half")

    do_OPTIONS = do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815 - http.server's names

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection(self.server.behind)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        dropped = {"connection", "content-length", "transfer-encoding", "date", "server"}
        return answer.status, {k: v for k, v in answer.getheaders() if k.lower() not in dropped}, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes, *, half: bool = False) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if half else content)
        if half:
            self._reset()

    def _reset(self) -> None:
        self.wfile.flush()
        # Closed without linger, a connection is reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""
