"""An application of Ray Serve that knows facts, and answers as it is told to."""

from __future__ import annotations

from typing import Any

from ray import serve


def facts_application(known: dict[Any, Any], others: dict[str, Any], queued: int = -1) -> serve.Application:
    """Return an application that answers a key of `known`; the method `odd` answers what `others` has for the key.

    Its class is made here because Serve's processes do not import tests.
    """

    @serve.deployment(name="facts", num_replicas=1, max_ongoing_requests=1, max_queued_requests=queued)
    class Facts:
        def __init__(self) -> None:
            self.asked: list[Any] = []

        def __call__(self, keys: Any) -> Any:
            self.asked.append(keys)
            return [known.get(key) for key in keys]

        def arrow(self, keys: Any) -> Any:
            import pyarrow as pa  # noqa: PLC0415

            rows = [known.get(key) for key in keys.to_pylist()]
            return pa.array([row and {name: row[name] for name in row if name != "unknown"} for row in rows])

        def batch(self, keys: Any) -> Any:
            import pyarrow as pa  # noqa: PLC0415

            return pa.RecordBatch.from_pylist([{"name": str(key)} for key in keys])

        def odd(self, keys: Any) -> Any:
            return others[keys[0]]

        def last(self, keys: Any) -> Any:
            return [{"name": repr(self.asked[-1])} for _ in keys]

        def slow(self, keys: Any) -> Any:
            import time  # noqa: PLC0415

            time.sleep(0.8)
            return [{"name": "late"} for _ in keys]

        def broken(self, _keys: Any) -> Any:
            raise ValueError("the model is out of memory " + "x" * 1000)

        def die(self, _keys: Any) -> Any:
            import os  # noqa: PLC0415

            os._exit(1)

    application: serve.Application = Facts.options(ray_actor_options={"num_cpus": 0}).bind()
    return application
