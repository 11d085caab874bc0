"""A start that cannot be, said before anything is started."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.asgi_client import orders
from tests.support.tick_project import bare_project
from trivium.core.errors import RunError
from trivium.runtimes.serving.process import service_process
from trivium.runtimes.serving.run import ServingArguments, run_serving


@pytest.fixture
def in_use() -> Iterator[int]:
    """A port of every interface that somebody listens on."""
    with socket.socket() as held:
        held.bind(("0.0.0.0", 0))
        held.listen()
        yield held.getsockname()[1]


@pytest.mark.parametrize(
    ("host", "keys", "warned"),
    [("127.0.0.1", (), False), ("localhost", (), False), ("0.0.0.0", (), True), ("0.0.0.0", ("${KEY}",), False)],
)
def test_a_port_in_use_is_named_and_a_service_open_to_all_is_warned_of(
    host: str, keys: tuple[str, ...], warned: bool, in_use: int,
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(logging.getLogger("trivium"), "propagate", True)
    with pytest.raises(RunError, match=f"port {in_use} of {host} is in use"):
        run_serving(orders(api_keys=keys), ServingArguments(host, in_use))
    assert ("anybody who reaches" in caplog.text) == warned


def test_a_pipeline_without_the_section_says_what_to_add() -> None:
    pipeline = orders()
    bare = replace(pipeline, config=pipeline.config.model_copy(update={"serving": None}))
    with pytest.raises(RunError, match="add serving:"):
        run_serving(bare)


def test_a_service_in_its_own_process_answers_until_the_context_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with service_process(bare_project(tmp_path)) as service:
        client = HTTPConnection(urlsplit(service.url).netloc, timeout=60)
        client.request("GET", f"{urlsplit(service.url).path}/readyz")
        assert client.getresponse().status == 200
        client.close()
    with pytest.raises(ConnectionRefusedError):
        client.connect()


def test_a_service_that_cannot_start_in_its_own_process_says_why(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"did not start: .*no\.yaml"), service_process(tmp_path / "no.yaml"):
        pass
