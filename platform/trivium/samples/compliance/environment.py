"""Surroundings of a process: two environments in which an executor must answer alike."""

from __future__ import annotations

import ctypes
import datetime
import gc
import locale
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import trivium
from trivium.engine.guard import installed_folders

# Without these a process does not find its libraries.
_NEEDED: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV", "SYSTEMROOT", "TMPDIR", "TEMP", "HOME")
_INVENTED: Final = "7919"
_LOCALES: Final = ("tr_TR.UTF-8", "de_DE.UTF-8", "fr_FR.UTF-8", "")
_OURS: Final = str(Path(trivium.__file__).parent) + os.sep
_OF_MAPPINGS: Final = ("<frozen os>", "<frozen _collections_abc>", "os.py", "_collections_abc.py")


@dataclass(frozen=True)
class World:
    """`clock` stands still at these seconds since 1970; `variables` says what unknown environment variables hold."""

    clock: float = 1_709_163_000.0  # 2024-02-28, half an hour before midnight
    zone: str = "UTC0"
    language: str = "C.UTF-8"
    variables: str = "unset"
    hash_seed: str = "0"
    folder: str = "one"

    def environment(self) -> dict[str, str]:
        """Return the environment to start the process with."""
        kept = {name: os.environ[name] for name in _NEEDED if name in os.environ}
        return {
            **kept,
            "PYTHONPATH": str(Path(trivium.__file__).parent.parent),
            "PYTHONHASHSEED": self.hash_seed,
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONUTF8": "1" if self.language == "C.UTF-8" else "0",
            "TZ": self.zone,
            "LC_ALL": self.language,
        }

    def enter(self) -> None:
        """Make this process live in it; there is no way back. Before the first module of the project is imported."""
        _stop_clock(self.clock)
        if self.variables != "unset":
            os.environ.__class__ = _Invented
        if self.language != "C.UTF-8":
            _set_locale()


HERE: Final = World()
# New Year's night of another year on the far side of the date line.
THERE: Final = World(1_893_456_123.456789, "XYZ-14", "C", "set", "4242", "two")
CAUSES: Final[Mapping[str, str]] = {
    "clock": "it reads the clock",
    "zone": "it depends on the machine's time zone (TZ)",
    "language": "it depends on the machine's locale (LC_ALL)",
    "variables": "it reads environment variables",
    "hash_seed": "it depends on the order of a set, or on hash() (PYTHONHASHSEED)",
    "folder": "it depends on the folder the process was started in",
}


def with_one_of(name: str) -> World:
    """Return the first world with one thing of the second."""
    return replace(HERE, **{name: getattr(THERE, name)})


class _Invented(type(os.environ)):  # type: ignore[misc]
    """An environment that has every variable the project reads, each with a value that no other environment has."""

    def __getitem__(self, name: str) -> str:
        if not _called_by_project():
            found: str = super().__getitem__(name)
            return found
        return _INVENTED


def _called_by_project() -> bool:
    frame = sys._getframe(2)  # noqa: SLF001 - there is no other way to the caller
    while frame.f_back is not None and frame.f_code.co_filename.endswith(_OF_MAPPINGS):
        frame = frame.f_back
    return not frame.f_code.co_filename.startswith(("<", _OURS, *installed_folders()))


def _set_locale() -> None:
    for name in _LOCALES:
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        return


def _stop_clock(seconds: float) -> None:
    """Have `time` and `datetime` say this moment; monotonic clocks go on from another start, for waits must end."""
    real: dict[str, Any] = {name: getattr(time, name) for name in ("gmtime", "localtime", "ctime", "monotonic")}
    time.time = lambda: seconds
    time.time_ns = lambda: round(seconds * 1e9)
    time.gmtime = lambda given=seconds: real["gmtime"](seconds if given is None else given)
    time.localtime = lambda given=seconds: real["localtime"](seconds if given is None else given)
    time.ctime = lambda given=seconds: real["ctime"](seconds if given is None else given)
    for name in ("monotonic", "perf_counter"):
        _shift(name, seconds)
    fromtimestamp = datetime.datetime.fromtimestamp
    utc = datetime.UTC
    _replace_method(datetime.datetime, "now", lambda _cls, tz=None: fromtimestamp(seconds, tz))
    _replace_method(datetime.datetime, "utcnow", lambda _cls: fromtimestamp(seconds, utc).replace(tzinfo=None))


def _shift(name: str, seconds: float) -> None:
    real, real_ns = getattr(time, name), getattr(time, f"{name}_ns")
    setattr(time, name, lambda: real() + seconds)
    setattr(time, f"{name}_ns", lambda: real_ns() + round(seconds * 1e9))


def _replace_method(owner: type, name: str, function: Any) -> None:
    """Replace a class method of a class written in C: nothing else changes what every reference to it answers."""
    (members,) = gc.get_referents(owner.__dict__)
    members[name] = classmethod(function)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))
