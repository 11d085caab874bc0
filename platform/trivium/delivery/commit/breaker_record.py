"""Records of breakers that tripped, kept beside the table until something changed that could make a difference.

`<table>/_trivium/breaker/<runtime>.json`: the thresholds and the logic hash of the run that stopped, and its words.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import msgspec

from trivium.config.model.streaming import Breaker
from trivium.core.errors import RunError
from trivium.delivery.storage.storage import Storage
from trivium.engine.breaker import SystemicRejects

Setting = Breaker | Literal["off"]

_log = logging.getLogger(__name__)


class _Trip(msgspec.Struct, frozen=True):
    """A run that its breaker stopped: the breaker's setting, the logic hash, and the run's own words."""

    thresholds: dict[str, Any] | Literal["off"]
    logic: str
    message: str


def record_trip(uri: str, runtime: str, setting: Setting, logic: str, error: SystemicRejects) -> None:
    """Keep why a run into the table at `uri` stopped; `logic` is its plan's hash."""
    Storage(uri).publish(_path(runtime), msgspec.json.encode(_Trip(_thresholds(setting), logic, str(error))))


def check_restart(uri: str, runtime: str, setting: Setting, logic: str) -> None:
    """Let a run start if no breaker tripped, or if its thresholds or the logic changed since; then it is forgotten.

    Raises:
        RunError: nothing changed: the run would stop where the last one did.
    """
    storage, path = Storage(uri), _path(runtime)
    found = _read(storage, path)
    if found is None:
        return
    if (found.thresholds, found.logic) == (_thresholds(setting), logic):
        raise RunError(
            f"the last {runtime} run into {uri} stopped, and neither the pipeline's logic nor its breaker changed "
            f"since. It said: {found.message}"
        )
    _log.warning("%s: logic or breaker changed since the last %s run stopped; going on", uri, runtime)
    storage.remove(path)


def tripped(uri: str, runtime: str) -> str | None:
    """Return why the last run of a runtime into the table at `uri` was stopped by its breaker; None: it was not."""
    found = _read(Storage(uri), _path(runtime))
    return None if found is None else found.message


def _path(runtime: str) -> str:
    return f"_trivium/breaker/{runtime}.json"


def _thresholds(setting: Setting) -> dict[str, Any] | Literal["off"]:
    return "off" if setting == "off" else setting.model_dump(mode="json")


def _read(storage: Storage, path: str) -> _Trip | None:
    content = storage.find(path)
    try:
        return None if content is None else msgspec.json.decode(content, type=_Trip)
    except ValueError as error:
        _log.warning("%s/%s is no record of a breaker (%s); it is ignored", storage.uri, path, error)
        return None
