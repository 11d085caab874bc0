"""Event types of one shape: one class, one entry, and yet a type each."""

import json
from pathlib import Path

import msgspec
import pytest

from tests.support import group_project
from tests.support.engine_inputs import raw
from tests.support.terminal import Trivium
from trivium.config.compile import compile_file
from trivium.config.problems import ConfigError
from trivium.config.rebuild import rebuild
from trivium.engine.blocking import BlockingWorker
from trivium.engine.outcomes import Counts

TWO = """executors:
  - {type: page_view}
  - {type: page_click, options: {weight: 3}}
"""


def record(event_type: str, identity: str, at: object = "2026-01-01T00:00:00Z") -> bytes:
    return json.dumps({"event_type": event_type, "id": identity, "at": at}).encode()


def test_tags_of_one_class_are_event_types_of_their_own(tmp_path: Path) -> None:
    pipeline = compile_file(group_project.make(tmp_path, TWO), {}, "serving")
    batch = raw(record("page_view", "a"), record("page_click", "a"), record("page_click", "b", 5), record("order", "o"))
    out = BlockingWorker(pipeline.worker_spec, {}).run(batch)
    assert out.counts() == {
        "page_view": Counts(read=1, emitted_inputs=1, emitted_rows=1),
        "page_click": Counts(read=2, emitted_inputs=1, emitted_rows=1, rejected=1),
        "_unrouted": Counts(read=1, dropped=1),
    }
    weights = {name: emitted.rows.column("weight").to_pylist() for name, emitted in out.emitted.items()}
    assert weights == {"page_view": [1], "page_click": [3]}


def test_a_worker_rebuilds_every_tag(tmp_path: Path) -> None:
    pipeline = compile_file(group_project.make(tmp_path, TWO), {}, "serving")
    group_project.forget()
    again = rebuild(pipeline.plan.json, {}, tmp_path)
    assert [each.event_type for each in again.executors.values()] == ["page_view", "page_click"]
    assert again.plan == pipeline.plan


def test_samples_of_a_group_are_checked_under_the_type_they_name(tmp_path: Path) -> None:
    file = group_project.make(tmp_path, TWO)
    at = "2026-01-01T00:00:00Z"
    lines = [
        {"event": json.loads(record(name, "a")), "rows": [{"event_id": "a", "event_time": at, "weight": 1}]}
        for name in ("page_view", "page_click", "page_click")
    ]
    samples = tmp_path / "executors/page/samples.jsonl"
    samples.write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
    done = Trivium()("check", str(file), "--format", "json")
    assert done.exit_code == 0, done.output
    types = json.loads(done.stdout)["files"][0]["types"]
    assert [(each["type"], each["samples"]) for each in types] == [("page_view", 1), ("page_click", 2)]


def test_one_entry_lists_several_types_by_list_or_glob(tmp_path: Path) -> None:
    by_list = "executors:\n  - {type: [page_view, page_click], options: {weight: 3}, owner: web}\n"
    by_glob = "executors:\n  - {type: page_*, options: {weight: 3}, owner: web}\n"
    plans = []
    for number, text in enumerate((by_list, by_glob)):
        group_project.forget()
        pipeline = compile_file(group_project.make(tmp_path / str(number) / "site", text), {}, "serving")
        assert sorted(pipeline.executors) == ["page_click", "page_view"]
        assert [bound.options.weight for bound in pipeline.executors.values()] == [3, 3]  # type: ignore[attr-defined]
        assert [entry.owner for entry in pipeline.config.executors] == ["web", "web"]
        plans.append(pipeline.plan.logic)
    assert plans[0] == plans[1]


WRONG = {
    "a type of a list and an entry": (
        "executors:\n  - {type: page_view}\n  - type: [order, page_view]\n",
        ["4:19: executor-listed-twice: page_view is listed twice, first in {file}:3 (remove one of them)"],
    ),
    "a type of a glob and an entry": (
        "executors:\n  - {type: 'page_*'}\n  - type: page_view\n",
        ["4:11: executor-listed-twice: page_view is listed twice, first in {file}:3 (remove one of them)"],
    ),
    "a glob without a match": (
        "executors:\n  - {type: order}\n  - type: pag_*\n",
        [
            "4:11: unknown-executor: no event type that the project offers matches 'pag_*' "
            "(one of order, page_click, page_view)"
        ],
    ),
    "an empty list": (
        "executors:\n  - {type: order}\n  - {type: []}\n",
        ["4:12: wrong-value: expected event types, got an empty list (type: [click, view])"],
    ),
    "a number in a list": (
        "executors:\n  - {type: [order, 5]}\n",
        ["3:20: wrong-value: executors[0].type[1]: Input should be a valid string; got 5"],
    ),
    "a wrong option, once": (
        "executors:\n  - {type: order}\n  - {type: page_*, options: {weight: heavy}}\n",
        ['4:38: wrong-option: executors[1].options.weight: Input should be a valid integer; got "heavy"'],
    ),
    "an artifact that is none, once": (
        "executors:\n  - {type: page_*, artifacts: {m: no.bin}}\n",
        ["3:35: artifact-missing: the artifact m is no file: {folder}/no.bin (expected the path of one file)"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_problems_of_an_entry_are_where_it_is_written(name: str, tmp_path: Path) -> None:
    text, expected = WRONG[name]
    file = group_project.make(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        compile_file(file, {}, "serving")
    wanted = [f"{file}:{line.format(file=file, folder=file.parent)}" for line in expected]
    assert str(raised.value).splitlines() == wanted


def test_a_glob_does_not_pass_over_a_folder_that_fails(tmp_path: Path) -> None:
    file = group_project.make(tmp_path, "executors:\n  - type: page_*\n")
    (tmp_path / "executors/order/executor.py").write_text("import nothing_of_the_kind\n")
    with pytest.raises(ConfigError, match=r"site.yaml:3:11: executor-import: importing executors.order.executor"):
        compile_file(file, {}, "serving")


def test_long_options_are_not_multiplied_beyond_bounds(tmp_path: Path) -> None:
    options, types = ", ".join("1" * 2_000), ", ".join(f"t{number}" for number in range(2_000))
    file = group_project.make(tmp_path, f"executors:\n  - {{type: [{types}], options: {{a: [{options}]}}}}\n")
    with pytest.raises(ConfigError, match=r"site.yaml:3:3: too-large: entries for several event types hold more"):
        compile_file(file, {}, "serving")
