"""Events, and the rows lookups answer with, made up from declared types: their limits, and what tends to go wrong.

Needs hypothesis (the extra `testing`), which is imported on use.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow.types as pt

from trivium.config.worker_spec import LookupSpec
from trivium.contract.declaration import Declaration
from trivium.operations.errors import ArgumentError
from trivium.types.spec import FieldSpec, TypeSpec

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2199, 12, 31, tzinfo=UTC)
_ODD_TEXTS: Final = ("", " ", "null", "ä", "e\u0301", "İ", "\u200f", "🛩️", "\x00", '"\\', "a" * 300, "1e5", "\ufeff")
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
_ODD_FLOATS: Final = (0.0, -0.0, 1.5, -1.5, 0.1, 1e-300, 1e15, 16777217.0)
_LONG: Final = 300


def records(declaration: Declaration, tag_field: str | None) -> SearchStrategy[bytes]:
    """JSON records that decode as events of this type. `tag_field` names their type; None: nothing in them does.

    Raises:
        ArgumentError: hypothesis is not installed.
    """
    _check_installed()
    from hypothesis import strategies as st

    tag = {} if tag_field is None else {tag_field: st.just(declaration.event_type)}
    fields = _objects(declaration.event_fields)
    return st.builds(lambda tags, values: msgspec.json.encode({**tags, **values}), st.fixed_dictionaries(tag), fields)


def lookup_rows(lookup: LookupSpec) -> SearchStrategy[dict[str, Any] | None]:
    """What a lookup may know of a key: a row by wire name, or nothing.

    Raises:
        ArgumentError: hypothesis is not installed.
    """
    _check_installed()
    from hypothesis import strategies as st

    values = {spec.wire: _optional(spec, _python) for spec in lookup.columns}
    return st.none() | st.fixed_dictionaries(values)


def examples(strategy: SearchStrategy[Any], count: int) -> list[Any]:
    """The same `count` examples of a strategy every time, the plainest first.

    Raises:
        ArgumentError: hypothesis finds no example, for instance of a pattern.
    """
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import HypothesisException

    found: list[Any] = []

    @settings(
        max_examples=count, database=None, derandomize=True, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            collect()
    except HypothesisException as error:
        raise ArgumentError(f"no events could be made up from the declared types: {error}") from error
    return found


def _check_installed() -> None:
    if importlib.util.find_spec("hypothesis") is None:
        raise ArgumentError("events are made up with hypothesis. Try: pip install 'trivium[testing]'")


def _objects(fields: Sequence[FieldSpec]) -> SearchStrategy[dict[str, Any]]:
    """JSON objects of these fields; what is not required may be absent."""
    from hypothesis import strategies as st

    required = {spec.wire: _optional(spec, _json) for spec in fields if spec.required}
    optional = {spec.wire: _optional(spec, _json) for spec in fields if not spec.required}
    return st.fixed_dictionaries(required, optional=optional)


Make = Callable[[TypeSpec], "SearchStrategy[Any]"]


def _optional(spec: FieldSpec, make: Make) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    return make(spec.type) | st.none() if spec.nullable else make(spec.type)


def _json(spec: TypeSpec) -> SearchStrategy[Any]:
    """Values that msgspec writes as this type's JSON."""
    if spec.fields:
        return _objects(spec.fields)
    if spec.item is not None:
        return _lists(spec, _json)
    return _decimals(spec).map(str) if pt.is_decimal(spec.arrow) else _scalar(spec)


def _python(spec: TypeSpec) -> SearchStrategy[Any]:
    """Values that pyarrow takes for this type."""
    from hypothesis import strategies as st

    if spec.fields:
        return st.fixed_dictionaries({child.name: _optional(child, _python) for child in spec.fields})
    if spec.item is not None:
        return _lists(spec, _python)
    return _decimals(spec) if pt.is_decimal(spec.arrow) else _scalar(spec)


def _lists(spec: TypeSpec, make: Make) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    assert spec.item is not None
    item = make(spec.item)
    item = item | st.none() if spec.item_nullable else item
    least, most = spec.limits.get("min_length", 0), spec.limits.get("max_length")
    short = st.lists(item, min_size=least, max_size=max(least, 4) if most is None else most)
    if most is not None or _holds_list(spec.item):  # the lengths of lists in lists multiply
        return short
    return short | item.map(lambda value: [value] * max(_LONG, least))


def _holds_list(spec: TypeSpec) -> bool:
    return spec.item is not None or any(_holds_list(child.type) for child in spec.fields)


