"""A database that answers each request as DynamoDB Local answered it the first time.

Each request is sent to DynamoDB Local once, and asks for the consumed units; the same bytes are then answered from
memory. So an operation can be repeated in the same state of the table, and the times do not have the noise of the
engine, which is larger than the time of our own code. It runs in a separate process, as a real database does.
"""

import http.client
import json
import multiprocessing
import re
import socketserver
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from local import settings

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

READS: Final = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})


@dataclass(frozen=True)
class Exchange:
    """One call of the database: parameters, answer, consumed units, and the sizes of both bodies in bytes."""

    operation: str
    parameters: dict[str, Any]
    answer: dict[str, Any]
    units: float
    sent: int
    received: int

    @property
    def reads(self) -> bool:
        """Whether the units are read units."""
        return self.operation in READS


class Replay:
    """The parent's end of the process; ``address`` is the database's address for the functions."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        """Wait for the process, which sends its port first."""
        self._pipe = pipe
        self.address = f"http://{settings.HOST}:{pipe.recv()}"

    def exchanges(self) -> list[Exchange]:
        """Return the calls since the last call of this method."""
        self._pipe.send(("exchanges", None))
        calls: list[Exchange] = self._pipe.recv()
        return calls

    def seal(self, wait: float) -> None:
        """Answer only from memory from now on, each time after ``wait`` seconds."""
        self._pipe.send(("seal", wait))
        self._pipe.recv()


@contextmanager
def running(engine: str) -> Iterator[Replay]:
    """Run the process in front of the engine at this address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, engine), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Replay(ours)
    finally:
        ours.close()
        process.join()


@dataclass(frozen=True)
class _Known:
    """A request that the engine has answered, and the bytes of the answer."""

    exchange: Exchange
    answer: bytes


class _Memory(socketserver.ThreadingTCPServer):
    """The server, with the answers so far."""

    daemon_threads = True

    def __init__(self, engine: str) -> None:
        super().__init__((settings.HOST, 0), _Conversation)
        self.engine = engine
        self.lock = Lock()
        self.answers: dict[tuple[bytes, bytes], _Known] = {}
        self.exchanges: list[Exchange] = []
        self.sealed = False
        self.wait = 0.0

    def answer(self, target: bytes, body: bytes, authorization: bytes) -> bytes:
        """Answer from memory, or by the engine if the answer is unknown and the memory not sealed."""
        if self.wait:
            time.sleep(self.wait)
        body = _TOKEN.sub(b"", body)
        known = self.answers.get((target, body))
        if self.sealed:
            return known.answer if known else _UNKNOWN
        with self.lock:
            if known is None:
                # Two clients may write the same parameters in another order.
                canonical = json.dumps(json.loads(body), sort_keys=True).encode()
                known = self.answers.get((target, canonical)) or self._ask(
                    target.decode(), body, authorization.decode()
                )
                self.answers[target, canonical] = self.answers[target, body] = known
            self.exchanges.append(known.exchange)
        return known.answer

    def _ask(self, target: str, body: bytes, authorization: str) -> "_Known":
        """Send a request to the engine, and return its answer and units."""
        parameters = json.loads(body)
        connection = http.client.HTTPConnection(urlsplit(self.engine).netloc)
        connection.request(
            "POST",
            "/",
            json.dumps({**parameters, "ReturnConsumedCapacity": "TOTAL"}),
            {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0", "Authorization": authorization},
        )
        response = connection.getresponse()
        said = json.loads(response.read())
        connection.close()
        capacity = said.pop("ConsumedCapacity", [])
        units = sum(table["CapacityUnits"] for table in (capacity if isinstance(capacity, list) else [capacity]))
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        exchange = Exchange(target.rpartition(".")[2], parameters, said, units, len(body), len(text))
        return _Known(exchange, _message(f"{response.status} {response.reason}", text))


class _Conversation(socketserver.StreamRequestHandler):
    """One connection that is kept alive."""

    disable_nagle_algorithm = True
    server: _Memory

    def handle(self) -> None:
        """Answer requests until the client closes the connection."""
        while self.rfile.readline():
            headers = {}
            while (line := self.rfile.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers[b"content-length"]))
            self.wfile.write(self.server.answer(headers[b"x-amz-target"], body, headers[b"authorization"]))


def _serve(pipe: "Connection[Any, Any]", engine: str) -> None:
    """Serve until the parent closes its end."""
    with _Memory(engine) as memory:
        Thread(target=memory.serve_forever, daemon=True).start()
        pipe.send(memory.server_address[1])
        while True:
            try:
                word, wait = pipe.recv()
            except EOFError:
                break
            if word == "seal":
                memory.sealed, memory.wait = True, wait
            exchanges, memory.exchanges = memory.exchanges, []
            pipe.send(exchanges)
        memory.shutdown()


def _message(status: str, body: bytes) -> bytes:
    """Return an answer with DynamoDB's headers."""
    head = (
        f"HTTP/1.1 {status}\r\nServer: Server\r\nDate: Fri, 21 Nov 2025 12:34:56 GMT\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\nConnection: keep-alive\r\n"
        f"x-amzn-RequestId: {'Q' * 52}\r\nx-amz-crc32: {zlib.crc32(body)}\r\n\r\n"
    )
    return head.encode() + body


_TOKEN: Final = re.compile(rb', ?"ClientRequestToken": ?"[^"]*"')
"""The SDK's random token of a transaction, by which the engine would recognize a repetition."""
_UNKNOWN: Final = _message("400 Bad Request", b'{"__type":"ValidationException","message":"never asked before"}')
