"""HAProxy as a run has it, before an application without Ray: what clients see of it, the worst ones included."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.asgi_client import bought, client, orders
from tests.support.fronted_service import HOST, Exchange, Fronted, Server
from tests.support.kept_connections import Kept
from trivium.config.model.serving import Serving
from trivium.runtimes.serving.proxy.launcher import put_right
from trivium.runtimes.serving.proxy.texts import with_problems

SECTION = {
    "header_seconds": 1.0,
    "body_seconds": 1.5,
    "idle_seconds": 1.0,
    "max_ongoing_requests": 8,
    "retry_after_seconds": 7,
    "deadline_seconds": 2.0,
    "max_body_bytes": 300_000,
}
PLAIN = b"Host: x\r\nConnection: close\r\n"
JSON = b"Content-Type: application/json\r\n"
BODY = json.dumps(bought()).encode()
POST = b"POST /orders/v1/events HTTP/1.1\r\n" + PLAIN + JSON
WHOLE = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
PATIENCE = 6.0


class Behind:
    """The pipeline's application as Serve mounts it, with Serve's own answers, in plain text, under some paths."""

    def __init__(self, **more: Any) -> None:
        self.app = client(orders(**{**SECTION, **more})).app
        self.seen: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        self.seen.append(dict(scope["headers"]))
        if path == "/-/healthz":
            await answer(send, 200, b"success")
        elif path.startswith("/orders/serve/"):
            await answer(send, int(path.rpartition("/")[2]), b"Internal Server Error")
        elif path == "/orders/large":
            await answer(send, 200, b"x" * 20_000_000)
        else:
            scope["root_path"] = "/orders"
            await self.app(scope, receive, send)


async def answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def behind() -> Behind:
    return Behind()


@pytest.fixture(scope="module")
def front(behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    section = Serving(route="/orders", **SECTION)  # type: ignore[arg-type]
    with Server(behind) as server, Fronted(tmp_path_factory.mktemp("front"), section, [server.port]) as fronted:
        deadline = time.monotonic() + 10
        while fronted.exchange(WHOLE).status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield fronted


def request(line: bytes, *headers: bytes) -> bytes:
    return line + b"\r\n" + PLAIN + b"".join(each + b"\r\n" for each in headers) + b"\r\n"


NONE_AT_ALL = {
    "nonsense": b"nonsense\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    "HTTP/0.9": b"GET /orders/healthz\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "an unknown transfer encoding": POST + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk without a length": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "another host in the target": WHOLE.replace(b"POST /", b"POST http://y/", 1),
    "two hosts": b"GET /orders/healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a space in a header's name": request(b"GET /orders/healthz HTTP/1.1", b"a b: c"),
    "a NUL in a header": request(b"GET /orders/healthz HTTP/1.1", b"a: \0"),
    "a path that is no ASCII": request("GET /orders/é HTTP/1.1".encode()),
    "20 KB of headers": request(b"GET /orders/healthz HTTP/1.1", b"a: " + b"x" * 20_000),
    "200 headers": request(b"GET /orders/healthz HTTP/1.1", *[b"a: b"] * 200),
    "a lower-case method": request(b"get /orders/healthz HTTP/1.1"),
}


@pytest.mark.parametrize("what", NONE_AT_ALL)
def test_what_is_no_request_is_refused_as_a_problem(what: str, front: Fronted) -> None:
    seen = front.exchange(NONE_AT_ALL[what])
    assert (seen.status, seen.closed) == (400, True)
    assert seen.problem["type"] == "urn:trivium:problem:malformed-request"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/1.1", 404),
        (b"GET /nowhere HTTP/1.1", 404),
        (b"GET /ordersx HTTP/1.1", 404),
        (b"GET /orders HTTP/1.1", 404),
        (b"GET /orders/nowhere HTTP/1.1", 404),
        (b"GET /-/routes HTTP/1.1", 404),
        (b"GET /%2d/ROUTES HTTP/1.1", 404),
        (b"GET /../.. HTTP/1.1", 404),
        (b"GET /orders/../.. HTTP/1.1", 404),
        (b"GET //orders/healthz HTTP/1.1", 404),
        (b"OPTIONS * HTTP/1.1", 404),
        (b"CONNECT x:80 HTTP/1.1", 404),
        (b"TRACE /orders/healthz HTTP/1.1", 405),
        (b"GET /orders/v1/events HTTP/1.1", 405),
        (b"GET /orders/serve/404 HTTP/1.1", 404),
        (b"GET /orders/serve/408 HTTP/1.1", 408),
        (b"GET /orders/serve/429 HTTP/1.1", 429),
        (b"GET /orders/serve/500 HTTP/1.1", 502),
        (b"GET /orders/serve/503 HTTP/1.1", 503),
    ],
)
def test_every_refusal_is_a_problem_whoever_refuses(line: bytes, status: int, front: Fronted) -> None:
    seen = front.exchange(request(line, b"x-request-id: id-1"))
    assert seen.status == status
    assert seen.problem["instance"] == "urn:trivium:request:id-1"
    assert seen.head.get("retry-after") == ("7" if status in (429, 503) else None)


@pytest.mark.parametrize("given", [b"caf\xe9", b"two words", b'a"b', b"x" * 300, b"\xff\xfe"])
def test_a_request_id_that_is_no_plain_text_is_replaced_on_the_way(
    given: bytes, front: Fronted, behind: Behind
) -> None:
    seen = front.exchange(request(b"GET /nowhere HTTP/1.1", b"x-request-id: " + given))
    assert re.fullmatch(r"urn:trivium:request:[0-9a-f-]{36}", seen.problem["instance"])
    assert front.exchange(request(b"GET /orders/healthz HTTP/1.1", b"x-request-id: " + given)).status == 200
    assert re.fullmatch(rb"[0-9a-f-]{36}", behind.seen[-1][b"x-request-id"])


def test_headers_that_serve_would_decode_do_not_reach_it(front: Fronted, behind: Behind) -> None:
    names = [b"x-request-timeout-seconds", b"x-request-disconnect-disabled", b"serve_multiplexed_model_id"]
    odd = [name + b": \xe9" for name in [*names, b"x-session-id", b"serve-multiplexed-model-id"]]
    assert front.exchange(request(b"GET /orders/healthz HTTP/1.1", *odd)).status == 200
    assert not [name for name in behind.seen[-1] if name in names or name == b"trivium-timeout-seconds"]
    front.exchange(request(b"GET /orders/healthz HTTP/1.1", b"x-request-timeout-seconds: 0.25"))
    assert behind.seen[-1][b"trivium-timeout-seconds"] == b"0.25"
    assert abs(int(behind.seen[-1][b"trivium-received"]) / 1e3 - time.time()) < 60


@pytest.mark.parametrize(
    "framing",
    [
        (b"Content-Length: %d\r\n" % len(BODY)) * 2,
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ],
)
def test_a_body_has_one_length_whatever_the_headers_say(framing: bytes, front: Fronted) -> None:
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY) if b"chunked" in framing else BODY
    seen = front.exchange(POST + framing + b"\r\n" + body)
    assert seen.status == 200
    assert seen.received.count(b"HTTP/1.1") == 1


def test_an_absolute_target_and_pipelined_requests_are_answered(front: Fronted) -> None:
    absolute = WHOLE.replace(b"POST /", b"POST http://x/", 1)
    assert front.exchange(absolute).status == 200
    both = front.exchange(WHOLE.replace(b"Connection: close\r\n", b"", 1) + WHOLE)
    assert both.received.count(b"HTTP/1.1 200") == 2


SLOW = {
    "nothing": (b"", 1.0),
    "a line": (b"POST /orders/v1/events HTTP/1.1\r\nHost: x\r\n", 1.0),
    "half a line": (b"PO", 1.0),
    "no body": (POST + b"Content-Length: 100\r\n\r\n", 1.5),
    "a byte of a body": (POST + b"Content-Length: 100\r\n\r\n[", 1.5),
    "much of a large body": (POST + b"Content-Length: 200000\r\n\r\n[" + b" " * 100_000, 1.5),
    "chunks without an end": (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[    \r\n", 1.5),
    "a body where none is read": (request(b"GET /nowhere HTTP/1.1", b"Content-Length: 5"), 0.0),
}


@pytest.mark.parametrize("what", SLOW)
def test_what_stalls_is_closed_in_time_with_a_problem(what: str, front: Fronted) -> None:
    sent, seconds = SLOW[what]
    seen = front.exchange(sent)
    assert seen.closed
    assert seconds - 0.1 <= seen.seconds < seconds + 4.5  # when refused, a client has `body_seconds` + 1 to go
    assert seen.status == (404 if seconds == 0.0 else 408)
    assert seen.problem


def drip(front: Fronted, first: bytes, byte: bytes, seconds: float) -> float:
    """How long a connection lives that gets a byte every tenth of a second."""
    with socket.create_connection((HOST, front.port), 5) as held:
        began = time.monotonic()
        held.sendall(first)
        while time.monotonic() - began < seconds:
            readable, _, _ = select.select([held], [], [], 0.1)
            try:
                if readable and not held.recv(65_536):
                    break
                held.send(byte)
            except OSError:
                break
        return time.monotonic() - began


@pytest.mark.parametrize(
    ("first", "byte"),
    [
        (b"POST /orders/v1/events HTTP/1.1\r\nHost: x\r\n", b"a: b\r\n"),
        (POST + b"Content-Length: 10000\r\n\r\n[", b" "),
        (POST + b"Content-Length: 200000\r\n\r\n[" + b" " * 50_000, b" "),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (request(b"GET /orders/healthz HTTP/1.1", b"Transfer-Encoding: chunked"), b"1\r\n \r\n"),
        (request(b"POST /orders/v1/plan HTTP/1.1", b"Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    ],
    ids=["headers", "a body", "a large body", "chunks", "a body of a GET", "a body for what takes none"],
)
def test_a_byte_now_and_then_does_not_keep_a_connection(first: bytes, byte: bytes, front: Fronted) -> None:
    assert drip(front, first, byte, PATIENCE) < PATIENCE - 1


def test_a_body_without_end_is_refused_and_ends(front: Fronted) -> None:
    lived = drip(front, POST + b"Transfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b" " * 0x4000 + b"\r\n", PATIENCE)
    assert lived < PATIENCE - 1


def test_a_kept_connection_and_one_that_reads_nothing_end(front: Fronted) -> None:
    with socket.create_connection((HOST, front.port), 5) as idle:
        idle.sendall(WHOLE.replace(b"Connection: close\r\n", b"", 1))
        began = time.monotonic()
        while idle.recv(65_536):
            pass
        assert 0.8 < time.monotonic() - began < 4
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect((HOST, front.port))
        greedy.sendall(request(b"GET /orders/large HTTP/1.1"))
        time.sleep(5)
        received = 0
        greedy.settimeout(5)
        try:
            while piece := greedy.recv(1 << 20):
                received += len(piece)
        except OSError:
            pass
        assert received < 20_000_000


def test_while_hundreds_stall_all_others_are_answered(front: Fronted) -> None:
    stalled = [POST + b"Content-Length: 200000\r\n\r\n[" + b" " * 20_000, b"POST /orders/v1/events HTTP/1.1\r\n"]
    over = threading.Event()

    def attack(number: int) -> None:
        held: list[socket.socket] = []
        while not over.wait(0.01):
            if len(held) < 100:
                held.append(socket.create_connection((HOST, front.port), 5))
                held[-1].sendall(stalled[number % 2])
            for gone in select.select(held, [], [], 0)[0]:
                held.remove(gone)
                gone.close()
        for each in held:
            each.close()

    attackers = [threading.Thread(target=attack, args=(number,)) for number in range(4)]
    for each in attackers:
        each.start()
    try:
        time.sleep(1.5)
        seen = [front.exchange(WHOLE).status for _ in range(200)]
    finally:
        over.set()
        for each in attackers:
            each.join()
    assert seen.count(200) >= 198


def test_without_a_replica_it_says_so_and_when_to_come_back(tmp_path: Path) -> None:
    section = Serving(route="/orders", retry_after_seconds=7)
    with Fronted(tmp_path, section) as nobody:
        for line in (b"GET /orders/healthz HTTP/1.1", b"POST /orders/v1/events HTTP/1.1"):
            assert_no_replica(nobody.exchange(request(line, b"content-length: 0")))
    (tmp_path / "gone").mkdir()
    with socket.socket() as held, Fronted(tmp_path / "gone", section, [unused(held)]) as gone:
        assert_no_replica(gone.exchange(request(b"GET /orders/healthz HTTP/1.1")))


def unused(held: socket.socket) -> int:
    held.bind((HOST, 0))
    number: int = held.getsockname()[1]
    return number


def assert_no_replica(seen: Exchange) -> None:
    assert (seen.status, seen.head["retry-after"]) == (503, "7")
    assert seen.problem["type"] == "urn:trivium:problem:no-replica"


MORTAL = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Mortal(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        print(self.path, flush=True)
        if self.path.endswith("die"):
            os._exit(1)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Mortal)
print(server.server_port, flush=True)
server.serve_forever()
"""


