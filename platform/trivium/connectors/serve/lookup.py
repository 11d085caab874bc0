"""A lookup in a deployment of Ray Serve: models and services that live in the same cluster."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from trivium.config.model.remote_lookups import ServeLookupSettings
from trivium.connectors.remote.columns import FactMisfit, JsonRows, in_order, typed_rows
from trivium.connectors.remote.trouble import Trouble
from trivium.connectors.serve.deployment import Deployment
from trivium.contract.lookup import Answer, LookupRequest
from trivium.core.clock import Deadline
from trivium.core.error_text import shown

_FORMS: Final = "a list with a dict or None a key, a struct array with a null for an unknown key, or a record batch"
_BY_PLACE: Final = "the first answer belongs to the first key, and so on"
_REPAIR: Final = "repair what the method returns, or declare the column otherwise"


class ServeLookup:
    """Answers keys with what a method of a deployment returns for a batch of them."""

    def __init__(self, settings: ServeLookupSettings, request: LookupRequest) -> None:
        self._settings, self._request = settings, request
        self._trouble = Trouble(request.name, settings)
        self._deployment = Deployment(settings, self._trouble)
        self._json = JsonRows(request.fields)

    def load(self) -> None:
        """Do nothing: a driver opens lookups before it is connected to Ray."""

    def check(self) -> str:
        """Ask for no keys, and return that there was an answer.

        Raises:
            LookupUnavailable: the deployment does not answer.
            LookupAnswerError: it answers something else.
        """
        none = pa.array([], self._request.key_type)
        self.fetch(none, Deadline.after(self._request.clock, self._settings.timeout_seconds))
        return f"{self._settings.place} answers"

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys in one call of the method.

        Raises:
            LookupUnavailable: no answer within the deadline.
            LookupAnswerError: the answer is none of the declared columns; names the key.
        """
        batch = keys if self._settings.keys == "arrow" else _values(keys)
        answer = self._deployment.ask(batch, deadline)
        try:
            rows, present = self._rows(answer, len(keys))
        except FactMisfit as error:
            key = f" for the key {shown(keys[error.row].as_py(), 80)}" if error.row < len(keys) else ""
            raise self._trouble.wrong(f"{self._settings.place} answered{key}: {error.reason}", _REPAIR) from error
        return in_order(rows, present)

    def _rows(self, answer: Any, keys: int) -> tuple[pa.RecordBatch, Sequence[bool]]:
        if isinstance(answer, pa.Table | pa.ChunkedArray):
            answer = answer.combine_chunks()
        self._check_form(answer, keys)
        if isinstance(answer, pa.RecordBatch | pa.Table):
            return self._typed(answer, np.arange(keys)), [True] * keys
        if isinstance(answer, pa.StructArray):
            present = np.asarray(answer.is_valid())
            held = answer.drop_null()
            names = [each.name for each in held.type]
            columns = pa.RecordBatch.from_arrays(held.flatten(), names=names)
            return self._typed(columns, np.flatnonzero(present)), present.tolist()
        known = [(at, each) for at, each in enumerate(answer) if each is not None]
        try:
            texts = [_text(at, each) for at, (_, each) in enumerate(known)]
            return self._json.read(texts), [each is not None for each in answer]
        except FactMisfit as error:
            raise FactMisfit(known[error.row][0], error.reason) from error

    def _check_form(self, answer: Any, keys: int) -> None:
        if not isinstance(answer, pa.RecordBatch | pa.Table | pa.StructArray | list | tuple):
            what = f"{self._settings.place}: expected {_FORMS}, got {type(answer).__name__}"
            raise self._trouble.wrong(what, _REPAIR)
        got = answer.num_rows if isinstance(answer, pa.RecordBatch | pa.Table) else len(answer)
        if got != keys:
            raise self._trouble.wrong(f"{self._settings.place}: expected {keys} answers, got {got}", _BY_PLACE)

    def _typed(self, columns: pa.RecordBatch | pa.Table, places: np.ndarray[Any, Any]) -> pa.RecordBatch:
        def column(name: str) -> pa.Array | None:
            if name not in columns.schema.names:
                return None
            found = columns.column(name)
            return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found

        try:
            return typed_rows(column, len(places), self._request.fields)
        except FactMisfit as error:
            raise FactMisfit(int(places[error.row]) if len(places) else error.row, error.reason) from error


def _values(keys: pa.Array) -> list[Any]:
    """Return keys as Python values, those of several fields as tuples: the event's names are none of a deployment's."""
    if pt.is_struct(keys.type):
        return list(zip(*(column.to_pylist() for column in keys.flatten()), strict=True))
    return keys.to_pylist()  # type: ignore[no-any-return]


def _text(at: int, row: Any) -> bytes:
    """Return an answer of Python values as the JSON that says the same."""
    if not isinstance(row, dict):
        raise FactMisfit(at, f"expected a dict or None, got {type(row).__name__}")
    try:
        return msgspec.json.encode(_plain(row))
    except (TypeError, ValueError, RecursionError) as error:
        raise FactMisfit(at, str(error)) from error


def _plain(value: Any) -> Any:
    """Return a value in which arrays are lists; JSON has no NaN, and would make a null of it."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {value}")
    return value
