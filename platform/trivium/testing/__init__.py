"""What tests of a project can use. Fixtures of a real broker: `pytest_plugins = ["trivium.testing.kafka"]`."""

from trivium.testing.compliance import assert_executor_compliance
from trivium.testing.manual_clock import ManualClock

__all__ = ["ManualClock", "assert_executor_compliance"]
