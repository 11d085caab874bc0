"""Calls an executor in its form and isolates what fails: the row form by row, the column form by halving the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import is_not
from types import NoneType
from typing import Any

import numpy as np
import pyarrow as pa

from trivium.contract.errors import RejectError, RowErrors
from trivium.contract.executor import Executor
from trivium.core.error_text import class_name, shown, text_of
from trivium.core.errors import ContractError
from trivium.core.interrupts import is_interrupt
from trivium.engine.author_line import keep_place
from trivium.engine.guard import DeniedCall, ImpureError
from trivium.engine.inputs import ColumnInputs, RowInputs
from trivium.engine.retry import Chosen, Failures, IsRetryable
from trivium.types.column_types import type_problem


@dataclass
class RowForm:
    """`process`, called once an event. `rows` and `parents` collect what it returned over all attempts."""

    executor: Executor[Any, Any]
    inputs: RowInputs
    enrichments: Sequence[Sequence[Any]]
    rows: list[Any] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)

    def attempt(self, chosen: Chosen | None, _retryable: IsRetryable) -> Failures:
        """Process the chosen events, None for all of them; what one raises is its own failure."""
        events, extra, places = self.inputs.events, self.enrichments, range(len(self.inputs.events))
        if chosen is not None:
            places = chosen.tolist()
            events = [events[i] for i in places]
            extra = [[column[i] for i in places] for column in extra]
        failures: dict[int, Exception] = {}
        # The calls are made by `map`, which is faster than a loop; a call that raises leaves those before it in place.
        returned, results = map(self.executor.process, events, *extra), list[Any]()
        while len(results) < len(places):
            error = _extend(results, returned)
            at = len(results)
            if at < len(places):
                failure = error or self._stopped(events[at], *(column[at] for column in extra))
                failures[places[at]] = as_exception(failure)
                results.append(None)
        self._collect(places, results, failures)
        return failures

    def _stopped(self, *arguments: Any) -> BaseException:
        """Return the StopIteration of a call.

        It did no more than end the iteration over calls, and its place is lost: the call is made once more for it.
        """
        try:
            self.executor.process(*arguments)
        except StopIteration as error:
            return error
        except BaseException as error:
            if is_interrupt(error):
                raise
        return StopIteration()

    def _collect(self, places: Sequence[int], results: Sequence[Any], failures: dict[int, Exception]) -> None:
        row, types = self.executor.declaration.row, set(map(type, results))
        if types == {row}:
            self.rows += results
            self.parents += places
            return
        if types <= {row, NoneType}:
            there = list(map(is_not, results, repeat(None)))
            self.rows += compress(results, there)
            self.parents += compress(places, there)
            return
        for at, row in zip(places, results, strict=True):
            try:
                several = [] if row is None else self._several(row)
            except BaseException as error:  # noqa: BLE001 - what was returned may have code of its own
                failures[at] = as_exception(error)
            else:
                self.rows.extend(several)
                self.parents.extend([at] * len(several))

    def _several(self, returned: Any) -> list[Any]:
        row_class = self.executor.declaration.row
        rows = list(returned) if isinstance(returned, list | tuple) else [returned]
        for row in rows:
            if not isinstance(row, row_class):
                message = f"process returned {class_name(row)}; expected {row_class.__name__}, several, or None"
                raise ContractError(message)
        return rows


class WrongParents(Exception):
    """Parents that cannot be: a fault of the executor, whatever the rows of its batch."""


@dataclass
class ColumnForm:
    """`process_batch`, called once a batch and again on halves of one that failed."""

    executor: Executor[Any, Any]
    inputs: ColumnInputs
    enrichments: dict[str, pa.RecordBatch]
    pieces: list[tuple[pa.RecordBatch, Chosen]] = field(default_factory=list)

    def attempt(self, chosen: Chosen | None, retryable: IsRetryable) -> Failures:
        """Process the chosen events together, None for all; on failure halve, unless the error will be tried again.

        Wrong parents fail every event that has no failure of its own, those of earlier attempts included: a part whose
        parents happen to fit says nothing about the rows they belong to.
        """
        failures: dict[int, Exception] = {}
        if chosen is None:
            chosen = np.arange(len(self.inputs.rows), dtype=np.int64)
        try:
            call_by_halves(chosen, lambda part: self.pieces.append(self._call(part)), retryable, failures)
        except WrongParents as error:
            accepted = [places for _, places in self.pieces]
            self.pieces.clear()
            fault = ContractError(str(error))
            return {int(at): fault for at in np.concatenate([chosen, *accepted])} | failures
        return failures

    def _call(self, part: Chosen) -> tuple[pa.RecordBatch, Chosen]:
        if len(part) == len(self.inputs.rows):
            events, facts = self.inputs.columns, self.enrichments
        else:
            chosen = pa.array(part)
            events = self.inputs.columns.take(chosen)
            facts = {name: rows.take(chosen) for name, rows in self.enrichments.items()}
        returned = self.executor.process_batch(events, **facts)
        rows, parents = self._checked(returned, len(part))
        return rows, part[parents]

    def _checked(self, returned: Any, count: int) -> tuple[pa.RecordBatch, Chosen]:
        """Hold what process_batch returned to its contract."""
        if not (isinstance(returned, tuple) and len(returned) == 2):
            message = f"process_batch returned {class_name(returned)}; expected (RecordBatch, parents)"
            raise ContractError(message)
        rows, parents = returned
        if not isinstance(rows, pa.RecordBatch):
            message = f"process_batch returned rows as {class_name(rows)}; expected a pyarrow RecordBatch"
            raise ContractError(message)
        self._check_columns(rows.schema)
        return rows, _places(parents, rows.num_rows, count)

    def _check_columns(self, schema: pa.Schema) -> None:
        declaration = self.executor.declaration
        names = {spec.name for spec in declaration.row_specs}
        if unknown := [name for name in schema.names if name not in names]:
            message = f"process_batch returned columns {unknown}, which {declaration.row.__name__} does not declare"
            raise ContractError(message)
        for spec in declaration.row_specs:
            if spec.name not in schema.names:
                problem = "it is missing" if spec.required else None
            else:
                problem = type_problem(schema.field(spec.name).type, spec.type)
            if problem:
                message = f"process_batch, column {spec.name}: {problem}"
                raise ContractError(message)


def _places(parents: Any, rows: int, events: int) -> Chosen:
    """Return the parents of `rows` rows as places among `events` events.

    Raises:
        WrongParents: they are not one integer a row, or one of them is no event of the batch.
    """
    try:
        places = np.asarray(parents)
        given = f"{len(places)} of {places.dtype}" if places.ndim == 1 else class_name(parents)
    except Exception as error:
        raise WrongParents(f"parents: expected {rows} integers, got {class_name(parents)}") from error
    if getattr(parents, "null_count", 0):
        given = f"{given}, {parents.null_count} of them null"
    elif places.shape == (rows,) and (not rows or np.issubdtype(places.dtype, np.integer)):
        if rows and (places.min() < 0 or places.max() >= events):
            message = f"parents: expected rows 0 to {events - 1}, got {places.min()} to {places.max()}"
            raise WrongParents(message)
        return places.astype(np.int64)
    raise WrongParents(f"parents: expected {rows} integers, got {given}")


def call_by_halves(
    chosen: Chosen, call: Callable[[Chosen], None], retryable: IsRetryable, failures: dict[int, Exception]
) -> None:
    """Call with the chosen rows together, and again without those that failed; `failures` takes each by its place.

    What fails as a whole is halved until the rows it fails on are found, unless the error will be tried again.

    Raises:
        WrongParents: the call did, which no half of it can mend.
    """
    waiting = [chosen] if len(chosen) else []
    while waiting:
        part = waiting.pop()
        try:
            call(part)
        except WrongParents:
            raise
        except RowErrors as error:
            named = _named_rows(error, part)
            failures.update(named)
            rest = part[~np.isin(part, np.fromiter(named, np.int64))]
            waiting += [rest] if len(rest) else []
        except BaseException as error:  # noqa: BLE001
            failure = as_exception(error)
            if len(part) == 1 or retryable(failure):
                failures.update({int(i): failure for i in part})
            else:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]


def _named_rows(error: RowErrors, part: Chosen) -> dict[int, Exception]:
    """Return the inputs that RowErrors names; all of `part` where it does not name rows of it."""
    try:
        errors = dict(error.errors)
    except BaseException as failed:  # noqa: BLE001 - an author may have put anything there
        return dict.fromkeys(part.tolist(), as_exception(failed))
    rows = list(errors)
    if not rows:
        nothing = RejectError("process_batch raised RowErrors without rows")
        keep_place(nothing, error)
        return dict.fromkeys(part.tolist(), nothing)
    if not all(isinstance(row, int | np.integer) and 0 <= row < len(part) for row in rows):
        message = f"RowErrors: expected rows 0 to {len(part) - 1}, got {shown(rows[:5])}"
        wrong = ContractError(message)
        keep_place(wrong, error)
        return dict.fromkeys(part.tolist(), wrong)
    return {int(part[row]): _row_error(reason, error) for row, reason in errors.items()}


def _row_error(reason: Any, raised: RowErrors) -> Exception:
    """Return the error of one row; of a reason that was never raised, with the place where `raised` was."""
    found = as_exception(reason) if isinstance(reason, BaseException) else RejectError(reason)
    keep_place(found, raised)
    return found


def _extend(results: list[Any], returned: Iterator[Any]) -> BaseException | None:
    """Extend `results` up to the next call that raises; return what it raised, None for a StopIteration."""
    try:
        results.extend(returned)
    except BaseException as error:
        if is_interrupt(error):
            raise
        return error
    return None


def as_exception(error: BaseException) -> Exception:
    """Return what an author's code raised as an error of its row.

    Raises:
        BaseException: the error itself, where a signal handler raised it: that is for the process.
    """
    if is_interrupt(error):
        raise error
    kind = type(error)
    if issubclass(kind, Exception):
        return error  # type: ignore[return-value]
    if issubclass(kind, DeniedCall):
        impure = ImpureError(text_of(error))
        keep_place(impure, error)
        return impure
    did = "called exit" if issubclass(kind, SystemExit) else f"raised {class_name(error)}"
    said = text_of(error)
    rejected = RejectError(f"the executor {did}: {said}" if said else f"the executor {did}")
    keep_place(rejected, error)
    return rejected
