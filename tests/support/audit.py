"""The audit of a table after a fault: each offset accounted for once, and how interesting the run was."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from trivium.delivery.commit.positions import parse_source, source_name
from trivium.delivery.dead_letters import batch as dead_letters


@dataclass
class Audit:
    """Counts over all partitions. `produced` is what the producer was told is in the log.

    `half_done` counts dead letters removed because their epoch was never committed, `races` commits that needed a
    second attempt, `changed` records that were rejected in an attempt that did not count and ended otherwise.
    """

    produced: int = 0
    in_table: int = 0
    dropped: int = 0
    dead_letters: int = 0
    holes: int = 0
    duplicates: int = 0
    missing: int = 0
    half_done: int = 0
    races: int = 0
    changed: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        names = ("produced", "in_table", "dropped", "dead_letters", "holes", "duplicates", "missing")
        return ", ".join(f"{name.replace('_', ' ')} {getattr(self, name):,}" for name in names)

    def interesting(self) -> str:
        """How often what the matrix is about happened."""
        return f"half-done epochs {self.half_done}, lost races {self.races}, changed outcomes {self.changed}"


def commits(table: str) -> list[tuple[int, dict[str, Any], int]]:
    """Version, Trivium's metadata and added rows of every commit."""
    found = []
    for path in sorted(Path(table, "_delta_log").glob("*.json")):
        if not path.stem.isdigit():
            continue
        actions = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        info = next((one["commitInfo"] for one in actions if "commitInfo" in one), {})
        rows = sum(json.loads(one["add"]["stats"])["numRecords"] for one in actions if "add" in one)
        found.append((int(path.stem), info, rows))
    return found


def audit(table: str, letters: str, produced: dict[str, int]) -> Audit:
    """Check I1 to I5 over every streaming commit; `produced` maps partitions to acknowledged records."""
    found = Audit(produced=sum(produced.values()))
    rows = _rows(table)
    kept = _letters(letters, table)
    ranges = _ranges(table, found)
    for partition, stretches in ranges.items():
        _check_partition(partition, stretches, rows.get(partition, Counter()), kept.get(partition, Counter()), found)
    _check_positions(table, ranges, found)
    _check_files(table, found)
    _check_files(letters, found)
    found.half_done, found.changed = _taken_back(letters, rows, kept, ranges)
    found.races = sum(int(info.get("attempt", 1)) > 1 for _, info, _ in commits(table))
    read = sum(each["read"] for stretches in ranges.values() for each in stretches)
    if read != found.produced:
        found.problems.append(f"produced {found.produced}, read {read}")
        found.missing += max(0, found.produced - read)
    return found


def _rows(table: str) -> dict[str, Counter[int]]:
    """How often each (position, row) of each source is in the table, as streaming wrote it."""
    data = DeltaTable(table).to_pyarrow_table(columns=["_source", "_position", "_row", "_runtime"]).to_pylist()
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for row in data:
        if row["_runtime"] == "streaming" and row["_row"] == 0:
            found[row["_source"]][row["_position"]] += 1
    return found


def _letters(letters: str, table: str) -> dict[str, Counter[int]]:
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for row in dead_letters.read(letters, table).select(["source", "position", "runtime"]).to_pylist():
        if row["runtime"] == "streaming":
            found[row["source"]][row["position"]] += 1
    return found


def _ranges(table: str, found: Audit) -> dict[str, list[dict[str, int]]]:
    """The committed stretches of each source: within one position epoch they follow one another."""
    ranges: dict[str, list[dict[str, int]]] = defaultdict(list)
    resets = 0
    for version, info, rows in commits(table):
        resets += info.get("kind") == "reset"
        if info.get("kind") != "epoch":
            continue
        for partition, each in json.loads(info["ranges"]).items():
            ranges[source_name(partition, resets)].append(each)
        emitted = sum(each["emitted_rows"] for each in json.loads(info["balance"]).values())
        if emitted != rows:
            found.problems.append(f"I5: version {version} adds {rows} rows of an epoch of {emitted}")
    return ranges


def _check_partition(
    partition: str, stretches: list[dict[str, int]], rows: Counter[int], kept: Counter[int], found: Audit
) -> None:
    for before, after in pairwise(stretches):
        if before["next"] != after["start"]:
            found.problems.append(f"I2: {partition}: {before['next']} is followed by {after['start']}")
    for each in stretches:
        inside = range(each["start"], each["next"])
        in_table = {at for at in rows if at in inside}
        in_letters = {at for at in kept if at in inside}
        outcomes = (len(in_table), len(in_letters), each["dropped"], each["holes"])
        if (len(in_table), len(in_letters)) != (each["emitted"], each["rejected"] + each.get("parked", 0)):
            found.problems.append(f"I1: {partition} {each}: table {len(in_table)}, dead letters {len(in_letters)}")
        found.missing += max(0, len(inside) - sum(outcomes))
        found.duplicates += len(in_table & in_letters)
        found.dropped += each["dropped"]
        found.holes += each["holes"]
    found.in_table += len(rows)
    found.dead_letters += sum(kept.values())
    found.duplicates += sum(count - 1 for count in (*rows.values(), *kept.values()))
    end = stretches[-1]["next"] if stretches else 0
    beyond = [at for at in (*rows, *kept) if at >= end]
    if beyond:
        found.problems.append(f"I1: {partition}: {len(beyond)} rows or dead letters at or past the position {end}")


def _check_positions(table: str, ranges: dict[str, list[dict[str, int]]], found: Audit) -> None:
    snapshot = DeltaTable(table)
    pipeline = snapshot.metadata().configuration["trivium.pipeline"]
    newest = {parse_source(source)[0]: stretches for source, stretches in ranges.items()}
    for partition, stretches in newest.items():
        position = snapshot.transaction_version(f"{pipeline}/{partition}")
        if position != stretches[-1]["next"]:
            found.problems.append(f"I3: {partition}: position {position}, last range ends at {stretches[-1]['next']}")


def _check_files(table: str, found: Audit) -> None:
    """I4: every file in the log exists, opens, and has its recorded rows."""
    for action in pa.table(DeltaTable(table).get_add_actions(flatten=True)).to_pylist():
        rows = pq.read_metadata(f"{table}/{action['path']}").num_rows
        if rows != action["num_records"]:
            found.problems.append(f"I4: {action['path']}: {rows} rows, {action['num_records']} recorded")


def _taken_back(
    letters: str,
    rows: dict[str, Counter[int]],
    kept: dict[str, Counter[int]],
    ranges: dict[str, list[dict[str, int]]],
) -> tuple[int, int]:
    """Dead letters that a start removed, and how many of those records ended otherwise; nothing vacuums in between."""
    removed: set[tuple[str, int]] = set()
    for path in sorted(Path(letters, "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        if not any(action.get("commitInfo", {}).get("kind") == "clean_up" for action in actions):
            continue
        for action in actions:
            if "remove" in action and "runtime=streaming" not in action["remove"]["path"]:
                data = pq.read_table(Path(letters, action["remove"]["path"]), columns=["source", "position", "runtime"])
                removed |= {(r["source"], r["position"]) for r in data.to_pylist() if r["runtime"] == "streaming"}
    ends = {partition: stretches[-1]["next"] for partition, stretches in ranges.items() if stretches}
    passed = {place for place in removed if place[1] < ends.get(place[0], 0)}
    changed = {place for place in passed if not kept.get(place[0], Counter())[place[1]]}
    return len(removed), len(changed)