def _scalar(spec: TypeSpec) -> SearchStrategy[Any]:
    from hypothesis import strategies as st

    if spec.values:
        return st.sampled_from(spec.values)
    return next(make for matches, make in _SCALARS if matches(spec.arrow))(spec)


def _booleans(_spec: TypeSpec) -> SearchStrategy[bool]:
    from hypothesis import strategies as st

    return st.booleans()


def _binaries(spec: TypeSpec) -> SearchStrategy[bytes]:
    from hypothesis import strategies as st

    return st.binary(min_size=spec.limits.get("min_length", 0), max_size=spec.limits.get("max_length"))


def _dates(_spec: TypeSpec) -> SearchStrategy[date]:
    from hypothesis import strategies as st

    return st.dates(date(1, 1, 2), date(9999, 12, 30))


def _integers(spec: TypeSpec) -> SearchStrategy[int]:
    from hypothesis import strategies as st

    bits, limits = spec.arrow.bit_width, spec.limits
    least = max(-(1 << (bits - 1)), limits.get("ge", -(1 << 63)), limits.get("gt", -(1 << 63) - 1) + 1)
    most = min((1 << (bits - 1)) - 1, limits.get("le", 1 << 63), limits.get("lt", 1 << 63) - 1)
    step = limits.get("multiple_of")
    if step is not None:
        return st.integers(-(-least // step), most // step).map(lambda each: each * step)
    near = st.integers(max(least, -1000), min(most, 1000)) if least <= 1000 and most >= -1000 else st.nothing()
    return st.sampled_from([least, most]) | near | st.integers(least, most)


def _floats(spec: TypeSpec) -> SearchStrategy[float]:
    from hypothesis import strategies as st

    width = 32 if pt.is_float32(spec.arrow) else 64
    far = float(np.finfo(np.float32).max) if width == 32 else 1.7e308
    limits = spec.limits
    least, most = limits.get("ge", limits.get("gt", -far)), limits.get("le", limits.get("lt", far))
    step = limits.get("multiple_of")
    if step is not None:
        return st.integers(int(max(least, -1e6) // step) + 1, int(min(most, 1e6) // step)).map(lambda n: n * step)
    inside = [each for each in _ODD_FLOATS if least <= each <= most]
    made = st.floats(least, most, allow_nan=False, allow_infinity=False)
    made = st.sampled_from(inside) | made if inside else made
    return made.filter(lambda each: "gt" not in limits or each > least).filter(
        lambda each: "lt" not in limits or each < most
    )


def _texts(spec: TypeSpec) -> SearchStrategy[str]:
    from hypothesis import strategies as st

    limits = spec.limits
    least, most = limits.get("min_length", 0), limits.get("max_length")
    if "pattern" in limits:
        made: SearchStrategy[str] = st.from_regex(limits["pattern"], alphabet=st.characters(codec="utf-8"))
        return made.filter(lambda text: least <= len(text) and (most is None or len(text) <= most))
    odd = [text for text in _ODD_TEXTS if least <= len(text) and (most is None or len(text) <= most)]
    made = st.text(st.characters(codec="utf-8"), min_size=least, max_size=most)
    return st.sampled_from(odd) | made if odd else made


def _times(_spec: TypeSpec) -> SearchStrategy[datetime]:
    from hypothesis import strategies as st

    odd = st.sampled_from([datetime.fromisoformat(each) for each in _ODD_TIMES])
    plain = st.datetimes(_EARLIEST.replace(tzinfo=None), _LATEST.replace(tzinfo=None))
    return odd | st.builds(lambda moment, zone: moment.replace(tzinfo=zone), plain, st.sampled_from(_ODD_ZONES))


def _decimals(spec: TypeSpec) -> SearchStrategy[Decimal]:
    from hypothesis import strategies as st

    digits, scale = spec.arrow.precision, spec.arrow.scale
    most = 10**digits - 1
    numbers = st.sampled_from([0, 1, -1, most, -most]) | st.integers(-most, most)
    return numbers.map(lambda number: Decimal(f"{number}E{-scale}"))


_SCALARS: Final[tuple[tuple[Callable[[Any], bool], Make], ...]] = (
    (pt.is_boolean, _booleans),
    (pt.is_integer, _integers),
    (pt.is_floating, _floats),
    (pt.is_string, _texts),
    (pt.is_binary, _binaries),
    (pt.is_date, _dates),
    (pt.is_timestamp, _times),
)
