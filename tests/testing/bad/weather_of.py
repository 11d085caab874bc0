"""Harmless by itself."""

from tests.testing.bad import weather_client


def weather(day: str) -> str:
    return weather_client.get(day) or "unknown"
