"""The facts' part of the demo: what a table's commits say of each lookup, added up by runtime."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from jobs import lookup_states


def test_commits_are_added_up_by_lookup_and_runtime(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = {"name": "v1", "used_us": 1_357_000_000_000_000}, {"name": "v2", "used_us": 1_357_000_060_000_000}
    commits = [
        ("batch", {"plane": {"counts": {"keys": 1200, "calls": 3}, "oldest": old, "newest": old}}),
        ("streaming", {"plane": {"counts": {"keys": 5}, "oldest": old, "newest": new}, "airline": {"counts": {}}}),
        ("streaming", {"plane": {"counts": {"keys": 6, "missing": 1}, "oldest": new, "newest": new}}),
        ("streaming", None),
    ]
    for runtime, uses in commits:
        metadata = {"runtime": runtime} | ({} if uses is None else {"lookups": json.dumps(uses)})
        rows = pa.table({"a": [1]})
        write_deltalake(tmp_path, rows, mode="append", commit_properties=CommitProperties(custom_metadata=metadata))
    lookup_states.show(str(tmp_path))
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["lookup", "runtime", "keys", "cached"]
    assert [line.split() for line in lines] == [
        ["airline", "streaming", "0", "0", "0", "0", "0", "0", "names", "no", "states"],
        ["plane", "batch", "1,200", "0", "3", "0", "0", "0", "v1", "of", "2013-01-01", "00:26:40", "UTC"],
        ["plane", "streaming", "11", "0", "0", "0", "1", "0", "v2", "of", "2013-01-01", "00:27:40", "UTC"],
    ]
