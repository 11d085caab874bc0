"""A service of facts over HTTP whose next answers a test writes down: it delays, fails, flaps, truncates and lies."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Reply:
    """An answer: its status, headers and body; `missing` bytes are promised and never sent."""

    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay: float = 0.0
    missing: int = 0
    piece_delay: float = 0.0


@dataclass
class FactService:
    """The running service: `rows` by key, replies that come before them, and the requests it got.

    `always` is the reply to every request while it is set, once `replies` have been given.
    """

    port: int = 0
    rows: dict[Any, Any] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)
    requests: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    always: Reply | None = None
    key_of: Callable[[Any], Any] = lambda key: key

    @property
    def url(self) -> str:
        """The address of the service."""
        return f"http://127.0.0.1:{self.port}/facts"

    def reply_to(self, keys: list[Any]) -> Reply:
        """Return the next reply."""
        if self.replies:
            return self.replies.pop(0)
        if self.always is not None:
            return self.always
        found = [self.rows[each] for key in keys if (each := self.key_of(key)) in self.rows]
        return Reply(body=json.dumps(found).encode())


@contextmanager
def fact_service(certificate: Path | None = None, key: Path | None = None) -> Iterator[FactService]:
    """Run a service, with TLS where it has a certificate."""
    service = FactService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two packets, and the second would wait 40 ms

        def do_GET(self) -> None:
            self.answer(parse_qs(urlsplit(self.path).query).get("keys", []))

        def do_POST(self) -> None:
            self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["keys"])

        def answer(self, keys: list[Any]) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.requests.append((self.path, keys, headers))
            reply = service.reply_to(keys)
            time.sleep(reply.delay)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) + reply.missing))
            self.end_headers()
            if reply.piece_delay:
                for at in range(len(reply.body)):
                    self.wfile.write(reply.body[at : at + 1])
                    time.sleep(reply.piece_delay)
            else:
                self.wfile.write(reply.body)
            self.close_connection = bool(reply.missing)

        def log_message(self, *args: Any) -> None:
            """Write nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Write nothing: clients hang up on purpose."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        service.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield service
        server.shutdown()
