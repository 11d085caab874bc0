"""A guard around executor calls, for the I/O that Python's audit events show. A guard, not a sandbox.

It is active in the thread that calls an executor, and only there. Allowed: imports, and reading the files of Python, of
installed libraries and of time zones. Not noticed, because no event is raised: the clock, the environment, randomness,
and what native code does by itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import site
import sys
import sysconfig
import threading
import zoneinfo
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any, Final

from trivium.config.worker_spec import Purity
from trivium.contract.errors import RejectError

_log = logging.getLogger(__name__)
_FILES: Final = (
    "open os.listdir os.scandir os.remove os.rename os.mkdir os.rmdir os.link os.symlink os.truncate os.chdir"
)
_NETWORK: Final = (
    "socket.__new__ socket.connect socket.bind socket.sendto socket.sendmsg socket.getaddrinfo socket.gethostbyname "
    "socket.gethostbyaddr socket.getnameinfo socket.gethostname socket.getservbyname urllib.Request "
    "http.client.connect ftplib.connect smtplib.connect imaplib.open poplib.connect sqlite3.connect"
)
_PROCESSES: Final = (
    "subprocess.Popen os.system os.exec os.posix_spawn os.spawn os.fork os.forkpty pty.spawn os.putenv os.unsetenv "
    "_thread.start_new_thread _thread.start_joinable_thread"
)
_INSTEAD: Final[Mapping[str, str]] = {
    **dict.fromkeys(_FILES.split(), "declare the file as an artifact and read it in open()"),
    **dict.fromkeys(_NETWORK.split(), "declare the fact as an Enrichment and let a lookup answer it"),
    **dict.fromkeys(_PROCESSES.split(), "compute it before the event is sent, and send it as a field of the event"),
}
_READING: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_BINARY", 0)
_ENGINE: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_IMPORTING: Final = ("<frozen importlib", "<frozen zipimport")


class ImpureError(RejectError):
    """An executor did what the guard refuses; its event is a reject with the reason `impure`."""


class DeniedCall(BaseException):
    """Raised inside an executor's forbidden call. No `Exception`, so that the executor does not handle it unawares."""


class _Here(threading.local):
    guard: Guard | None = None


_here: Final = _Here()
_hook_added = threading.Lock()


def guard_of(executor: str, purity: Purity) -> AbstractContextManager[object]:
    """Return the context to hold while calling an executor; `executor` is how messages name it."""
    return contextlib.nullcontext() if purity == "off" else Guard(executor, purity)


class Guard:
    """Watches one executor's calls. `strict` refuses a forbidden one; `warn` logs the first of each kind."""

    def __init__(self, executor: str, purity: Purity) -> None:
        self._executor, self._purity = executor, purity
        self._logged: set[str] = set()
        self._unsaid: list[str] = []
        _add_hook()

    def __enter__(self) -> Guard:
        _here.guard = self
        return self

    def __exit__(self, *_: object) -> None:
        _here.guard = None
        if self._unsaid:
            for text in self._unsaid:
                _log.warning("%s", text, extra={"executor": self._executor})
            self._unsaid.clear()

    def saw(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge one audit event of a watched name.

        Raises:
            DeniedCall: it is forbidden and the guard is strict.
        """
        if self._purity == "warn" and event in self._logged:
            return
        _here.guard = None  # judging looks at files and frames itself
        try:
            place = None if _is_allowed(event, arguments) else _place(sys._getframe(2))  # noqa: SLF001
        finally:
            _here.guard = self
        if place is None:
            return
        text = f"{self._executor} does I/O: {_shown(event, arguments)} at {place}. Try: {_INSTEAD[event]}"
        if self._purity == "strict":
            raise DeniedCall(text)
        self._logged.add(event)
        self._unsaid.append(text)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _INSTEAD:
        guard = _here.guard
        if guard is not None:
            guard.saw(event, arguments)


def _add_hook() -> None:
    """Add the hook once a process: there is no way to take one away."""
    if _hook_added.acquire(blocking=False):
        sys.addaudithook(_hook)


def _is_allowed(event: str, arguments: tuple[Any, ...]) -> bool:
    """Reading the files of Python and of libraries, wherever it is done."""
    path = arguments[0] if arguments else None
    if event == "open":
        if isinstance(path, int):
            return True
        mode, flags = arguments[1], arguments[2]
        reads = set(mode) <= set("rbtU") if isinstance(mode, str) else not (flags or 0) & ~_READING
        return reads and _is_installed(path)
    return event in ("os.listdir", "os.scandir") and _is_installed(path)


def _is_installed(path: Any) -> bool:
    try:
        return os.path.abspath(os.fsdecode(path)).startswith(installed_folders())
    except (TypeError, ValueError):
        return False


def installed_folders() -> tuple[str, ...]:
    """Return the folders where Python, installed libraries and time zones lie, each with its final separator."""
    if not _folders:
        paths = sysconfig.get_paths()
        found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
        found += [*site.getsitepackages(), site.getusersitepackages(), *zoneinfo.TZPATH]
        _folders.extend(sorted({os.path.join(os.path.abspath(path), "") for path in found}))
    return tuple(_folders)


_folders: list[str] = []


def _place(frame: FrameType | None) -> str | None:
    """Return the author's line that made the call; None where an import or a traceback made it."""
    last = None
    while frame is not None and not frame.f_code.co_filename.startswith(_ENGINE):
        file = frame.f_code.co_filename
        if file.startswith(_IMPORTING) or os.path.basename(file) == "linecache.py":
            return None
        last = f"{file}:{frame.f_lineno}"
        if not file.startswith("<frozen") and not file.startswith(installed_folders()):
            break
        frame = frame.f_back
    return last


def _shown(event: str, arguments: tuple[Any, ...]) -> str:
    """Return the event with what it is about, short; a subprocess's arguments may hold secrets and are not shown."""
    first = next((each for each in arguments if isinstance(each, str | bytes | os.PathLike)), None)
    return f"{event}({os.fsdecode(first)!r:.80})" if first is not None else event
