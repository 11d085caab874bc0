"""The line between an interrupt of the process and an author's code that raises the same error.

Ctrl-C, SIGTERM and timers reach Python code as an error that a signal handler raises in the middle of whatever runs,
which may be an executor. Such an error is for the process; the same error raised by the executor itself is a reject.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import partial
from importlib import import_module
from types import FrameType, TracebackType
from typing import Any, Final

_Handler = Callable[[int, FrameType | None], Any]
# The wrappers in `signal` make enums of numbers and handlers, which costs ten times what they wrap.
_native: Final[Any] = import_module("_signal")
_SIGNALS: Final = tuple(
    int(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGHUP") if hasattr(signal, name)
)


class _Process:
    """The error that a signal handler raised last in this process, and whether a context watches the handlers."""

    last: BaseException | None = None
    watched = False


class Interrupts:
    """Context around calls of an author's code.

    What a signal handler raises meanwhile leaves the context, even where the code caught it; ask `is_interrupt` to end
    sooner. Handlers run in the main thread only: anywhere else there is nothing to tell apart. Inside another context,
    which watches already, it does nothing: the outer one lets the error out.
    """

    def __init__(self) -> None:
        self._handlers: list[tuple[int, _Handler, Any]] = []
        self._watches = False
        self._raised: BaseException | None = None

    def __enter__(self) -> Interrupts:
        self._raised = None
        if _Process.watched or threading.current_thread() is not threading.main_thread():
            return self
        self._watches = _Process.watched = True
        for number in _SIGNALS:
            before = _native.getsignal(number)
            if callable(before):
                handler = partial(self._arrived, before)
                _native.signal(number, handler)
                self._handlers.append((number, handler, before))
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: TracebackType | None) -> None:
        if not self._watches:
            return
        self._watches = _Process.watched = False
        for number, handler, before in self._handlers:
            if _native.getsignal(number) is handler:
                _native.signal(number, before)
        self._handlers.clear()
        if self._raised is not None and error is not self._raised:
            raise self._raised

    def _arrived(self, before: _Handler, number: int, frame: FrameType | None) -> None:
        try:
            before(number, frame)
        except BaseException as error:
            self._raised = _Process.last = error
            raise


def is_interrupt(error: BaseException) -> bool:
    """Tell whether a signal handler raised this error."""
    return error is _Process.last
