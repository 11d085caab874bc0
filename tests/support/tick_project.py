"""The project of the stream's fault tests behind HTTP: events that raise, kill their process, hang or idle."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support import batch_project as batch
from tests.support import stream_sources as stream

KEYS = {"servers": "127.0.0.1:9", "topic": "ticks", "interval": 1.0, "workers": 1, "drain": 5.0}
BATCH_KEYS = {"unit_rows": 1, "deadline": 60, "record_deadline": 4}


def tick_project(root: Path, **serving: Any) -> Path:
    """A project at `root`; its pipeline file. `serving` are settings of the section beside its route, /ticks."""
    data = pa.table({"key": pa.array(range(10), pa.int64()), "weight": pa.array([1] * 10, pa.int64())})
    root.mkdir(parents=True, exist_ok=True)
    pq.write_table(data, root / "weights.parquet")
    return _written(root, stream.EXECUTOR, stream.CONFIG % KEYS, serving)


def bare_project(root: Path, **serving: Any) -> Path:
    """The same without a lookup."""
    return _written(root, batch.EXECUTOR, batch.CONFIG % BATCH_KEYS, serving)


def _written(root: Path, executor: str, config: str, serving: dict[str, Any]) -> Path:
    section = json.dumps({"route": "/ticks", **serving})
    files = {
        "executors/__init__.py": "",
        "executors/tick_row.py": batch.ROW,
        "executors/tick/__init__.py": "",
        "executors/tick/executor.py": executor,
        "configs/ticks.yaml": f"{config.lstrip()}serving: {section}\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
    return root / "configs/ticks.yaml"


def tick(number: int = 0, **more: Any) -> dict[str, Any]:
    """An event."""
    return {"event_type": "tick", "event_id": f"e{number}", "at": "2026-03-01T12:00:00Z", "value": number, **more}


def row(number: int) -> dict[str, Any]:
    """The row it becomes."""
    return {"event_id": f"e{number}", "event_time": "2026-03-01T12:00:00Z", "value": number, "doubled": 2 * number}
