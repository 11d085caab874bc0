"""Each test imports its own project's `executors`."""

from tests.support.own_executors import own_executors  # noqa: F401
