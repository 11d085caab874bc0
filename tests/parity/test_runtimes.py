"""Parity by the three real runtimes: Ray Data, a broker, the HTTP service, each with a cluster of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.terminal import in_own_process


@pytest.mark.faults
@pytest.mark.timeout(400)
def test_three_runtimes_make_the_same_of_real_flights(
    repository: Path, flights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    page = tmp_path / "parity.html"
    command = ("parity", "configs/flights.yaml", "--sample", "100", "--html", str(page))
    done = in_own_process(*command, folder=repository, DATA=str(flights), TABLES=str(tmp_path / "tables"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Parity holds: batch, streaming, serving made the same of" in done.stdout
    assert "Parity holds" in page.read_text()
    assert not (tmp_path / "tables").exists(), "the pipeline's own tables were touched"
