"""Test kit for projects. Fixtures of a real broker: `pytest_plugins = ["trivium.testing.kafka"]`.

The kit needs the extra `testing`: `pip install "trivium[testing]"`.
"""

from trivium.connectors.memory.source import Crash, Eof, MemorySource, Pause
from trivium.testing.batch_source import assert_batch_source_compliance
from trivium.testing.compliance import assert_executor_compliance
from trivium.testing.lookup import assert_lookup_compliance
from trivium.testing.manual_clock import ManualClock
from trivium.testing.source import Patience, assert_source_compliance

__all__ = [
    "Crash",
    "Eof",
    "ManualClock",
    "MemorySource",
    "Patience",
    "Pause",
    "assert_batch_source_compliance",
    "assert_executor_compliance",
    "assert_lookup_compliance",
    "assert_source_compliance",
]
