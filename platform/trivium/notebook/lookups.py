"""Lookups from rows in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from trivium.config.worker_spec import LookupSpec, WorkerSpec
from trivium.connectors.facts.build import ALWAYS, Origins, Validity, built, microseconds
from trivium.connectors.facts.table import FactTable
from trivium.contract.declaration import Declaration
from trivium.contract.lookup import Answer, Lookup
from trivium.core.clock import Deadline
from trivium.core.errors import LookupAnswerError
from trivium.core.suggest import one_of
from trivium.notebook.errors import InputError, listed
from trivium.notebook.lookup_keys import named_keys
from trivium.notebook.lookup_rows import GivenRows, read_rows


class MemoryLookup:
    """Rows by key, and by the time at which they were valid where they say it."""

    in_memory: ClassVar[bool] = True

    def __init__(self, table: FactTable) -> None:
        self._table = table

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys from memory; where rows have times, with those that are valid now."""
        return self._table.answer(keys, deadline.clock.now_us())

    def fetch_as_of(self, keys: pa.Array, times: pa.TimestampArray, deadline: Deadline) -> Answer:
        """Answer keys from memory, each with the row that was valid at its time."""
        return self._table.answer_as_of(keys, microseconds(times, ALWAYS[0]))


def open_lookups(spec: WorkerSpec, declaration: Declaration, given: Mapping[str, Any]) -> dict[str, Lookup]:
    """Return the lookups a pipeline of one executor declares, from `{name: rows}`.

    Rows are `{key: dict}`, a list of dicts, a table, or `(list or table, name of the key's column)`; a key of several
    fields is a tuple, and so are the names of its columns. The key's columns are by default called like the fields the
    enrichment is keyed by. Facts as of a time need rows with `valid_from`, and perhaps `valid_to`.

    Raises:
        InputError: a lookup is missing, unknown, or cannot be read as declared.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"lookups=: expected {{name: rows}}, got {type(given).__name__}")
    _check_names(spec, declaration, given)
    return {name: _opened(bound, declaration, given[name]) for name, bound in spec.lookups.items()}


def _check_names(spec: WorkerSpec, declaration: Declaration, given: Mapping[str, Any]) -> None:
    problems = [
        f"{name} is missing: {_answers_of(bound, declaration)}"
        for name, bound in spec.lookups.items()
        if name not in given
    ]
    problems += [
        f"{name} is no lookup of the executor; {one_of(name, spec.lookups) or 'it has none'}"
        for name in given
        if name not in spec.lookups
    ]
    if problems:
        raise listed(
            "lookups=", problems, 'lookups={"NAME": {key: {"field": value}}}, a table, or (table, "key column")'
        )


def _answers_of(bound: LookupSpec, declaration: Declaration) -> str:
    names = [spec.wire for spec in bound.columns]
    keys = " or ".join(each.text for each in named_keys(bound, declaration))
    return f"it answers {', '.join(names)} by {keys}" + (" as of a time" if bound.as_of else "")


def _opened(bound: LookupSpec, declaration: Declaration, given: Any) -> MemoryLookup:
    found = read_rows(bound, declaration, given)
    names = [f"key {place}" for place in range(len(found.keys))]  # no field of a row is called so
    rows = pa.RecordBatch.from_arrays([*found.rows.columns, *found.keys], names=[*found.rows.schema.names, *names])
    for key in found.keys:
        if key.null_count:
            row = key.is_null().to_pylist().index(True)
            raise InputError(f"lookup {bound.name}: expected a key in every row, got none in row {row}")
    try:
        origins = Origins(bound.name, ["the given rows,"], [rows.num_rows])
        return MemoryLookup(built(rows, names, bound.key_type, _validity(bound, found), origins))
    except LookupAnswerError as error:
        raise InputError(str(error)) from error


def _validity(bound: LookupSpec, found: GivenRows) -> Validity | None:
    if not bound.as_of:
        return None
    if found.since is None:  # no rows at all
        return Validity(np.empty(0, np.int64), None)
    until = None if found.until is None else microseconds(found.until, ALWAYS[1])
    return Validity(microseconds(found.since, ALWAYS[0]), until)
