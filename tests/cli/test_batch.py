"""A run from the command line, and everything that looks at what it left: plan, read, dead letters."""

import json
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.support import shop
from tests.support.terminal import Trivium, python

CONFIG = "configs/shop.yaml"


def files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if "__pycache__" not in path.parts)


def test_the_summary_shows_the_balance_of_each_type(finished: tuple[Path, str]) -> None:
    root, printed = finished
    lines = [line.split() for line in printed.splitlines()]
    assert ["_undecoded", "1", "0", "0", "1", "0", "0"] in lines
    assert ["_unrouted", "1", "0", "1", "0", "0", "0"] in lines
    assert ["order", "18", "16", "1", "1", "0", "16"] in lines
    assert ["all", "20", "16", "2", "2", "0", "16"] in lines
    assert f"{root}/tables/shop, version 2" in printed
    assert f"2 dead letters; see: trivium dead-letters list {root / CONFIG}" in printed


def test_the_two_lines_of_python_read_the_table(finished: tuple[Path, str], tmp_path: Path) -> None:
    _, printed = finished
    at = printed.index("import deltalake")
    code = "\n".join(line.strip() for line in printed[at:].splitlines()[:2])
    done = python("-W", "ignore", "-c", code, folder=tmp_path, PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    assert "│ order       │     16 │" in done.stdout


def test_the_plan_of_a_new_project_changes_nothing(project: Path, trivium: Trivium) -> None:
    before = files(project)
    done = trivium("plan", CONFIG, "--format", "json")
    assert done.exit_code == 0, done.output
    assert files(project) == before
    found = json.loads(done.stdout)
    assert found["source"] | {"bytes": 0} == {
        "path": str(project / "data/events"),
        "files": 3,
        "rows": 20,
        "bytes": 0,
        "days": list(shop.DAYS),
        "late_days": [],
        "columns": ["value"],
        "columns_of": 2,
        "notes": [],
    }
    assert (found["units"], found["units_finished"]) == (1, 0)
    assert (found["table"]["version"], found["table"]["replaced"]) == (None, {})


def test_the_plan_of_a_window_names_late_days_and_what_is_replaced(ran: Path, trivium: Trivium) -> None:
    before = {path: path.stat().st_mtime_ns for path in files(ran) if path.is_file()}
    done = trivium("plan", CONFIG, "--from", shop.DAYS[0], "--to", shop.DAYS[1])
    assert done.exit_code == 0, done.output
    said = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "event days 2026-01-01 to before 2026-01-02" in said
    assert "late days 1 day, 2026-01-02: read as well, for events of the window that came in late" in said
    assert "columns read value (1 of 2)" in said
    assert "version 2, 16 columns" in said
    assert "replaced 1 file of batch in 1 event day" in said
    assert {path: path.stat().st_mtime_ns for path in files(ran) if path.is_file()} == before


def test_a_day_without_files_is_named_and_left_as_it_is_when_asked_to(ran: Path, trivium: Trivium) -> None:
    wanted = ("plan", CONFIG, "--from", shop.DAYS[-1], "--to", "2026-01-05")
    done = trivium(*wanted)
    assert done.exit_code == 1, done.output
    assert "found no files of 2026-01-04 (it has 2026-01-01 to 2026-01-03)" in " ".join(done.output.split())
    done = trivium(*wanted, "--allow-missing-days")
    assert done.exit_code == 0, done.output
    said = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "left as it is event days 1 day, 2026-01-04: source days are missing" in said


def test_read_shows_rows_without_lineage(ran: Path, trivium: Trivium) -> None:
    done = trivium("read", "tables/shop", "--limit", "2")
    assert done.exit_code == 0, done.output
    header, _, *rows, last = done.stdout.splitlines()
    assert header.split() == ["event_id", "event_time", "customer", "amount", "large", "event_date"]
    assert len(rows) == 2
    assert last == f"the first 2 of {shop.ROWS} rows, {ran}/tables/shop, version 2"


@pytest.mark.parametrize("ending", ["parquet", "csv", "json"])
def test_read_writes_all_rows_to_a_file(ending: str, ran: Path, tmp_path: Path, trivium: Trivium) -> None:
    output = tmp_path / f"rows.{ending}"
    done = trivium("read", CONFIG, "--output", str(output))
    assert done.exit_code == 0, done.output
    assert duckdb.sql(f"select count(*), count(distinct event_id) from '{output}'").fetchall() == [(16, 16)]
    assert [path.name for path in tmp_path.iterdir()] == [output.name]


def test_read_goes_back_in_time(ran: Path, tmp_path: Path, trivium: Trivium) -> None:
    assert trivium("read", "tables/shop", "--version", "0").stdout.startswith("0 rows")
    late = trivium("read", "tables/shop", "--as-of", "2999-01-01T00:00:00Z", "--output", str(tmp_path / "x.parquet"))
    assert late.exit_code == 0
    assert pq.read_table(tmp_path / "x.parquet").num_rows == shop.ROWS
    none = trivium("read", "tables/shop", "--version", "99")
    assert none.exit_code == 2
    assert "has no version 99; its newest is 2" in none.stderr
    assert trivium("read", "tables/shop", "--version", "1", "--as-of", "2026-01-01").exit_code == 2


def test_the_statement_gives_the_same_rows(ran: Path, trivium: Trivium) -> None:
    statement = trivium("read", "tables/shop", "--sql", "duckdb").stdout
    events = DeltaTable(ran / "tables/shop").to_pyarrow_dataset()
    assert events.schema.names
    assert duckdb.sql(statement).to_arrow_table().num_rows == shop.ROWS
    for dialect in ("polars", "spark"):
        assert "_rank" in trivium("read", "tables/shop", "--sql", dialect).stdout.split("WHERE")[-1]


def test_what_cannot_be_read_or_written_is_said(ran: Path, tmp_path: Path, trivium: Trivium) -> None:
    missing = trivium("read", str(tmp_path))
    assert missing.exit_code == 2
    assert f"there is no Delta table at {tmp_path}" in missing.stderr
    ending = trivium("read", "tables/shop", "--output", str(tmp_path / "rows.xlsx"))
    assert ending.exit_code == 2
    assert "ends in .parquet, .csv, .json" in ending.stderr
    folder = trivium("read", "tables/shop", "--output", str(tmp_path / "none" / "rows.csv"))
    assert folder.exit_code == 1
    assert "No such file or directory" in folder.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", [CONFIG, "tables/shop", "tables/shop/", "tables/shop_dead_letters"])
def test_dead_letters_are_grouped_by_cause(named: str, ran: Path, trivium: Trivium) -> None:
    done = trivium("dead-letters", "list", named, "--format", "json")
    assert done.exit_code == 0, done.output
    undecoded, wrong = json.loads(done.stdout)
    assert wrong == {
        "event_type": "order",
        "stage": "process",
        "reason": "RejectError",
        "count": 1,
        "first": shop.WRONG,
        "last": shop.WRONG,
        "error": "RejectError: amount -1.0 is below zero",
        "owner": None,
        "description": None,
    }
    assert (undecoded["event_type"], undecoded["stage"], undecoded["first"]) == ("", "decode", shop.BROKEN)


def test_dead_letters_can_be_chosen(ran: Path, trivium: Trivium) -> None:
    for chosen in (("--type", "order"), ("--reason", "RejectError")):
        done = trivium("dead-letters", "list", CONFIG, *chosen)
        assert "amount -1.0 is below zero" in done.stdout
        assert "\n1 dead letter\n" in done.stdout
    assert trivium("dead-letters", "list", CONFIG, "--type", "visit").stdout == "0 dead letters\n"


def test_one_dead_letter_is_shown_whole_and_harmless(ran: Path, trivium: Trivium) -> None:
    wrong = trivium("dead-letters", "show", CONFIG, shop.WRONG)
    assert wrong.exit_code == 0, wrong.output
    assert '"amount": -1}' in wrong.stdout
    broken = trivium("dead-letters", "show", CONFIG, shop.BROKEN)
    assert "value_base64  G1sySiL/" in broken.stdout
    assert "\x1b" not in broken.stdout + trivium("dead-letters", "list", CONFIG).stdout
    none = trivium("dead-letters", "show", CONFIG, "day=2026-01-01/part-0.parquet:0")
    assert none.exit_code == 2
    assert "there is no dead letter at day=2026-01-01/part-0.parquet:0" in none.stderr


def test_a_broken_executor_does_not_hide_the_dead_letters(project: Path, ran: Path, trivium: Trivium) -> None:
    config = project / "configs/shop.yaml"
    config.write_text(config.read_text().replace("../tables", str(ran / "tables")).replace("type: order", "type: gone"))
    done = trivium("dead-letters", "list", str(config))
    assert done.exit_code == 0, done.output
    assert "2 dead letters" in done.stdout


def test_a_windowed_run_of_the_job_replaces_its_day(project: Path, ray_cluster: str) -> None:
    job = Path(__file__).resolve().parents[2] / "jobs" / "run_batch.py"
    arguments = (CONFIG, "--from", shop.DAYS[0], "--to", shop.DAYS[1], "--address", ray_cluster)
    done = python(str(job), *arguments, folder=project)
    assert done.returncode == 0, done.stderr
    events = DeltaTable(project / "tables/shop").to_pyarrow_dataset()
    assert duckdb.sql("select event_date::text, count(*) from events group by all").fetchall() == [(shop.DAYS[0], 6)]
    assert events.count_rows() == 6
    assert "out of window" in done.stdout
    wrong = python(str(job), "configs/none.yaml", folder=project)
    assert wrong.returncode == 2
