"""A replica's inside on a project's files: lookups, the corpus of bad records, and events that take too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.asgi_client import Client, Response
from tests.support.poison import KINDS
from tests.support.tick_project import row, tick, tick_project
from trivium.config.compile import compile_file
from trivium.runtimes.serving.host import ServeJob, ServingHost

SIXTY_FOUR = 64 << 20


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Any]:
    """Makes hosts of the project with a serving section, and forgets the project's modules afterwards."""
    path, modules, hosts = list(sys.path), set(sys.modules), []

    def host(**serving: Any) -> ServingHost:
        pipeline = compile_file(tick_project(tmp_path, **serving), runtime="serving")
        hosts.append(ServingHost(ServeJob(pipeline.plan.json, pipeline.secrets, str(pipeline.root))))
        return hosts[-1]

    yield host
    for each in hosts:
        each.close()
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] == "executors":
            del sys.modules[name]


def test_events_are_enriched(made: Any) -> None:
    host = made()
    answers = Client(host.app).post([tick(1), tick(2, key=77)]).json()["events"]
    assert answers[0] == {"outcome": "emitted", "event_type": "tick", "rows": [row(1)]}
    assert (answers[1]["outcome"], answers[1]["reason"]) == ("rejected", "enrichment_missing")


def test_the_corpus_of_bad_records_gets_the_streams_reasons(made: Any) -> None:
    client = Client(made(max_body_bytes=SIXTY_FOUR, deadline_seconds=30, hung_after_seconds=30).app)
    found = {name: verdict_of(client, value) for name, (value, _) in KINDS.items() if value is not None}
    assert found == {name: verdict for name, (value, verdict) in KINDS.items() if value is not None}


def verdict_of(client: Client, value: bytes) -> str:
    """What becomes of a record: alone in its body if it is no JSON, between two good ones otherwise."""
    if is_json(value):
        good = json.dumps(tick()).encode()
        first, answer, last = client.post(b"[" + good + b"," + value + b"," + good + b"]").json()["events"]
        assert first["outcome"] == last["outcome"] == "emitted"
    else:
        (answer,) = client.post(value).json()["events"]
    return f"{answer['stage']}/{answer['reason']}" if answer["outcome"] == "rejected" else answer["outcome"]


def is_json(value: bytes) -> bool:
    try:
        return len(msgspec.json.decode(b"[" + value + b"]", type=list[msgspec.Raw])) == 1
    except RecursionError:
        return True
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


async def ask(client: Client, events: list[Any]) -> Response:
    return await client.asked("POST", "/v1/events", [json.dumps(events).encode()], content_type="application/json")


def test_a_pipeline_with_lookups_in_memory_answers_without_threads(made: Any) -> None:
    host = made()
    client = Client(host.app)
    before = threading.active_count()

    async def crowd() -> list[Response]:
        return await asyncio.gather(*(ask(client, [tick(n), tick(n + 1)]) for n in range(50)))

    for number, response in enumerate(asyncio.run(crowd())):
        assert [each["rows"][0]["event_id"] for each in response.json()["events"]] == [f"e{number}", f"e{number + 1}"]
    assert threading.active_count() == before


HANG = """
import asyncio, json, sys
from pathlib import Path
from tests.support.asgi_client import Client
from tests.support.tick_project import MAKE, tick
from trivium.config.compile import compile_file
from trivium.runtimes.serving.host import ServeJob, ServingHost

pipeline = compile_file(MAKE(Path(sys.argv[1]), deadline_seconds=0.2, hung_after_seconds=0.5), runtime="serving")
host = ServingHost(ServeJob(pipeline.plan.json, pipeline.secrets, str(pipeline.root)))


async def main():
    beat = asyncio.create_task(host.beat(lambda: None))
    await asyncio.sleep(2.5)
    print("idle is no hanging", flush=True)
    body = json.dumps(tick(action="hang")).encode()
    response = await Client(host.app).asked("POST", "/v1/events", [body], content_type="application/json")
    print(response.status, flush=True)
    await asyncio.sleep(30)


asyncio.run(main())
"""


@pytest.mark.parametrize("make", ["tick_project", "bare_project"])
def test_a_process_that_hangs_ends_by_itself_with_a_traceback_in_its_log(
    make: str, tmp_path: Path, repository: Path
) -> None:
    program = [sys.executable, "-c", HANG.replace("MAKE", make), str(tmp_path)]
    done = subprocess.run(
        program,
        cwd=repository,
        env={"PYTHONPATH": f"{repository}/platform:{repository}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.split("\n")[:2]) == (1, ["idle is no hanging", ""])
    assert "executor.py" in done.stderr


def test_readiness_ends_with_the_host(made: Any) -> None:
    host = made()
    client = Client(host.app)
    assert client.ask("GET", "/readyz").status == 200
    host.close()
    assert (client.ask("GET", "/readyz").status, client.ask("GET", "/healthz").status) == (503, 200)


def test_the_lifespan_of_a_server_is_answered(made: Any) -> None:
    host, sent = made(), []
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(host.app({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with contextlib.suppress(KeyError):
        asyncio.run(host.app({"type": "websocket"}, receive, send))
    assert sent[-1] == "websocket.close"
