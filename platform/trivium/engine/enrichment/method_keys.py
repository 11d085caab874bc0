"""Keys that a method of the executor gives, and the events on which it fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from trivium.contract.keys import Key
from trivium.core.error_text import class_name
from trivium.core.errors import ContractError
from trivium.engine.inputs import ColumnInputs, Inputs
from trivium.engine.invoke import as_exception, call_by_halves
from trivium.engine.retry import Chosen, never
from trivium.types.convert import array_of

Failed = dict[int, Exception]


def keys_by_method(executor: Any, key: Key, inputs: Inputs) -> tuple[pa.Array, Failed]:
    """Return the keys of events (null: no fact is needed) and, by place, why there is none.

    In column form a batch on which the method fails is halved until the events that it fails on are found.
    """
    assert key.method is not None
    assert key.spec is not None
    method = getattr(executor, key.method)
    if isinstance(inputs, ColumnInputs):
        return _of_batch(method, key, inputs.columns)
    values: list[Any] = []
    failed: Failed = {}
    for place, event in enumerate(inputs.events):
        try:
            values.append(key.spec.written(method(event)))
        except BaseException as error:  # noqa: BLE001 - whatever an author's code raises is this event's reject
            failed[place] = _failure(key, error)
            values.append(None)
    return array_of(values, key.spec.arrow), failed


def _failure(key: Key, error: BaseException) -> Exception:
    if isinstance(error, TypeError | ValueError) and error.__traceback__ is not None:
        inside = error.__traceback__.tb_next
        if inside is not None and inside.tb_frame.f_code.co_name == "written":
            return ContractError(f"{key.method} returned what is no key: {error}")
    return as_exception(error)


def _of_batch(method: Any, key: Key, columns: pa.RecordBatch) -> tuple[pa.Array, Failed]:
    assert key.spec is not None
    found: list[tuple[Chosen, pa.Array]] = []
    failed: Failed = {}

    def call(part: Chosen) -> None:
        given = columns if len(part) == columns.num_rows else columns.take(pa.array(part))
        found.append((part, _checked(method(given), key, len(part))))

    call_by_halves(np.arange(columns.num_rows, dtype=np.int64), call, never, failed)
    keys = pa.concat_arrays([*(column for _, column in found), pa.nulls(len(failed), key.spec.arrow)])
    places = np.concatenate([*(part for part, _ in found), np.fromiter(failed, np.int64, len(failed))])
    return keys.take(pa.array(np.argsort(places, kind="stable"))), failed


def _checked(returned: Any, key: Key, count: int) -> pa.Array:
    assert key.spec is not None
    if isinstance(returned, pa.ChunkedArray):
        returned = returned.combine_chunks()
    if not isinstance(returned, pa.Array) or len(returned) != count or returned.type != key.spec.arrow:
        got = f"{len(returned)} of {returned.type}" if isinstance(returned, pa.Array) else class_name(returned)
        raise ContractError(f"{key.method} returned {got}; expected an Arrow array of {count} {key.spec.arrow}")
    return returned