def test_a_replica_that_dies_over_a_request_is_a_502_and_the_request_is_not_sent_again(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", MORTAL], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with Fronted(tmp_path, Serving(route="/orders"), [port]) as front:
            for _ in range(5):  # leaves connections to the replica that others may use
                assert front.exchange(request(b"GET /orders/x HTTP/1.1")).status == 200
            seen = front.exchange(request(b"GET /orders/die HTTP/1.1"))
        assert (seen.status, seen.problem["type"]) == (502, "urn:trivium:problem:replica-lost")
        assert server.stdout.read().count("/orders/die") == 1


def test_a_redeploy_answers_every_request_on_kept_connections(tmp_path: Path) -> None:
    section = Serving(route="/orders")
    over = threading.Event()
    with (
        Server(Behind(max_ongoing_requests=100)) as old,
        Server(Behind(max_ongoing_requests=100)) as new,
        Fronted(tmp_path, section, [old.port]) as front,
    ):
        time.sleep(1)
        clients = [
            Kept(front.port, pause, over, BODY, "/orders/v1/events") for pause in [0.002] * 4 + [0.05] * 4 + [0.4] * 8
        ]
        for each in clients:
            each.start()
        time.sleep(1)
        front.reload([new.port])
        time.sleep(2)
        old.should_exit = True
        time.sleep(1.5)
        over.set()
        for each in clients:
            each.join()
    assert sum(each.lost for each in clients) == 0
    assert {status for each in clients for status in each.statuses} == {200}


def running_with(config: str) -> list[str]:
    """The processes alive that were given this configuration."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if "-f" in words and config in words:
            found.append(process.name)
    return found


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    program = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(60)"
    with Fronted(tmp_path, Serving(route="/orders")) as first:
        config = str(tmp_path / "n" / "h.cfg")
        command = [str(tmp_path / "haproxy"), "-db", "-f", config, "-sf", str(first.process.pid)]
        parent = subprocess.Popen([sys.executable, "-c", program, *command])
        first.process.wait(20)  # the new one took over
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + 5
        while running_with(config):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_it_does_not_start_for_a_run_that_has_ended(tmp_path: Path) -> None:
    with Fronted(tmp_path, Serving(route="/orders")):
        pass
    settings = json.loads((tmp_path / "proxy.json").read_text())
    (tmp_path / "proxy.json").write_text(json.dumps({**settings, "owner": {"pid": os.getpid(), "started": "1"}}))
    done = subprocess.run([tmp_path / "haproxy", "-v"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "has ended" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::1", "localhost", "192.0.2.1"])
def test_it_listens_on_the_host_whatever_serve_was_told(host: str) -> None:
    text = (
        "frontend http_frontend\n    bind 127.0.0.1:8000\nfrontend prometheus\n    bind :1\nlisten stats\n  bind *:2\n"
    )
    times = dict.fromkeys(("header_seconds", "body_seconds", "idle_seconds"), "1s")
    made = put_right(text, {**times, "host": host, "problems": {}})
    binds = [line.strip() for line in made.splitlines() if "bind " in line]
    assert binds == [f"bind {host}:8000", "bind 127.0.0.1:1", "bind 127.0.0.1:2"]


def test_lines_that_are_not_known_stay() -> None:
    text = "global\n    some thing\nfrontend other\n    bind 127.0.0.1:1\n    http-request deny\n"
    settings = {"header_seconds": "1s", "body_seconds": "1s", "idle_seconds": "1s", "problems": {}}
    assert put_right(text, settings) == text


def test_texts_of_the_program_keep_their_length() -> None:
    text = (
        b"HTTP/1.1 400 Bad request\r\nContent-length: 90\r\nCache-Control: no-cache\r\nConnection: close\r\n"
        b"Content-Type: text/html\r\n\r\n<html><body><h1>400 Bad request</h1>\n"
        b"Your browser sent an invalid request.\n</body></html>\n"
    )
    program = b"before\0" + text + b"\0after" + text.replace(b"400", b"418") + b"\0"
    made = with_problems(program)
    assert len(made) == len(program)
    assert made.count(b"application/problem+json") == 1
    assert made.endswith(program[-len(text) - 7 :])
    short = (
        b"HTTP/1.1 400 x\r\nContent-length: 1\r\nCache-Control: no-cache\r\nContent-Type: text/html\r\n\r\n<html>\n\0"
    )
    assert with_problems(short) == short
