"""The author's line: where in their code an input was rejected, in both forms, and nothing of the engine's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.author_project import FILE, PRICES, keyed, line_of, load
from trivium import Executor
from trivium.config.worker_spec import Purity, spec_of
from trivium.engine.author_line import AuthorLine
from trivium.engine.blocking import BlockingRequests, BlockingWorker
from trivium.engine.outcomes import Reject

PRICING = "pricing/prices.py"
FORMS = pytest.mark.parametrize("form", ["Rows", "Columns"])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    module = load(tmp_path, monkeypatch)
    yield module
    for name in ("executors", "pricing"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def reject_of(executor: type[Executor[Any, Any]], key: str, purity: Purity = "off", **secrets: str) -> Reject:
    """The reject of one event among good ones."""
    spec = replace(spec_of([executor]), purity=purity, secrets=secrets)
    out = BlockingWorker(spec, {}).run(keyed("good", key, "good"))
    [reject] = out.rejects
    assert reject.index == 1
    return reject


def raised_at(*args: Any, **kwargs: Any) -> AuthorLine:
    line = reject_of(*args, **kwargs).raised_at
    assert line is not None
    return line


@FORMS
def test_the_innermost_line_of_the_author_with_its_callers(project: Any, form: str) -> None:
    reject = reject_of(getattr(project, form), "lookup")
    line = reject.raised_at
    assert (reject.reason, reject.error) == ("KeyError", "KeyError: 'zz'")
    assert line is not None
    assert (line.file, line.line, line.source) == (PRICING, line_of("KNOWN[key]", PRICES), "return KNOWN[key]")
    called = "fail(event.key)" if form == "Rows" else "fail(key)"
    method = "Rows.process" if form == "Rows" else "Columns.process_batch"
    process = raised_at(getattr(project, form), "reject").trace.splitlines()[0]
    assert process.endswith(f" in {method}: {called}")
    assert line.trace.splitlines() == [
        process,
        f'{FILE}:{line_of("price(" + chr(34) + "zz")} in fail: price("zz")',
        f"{PRICING}:{line.line} in price: return KNOWN[key]",
    ]
    outer = process.partition(" ")[0]
    inner = f"{FILE}:{line_of('price(' + chr(34))}"
    assert line.said == f"at {PRICING}:{line.line} in price: return KNOWN[key]; called from {inner}, {outer}"


@FORMS
def test_of_a_library_only_the_innermost_call_is_named(project: Any, form: str) -> None:
    line = raised_at(getattr(project, form), "library")
    assert (line.file, line.source) == (PRICING, "return json.loads(text)")
    assert line.trace.splitlines()[-1] == "calls json.decoder.JSONDecoder.raw_decode"
    assert line.said.endswith("; raised in json.decoder.JSONDecoder.raw_decode")
    assert "decoder.py" not in line.trace


@FORMS
def test_a_deep_trace_is_bounded(project: Any, form: str) -> None:
    line = raised_at(getattr(project, form), "deep")
    assert line.file == PRICING
    assert len(line.trace) <= 2_000
    assert len(line.trace.splitlines()) == 6
    assert line.trace.splitlines()[1] == "… 299 more"


@FORMS
def test_an_error_raised_again_and_again_has_its_last_place_and_holds_no_frames(project: Any, form: str) -> None:
    worker = BlockingWorker(spec_of([getattr(project, form)]), {})
    for _ in range(3):
        lines = [reject.raised_at for reject in worker.run(keyed("shared", "good", "shared")).rejects]
        assert [(line.file, line.source) for line in lines if line] == [(PRICING, "raise SHARED")] * 2
        assert {len(line.trace.splitlines()) for line in lines if line} == {3}
    assert project.shared.__globals__["SHARED"].__traceback__ is None


@pytest.mark.parametrize(
    ("key", "source"),
    [
        ("exit", 'raise SystemExit("enough")'),
        ("stop", "next(iter(()))"),
        ("reject", 'raise RejectError("is bad")'),
        ("impure", 'open("/etc/hostname")'),
    ],
)
@FORMS
def test_whatever_is_raised_has_its_line(project: Any, form: str, key: str, source: str) -> None:
    line = raised_at(getattr(project, form), key, "strict")
    assert (line.file, line.source, line.line) == (FILE, source, line_of(source))


def test_accepts_has_its_line(project: Any) -> None:
    reject = reject_of(project.Accepting, "lookup", "strict")
    assert reject.stage == "accept"
    assert reject.raised_at is not None
    assert reject.raised_at.file == PRICING
    assert "in Accepting.accepts: fail(event.key)" in reject.raised_at.trace


def test_a_row_that_is_named_has_the_line_that_names_it(project: Any) -> None:
    reject = reject_of(project.Columns, "named")
    assert reject.error == "RejectError: is named"
    assert reject.raised_at is not None
    assert reject.raised_at.source == 'raise RowErrors({keys.index("named"): "is named"})'


def test_what_does_not_fit_has_no_line(project: Any) -> None:
    assert reject_of(project.Rows, "wrong").raised_at is None


@FORMS
def test_no_secret_is_told(project: Any, form: str) -> None:
    line = raised_at(getattr(project, form), "exit", salt='raise SystemExit("enough")')
    assert line.source == "(a value from a variable)"
    assert "enough" not in line.trace + line.said


def test_an_answer_to_a_request_has_the_reason_only(project: Any) -> None:
    event = b'{"event_type":"item","n":1,"key":"lookup"}'
    [answer] = BlockingRequests(spec_of([project.Rows]), {}).answer(event)
    assert (answer.reason, answer.error) == ("KeyError", "KeyError: 'zz'")


def test_a_line_that_cannot_be_read_is_still_named(project: Any, tmp_path: Path) -> None:
    (tmp_path / PRICING).unlink()
    line = raised_at(project.Rows, "lookup")
    assert (line.file, line.line, line.source) == (PRICING, line_of("KNOWN[key]", PRICES), "")
