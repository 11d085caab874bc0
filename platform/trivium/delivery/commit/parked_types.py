"""Records of event types that a runtime's breaker holds back, kept beside the table.

`<table>/_trivium/parked/<runtime>/<digest of the type>.json`, one file a type, so that a run that parks one type and a
replay that is done with another do not write the same file. A type is parked for the executor version and the breaker's
setting that its record names: with another of either, the next start processes it again. Inputs that were kept
meanwhile stay parked letters until they are replayed, whatever becomes of the record.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from trivium.config.model.streaming import Breaker
from trivium.config.worker_spec import BoundExecutor
from trivium.delivery.storage.storage import Storage

_FOLDER: Final = "_trivium/parked"

_log = logging.getLogger(__name__)


class ParkedType(msgspec.Struct, frozen=True):
    """An event type that is held back: since when (microseconds since 1970 UTC), by which version of its executor.

    `breaker` is the setting that was in force, `message` what tripped it.
    """

    event_type: str
    executor: str
    since_us: int
    message: str
    breaker: dict[str, Any]

    @property
    def since(self) -> str:
        """The moment as ISO 8601, to the second."""
        return datetime.fromtimestamp(self.since_us / 1e6, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    @property
    def sentence(self) -> str:
        """The error that a parked input carries."""
        return f"{self.event_type} is parked since {self.since}, executor version {self.executor}: {self.message}"


def parked_by(setting: Breaker, bound: BoundExecutor, since_us: int, message: str) -> ParkedType:
    """Return the record of a type whose executor tripped the breaker."""
    return ParkedType(bound.event_type, bound.version, since_us, message, setting.model_dump(mode="json"))


def record_parked(uri: str, runtime: str, parked: ParkedType) -> None:
    """Keep, durably, that a runtime of the table at `uri` holds a type back."""
    Storage(uri).publish(_path(runtime, parked.event_type), msgspec.json.encode(parked))


def parked_types(uri: str, runtime: str) -> dict[str, ParkedType]:
    """Return the records of a runtime by event type, sorted."""
    storage = Storage(uri)
    found = (_read(storage, file.path) for file in storage.list(f"{_FOLDER}/{runtime}") if _is_record(file.path))
    return {each.event_type: each for each in sorted(filter(None, found), key=lambda each: each.event_type)}


def still_parked(
    uri: str, runtime: str, setting: Breaker | str, executors: Mapping[str, BoundExecutor]
) -> dict[str, ParkedType]:
    """Return the listed types that stay parked, and forget those whose executor, or the breaker, changed since."""
    now = setting.model_dump(mode="json") if isinstance(setting, Breaker) else None
    stay = {}
    for name, each in parked_types(uri, runtime).items():
        if name not in executors:
            continue
        if (each.executor, each.breaker) == (executors[name].version, now):
            stay[name] = each
            _log.warning("%s: %s", uri, each.sentence)
            continue
        changed = "its executor" if each.executor != executors[name].version else "the breaker"
        words = "%s: %s was parked since %s; %s changed since, so %s processes it again. What was parked waits for: %s"
        _log.warning(words, uri, name, each.since, changed, runtime, f"trivium dead-letters replay --parked {name}")
        forget_parked(uri, runtime, name)
    return stay


def forget_parked(uri: str, runtime: str, event_type: str) -> None:
    """Let the next start of a runtime process a type again."""
    Storage(uri).remove(_path(runtime, event_type))


def _path(runtime: str, event_type: str) -> str:
    return f"{_FOLDER}/{runtime}/{hashlib.sha256(event_type.encode()).hexdigest()[:32]}.json"


def _is_record(path: str) -> bool:
    """Tell a record from the temporary file of a killed process."""
    return path.endswith(".json")


def _read(storage: Storage, path: str) -> ParkedType | None:
    content = storage.find(path)
    try:
        return None if content is None else msgspec.json.decode(content, type=ParkedType)
    except ValueError as error:
        _log.warning("%s/%s is no record of a parked type (%s); it is ignored", storage.uri, path, error)
        return None
