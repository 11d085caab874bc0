"""Looks at Kafka beside the stream: who the topics are, how far the logs go, new partitions; shows the group's offsets.

A thread of its own, because a broker that is away must not keep the driver from committing and stopping. It owns its
connection; the driver only reads what it last found, or asks it to confirm something now.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Final

from trivium.connectors.kafka.cluster import KafkaLog
from trivium.connectors.kafka.errors import KafkaUnavailableError
from trivium.core.clock import Clock
from trivium.core.fault_points import reach

_TICK_SECONDS: Final = 1.0
_PARTITIONS_SECONDS: Final = 5.0
_QUIET_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class LogMonitor:
    """Keeps current: `ends` of the logs, `identities` of the topics, `found` partitions with the start of their log.

    `failures` counts looks that failed.
    """

    def __init__(self, log: KafkaLog, group: str, partitions: list[str], identities: Mapping[str, int]) -> None:
        self._log, self._group = log, group
        self._partitions = list(partitions)
        self.ends: Mapping[str, int] = {}
        self.identities: Mapping[str, int] = dict(identities)
        self.found: Mapping[str, int] = {}
        self.failures = 0
        self._positions: Mapping[str, int] = {}
        self._shown: Mapping[str, int] = {}
        self._requested = self._confirmed = 0
        self._news = threading.Condition()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka-monitor", daemon=True)

    def start(self, clock: Clock) -> None:
        """Begin to look."""
        self._clock = clock
        self._complaints = Complaints(clock)
        self._thread.start()

    def show(self, positions: Mapping[str, int]) -> None:
        """Have these committed positions shown as the group's offsets, soon."""
        self._positions = dict(positions)

    def confirm(self, seconds: float) -> bool:
        """Look at the topics' identities now; whether that succeeded in time.

        What was read before this call was read of the topics that `identities` then names: an id is never used twice.
        """
        with self._news:
            self._requested += 1
            ticket = self._requested
            self._wake.set()
            return self._news.wait_for(lambda: self._confirmed >= ticket, seconds)

    def stop(self, seconds: float) -> None:
        """Stop looking; waits at most `seconds` for a last showing of the positions."""
        self._stop.set()
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        looks = {self._look_at_ends: _TICK_SECONDS, self._look_for_partitions: _PARTITIONS_SECONDS}
        due = {look: self._clock.monotonic() + seconds for look, seconds in looks.items()}
        while not self._stop.is_set():
            self._wake.wait(_TICK_SECONDS)
            self._wake.clear()
            self._try(self._look_at_topics)
            for look, seconds in looks.items():
                if self._clock.monotonic() >= due[look] and self._confirmed == self._requested:
                    self._try(look)
                    due[look] = self._clock.monotonic() + seconds
            self._try(self._show_positions)
        self._try(self._show_positions)
        self._log.close()

    def _look_at_topics(self) -> None:
        requested = self._requested
        if requested == self._confirmed:
            return
        self._refresh_identities()
        with self._news:
            self._confirmed = requested
            self._news.notify_all()

    def _look_at_ends(self) -> None:
        self.ends = self._log.end(self._partitions)

    def _refresh_identities(self) -> None:
        self.identities = {topic: self._log.identity(topic) for topic in self.identities}

    def _look_for_partitions(self) -> None:
        self._refresh_identities()
        new = [name for name in self._log.partitions() if name not in self._partitions]
        if new:
            self.found = {**self.found, **self._log.beginning(new)}
            self._partitions += new

    def _show_positions(self) -> None:
        positions = self._positions
        if positions != self._shown and self._confirmed == self._requested:
            reach("group_offsets.before")
            self._log.publish_group_offsets(self._group, positions)
            self._shown = positions

    def _try(self, look: Callable[[], None]) -> None:
        try:
            look()
        except Exception as error:  # noqa: BLE001 - the stream goes on; it only sees less
            self.failures += 1
            self._complaints.failed(look.__name__, error)
        else:
            self._complaints.passed(look.__name__)


class Complaints:
    """Failed looks, of which few are worth a warning: one in ten seconds, and none that passes by itself within them.

    A coordinator that still loads or a leader that moves is what every start and every upgrade of brokers looks like.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}
        self._said = clock.monotonic() - _QUIET_SECONDS

    def passed(self, look: str) -> None:
        """Take note that a look succeeded."""
        self._since.pop(look, None)

    def failed(self, look: str, error: Exception) -> None:
        """Warn of a failed look, if it is time."""
        now = self._clock.monotonic()
        since = self._since.setdefault(look, now)
        if isinstance(error, KafkaUnavailableError) and now - since < _QUIET_SECONDS:
            return
        if now - self._said >= _QUIET_SECONDS:
            self._said = now
            _log.warning("%s", error)
