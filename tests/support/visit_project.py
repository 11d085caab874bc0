"""The project of visits to shops, with the section of its lookup written anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline

PROJECT = Path(__file__).parent.parent / "extending/project"


def visit_project(folder: Path) -> Path:
    """Return a copy of the project with an archive of three visits, to the shops 1, 2 and 3."""
    root = Path(shutil.copytree(PROJECT, folder / "visits", ignore=shutil.ignore_patterns("__pycache__")))
    (root / "data/visits").mkdir(parents=True)
    visits = [
        {"event_type": "visit", "id": str(shop), "at": "2026-03-01T08:00:00Z", "shop": shop} for shop in (1, 2, 3)
    ]
    values = pa.array([json.dumps(each).encode() for each in visits], pa.binary())
    pq.write_table(pa.table({"value": values}), root / "data/visits/part-0.parquet")
    return root


def with_lookup(root: Path, section: str) -> Path:
    """Write the section of the lookup and return the pipeline file."""
    config = root / "configs/visits.yaml"
    lines = config.read_text().split("\n")
    config.write_text("\n".join(f"  shops: {section}" if line.startswith("  shops:") else line for line in lines))
    return config


def compiled(root: Path, section: str, environ: Mapping[str, str]) -> Pipeline:
    """Return the pipeline with this section of its lookup."""
    return compile_file(with_lookup(root, section), environ, runtime=None)
