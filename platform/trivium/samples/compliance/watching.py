"""An executor that is watched for changes to what it was given: events, facts, options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa

from trivium.config.worker_spec import BoundExecutor
from trivium.contract.executor import Executor


@dataclass(frozen=True)
class Watched(BoundExecutor):
    """`changes` collects what was changed: before and after."""

    changes: list[tuple[str, str]] = field(default_factory=list)

    def create(self) -> Executor[Any, Any]:
        """Return a new instance whose calls are looked at before and after."""
        executor = super().create()
        methods = (key.method for key in self.declaration.keys.values() if key.method is not None)
        for name in ("accepts", "process", "process_batch", *methods):
            setattr(executor, name, self._watching(executor, getattr(executor, name)))
        return executor

    def _watching(self, executor: Executor[Any, Any], call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **named: Any) -> Any:
            before = _encoded([executor.options, *given, *named.values()])
            try:
                return call(*given, **named)
            finally:
                after = _encoded([executor.options, *given, *named.values()])
                if after != before:
                    self.changes.extend(
                        (_text(one), _text(other)) for one, other in zip(before, after, strict=True) if one != other
                    )

        return watched


def watched(bound: BoundExecutor) -> Watched:
    """Return the same executor, watched."""
    return Watched(bound.event_type, bound.cls, bound.options, bound.retry, bound.artifacts, bound.version)


def _encoded(values: list[Any]) -> list[bytes]:
    return [_bytes(value) for value in values]


def _bytes(value: Any) -> bytes:
    if isinstance(value, pa.RecordBatch):
        return bytes(value.serialize().to_pybytes())
    if hasattr(value, "model_dump"):
        return repr(value.model_dump()).encode()
    return msgspec.json.encode(value)


def _text(encoded: bytes) -> str:
    return encoded.decode("utf-8", "backslashreplace")
