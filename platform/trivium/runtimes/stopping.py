"""SIGTERM and Ctrl-C ask a run to drain; a second one ends it as it stands, which is as correct."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Set once someone asked the run to stop."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self) -> None:
        """Ask."""
        self.asked = True


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """A request that SIGTERM and SIGINT set. Only the main thread can listen; elsewhere nobody asks."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if request.asked:
            raise KeyboardInterrupt
        request.ask()

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
