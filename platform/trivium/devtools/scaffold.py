"""Writes the first files of a project and of an executor. What it writes passes `trivium check` as it is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from trivium.config.model.schema import schema_text
from trivium.config.yaml.load import MAX_BYTES, load_text
from trivium.core.regular_file import read_regular
from trivium.devtools.executor_names import check_shadows_nothing, class_name_of, column_of, folder_of, lower
from trivium.devtools.pipeline_edit import with_executor
from trivium.operations.errors import ArgumentError

_PROJECT: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_PROJECT_FILES: Final = {
    "README.md": "README.md",
    ".gitignore": "gitignore",
    ".rayignore": "rayignore",
    "conftest.py": "conftest.py",
    "configs/{name}.yaml": "pipeline.yaml",
    "executors/__init__.py": "executors.py",
    "executors/order/__init__.py": "order_package.py",
    "executors/order/executor.py": "order.py",
    "executors/order/samples.jsonl": "order_samples.jsonl",
    "tests/test_order.py": "test_order.py",
}


@dataclass(frozen=True)
class Written:
    """Result of a scaffold: files it created, and the one it added a line to."""

    created: tuple[Path, ...]
    changed: Path | None = None


def new_project(name: str, parent: Path) -> Written:
    """Create a folder `name` below `parent` with a first executor, its pipeline and a small archive to run it on.

    Raises:
        ArgumentError: the name cannot name a pipeline, or something of that name is there already.
    """
    if _PROJECT.fullmatch(name) is None:
        message = f"{name!r} cannot name a project: expected a letter a-z, then at most 62 of a-z 0-9 _ -"
        raise ArgumentError(f"{message}. Try: {lower(name) or 'my_project'}")
    root = parent / name
    if root.exists():
        raise ArgumentError(f"{root} exists already; nothing was written. Try: another name")
    texts = {
        root / path.format(name=name): _template(f"project/{source}", {"name": name})
        for path, source in _PROJECT_FILES.items()
    }
    texts[root / "configs" / "pipeline.schema.json"] = schema_text()
    _write_new(texts)
    return Written((*texts, *_write_archive(root / "data" / "events")))


def new_executor(event_type: str, root: Path, pipeline_file: Path) -> Written:
    """Create an executor of `event_type` with samples and a test, listed in the pipeline file.

    Raises:
        ArgumentError: the type cannot name a folder, a file is there already, the pipeline file cannot be added to, or
            the pipeline would not compile with it. Nothing is written then.
    """
    folder = folder_of(event_type)
    check_shadows_nothing(root, folder)
    text = _read(pipeline_file)
    edited = with_executor(text, event_type, pipeline_file)
    texts = _executor_texts(event_type, folder, root, _routing_field(text, pipeline_file))
    _check_absent(texts)  # before the pipeline is compiled: importing its executors leaves bytecode behind
    known = _problems(pipeline_file)
    made = [path for path in (root / "executors" / folder, root / "tests") if not path.exists()]
    _write_new(texts)
    pipeline_file.write_bytes(edited.encode())
    new = [text for place, text in _problems(pipeline_file).items() if place not in known]
    if new:
        pipeline_file.write_bytes(text.encode())
        _remove(texts, made)
        listed = "".join(f"\n  - {problem}" for problem in new)
        message = (
            f"the pipeline {pipeline_file} would not compile with an executor of {event_type}; nothing was written"
        )
        raise ArgumentError(f"{message}:{listed}\nTry: mend that first, or another event type")
    return Written(tuple(texts), pipeline_file)


def _executor_texts(event_type: str, folder: str, root: Path, field: str) -> dict[Path, str]:
    values = {
        "type": event_type,
        "folder": folder,
        "class_name": class_name_of(folder),
        "column": column_of(folder),
        "field": field,
    }
    package = root / "executors" / folder
    return {
        package / "__init__.py": _template("executor/package.py", values),
        package / "executor.py": _template("executor/executor.py", values),
        package / "samples.jsonl": _template("executor/samples.jsonl", values),
        root / "tests" / f"test_{folder}.py": _template("executor/test.py", values),
    }


def _problems(pipeline_file: Path) -> dict[tuple[str, str], str]:
    """Return the problems of a pipeline file in words, by code and path: those stay when a line is added."""
    from trivium.config.compile import compile_file
    from trivium.config.problems import ConfigError

    try:
        compile_file(pipeline_file, runtime=None)
    except ConfigError as error:
        return {(each.code, each.path): f"{each.code}: {each.message}" for each in error.problems}
    return {}


def _remove(texts: Mapping[Path, str], folders: list[Path]) -> None:
    for path in texts:
        path.unlink(missing_ok=True)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _routing_field(text: str, file: Path) -> str:
    field = load_text(text.encode(), str(file), {}).at(("routing", "field"))
    return json.dumps(field if isinstance(field, str) else "event_type")[1:-1]


def _read(file: Path) -> str:
    try:
        return read_regular(file, MAX_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(f"cannot read the pipeline file {file}: {error}") from error


def _template(name: str, values: Mapping[str, str]) -> str:
    source = resources.files("trivium.devtools").joinpath("templates", f"{name}.txt")
    return Template(source.read_text("utf-8")).substitute(values)


def _check_absent(texts: Mapping[Path, str]) -> None:
    present = [path for path in texts if path.exists()]
    if present:
        raise ArgumentError(f"{present[0]} exists already; nothing was written. Try: another name, or remove it first")


def _write_new(texts: Mapping[Path, str]) -> None:
    _check_absent(texts)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)


def _write_archive(folder: Path) -> list[Path]:
    """Eleven orders on two days, one of them with an amount that cannot be."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = []
    for day, amounts in (("2026-01-01", (12.5, 100, 0, 250.75, 3.2, 99.99)), ("2026-01-02", (45, 180, -1, 7.5, 64))):
        orders = [
            {
                "event_type": "order",
                "order_id": f"{day}-{number}",
                "placed_at": f"{day}T{9 + number:02}:30:00Z",
                "customer": ("ada", "bob", "cleo")[number % 3],
                "amount": amount,
            }
            for number, amount in enumerate(amounts)
        ]
        path = folder / f"day={day}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"value": [json.dumps(order).encode() for order in orders]}), path)
        paths.append(path)
    return paths
