"""Moments in time, and days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from msgspec import inspect as ms

from trivium.types.column_types import unless
from trivium.types.limits import limited
from trivium.types.spec import UTC_MICROSECONDS, Conformed, Kind, TypeSpec
from trivium.types.times import FIRST_US, LAST_US, localise, microseconds, to_datetimes, to_utc

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_FIRST_DATE: Final = pa.scalar(date.min, pa.date32())
_LAST_DATE: Final = pa.scalar(date.max, pa.date32())
# The hours around which zones change their clocks, leap days, the ends of years, and the epoch.
_ODD_TIMES: Final = (
    "1970-01-01T00:00:00+00:00",
    "1999-12-31T23:59:59.999999+00:00",
    "2024-02-29T12:00:00+00:00",
    "2024-03-10T06:59:59.999999+00:00",
    "2024-03-31T01:30:00+00:00",
    "2024-10-27T00:30:00+00:00",
    "2024-11-03T05:30:00+00:00",
    "2024-12-31T23:59:59+14:00",
    "2038-01-19T03:14:08-12:00",
)
_ODD_ZONES: Final = tuple(timezone(timedelta(minutes=each)) for each in (0, 60, -300, 345, 840, -720))


class Moment(Kind):
    """`datetime` with its zone, as timestamp[us, UTC]."""

    info = (ms.DateTimeType,)
    exact = (datetime,)
    plain = True
    fractional = True

    def owns(self, arrow: pa.DataType) -> bool:
        return bool(pt.is_timestamp(arrow))

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(UTC_MICROSECONDS, self)

    def annotation(self, spec: TypeSpec) -> Any:
        return limited(datetime, {"tz": True})

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        if pt.is_timestamp(arrow) and arrow.tz is None and timezone is None:
            return "timestamps without a time zone; set source.timezone to what they mean"
        return unless(pt.is_timestamp(arrow), arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        out = Conformed(column)
        if column.type.tz is None:
            out.column, bad = localise(column, timezone or "UTC")
            out.refuse(bad, f"no such time, or two, in {timezone}")
        out.column, finer, outside = microseconds(out.column)
        out.refuse(finer, "a time has digits below a microsecond")
        out.refuse(outside, "the time lies outside the years 1 to 9999 in UTC")
        out.column = out.column.cast(UTC_MICROSECONDS)
        return out

    def value_reader(self, spec: TypeSpec) -> Callable[[Any], Any] | None:
        return _in_utc

    def column_reader(self, spec: TypeSpec) -> Callable[[pa.Array], list[Any]]:
        return to_datetimes

    def fix(self, spec: TypeSpec, nullable: bool) -> Callable[[Any], Any] | None:
        return to_utc

    def written(self, value: Any, spec: TypeSpec) -> Any:
        if value.tzinfo is None:
            message = "a time without its zone"
            raise ValueError(message)
        return value

    def have_places(self, values: Sequence[Any]) -> bool:
        return all(value is None or value.tzinfo is not None for value in values)

    def fits(self, column: pa.Array) -> bool:
        moments = pc.min_max(column.view(pa.int64())).as_py()
        return moments["min"] is None or (moments["min"] >= FIRST_US and moments["max"] <= LAST_US)

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        odd = st.sampled_from([datetime.fromisoformat(each) for each in _ODD_TIMES])
        plain = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 30))  # noqa: DTZ001 - a zone is drawn beside it
        return odd | st.builds(lambda moment, zone: moment.replace(tzinfo=zone), plain, st.sampled_from(_ODD_ZONES))


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


class Day(Kind):
    """`date`, as date32."""

    info = (ms.DateType,)
    exact = (date,)
    lookalikes = (datetime,)
    plain = True

    def owns(self, arrow: pa.DataType) -> bool:
        return bool(pt.is_date(arrow))

    def spec(self, info: Any, extra: dict[str, Any], where: str) -> TypeSpec:
        return TypeSpec(pa.date32(), self)

    def annotation(self, spec: TypeSpec) -> Any:
        return date

    def column_problem(self, arrow: pa.DataType, spec: TypeSpec, timezone: str | None) -> str | None:
        return unless(pt.is_date(arrow), arrow, spec)

    def conform(self, column: pa.Array, spec: TypeSpec, timezone: str | None) -> Conformed:
        out = Conformed(column.cast(pa.date32(), safe=False))
        outside = pc.or_(pc.less(out.column, _FIRST_DATE), pc.greater(out.column, _LAST_DATE))
        out.refuse(outside, "the date lies outside the years 1 to 9999")
        return out

    def fits(self, column: pa.Array) -> bool:
        return True

    def values(self, spec: TypeSpec) -> SearchStrategy[Any]:
        from hypothesis import strategies as st

        return st.dates(date(1, 1, 2), date(9999, 12, 30))
