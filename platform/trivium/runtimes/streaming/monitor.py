"""Looks at Kafka beside the stream: how far the logs go, new partitions, changed topics; shows the group's offsets.

A thread of its own, because a broker that is away must not keep the driver from committing and stopping. It owns its
connection; the driver only reads what it last found.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from trivium.connectors.kafka_log import KafkaLog
from trivium.contract.clock import Clock
from trivium.contract.fault_points import reach

_TICK_SECONDS: Final = 1.0
_TOPICS_SECONDS: Final = 5.0
_QUIET_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LogState:
    """What the cluster last said: the end of each partition's log, and the topics' identities."""

    ends: Mapping[str, int] = field(default_factory=dict)
    identities: Mapping[str, int] = field(default_factory=dict)


class LogMonitor:
    """Keeps `state` current. `found` holds partitions that came later, with the start of their log.

    `failures` counts looks that failed.
    """

    def __init__(self, log: KafkaLog, group: str, partitions: list[str], identities: Mapping[str, int]) -> None:
        self._log, self._group = log, group
        self._partitions = list(partitions)
        self.found: dict[str, int] = {}
        self._positions: Mapping[str, int] = {}
        self._shown: Mapping[str, int] = {}
        self._stop = threading.Event()
        self.state = LogState({}, dict(identities))
        self.failures = 0
        self._thread = threading.Thread(target=self._run, name="kafka-monitor", daemon=True)

    def start(self, clock: Clock) -> None:
        """Begin to look."""
        self._clock = clock
        self._said = clock.monotonic() - _QUIET_SECONDS
        self._thread.start()

    def show(self, positions: Mapping[str, int]) -> None:
        """Have these committed positions shown as the group's offsets, soon."""
        self._positions = dict(positions)

    def stop(self, seconds: float) -> None:
        """Stop looking; waits at most `seconds` for a last showing of the positions."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        topics_due = self._clock.monotonic() + _TOPICS_SECONDS
        while not self._stop.wait(_TICK_SECONDS):
            self._try(self._look_at_ends)
            if self._clock.monotonic() >= topics_due:
                self._try(self._look_at_topics)
                topics_due = self._clock.monotonic() + _TOPICS_SECONDS
            self._try(self._show_positions)
        self._try(self._show_positions)
        self._log.close()

    def _look_at_ends(self) -> None:
        self.state = LogState(self._log.end(self._partitions), self.state.identities)

    def _look_at_topics(self) -> None:
        identities = {topic: self._log.identity(topic) for topic in self.state.identities}
        self.state = LogState(self.state.ends, identities)
        new = [name for name in self._log.partitions() if name not in self._partitions]
        if new:
            self.found = {**self.found, **self._log.beginning(new)}
            self._partitions += new

    def _show_positions(self) -> None:
        positions = self._positions
        if positions != self._shown:
            reach("group_offsets.before")
            self._log.publish_group_offsets(self._group, positions)
            self._shown = positions

    def _try(self, look: Callable[[], None]) -> None:
        try:
            look()
        except Exception as error:  # noqa: BLE001 - the stream goes on; it only sees less
            self.failures += 1
            if self._clock.monotonic() - self._said >= _QUIET_SECONDS:
                self._said = self._clock.monotonic()
                _log.warning("%s", error)
