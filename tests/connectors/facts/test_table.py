"""Keys found by hash: those of every type, of several fields, of one hash, in tables of any size."""

from __future__ import annotations

from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.shelf_lookup import halls, opened
from trivium.connectors.facts import order, table
from trivium.connectors.facts.build import Origins, Validity, built
from trivium.connectors.facts.hashes import hashes
from trivium.connectors.facts.table import FactTable
from trivium.core.errors import LookupAnswerError

KEY = pa.struct([("x", pa.int64()), ("y", pa.string())])
PAIR = pa.struct([("x", pa.string()), ("y", pa.int64())])
KEYS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.string(), st.text(max_size=30)),
    (pa.large_string(), st.text(max_size=3)),
    (pa.binary(), st.binary(max_size=40)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint16(), st.integers(0, 9)),
    (pa.bool_(), st.booleans()),
    (pa.date32(), st.dates()),
    (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
    (pa.decimal128(20, 2), st.decimals(-1000, 1000, places=2)),
    (pa.float64(), st.floats(allow_nan=False).filter(bool)),
    (PAIR, st.builds(lambda x, y: {"x": x, "y": y}, st.text(max_size=9), st.integers(0, 3))),
]


def facts(keys: pa.Array, validity: Validity | None = None) -> FactTable:
    columns = dict(zip(("x", "y"), keys.flatten(), strict=True)) if pa.types.is_struct(keys.type) else {"x": keys}
    rows = pa.RecordBatch.from_pydict({**columns, "n": list(range(len(keys)))})
    return built(rows, list(columns), keys.type, validity, Origins("shelves", ["f"], [len(keys)]))


def numbers(found: Any) -> list[int | None]:
    """The number of the row that answers each key."""
    return found.rows.column("n").take(found.index).to_pylist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("by_dict", [0, 10_000])
