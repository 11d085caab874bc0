"""Parity of a pipeline file: gather inputs, take them through the runtimes, compare."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.parity import runtimes
from trivium.parity.branches import branches_of, traced
from trivium.parity.compare import ComparisonScope, ParityReport, compare
from trivium.parity.inputs import InputSpec, inputs_of
from trivium.parity.results import InputOutcome
from trivium.parity.runtimes import Scene, Take

REAL: dict[str, Take] = {"batch": runtimes.batch, "streaming": runtimes.streaming, "serving": runtimes.serving}
FAST: dict[str, Take] = {"records": runtimes.raw, "requests": runtimes.requests, "columns": runtimes.columns}


def check_parity(
    config: Path,
    wanted: InputSpec,
    ways: dict[str, Take],
    tell: Callable[[str], None] = lambda _runtime: None,
    required: Sequence[str] = (),
) -> ParityReport:
    """Take the same inputs of a pipeline through each of the `ways`; nothing of the pipeline's own tables is touched.

    `required` are runtimes without which parity is not shown, whether or not the file has them.

    Raises:
        TriviumError: the file has problems, or a runtime cannot be taken at all.
    """
    pipeline = compile_file(config, runtime=None)
    inputs = inputs_of(pipeline, wanted)
    with tempfile.TemporaryDirectory(prefix="trivium-parity-", ignore_cleanup_errors=True) as folder:
        scene = Scene(pipeline, config, Path(folder))
        facts = scene.facts  # opened before the first runtime: this is the state that all have to use

        def found(name: str, take: Take) -> Iterator[InputOutcome | None]:
            tell(name)
            yield from take(scene, inputs)

        scope = ComparisonScope(_absent(pipeline, wanted, ways), required)
        again = _again(config, wanted, ways, required)
        ways_found = {name: found(name, take) for name, take in ways.items()}
        if ways is FAST:
            with traced(pipeline) as steps:
                report = compare(pipeline, inputs, ways_found, again, scope)
            report = replace(report, coverage=replace(report.coverage, branches=branches_of(pipeline, steps)))
            return replace(report, states=facts.states)
        report = compare(pipeline, inputs, ways_found, again, scope)
        facts.note_end()
        return replace(report, states=facts.states, changed=facts.changes(), called_anew=facts.unnamed)


def _absent(pipeline: Pipeline, wanted: InputSpec, ways: dict[str, Take]) -> dict[str, str]:
    """Return what is not tried, with why. Batch and stream are tried for real without their sections."""
    tried = set() if ways is FAST else {"batch", "streaming"}
    names = [name for name in REAL if name not in tried and getattr(pipeline.config, name) is None]
    absent = dict.fromkeys(names, "the file has no such section")
    batch = pipeline.config.batch
    if batch is not None and batch.source.record_column is None and wanted.file is None:
        absent["the archive"] = "its columns are typed, and inputs are records"
    return absent


def _again(config: Path, wanted: InputSpec, ways: dict[str, Take], required: Sequence[str]) -> str:
    sample = "all" if wanted.sample is None else wanted.sample
    named = f"--input {shlex.quote(str(wanted.file))}" if wanted.file else f"--sample {sample} --seed {wanted.seed}"
    options = [*(["--fast"] if ways is FAST else []), *(f"--require {each}" for each in required)]
    return " ".join([f"trivium parity {shlex.quote(str(config))} {named}", *options])
