"""Projects of their own, one a test."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def own_executors() -> Iterator[None]:
    """Each test imports its own project's `executors`; afterwards those of the others are as they were."""
    path = list(sys.path)
    known = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "executors"}
    yield
    sys.path[:] = path
    forget_executors()
    sys.modules.update(known)


def forget_executors() -> None:
    """Let the next import of a project's executors read their files."""
    for name in [name for name in sys.modules if name.split(".")[0] == "executors"]:
        del sys.modules[name]
