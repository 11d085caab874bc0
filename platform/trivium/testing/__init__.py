"""What tests of a project can use: `pytest_plugins = ["trivium.testing.kafka"]` in its conftest.py."""
