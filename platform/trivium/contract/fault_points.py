"""Named points in the product at which a fault test can end the process.

A crash test is only worth something when it strikes the step it names. `TRIVIUM_FAULT_POINT=name` kills the process
with SIGKILL at that point, `TRIVIUM_FAULT_POINT=name:raise` raises there instead. Unset (always, outside tests) a
point costs one dictionary lookup.
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
    os.kill(os.getpid(), signal.SIGKILL)
