"""The merge policy as a DuckDB statement that runs as it stands: it names the files of the version itself.

A table on S3, or one of very many files, is read through a registered relation instead, as `merge_sql` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow as pa

from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.merge.query import MergeInputs, merge_sql
from trivium.delivery.merge.sql_text import identifier, literal

_MOST_FILES: Final = 2_000
_GLOB: Final = {"[": "[[]", "*": "[*]", "?": "[?]"}


def standalone_sql(inputs: MergeInputs, snapshot: Snapshot) -> str:
    """Return the policy in DuckDB's dialect over the files of a snapshot, where they are few and on a local volume."""
    text = merge_sql(inputs, "duckdb")
    folder = _folder(inputs.uri)
    if folder is None or len(snapshot.active) > _MOST_FILES:
        return text
    header = (
        f"-- DuckDB: the rows that count of {inputs.uri!r}, version {inputs.version}; the text runs as it stands.\n"
        "-- Python: duckdb.sql(this text); its fetchall() needs the package pytz for times.\n"
    )
    body = text
    while body.startswith("--"):
        body = body.partition("\n")[2]
    return f"{header}WITH events AS (\n{_relation(snapshot, folder)}\n), {body.removeprefix('WITH ')}"


def _folder(uri: str) -> Path | None:
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(uri).absolute() if parts.scheme == "" else None


def _relation(snapshot: Snapshot, folder: Path) -> str:
    """Return a query over the files: one part for each combination of partition values.

    They are taken from the log alone: some of them are in the files, too.
    """
    types = _types(snapshot)
    columns = ", ".join(f"CAST(NULL AS {kind}) AS {identifier(name, 'duckdb')}" for name, kind in types.items())
    groups: dict[tuple[tuple[str, str | None], ...], list[str]] = {}
    for file in snapshot.active.values():
        groups.setdefault(tuple(file.partition_values.items()), []).append(_path(folder, file))
    parts = [f"  SELECT {columns} WHERE false"]
    parts += [_part(dict(values), sorted(paths), types) for values, paths in sorted(groups.items(), key=repr)]
    return "\n  UNION ALL BY NAME\n".join(parts)


def _types(snapshot: Snapshot) -> dict[str, str]:
    """Return DuckDB's name of each column's type."""
    empty = pa.schema(snapshot.schema.to_arrow()).empty_table()
    with duckdb.connect() as connection:
        relation = connection.from_arrow(empty)
        return {name: str(kind) for name, kind in zip(empty.schema.names, relation.types, strict=True)}


def _part(values: Mapping[str, str | None], paths: list[str], types: Mapping[str, str]) -> str:
    listed = ",\n    ".join(literal(path, "duckdb") for path in paths)
    constants = "".join(
        f", {_constant(value, types[name])} AS {identifier(name, 'duckdb')}" for name, value in values.items()
    )
    known = ", ".join(literal(name, "duckdb") for name in values)
    options = "union_by_name = true, hive_partitioning = false"
    columns = f"COLUMNS(lambda name: name NOT IN ({known}))"
    return f"  SELECT {columns}{constants} FROM read_parquet([\n    {listed}\n  ], {options})"


def _path(folder: Path, file: ActiveFile) -> str:
    path = f"{folder}/{file.path}"
    return "".join(_GLOB.get(letter, letter) for letter in path)


def _constant(value: str | None, kind: str) -> str:
    return f"CAST({'NULL' if value is None else literal(value, 'duckdb')} AS {kind})"
