"""Each executor of `bad/` is found by the checks meant for it and by no other; those of `legal/` by none.

This is the table of docs/compliance.md, held against the executors.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.compliance_causes import CAUGHT_BY_THE_KIT
from trivium import Executor
from trivium.analysis.purity.check import impurities
from trivium.config.worker_spec import spec_of
from trivium.engine.batch import RawBatch
from trivium.engine.blocking import BlockingWorker

HERE = Path(__file__).parent
# What the sources say, and the first words of what the guard says.
FOUND: Mapping[str, tuple[str, str]] = {
    "reads_file": ("it reads or writes files", "open('/etc/hostname')"),
    "opens_socket": ("it talks to another system", "socket.__new__"),
    "library": ("it talks to another system", "urllib.Request('http://127.0.0.1:9/2026-01-01')"),
    "uses_now": ("it reads the clock", ""),
    "uses_random": ("it is random", ""),
    "global_counter": ("it keeps state between events", ""),
    "environment": ("it depends on the machine or its environment", ""),
    "time_zone": ("it depends on the machine's time zone", ""),
    "set_order": ("", ""),
    "neighbours": ("", ""),
    "nested_list": ("", ""),
    "wrong_types": ("", ""),
}
LEGAL = ("lazy_import", "zone", "regex_cache", "loaded_model")
PARTS = {"weather_client", "weather_of"}  # of `library`


def executor(name: str) -> type[Executor[Any, Any]]:
    cls: type[Executor[Any, Any]] = importlib.import_module(f"tests.testing.{name}").SightingExecutor
    return cls


def by_sources(cls: type[Executor[Any, Any]], repository: Path) -> list[str]:
    return [each.message for each in impurities(cls, repository)]


def by_the_guard(cls: type[Executor[Any, Any]], folder: Path) -> list[str]:
    """What the guard refuses of one event, by its error."""
    (folder / "model.json").write_text("[1.5]")
    spec = spec_of([cls])
    bound = {
        name: replace(each, artifacts={"model": str(folder / "model.json")}) for name, each in spec.executors.items()
    }
    value = b'{"event_type":"sighting","id":"1","at":"2026-01-01T00:00:00Z","count":1}'
    out = BlockingWorker(replace(spec, purity="strict", executors=bound), {}).run(
        RawBatch([value], "test", np.arange(1))
    )
    return [reject.error for reject in out.rejects if reject.reason == "impure"]


def test_every_executor_is_in_a_table() -> None:
    assert {path.stem for path in (HERE / "bad").glob("*.py")} == {*FOUND} | PARTS
    assert {path.stem for path in (HERE / "legal").glob("*.py")} == {*LEGAL}


@pytest.mark.parametrize("name", list(FOUND))
def test_sources_and_guard_find_what_is_theirs(name: str, repository: Path, tmp_path: Path) -> None:
    cls = executor(f"bad.{name}")
    said, refused = FOUND[name]
    assert [text.rpartition(": ")[2] for text in by_sources(cls, repository)] == [said] * bool(said)
    errors = by_the_guard(cls, tmp_path)
    assert [error.split(" does I/O: ")[1].split(" at ")[0] for error in errors] == [refused] * bool(refused)
    assert said or name in CAUGHT_BY_THE_KIT
    assert not refused or all(f"{os.sep}bad{os.sep}" in error for error in errors)


@pytest.mark.parametrize("name", LEGAL)
def test_nobody_finds_anything_in_a_legal_one(name: str, repository: Path, tmp_path: Path) -> None:
    cls = executor(f"legal.{name}")
    assert by_sources(cls, repository) == []
    assert by_the_guard(cls, tmp_path) == []