@pytest.mark.parametrize(("kind", "values"), KEYS, ids=[str(kind) for kind, _ in KEYS])
def test_keys_are_found_and_others_not(
    kind: pa.DataType, values: st.SearchStrategy[Any], by_dict: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_BY_DICT", by_dict)

    @settings(max_examples=40, deadline=None)
    @given(st.lists(values, max_size=50, unique_by=str), st.integers(0, 50))
    def check(keys: list[Any], known: int) -> None:
        column = pa.array(keys, kind)
        distinct = {str(value): place for place, value in enumerate(order.values_of(column[:known]))}
        found = numbers(facts(column[:known]).answer(column, 0))
        assert found == [distinct.get(str(value)) for value in order.values_of(column)]

    check()


def test_minus_zero_is_zero() -> None:
    assert hashes(pa.array([0.0])) == hashes(pa.array([-0.0]))


def test_hashes_do_not_depend_on_where_a_key_lies() -> None:
    texts = ["", "a", "abcdefgh", "abcdefghi", "x" * 511, "x" * 512, "x" * 513, "x" * 5000, "é" * 300]
    column = pa.array([*texts, *texts[::-1]])
    assert hashes(column)[: len(texts)].tolist() == hashes(column)[len(texts) :][::-1].tolist()
    assert len(set(hashes(column).tolist())) == len(texts)
    assert [hashes(column[place : place + 1])[0] for place in range(len(column))] == hashes(column).tolist()
    numbers = pa.array(range(100), pa.int16())
    assert hashes(numbers[7:9]).tolist() == hashes(numbers).tolist()[7:9]


@pytest.mark.parametrize("kind", [pa.string(), pa.int64()])
def test_keys_of_one_hash_are_told_apart(kind: pa.DataType, monkeypatch: pytest.MonkeyPatch) -> None:
    def alike(keys: pa.Array) -> Any:
        return hashes(keys) % np.uint64(3)

    monkeypatch.setattr(order, "hashes", alike)
    monkeypatch.setattr(table, "hashes", alike)
    monkeypatch.setattr(table, "_BY_DICT", 0)
    keys = pa.array(range(40), pa.int64()).cast(kind)
    found = facts(keys[:30])
    assert numbers(found.answer(keys, 0)) == [*range(30), *[None] * 10]
    with pytest.raises(LookupAnswerError, match="2 keys more than once"):
        facts(pa.concat_arrays([keys[:30], keys[5:6], keys[9:10], keys[5:6]]))
    twice = pa.concat_arrays([keys[:30], keys[:30]])
    since = np.concatenate([np.full(30, 100), np.full(30, 50)])
    timed = facts(twice, Validity(since, None))
    assert numbers(timed.answer_as_of(keys, np.full(40, 99))) == [*range(30, 60), *[None] * 10]
    assert numbers(timed.answer_as_of(keys, np.full(40, 100))) == [*range(30), *[None] * 10]


def test_a_key_of_several_columns_is_found_by_place(tmp_path: Path) -> None:
    rows = {"site": [1, 1, 2], "when": [date(2026, 3, 1)] * 3, "code": ["A", "B", "A"], "hall": ["a", "b", "c"]}
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    kind = pa.struct([("s", pa.int64()), ("w", pa.date32()), ("c", pa.string())])
    lookup = opened(tmp_path / "a.parquet", kind, key=["site", "when", "code"])
    wanted = ((2, 1, "A"), (2, 1, "B"), (1, 1, "B"), (1, 2, "A"))
    asked = [{"s": site, "w": date(2026, 3, day), "c": code} for site, day, code in wanted]
    assert halls(lookup, asked, kind) == ["c", None, "b", None]


def test_what_a_key_of_several_columns_lacks_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": ["a", "a"], "y": [1, None], "hall": ["n", "s"]}), tmp_path / "a.parquet")
    with pytest.raises(LookupAnswerError, match=r"1 rows have no key, the first is .*a\.parquet row 1"):
        opened(tmp_path / "a.parquet", PAIR, key=["x", "y"])
    with pytest.raises(LookupAnswerError, match=r"as many key columns as .* have fields, 2, got 1 \(x\)"):
        opened(tmp_path / "a.parquet", PAIR, key="x")


def test_a_row_is_named_by_its_file(tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        pq.write_table(pa.table({"code": [f"{name}a", "B" if name != "1" else "b"]}), tmp_path / f"{name}.parquet")
    with pytest.raises(LookupAnswerError, match=r"such as 'B' in .*/2\.parquet row 1 and .*/3\.parquet row 1"):
        opened(tmp_path)


def test_decimals_of_keys_are_compared_as_numbers(tmp_path: Path) -> None:
    kind = pa.decimal128(6, 2)
    pq.write_table(pa.table({"code": pa.array([Decimal("1.50")], kind), "hall": ["n"]}), tmp_path / "a.parquet")
    assert halls(opened(tmp_path / "a.parquet", kind), [Decimal("1.5"), Decimal("1.51")], kind) == ["n", None]


ROWS = st.dictionaries(st.tuples(st.integers(0, 9), st.text("ab", max_size=3)), st.integers(0, 99), max_size=60)


@settings(max_examples=40, deadline=None)
@given(known=ROWS, unknown=ROWS, by_dict=st.sampled_from([0, 1000]))
def test_rows_are_those_of_duckdbs_join(known: Any, unknown: Any, by_dict: int) -> None:
    asked = pa.table({"n": range(len(known | unknown)), **_columns(known | unknown)})
    rows = pa.table({**_columns(known), "value": list(known.values())})
    with duckdb.connect() as database:
        query = "select value from asked left join rows using (x, y) order by n"
        expected = [value for (value,) in database.execute(query).fetchall()]
    keys = pa.StructArray.from_arrays([asked["x"].combine_chunks(), asked["y"].combine_chunks()], fields=list(KEY))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "_BY_DICT", by_dict)
        batch = rows.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=rows.schema)]
        answer = built(batch[0], ["x", "y"], KEY, None, Origins("shelves", ["f"], [len(known)])).answer(keys, 0)
    assert answer.rows.column("value").take(answer.index).to_pylist() == expected


def _columns(keys: Any) -> dict[str, pa.Array]:
    return {"x": pa.array([x for x, _ in keys], pa.int64()), "y": pa.array([y for _, y in keys], pa.string())}
