"""Hashes of a plan: the changes that reach them and those that do not, and no secret in it."""

import pickle
import sys
from pathlib import Path

import msgspec
import pytest
import yaml

from tests.support.broken_executors import ENVIRON
from trivium.config.compile import Pipeline, compile_file
from trivium.config.plan import Plan
from trivium.config.problems import ConfigError, Problem
from trivium.config.rebuild import rebuild
from trivium.config.registry import PACKAGE
from trivium.core.errors import RunError

FILE = "configs/flights.yaml"


def compiled(project: Path, **environ: str) -> Pipeline:
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    return compile_file(project / FILE, {**ENVIRON, "WORKERS": "3", **environ})


def edit(project: Path, file: str, old: str, new: str) -> None:
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))


def hashes(pipeline: Pipeline) -> tuple[str, str]:
    return pipeline.plan.logic, pipeline.plan.plan


def test_a_good_file_compiles_to_everything_a_runtime_needs(project: Path) -> None:
    pipeline = compiled(project)
    departure = pipeline.executors["departure"]
    assert (pipeline.name, list(pipeline.executors)) == ("flights", ["departure", "arrival"])
    assert departure.options.late_after_minutes == 30  # type: ignore[attr-defined]
    assert departure.artifacts == {"delay": str(project / "models/delay.bin")}
    assert (departure.retry.attempts, pipeline.executors["arrival"].retry.attempts) == (4, 2)
    assert [spec.wire for spec in pipeline.lookups["plane"].columns] == ["tailnum", "seats"]
    assert pipeline.table_columns.names == ["event_id", "event_time", "late", "seats"]
    assert [column.nullable for column in pipeline.table_columns] == [False, False, True, True]
    assert pipeline.config.batch is not None
    assert (pipeline.config.batch.workers, pipeline.config.batch.source.path) == (3, "/data/raw")
    assert pickle.loads(pickle.dumps(pipeline)) == pipeline


def test_key_order_comments_and_white_space_change_nothing(project: Path) -> None:
    before = hashes(compiled(project))
    tree = yaml.safe_load((project / FILE).read_text())
    (project / FILE).write_text("# another comment\n\n" + yaml.safe_dump(tree, sort_keys=True, indent=6))
    assert hashes(compiled(project)) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (FILE, "late_after_minutes: 30", "late_after_minutes: 31"),
        (FILE, "key: tailnum", "key: tailnum, unavailable: missing"),
        (FILE, "/planes.parquet", "/aircraft.parquet"),
        (FILE, "pipeline: flights", "routing: {unrouted: reject}\npipeline: flights"),
        (FILE, "pipeline: flights", "event_time: {earliest: 2000-01-01}\npipeline: flights"),
        ("executors/thresholds.py", "LATE = 15", "LATE = 16"),
        ("executors/flight_event.py", "A flight event.", "One flight event."),
        ("executors/__init__.py", "Executors", "All executors"),
        ("models/delay.bin", "weights", "weightz"),
    ],
)
def test_what_decides_rows_changes_logic_and_plan(project: Path, file: str, old: str, new: str) -> None:
    before = compiled(project)
    edit(project, file, old, new)
    after = compiled(project)
    assert after.plan.logic != before.plan.logic
    assert after.plan.plan != before.plan.plan


@pytest.mark.parametrize(
    ("old", "new"),
    [("/flights", "/journeys"), ("${WORKERS:-2}", "9"), ("{attempts: 2}", "{attempts: 3}"), ("/raw/", "/cooked/")],
)
def test_what_does_not_decide_rows_changes_the_plan_only(project: Path, old: str, new: str) -> None:
    before = compiled(project)
    edit(project, FILE, old, new)
    after = compiled(project)
    assert after.plan.logic == before.plan.logic
    assert after.plan.plan != before.plan.plan


def test_the_logic_is_the_same_in_another_folder(project: Path) -> None:
    before = compiled(project)
    moved = project.rename(project.with_name("moved"))
    assert compiled(moved).plan.logic == before.plan.logic


def test_a_plan_is_canonical_and_comes_back_from_its_json(project: Path) -> None:
    plan = compiled(project).plan
    assert Plan.parse(plan.json) == plan
    assert (len(plan.logic_short), len(plan.plan_short)) == (16, 16)


def test_a_secret_is_nowhere_but_in_the_secrets(project: Path) -> None:
    pipeline = compiled(project)
    secret = ENVIRON["TOKEN"]
    assert pipeline.secrets == {'["departure", "token"]': f'"{secret}"'}
    assert pipeline.executors["departure"].options.token.get_secret_value() == secret  # type: ignore[attr-defined]
    assert "${TOKEN}" in pipeline.plan.json.decode()
    for text in (pipeline.plan.json.decode(), repr(pipeline), str(pipeline), str(pipeline.config.model_dump())):
        assert secret not in text


def test_a_worker_rebuilds_the_pipeline_the_driver_compiled(project: Path) -> None:
    pipeline = compiled(project)
    assert rebuild(pipeline.plan.json, pipeline.secrets, project) == pipeline


def test_a_worker_in_another_folder_uses_its_own_files(project: Path) -> None:
    pipeline = compiled(project)
    moved = project.rename(project.with_name("worker"))
    again = rebuild(pipeline.plan.json, pipeline.secrets, moved)
    assert again.plan == pipeline.plan
    assert again.executors["departure"].artifacts == {"delay": str(moved / "models/delay.bin")}


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("executors/thresholds.py", "15", "16", "executors.thresholds"),
        ("executors/departure/executor.py", "One row.", "A row.", "executors.departure.executor"),
        ("models/delay.bin", "weights", "weightz", "artifacts delay"),
    ],
)
def test_a_worker_with_other_files_refuses_and_names_them(
    project: Path, file: str, old: str, new: str, named: str
) -> None:
    pipeline = compiled(project)
    edit(project, file, old, new)
    with pytest.raises(RunError, match=named) as caught:
        rebuild(pipeline.plan.json, pipeline.secrets, project)
    assert "would run something else" in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_worker_with_another_engine_refuses(project: Path) -> None:
    pipeline = compiled(project)
    version = pipeline.plan.document["logic"]["engine"]["pyarrow"]
    other = pipeline.plan.json.replace(f'"pyarrow":"{version}"'.encode(), b'"pyarrow":"1.0.0"')
    with pytest.raises(RunError, match=f"pyarrow: planned 1.0.0, here {version}"):
        rebuild(other, pipeline.secrets, project)


def test_a_worker_without_the_executor_the_artifact_or_the_secret_refuses(project: Path) -> None:
    pipeline = compiled(project)
    with pytest.raises(RunError, match="the option token of departure did not reach"):
        rebuild(pipeline.plan.json, {}, project)
    (project / "models/delay.bin").unlink()
    with pytest.raises(RunError, match="artifact delay"):
        rebuild(pipeline.plan.json, pipeline.secrets, project)
    (project / "executors/departure/executor.py").unlink()
    with pytest.raises(RunError, match="departure"):
        rebuild(pipeline.plan.json, pipeline.secrets, project)


def test_a_config_error_survives_pickling() -> None:
    error = ConfigError([Problem("b.yaml", 2, 1, "x", "m", "h"), Problem("b.yaml", 1, 5, "y", "m")])
    again = pickle.loads(pickle.dumps(error))
    assert again.problems == error.problems
    assert str(again) == "b.yaml:1:5: y: m\nb.yaml:2:1: x: m (h)"
    assert msgspec.to_builtins(again.problems)[1]["hint"] == "h"
