"""Fetches the facts an executor declared: distinct keys, one call a lookup and batch, aligned with the events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trivium.config.worker_spec import LookupSpec
from trivium.contract.declaration import Declaration
from trivium.contract.enrichment import Enrichment
from trivium.contract.errors import TransientError
from trivium.contract.lookup import Answer, Lookup
from trivium.core.clock import Clock, Deadline
from trivium.core.error_text import raised, text_of
from trivium.core.errors import LookupOutage, RunError
from trivium.engine.inputs import Inputs
from trivium.engine.retry import requested_wait
from trivium.types.convert import StructBuilder
from trivium.types.spec import FieldSpec

_MOST_BUILT: Final = 100_000

Miss = Literal["missing", "null_key", "unavailable"]


@dataclass(frozen=True)
class LookupUse:
    """A lookup with what the pipeline says about its failures."""

    spec: LookupSpec
    lookup: Lookup


@dataclass(frozen=True)
class EnrichmentResult:
    """One enrichment of a batch: `index` (int32) points into `rows`, null where there is no row.

    `given` is what the lookup answered with; one that answers from memory gives the same object again and again.
    """

    rows: pa.RecordBatch
    index: pa.Int32Array
    null_keys: pa.Array
    unavailable: bool
    given: Any = None

    def take(self, keep: pa.Array) -> EnrichmentResult:
        """Return the result for some of the events."""
        return replace(self, index=self.index.take(keep), null_keys=self.null_keys.take(keep))

    def misses(self) -> dict[int, Miss]:
        """Return the events without a row, and why."""
        if not self.index.null_count:
            return {}
        missed = np.flatnonzero(pc.is_null(self.index).to_numpy(zero_copy_only=False))
        no_key = self.null_keys.to_numpy(zero_copy_only=False)
        other: Miss = "unavailable" if self.unavailable else "missing"
        return {int(row): "null_key" if no_key[row] else other for row in missed}


class EnrichmentStep:
    """One declared enrichment bound to its lookup."""

    def __init__(self, declaration: Declaration, name: str, use: LookupUse, clock: Clock) -> None:
        self.enrichment: Enrichment = declaration.enrichments[name]
        self.name = name
        self._fields: tuple[FieldSpec, ...] = declaration.enrichment_fields[name]
        self._key = next(spec for spec in declaration.event_fields if spec.name == self.enrichment.key)
        self._use, self._clock = use, clock
        self._structs = StructBuilder(self.enrichment.row, self._fields)
        self._built: dict[int | None, Any] = {None: None}
        self._built_from: Any = None
        self._empty = pa.RecordBatch.from_pylist([], schema=pa.schema([spec.arrow for spec in self._fields]))

    def fetch(self, inputs: Inputs, limit: Deadline | None = None) -> EnrichmentResult:
        """Fetch the facts of all events, waiting no longer than the lookup's policy and the `limit` say.

        Raises:
            RunError: the lookup stayed unavailable and the pipeline says `unavailable: fail`, or it failed otherwise.
        """
        keys = inputs.key(self._key).dictionary_encode()
        null_keys = pc.is_null(keys)
        if not len(keys.dictionary):
            return EnrichmentResult(self._empty, pa.nulls(len(keys), pa.int32()), null_keys, unavailable=False)
        try:
            answer = self._answer(keys.dictionary, limit)
            if answer is None:
                return EnrichmentResult(self._empty, pa.nulls(len(keys), pa.int32()), null_keys, unavailable=True)
            columns = [answer.rows.column(spec.wire) for spec in self._fields]
            rows = pa.RecordBatch.from_arrays(columns, schema=self._empty.schema)
            return EnrichmentResult(
                rows, answer.index.take(keys.indices), null_keys, unavailable=False, given=answer.rows
            )
        except (RunError, MemoryError):
            raise
        except Exception as error:
            raise self._no_answer(error) from error

    def structs(self, fact: EnrichmentResult) -> list[Any]:
        """Return the result as one struct (or None) an event; equal rows share a struct.

        Structs are kept for as long as the lookup answers with the same rows.

        Raises:
            RunError: the lookup answered with a value that its declaration does not allow.
        """
        if fact.given is not self._built_from or len(self._built) > _MOST_BUILT:
            self._built, self._built_from = {None: None}, fact.given
        index = fact.index.to_pylist()
        missing = list(set(index) - self._built.keys())
        if missing:
            rows = fact.rows.take(pa.array(missing, pa.int32()))
            try:
                self._built.update(zip(missing, self._structs.build(rows), strict=True))
            except ValueError as error:  # text that is no UTF-8, a value that is none of an enum's
                raise self._no_answer(error) from error
        return list(map(self._built.__getitem__, index))

    def columns(self, fact: EnrichmentResult) -> pa.RecordBatch:
        """Return the result as columns aligned with the events; a missing row is null in every column."""
        schema = pa.schema([spec.arrow.with_nullable(True) for spec in self._fields])
        return pa.RecordBatch.from_arrays([column.take(fact.index) for column in fact.rows.columns], schema=schema)

    def _answer(self, keys: pa.Array, limit: Deadline | None) -> Answer | None:
        policy = self._use.spec.retry
        deadline = Deadline.after(self._clock, policy.deadline_seconds).within(limit)
        delays = [*policy.delays(), None]
        for delay in delays:
            try:
                return self._use.lookup.fetch(keys, deadline)
            except TransientError as error:
                wait = max(delay or 0.0, requested_wait(error))
                if delay is None or wait >= deadline.remaining():
                    self._fail_if_required(error)
                    return None
            self._clock.sleep(wait)
        return None

    def _no_answer(self, error: Exception) -> RunError:
        return RunError(f"lookup {self._use.spec.name} gave no usable answer: {raised(error)}")

    def _fail_if_required(self, error: TransientError) -> None:
        if self._use.spec.unavailable == "fail":
            message = (
                f"lookup {self._use.spec.name} stayed unavailable: {text_of(error)}. Nothing was committed. "
                f"Try: repair it and run again, or set lookups.{self._use.spec.name}.unavailable to missing"
            )
            raise LookupOutage(message) from error


def enrichment_steps(declaration: Declaration, uses: Mapping[str, LookupUse], clock: Clock) -> list[EnrichmentStep]:
    """Return the enrichments of a declaration in the order they are declared."""
    return [
        EnrichmentStep(declaration, name, uses[enrichment.lookup], clock)
        for name, enrichment in declaration.enrichments.items()
    ]
