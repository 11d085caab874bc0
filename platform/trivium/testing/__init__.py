"""What tests of a project can use. Fixtures of a real broker: `pytest_plugins = ["trivium.testing.kafka"]`."""

from trivium.testing.manual_clock import ManualClock

__all__ = ["ManualClock"]
