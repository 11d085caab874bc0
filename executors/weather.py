"""Weather at the airports of New York, hour by hour."""

from msgspec import field

from trivium import Row


class Weather(Row):
    """Weather of an hour: degrees Fahrenheit, miles per hour of wind and miles of sight; None where not measured."""

    temperature: float | None = field(default=None, name="temp")
    wind: float | None = field(default=None, name="wind_speed")
    visibility: float | None = field(default=None, name="visib")
