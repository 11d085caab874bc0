"""The interactive page of the API: one file of plain HTML and script, with no asset from anywhere else."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def page() -> bytes:
    """Return the page, as UTF-8. It reads the OpenAPI document beside it."""
    return files("trivium.runtimes.serving.http").joinpath("docs_page.html").read_bytes()
