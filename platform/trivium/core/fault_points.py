"""Named points in the product at which a fault test can strike the process.

A crash test is only worth something when it strikes the step it names. `TRIVIUM_FAULT_POINT=name` kills the process
with SIGKILL at that point; `name:ACTION` does something else there:

* `raise`: raise.
* `once=FILE`: kill the first process that comes there, and make FILE.
* `soon=SECONDS`: let the process go on and kill it so many seconds later, in the middle of what follows the point.
* `stop`: stop it with SIGSTOP, the first time it comes there; SIGCONT lets it go on.

Unset (always, outside tests) a point costs one dictionary lookup.
"""

from __future__ import annotations

import os
import signal
import threading

_stopped: set[str] = set()


class InjectedFault(RuntimeError):
    """Raised at an armed point in the `raise` form."""


def reach(name: str) -> None:
    """Say that the program has come to the point `name`."""
    armed = os.environ.get("TRIVIUM_FAULT_POINT")
    if armed is None:
        return
    point, _, action = armed.partition(":")
    if point == name:
        _strike(name, action)


def _strike(name: str, action: str) -> None:
    kind, _, detail = action.partition("=")
    if kind == "raise":
        raise InjectedFault(name)
    if kind == "soon":
        threading.Timer(float(detail), _kill).start()
    elif kind == "stop":
        if name not in _stopped:
            _stopped.add(name)
            os.kill(os.getpid(), signal.SIGSTOP)
    elif kind != "once" or _first(detail):
        _kill()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _first(flag: str) -> bool:
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
