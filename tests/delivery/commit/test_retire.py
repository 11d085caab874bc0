"""Retiring an event type: its rows of both runtimes go in one commit, everybody else's stay as they were."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from tests.support.proposals import Append
from tests.support.sample_table import PIPELINE, SCHEMA, Tables, day, event_rows, write_rows
from trivium.delivery.commit.committer import commit
from trivium.delivery.commit.retire import Retirement
from trivium.delivery.coverage.scope import Window
from trivium.delivery.maintenance.ledger import commits


def of_type(event_type: str, identities: dict[str, date]) -> pa.Table:
    rows = event_rows(identities)
    place = rows.column_names.index("_event_type")
    return rows.set_column(place, SCHEMA.field("_event_type"), pa.array([event_type] * len(identities)))


@pytest.fixture
def filled(tables: Tables) -> Tables:
    """Types a and b on two days: batch a file each, the stream's files mixed."""
    a = {"a0": day(0), "a1": day(1)}
    b = {"b0": day(0), "b1": day(1)}
    both = pa.concat_tables([of_type("a", {f"s{name}": at for name, at in a.items()}), of_type("b", {"sb0": day(0)})])
    files = [*write_rows(tables.uri, of_type("a", a)), *write_rows(tables.uri, of_type("b", b))]
    commit(tables.uri, Append((*files, *write_rows(tables.uri, both, "streaming"))), tables.clock)
    return tables


def rows(tables: Tables, event_type: str) -> list[dict[str, Any]]:
    table = tables.snapshot.table.to_pyarrow_table()
    found = [row for row in table.to_pylist() if row["_event_type"] == event_type]
    return sorted(found, key=lambda row: row["event_id"])


def retirement(window: Window | None = None) -> Retirement:
    return Retirement(PIPELINE, "a", window, 4)


def test_all_rows_of_the_type_go_and_no_other(filled: Tables) -> None:
    before, version = rows(filled, "b"), filled.snapshot.version
    landed = commit(filled.uri, retirement(), filled.clock)
    assert (landed.version, landed.attempts) == (version + 1, 1)
    assert rows(filled, "a") == []
    assert rows(filled, "b") == before
    assert {row["event_id"] for row in before} == {"b0", "b1", "sb0"}


def test_only_rows_of_the_days_go(filled: Tables) -> None:
    before = rows(filled, "b")
    commit(filled.uri, retirement(Window(day(1), day(2))), filled.clock)
    assert [row["event_id"] for row in rows(filled, "a")] == ["a0", "sa0"]
    assert rows(filled, "b") == before


def test_it_is_in_the_history(filled: Tables) -> None:
    commit(filled.uri, retirement(Window(day(1), day(2))), filled.clock)
    newest = commits(filled.uri)[-1].metadata
    assert {name: newest[name] for name in ("kind", "event_types", "window", "rows")} == {
        "kind": "retire",
        "event_types": '["a"]',
        "window": "[2026-01-02, 2026-01-03)",
        "rows": "4",
    }


def test_rows_that_came_meanwhile_go_too_and_others_are_not_lost(filled: Tables) -> None:
    one = retirement()
    real = one.change

    def change(snapshot: Any) -> Any:
        made = real(snapshot)
        if snapshot.version == version:
            late = pa.concat_tables([of_type("a", {"late": day(0)}), of_type("b", {"kept": day(0)})])
            commit(filled.uri, Append(write_rows(filled.uri, late, "streaming")), filled.clock)
        return made

    version = filled.snapshot.version
    object.__setattr__(one, "change", change)
    assert commit(filled.uri, one, filled.clock).attempts == 2
    assert rows(filled, "a") == []
    assert [row["event_id"] for row in rows(filled, "b")] == ["b0", "b1", "kept", "sb0"]


@pytest.mark.parametrize("point", ["table.before_commit", "table.after_commit"])
def test_a_lost_answer_removes_once(filled: Tables, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    before, version = rows(filled, "b"), filled.snapshot.version
    monkeypatch.setenv("TRIVIUM_FAULT_POINT", f"{point}:raise")
    monkeypatch.setattr(
        filled.clock, "sleep", lambda _seconds: monkeypatch.delenv("TRIVIUM_FAULT_POINT", raising=False)
    )
    landed = commit(filled.uri, retirement(), filled.clock)
    assert (landed.version, landed.attempts) == (version + 1, 2)
    assert (rows(filled, "a"), rows(filled, "b")) == ([], before)
