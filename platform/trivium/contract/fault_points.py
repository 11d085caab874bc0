"""Named points in the product at which a fault test can end the process.

A crash test is only worth something when it strikes the step it names. `TRIVIUM_FAULT_POINT=name` kills the process
with SIGKILL at that point, `TRIVIUM_FAULT_POINT=name:raise` raises there instead, `TRIVIUM_FAULT_POINT=name:once=FILE`
kills the first process that comes there and makes FILE. Unset (always, outside tests) a point costs one dictionary
lookup.
"""

from __future__ import annotations

import os
import signal


class InjectedFault(RuntimeError):
    """Raised at an armed point in the `raise` form."""


def reach(name: str) -> None:
    """Say that the program has come to the point `name`."""
    armed = os.environ.get("TRIVIUM_FAULT_POINT")
    if armed is None:
        return
    point, _, action = armed.partition(":")
    if point != name:
        return
    if action == "raise":
        raise InjectedFault(name)
    if action.startswith("once=") and not _first(action.removeprefix("once=")):
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _first(flag: str) -> bool:
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
