"""The preflight of jobs: findings from the project, before anything is uploaded."""

from pathlib import Path
from zipfile import ZipFile

import pytest
from ray._private.runtime_env.packaging import create_package

from tests.support import shop
from trivium.operations.shipping.finding import Finding
from trivium.operations.shipping.preflight import look_at_job
from trivium.operations.shipping.submission import submission_of
from trivium.runtimes import upload


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A shop whose paths come from variables."""
    root = shop.make(tmp_path)
    shop.with_variables(root, data=None, tables="../tables")
    return root


def look(root: Path, here: dict[str, str] | None = None, **variables: str) -> list[Finding]:
    return look_at_job(submission_of("batch", root / "configs" / "shop.yaml", variables=variables), here or {})


def wrong(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(each.check, each.level, each.where) for each in findings if each.level != "ok"]


def test_a_job_with_absolute_paths_is_fine(project: Path) -> None:
    found = look(project, DATA="/mnt/data", TABLES="s3://bucket/tables")
    assert wrong(found) == []
    assert found[0].got.endswith("of 100 MiB")


def test_relative_paths_mean_nothing_there(project: Path) -> None:
    found = [each for each in look(project, DATA="/mnt/data") if each.level == "error"]
    assert [each.got.split(" ")[0] for each in found] == ["table.path", "dead_letters.path"]
    assert found[0].attempt == "write an absolute path"


def test_variables_of_the_shell_do_not_travel(project: Path) -> None:
    here = {"DATA": "/mnt/data", "TABLES": "/mnt/tables"}
    found = [each for each in look(project, here) if each.level == "warning"]
    assert [(each.where, each.got) for each in found] == [
        ("${DATA}", "nothing in what the job brings along"),
        ("${TABLES}", "its default '../tables' there: variables of this shell do not travel"),
    ]
    assert "--env TABLES=…" in found[1].attempt


@pytest.mark.parametrize("ignore", [".gitignore", ".rayignore"])
def test_a_file_that_the_pipeline_needs_is_left_out(project: Path, ignore: str) -> None:
    (project / "executors" / "rates.py").write_text("RATE = 2\n")
    executor = project / "executors" / "order" / "executor.py"
    executor.write_text(
        executor.read_text().replace("from trivium", "from executors.rates import RATE\nfrom trivium", 1)
    )
    with (project / ignore).open("a") as file:
        file.write("\nrates*\nconfigs/\n")
    found = wrong(look(project, DATA="/mnt/data", TABLES="/mnt/tables"))
    assert found == [("left out", "error", "configs/shop.yaml"), ("left out", "error", "executors/rates.py")]


def test_the_rules_of_a_folder_hold_below_it(project: Path) -> None:
    (project / "executors" / "order" / ".gitignore").write_text("*.jsonl\n")
    files = upload.upload_of(project).files
    assert "executors/order/executor.py" in files
    assert [each for each in files if each.endswith(".jsonl")] == []
    assert [each for each in files if each.startswith("data/")] == []


def test_the_upload_is_what_ray_would_pack(project: Path, tmp_path: Path) -> None:
    package = tmp_path / "package.zip"
    create_package(str(project), package, include_gitignore=True)
    with ZipFile(package) as packed:
        sizes = {each.filename: each.compress_size for each in packed.infolist() if not each.is_dir()}
    assert upload.upload_of(project).files == sizes


def test_an_upload_over_the_limit_names_what_is_largest(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "model.bin").write_bytes(bytes(3 << 20))
    (project / "notes").mkdir()
    (project / "notes" / "a.txt").write_bytes(bytes(2 << 20))
    whole = upload.upload_of(project)
    monkeypatch.setattr(
        "trivium.operations.shipping.preflight.upload_of", lambda folder: upload.Upload(whole.files, 4 << 20)
    )
    found = look(project, DATA="/mnt/data", TABLES="/mnt/tables")[0]
    assert (found.level, found.expected) == ("error", "less than 4 MiB, Ray's limit")
    assert "largest: model.bin 3.0 MiB, notes/ 2.0 MiB" in found.attempt


def test_a_stream_is_given_time_to_drain(project: Path) -> None:
    config = project / "configs" / "shop.yaml"
    source = "{type: kafka, servers: 'kafka:9092', topics: [orders]}"
    config.write_text(config.read_text() + f"streaming:\n  source: {source}\n  drain_seconds: 100\n")
    variables = {"DATA": "/mnt/data", "TABLES": "/mnt/tables"}
    job = submission_of("streaming", config, variables=variables)
    assert wrong(look_at_job(job, {})) == []
    assert job.environment_variables()["RAY_JOB_STOP_WAIT_TIME_S"] == "130"
    (project / "jobs").mkdir()
    (project / "jobs" / "runtime_env.yaml").write_text('env_vars: {RAY_JOB_STOP_WAIT_TIME_S: "60"}\n')
    (found,) = [
        each for each in look_at_job(submission_of("streaming", config, variables=variables), {}) if each.level != "ok"
    ]
    assert (found.level, found.got, found.attempt) == (
        "warning",
        "60",
        'RAY_JOB_STOP_WAIT_TIME_S: "130" under env_vars',
    )


def test_a_secret_is_not_for_the_command(project: Path) -> None:
    config = project / "configs" / "shop.yaml"
    config.write_text(config.read_text() + 'serving: {route: /shop, api_keys: ["${SHOP_KEY}"]}\n')
    given = {"DATA": "/mnt/data", "TABLES": "/mnt/tables", "SHOP_KEY": "sixteen-characters"}
    assert wrong(look(project, **given)) == [("secret", "error", "--env SHOP_KEY")]
