"""A batch run over an archive that keeps what a header said in a column of its own."""

from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.visits import RAW, TYPED, Visits, day, visit

BACKS = (0, 1, 0)


def project(root: Path, source: str) -> Visits:
    """One day of visits; a header names the types."""
    made = Visits(root, source=f"{source}, type_column: kind")
    made.config.write_text("routing: {header: kind}\n" + made.config.read_text())
    return made


def write(made: Visits, table: pa.Table) -> None:
    path = made.root / "data" / f"day={day(0)}" / "part-0.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table, path)


def test_rows_are_those_of_the_same_events_with_their_tags(tmp_path: Path) -> None:
    events = [visit(f"v{n}", 0, back=back) for n, back in enumerate(BACKS)]
    tagged = Visits(tmp_path / "tagged")
    tagged.write(0, [*events, {"event_type": "other"}])
    bare = [{name: value for name, value in event.items() if name != "event_type"} for event in events]
    kinds = ["visit", "visit", "visit", "other"]
    raw = project(tmp_path / "raw", RAW)
    write(raw, pa.table({"value": [msgspec.json.encode(event) for event in [*bare, {}]], "kind": kinds}))
    typed = project(tmp_path / "typed", TYPED)
    write(typed, pa.Table.from_pylist([*({**event, "kind": "visit"} for event in bare), {**bare[0], "kind": "other"}]))
    counts = [made.run().counts for made in (tagged, raw, typed)]
    assert counts[0] == counts[1] == counts[2]
    assert counts[0]["_unrouted"].dropped == 1
    assert tagged.content() == raw.content() == typed.content()
    assert len(tagged.content().rows) == 4


def test_one_type_that_no_column_names_and_a_field_that_lies_in_folders(tmp_path: Path) -> None:
    events = [visit(f"v{n}", 0, back=n % 2) for n in range(4)]
    tagged = Visits(tmp_path / "tagged")
    tagged.write(0, events)
    tagged.run()
    bare = [{name: value for name, value in event.items() if name not in ("event_type", "back")} for event in events]
    for name, source in (("named", "event_type: visit"), ("folder", "type_column: kind")):
        made = Visits(tmp_path / name, source=f"{TYPED}, {source}")
        for number, event in enumerate(bare):
            folder = made.root / "data" / "kind=visit" / f"day={day(0)}" / f"back={number % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist([event]), folder / f"part-{number}")
        assert made.run().counts["visit"].emitted_inputs == 4
        assert made.content().rows == tagged.content().rows
