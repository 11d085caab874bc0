"""Connecting to Ray: an address without a cluster is an error that names it."""

import os
from pathlib import Path
from typing import Any

import pytest
import ray

import trivium
from trivium.core.errors import RunError
from trivium.runtimes.cluster import connected


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        ("foo", ValueError("Invalid address format: foo"), "expected a Ray cluster at foo, got: Invalid address"),
        (
            "ray://x:1",
            ConnectionError("ray client connection timeout"),
            "expected a Ray cluster at ray://x:1, got: ray",
        ),
        ("x:1", RuntimeError(""), "expected a Ray cluster at x:1, got: RuntimeError. Try: HOST:PORT"),
        (None, RuntimeError("no shared memory\nmore"), "Ray did not start on this machine: no shared memory. Try: "),
    ],
)
def test_what_is_no_cluster_is_said(
    address: str | None,
    error: Exception,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refused(**_: Any) -> None:
        raise error

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refused)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(RunError) as raised, connected(address, 2):
        pass
    assert str(raised.value).startswith(said)
    begun = "starting Ray with 2 CPUs …" if address is None else f"connecting to Ray at {address} …"
    assert capsys.readouterr().err == f"{begun}\n"


def test_workers_inherit_their_variables_and_the_driver_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, str] = {}

    def init(**options: Any) -> None:
        assert "runtime_env" not in options  # it would fit none of the workers that Ray starts ahead
        given.update(os.environ)

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    for name in ("RAY_ADDRESS", "MIMALLOC_PURGE_DELAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", "mine")
    with connected(None, 2):
        assert os.environ["PYTHONPATH"] == "mine"
        assert "MIMALLOC_PURGE_DELAY" not in os.environ
    assert given["PYTHONPATH"] == f"{Path(trivium.__file__).parents[1]}{os.pathsep}mine"
    assert given["MIMALLOC_PURGE_DELAY"] == "10000"
