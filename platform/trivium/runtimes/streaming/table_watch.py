"""Looks at the stream's table from time to time and says when joining its small files is overdue.

A thread of its own: opening a table of many files must not keep a commit waiting.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from trivium.delivery.delta.snapshot import Snapshot
from trivium.delivery.maintenance.small_files import SmallFiles, small_files

_LOOK_SECONDS: Final = 600.0

_log = logging.getLogger(__name__)


class TableWatch:
    """The watch of one table, looking every ten minutes."""

    def __init__(self, uri: str, seconds: float = _LOOK_SECONDS) -> None:
        self._uri, self._seconds = uri, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="table-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; a look under way ends by itself."""
        self._stop.set()

    def look(self) -> SmallFiles:
        """Count the small files now; warn where they are too many."""
        found = small_files(Snapshot.latest(self._uri))
        if found.overdue:
            of_day = f"{found.of_day:,} of them of event day {found.day}"
            _log.warning(
                "table %s has %s small files of streams, %s: readers open them all. Try: trivium maintain %s, now and "
                "from time to time; it runs beside the stream",
                self._uri,
                f"{found.in_all:,}",
                of_day,
                self._uri,
                extra={"small_files": found.in_all, "small_files_of_day": found.of_day},
            )
        return found

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the stream goes on; it only sees less
                _log.warning("cannot count the small files of %s; the stream goes on", self._uri, exc_info=True)
