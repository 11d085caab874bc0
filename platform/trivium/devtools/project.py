"""The project a person stands in: the nearest folder that holds `executors/`, and its pipeline files."""

from __future__ import annotations

from pathlib import Path

from trivium.config.paths import project_root
from trivium.operations.errors import ArgumentError


def find_root(start: Path) -> Path:
    """Return the nearest of `start` and the folders above it that holds `executors/`.

    Raises:
        ArgumentError: there is none.
    """
    root = project_root(start.resolve() / "file")
    if root is None:
        message = f"no project here: neither {start.resolve()} nor a folder above it holds executors/"
        raise ArgumentError(f"{message}. Try: change into a project, or trivium new project NAME")
    return root


def pipeline_files(root: Path) -> list[Path]:
    """Return the pipeline files of a project, sorted.

    Raises:
        ArgumentError: there is none.
    """
    files = sorted(path for path in (root / "configs").glob("*.y*ml") if path.suffix in (".yaml", ".yml"))
    if not files:
        raise ArgumentError(f"expected pipeline files {root}/configs/*.yaml, found none. Try: name one as the argument")
    return files


def only_pipeline_file(root: Path) -> Path:
    """Return the project's pipeline file, where it has one.

    Raises:
        ArgumentError: it has none, or several.
    """
    files = pipeline_files(root)
    if len(files) > 1:
        names = ", ".join(str(file.relative_to(root)) for file in files)
        raise ArgumentError(f"the project has several pipelines: {names}. Try: --config {files[0].relative_to(root)}")
    return files[0]
