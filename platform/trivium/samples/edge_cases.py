"""Events, and the rows lookups answer with, made up from declared types: their limits, and what tends to go wrong.

Needs hypothesis (the extra `testing`), which is imported on use.
"""

from __future__ import annotations

import importlib.util
import warnings
from typing import TYPE_CHECKING, Any

import msgspec

from trivium.config.worker_spec import LookupSpec
from trivium.contract.declaration import Declaration
from trivium.operations.errors import ArgumentError
from trivium.types.kinds.struct import json_objects, optional

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def records(declaration: Declaration, tag_field: str | None) -> SearchStrategy[bytes]:
    """JSON records that decode as events of this type. `tag_field` names their type; None: nothing in them does.

    Raises:
        ArgumentError: hypothesis is not installed.
    """
    _check_installed()
    from hypothesis import strategies as st

    tag = {} if tag_field is None else {tag_field: st.just(declaration.event_type)}
    fields = json_objects(declaration.event_fields)
    return st.builds(lambda tags, values: msgspec.json.encode({**tags, **values}), st.fixed_dictionaries(tag), fields)


def lookup_rows(lookup: LookupSpec) -> SearchStrategy[dict[str, Any] | None]:
    """Return what a lookup may know of a key: a row by wire name, or nothing.

    Raises:
        ArgumentError: hypothesis is not installed.
    """
    _check_installed()
    from hypothesis import strategies as st

    values = {spec.wire: optional(spec, spec.type.kind.values) for spec in lookup.columns}
    return st.none() | st.fixed_dictionaries(values)


def examples(strategy: SearchStrategy[Any], count: int) -> list[Any]:
    """Return the same `count` examples of a strategy every time, the plainest first.

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
