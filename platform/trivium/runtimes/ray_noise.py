"""Messages of Ray itself: they stay in Ray's logs, and a run tells of lost workers in its own words.

Ray prints what its parts report (`(raylet) A worker died …`, `… infinite retries remaining …`) to the terminal of the
driver, whatever `log_to_driver` says, and has no setting against it.
"""

from __future__ import annotations

import logging
from typing import Any

import ray._private.worker as driver

_log = logging.getLogger(__name__)


def keep_in_the_logs() -> None:
    """Have this driver print none of Ray's own messages; at the level DEBUG they are in its log."""
    if hasattr(driver, "print_to_stdstream"):
        driver.print_to_stdstream = _noted


def _noted(data: dict[str, Any], **_: Any) -> None:
    for line in data.get("lines", ()):
        _log.debug("Ray: %s", line)
