"""A local server that speaks S3, and an unreliable way to it."""

from __future__ import annotations

import http.client
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SERVE = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


class S3Server:
    """moto in a process of its own, which ends when this one does."""

    def __init__(self) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([sys.executable, "-c", SERVE], text=True, **pipes)
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def make_bucket(self, name: str) -> None:
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")
        urllib.request.urlopen(request).close()

    def keys(self, bucket: str) -> list[str]:
        """The bucket's first 1,000 keys."""
        with urllib.request.urlopen(f"{self.url}/{bucket}?list-type=2") as answer:
            return re.findall(r"<Key>([^<]*)</Key>", answer.read().decode())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(10)


class Fault(Enum):
    """What becomes of a request."""

    RESPONSE_LOST = "forwarded and answered, but the connection drops before the answer comes through"
    NEVER_SENT = "the connection drops before anything is forwarded"
    BUSY = "503 SlowDown"
    BUSY_AFTER_ALL = "forwarded, but the answer is 503 SlowDown"
    FORBIDDEN = "403 AccessDenied"


_ANSWERS = {
    Fault.BUSY: (503, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"),
    Fault.FORBIDDEN: (403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
}
_ANSWERS[Fault.BUSY_AFTER_ALL] = _ANSWERS[Fault.BUSY]


@dataclass
class Seen:
    """A request that came through: the status is None where the client never learnt one from the server."""

    method: str
    path: str
    condition: str | None
    status: int | None


@dataclass
class _Armed:
    method: str
    pattern: re.Pattern[str]
    fault: Fault
    times: int


@dataclass
class UnreliableProxy:
    """Forwards to a server; `arm` says what goes wrong with the next requests of a kind."""

    upstream: str
    seen: list[Seen] = field(default_factory=list)
    _armed: list[_Armed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def arm(self, method: str, pattern: str, fault: Fault, times: int = 1) -> None:
        self._armed.append(_Armed(method, re.compile(pattern), fault, times))

    @property
    def disarmed(self) -> bool:
        """Whether everything armed has happened."""
        return not any(armed.times for armed in self._armed)

    def fault(self, method: str, path: str) -> Fault | None:
        """What this request meets."""
        with self._lock:
            for armed in self._armed:
                if armed.times and armed.method == method and armed.pattern.search(path):
                    armed.times -= 1
                    return armed.fault
        return None

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(proxy: UnreliableProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = _body(self)
            fault = proxy.fault(self.command, self.path)
            seen = Seen(self.command, self.path, self.headers.get("If-None-Match"), None)
            proxy.seen.append(seen)
            if fault in (None, Fault.RESPONSE_LOST, Fault.BUSY_AFTER_ALL):
                status, headers, content = _forward(proxy.upstream, self, body)
            if fault in (Fault.RESPONSE_LOST, Fault.NEVER_SENT):
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fault is not None:
                status, content = _ANSWERS[fault]
                headers = [("Content-Type", "application/xml")]
            seen.status = status
            with suppress(ConnectionError):  # a client may have given up waiting
                self._answer(status, headers, content)

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _any

        def log_message(self, *_: object) -> None:
            """Silent."""

    return Handler


def _body(request: BaseHTTPRequestHandler) -> bytes:
    """The request's content; Arrow sends it in chunks of unknown number."""
    if request.headers.get("Transfer-Encoding") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    content = b""
    while size := int(request.rfile.readline(), 16):
        content += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return content


def _forward(upstream: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(urlsplit(upstream).netloc, timeout=20)
    try:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        connection.request(request.command, request.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        hidden = _HOP - {"content-length"} if request.command == "HEAD" else _HOP
        return answer.status, [(n, v) for n, v in answer.getheaders() if n.lower() not in hidden], content
    finally:
        connection.close()


@dataclass
class Bucket:
    """An empty bucket, and the variables that lead to it."""

    server: S3Server
    name: str
    point_at: Callable[[str], None]

    @property
    def uri(self) -> str:
        return f"s3://{self.name}"

    @property
    def keys(self) -> list[str]:
        return self.server.keys(self.name)


VARIABLES = {
    "AWS_ACCESS_KEY_ID": "an-identity",
    "AWS_SECRET_ACCESS_KEY": "not-to-be-told",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
