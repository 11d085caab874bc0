"""Records of event types that a runtime's breaker holds back, kept beside the table.

`<table>/_trivium/parked/<runtime>/<digest of the type>.json`, one file a type, so that a run that parks one type and a
replay that is done with another do not write the same file. A type is parked for the executor version and the breaker's
setting that its record names: with another of either, the next start processes it again. Inputs that were kept
meanwhile stay parked letters until they are replayed, whatever becomes of the record. The event days that batch has
yet to make of a type are files of their own, for runs of different days go on side by side.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

import msgspec

from trivium.config.model.streaming import Breaker
from trivium.config.worker_spec import BoundExecutor
from trivium.delivery.coverage.scope import Window
from trivium.delivery.storage.storage import Storage

_FOLDER: Final = "_trivium/parked"
_DAYS: Final = "_trivium/parked_days"

_log = logging.getLogger(__name__)


class ParkedDays(msgspec.Struct, frozen=True):
    """Event days of which a batch run left a type out: ISO dates, half open, both None: all. It read so many inputs."""

    event_type: str
    start: str | None
    end: str | None
    inputs: int

    @classmethod
    def of(cls, event_type: str, window: Window | None, inputs: int) -> ParkedDays:
        """Return the days of a window."""
        if window is None:
            return cls(event_type, None, None, inputs)
        return cls(event_type, str(window.start), str(window.end), inputs)

    @property
    def window(self) -> Window | None:
        """The days as a window, None: all."""
        if self.start is None or self.end is None:
            return None
        return Window(date.fromisoformat(self.start), date.fromisoformat(self.end))

    def within(self, window: Window | None) -> bool:
        """Return whether a run over a window has read all of them."""
        own = self.window
        return window is None or (own is not None and window.start <= own.start and own.end <= window.end)


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
    found = sorted(_records(Storage(uri), f"{_FOLDER}/{runtime}", ParkedType), key=lambda each: each.event_type)
    return {each.event_type: each for each in found}


def still_parked(
    uri: str, runtime: str, setting: Breaker | str, executors: Mapping[str, BoundExecutor]
) -> dict[str, ParkedType]:
    """Return the listed types that are parked by this executor version and this setting of the breaker."""
    now = setting.model_dump(mode="json") if isinstance(setting, Breaker) else None
    versions = {name: bound.version for name, bound in executors.items()}
    found = parked_types(uri, runtime)
    return {name: each for name, each in found.items() if (versions.get(name), now) == (each.executor, each.breaker)}


def take_parked(
    uri: str, runtime: str, setting: Breaker | str, executors: Mapping[str, BoundExecutor]
) -> dict[str, ParkedType]:
    """Return, at a start, what is `still_parked`; forget, and say, which listed types are processed again."""
    stay = still_parked(uri, runtime, setting, executors)
    for name, each in parked_types(uri, runtime).items():
        if name in stay:
            _log.warning("%s: %s", uri, each.sentence)
        elif name in executors:
            changed = "its executor" if each.executor != executors[name].version else "the breaker"
            words = (
                "%s: %s was parked since %s; %s changed since, so %s processes it again. What was parked waits for: "
            )
            words += "trivium dead-letters replay CONFIG --parked %s"
            _log.warning(words, uri, name, each.since, changed, runtime, name)
            forget_parked(uri, runtime, name)
    return stay


def forget_parked(uri: str, runtime: str, event_type: str) -> None:
    """Let the next start of a runtime process a type again."""
    Storage(uri).remove(_path(runtime, event_type))


def record_days(uri: str, days: ParkedDays) -> None:
    """Keep, durably, that batch has yet to make days of a type, in place of days within them."""
    Storage(uri).publish(_days_path(days), msgspec.json.encode(days))
    for each in parked_days(uri).get(days.event_type, ()):
        if each.within(days.window) and (each.start, each.end) != (days.start, days.end):
            Storage(uri).remove(_days_path(each))


def parked_days(uri: str) -> dict[str, list[ParkedDays]]:
    """Return the days that batch has yet to make, by event type, both sorted."""
    found: dict[str, list[ParkedDays]] = {}
    for each in sorted(_records(Storage(uri), _DAYS, ParkedDays), key=lambda each: (each.event_type, each.start or "")):
        found.setdefault(each.event_type, []).append(each)
    return found


def forget_days(uri: str, event_type: str, window: Window | None) -> None:
    """Take note that batch has made the days of a window."""
    for each in parked_days(uri).get(event_type, ()):
        if each.within(window):
            Storage(uri).remove(_days_path(each))


def _days_path(days: ParkedDays) -> str:
    span = "all" if days.start is None else f"{days.start}_{days.end}"
    return f"{_DAYS}/{_digest(days.event_type)}/{span}.json"


def _path(runtime: str, event_type: str) -> str:
    return f"{_FOLDER}/{runtime}/{_digest(event_type)}.json"


def _digest(event_type: str) -> str:
    return hashlib.sha256(event_type.encode()).hexdigest()[:32]


RecordT = TypeVar("RecordT")


def _records(storage: Storage, folder: str, kind: type[RecordT]) -> Iterator[RecordT]:
    """Yield the records of a folder; what is none, a temporary file of a killed process say, is passed over."""
    for file in storage.list(folder):
        content = storage.find(file.path) if file.path.endswith(".json") else None
        if content is None:
            continue
        try:
            yield msgspec.json.decode(content, type=kind)
        except ValueError as error:
            words = "%s/%s is no record of a parked type (%s); it is ignored"
            _log.warning(words, storage.uri, file.path, error)
