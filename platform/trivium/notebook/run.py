"""`trivium.run`: one executor on the data at hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from trivium.config.worker_spec import spec_of
from trivium.contract.executor import Executor, ExecutorOptions
from trivium.engine.blocking import BlockingWorker
from trivium.notebook import data as events
from trivium.notebook.errors import InputError
from trivium.notebook.lookups import open_lookups
from trivium.notebook.result import RunResult, joined, part_of

BATCH_ROWS: Final = 65_536


def run(
    executor: type[Executor[Any, Any]],
    data: Any,
    *,
    options: ExecutorOptions | Mapping[str, Any] | None = None,
    lookups: Mapping[str, Any] | None = None,
    timezone: str | None = None,
    address: str | None = None,
) -> RunResult:
    """Run an executor on data at hand and say what became of every event. Nothing is written anywhere.

    Args:
        executor: the class. It may be defined in a notebook's cell.
        data: a list of dicts, JSON lines (str or bytes, or a list of them), or a table of Arrow, pandas or Polars.
            Events that do not name their event type get the executor's.
        options: the executor's options, as its Options or as the dict a pipeline file would hold.
        lookups: rows for each declared enrichment's lookup: `{name: rows}`, where rows are `{key: dict}`, a list of
            dicts, a table, or `(list or table, name of the key's column)`. A key of several fields is a tuple, and so
            are the names of its columns. Facts as of a time need `valid_from` in each row (null: ever since), and
            `valid_to`, which is excluded, where a row ends before the next of its key begins.
        timezone: what naive timestamps of a table mean, such as "America/New_York".
        address: None runs in this process. With an address ("auto", "local" or "ray://…") the data is cut into batches
            that run on that Ray cluster, or on the one this process is connected to already.

    Raises:
        InputError: data, options or lookups cannot be used as they are; every problem found is named.
        RunError: the cluster cannot run the executor.
    """
    checked = _options(executor, options)
    declaration = executor.declaration
    spec = spec_of([executor], {declaration.event_type: checked}).of_type(declaration.event_type)
    opened = open_lookups(spec, declaration, lookups or {})
    given = events.read(data, declaration, timezone)
    columns = spec.table_columns
    if address is None:
        worker = BlockingWorker(spec, opened)
        parts = [part_of(worker.run(batch), int(batch.positions[0]), columns) for batch in given.batches(BATCH_ROWS)]
    else:
        from trivium.notebook.cluster import run as run_on_cluster

        parts = run_on_cluster(executor, checked, opened, given, address)
    return joined(declaration.event_type, parts, columns, given)


def _options(executor: Any, options: ExecutorOptions | Mapping[str, Any] | None) -> ExecutorOptions:
    if not (isinstance(executor, type) and issubclass(executor, Executor)):
        raise InputError(f"expected an executor class, got {executor!r:.80}. Try: trivium.run(MyExecutor, data)")
    if isinstance(options, executor.Options):
        return options
    if options is not None and not isinstance(options, Mapping):
        raise InputError(f"options: expected {executor.__name__}.Options or a dict, got {type(options).__name__}")
    try:
        return executor.Options.model_validate_json(json.dumps(dict(options or {})))
    except (ValidationError, TypeError) as error:
        raise InputError(f"options of {executor.__name__}: {error}") from error
