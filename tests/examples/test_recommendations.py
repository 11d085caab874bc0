"""Recommendations of the clickstream example: vectors from a model in Ray Serve, in batch and in parity."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import clickstream
from tests.support.terminal import in_own_process

CONFIG = "configs/recommendations.yaml"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clickstream.make(tmp_path_factory.mktemp("example"), visits=20)


@pytest.fixture(scope="module")
def model(project: Path, ray_cluster: str) -> Iterator[str]:
    """The address of a cluster in which the example's model is deployed."""
    from ray import serve  # noqa: PLC0415 - collecting tests does not wait for this import

    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(project))
        import ray.cloudpickle  # noqa: PLC0415
        from models import embeddings  # noqa: PLC0415

        # The cluster's processes have no project on their path; `serve run` gives them its folder.
        ray.cloudpickle.register_pickle_by_value(embeddings)
        serve.start(proxy_location="Disabled")
        serve.run(embeddings.app, name="embeddings", route_prefix=None)
    yield ray_cluster
    serve.shutdown()


def events(project: Path) -> list[dict[str, Any]]:
    paths = sorted((project / "data" / "recommendations").glob("day=*/*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_batch_asks_the_model(project: Path, model: str) -> None:
    done = in_own_process("run", "batch", CONFIG, folder=project, RAY_ADDRESS=model)
    assert done.returncode == 0, done.stderr
    wanted = {each["id"]: each for each in events(project) if each["product"] != "gift-card"}
    assert 0 < len(wanted) < len(events(project))
    rows = clickstream.rows_by_type(project / "tables" / "recommendations")["recommendation"].to_pylist()
    assert {row["event_id"] for row in rows} == set(wanted)
    for row in rows:
        known = [name for name in wanted[row["event_id"]]["shown"] if name != "gift-card"]
        assert (row["known"], row["similarity"] is None) == (len(known), not known)
        if known == [row["product"]]:
            assert row["similarity"] == pytest.approx(1)


def test_the_runtimes_make_the_same_of_it(project: Path, model: str) -> None:
    done = in_own_process("parity", CONFIG, "--fast", "--sample", "all", folder=project, RAY_ADDRESS=model)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Parity holds" in done.stdout


def test_without_the_model_the_run_says_what_to_deploy(project: Path, ray_cluster: str, tmp_path: Path) -> None:
    text = (
        (project / CONFIG).read_text().replace("app: embeddings, timeout", "app: nobody, retry: {attempts: 1}, timeout")
    )
    shutil.copytree(project, tmp_path / "copy")
    (tmp_path / "copy" / CONFIG).write_text(text)
    done = in_own_process("run", "batch", CONFIG, folder=tmp_path / "copy", RAY_ADDRESS=ray_cluster)
    assert done.returncode == 1
    assert "lookup embedding" in done.stderr
    assert "Try: serve deploy" in done.stderr
