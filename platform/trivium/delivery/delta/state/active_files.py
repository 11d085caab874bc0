"""The active files of one version: most of them as sorted Arrow columns, the latest as objects.

A table may have a hundred thousand files, of which a commit adds a few. So looking for one costs a binary search, the
next version shares the columns with this one, and only who goes through all files makes an object of each.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from trivium.delivery.delta.entry import AddedFile, logged_path

_BATCH: Final = 4096
_PLAIN: Final = "^[A-Za-z0-9/=._-]*$"
"""Matches paths that are the same whether encoded or not, by whichever engine."""
_FRESH: Final = 4096
"""Files that came or went since the columns were made, beside 1/32 of those in them, before they are made anew."""


@dataclass(frozen=True)
class ActiveFile:
    """A file that readers of a version see. `partition_values` are Delta's strings.

    `logged` is how entries name it, if another engine encodes names in a way of its own: who removes it names it so.
    """

    path: str
    size: int
    partition_values: Mapping[str, str | None]
    logged: str | None = field(default=None, compare=False)


class ActiveFiles(Mapping[str, ActiveFile]):
    """The files of a version by path; never changed, `changed` returns those of a later version."""

    def __init__(
        self,
        columns: tuple[str, ...],
        kept: pa.Table,
        fresh: Mapping[str, ActiveFile] | None = None,
        gone: frozenset[str] = frozenset(),
    ) -> None:
        self._columns, self._kept = columns, kept
        self._paths: pa.Array = kept["path"].chunk(0) if kept.num_rows else pa.array([], pa.large_string())
        self._fresh: Mapping[str, ActiveFile] = fresh or {}
        self._gone = gone

    @classmethod
    def of_actions(cls, columns: tuple[str, ...], actions: pa.Table) -> ActiveFiles:
        """Return the files that a checkpoint's columns `path`, `size` and `partitionValues` (a map) name."""
        paths = actions["path"].cast(pa.large_string())
        odd = pa.nulls(len(paths), pa.large_string())
        if not pc.all(pc.match_substring_regex(paths, _PLAIN)).as_py():
            logged = paths.to_pylist()
            decoded = [unquote(each) for each in logged]
            paths = pa.chunked_array([pa.array(decoded, pa.large_string())])
            pairs = zip(decoded, logged, strict=True)
            odd = pa.array([name if logged_path(path) != name else None for path, name in pairs], pa.large_string())
        values = [_values_of(actions["partitionValues"], name) for name in columns]
        return cls(columns, _sorted(columns, [paths, actions["size"], odd, *values]))

    @classmethod
    def none(cls, columns: tuple[str, ...]) -> ActiveFiles:
        """Return no files, of a table with these partition columns."""
        return cls(columns, _table(columns, ()))

    def changed(self, added: Iterable[ActiveFile], removed: Iterable[str]) -> ActiveFiles:
        """Return the files after these were removed, then those added; one that is there already is replaced."""
        fresh, gone = dict(self._fresh), set(self._gone)
        for path in removed:
            fresh.pop(path, None)
            if self._place(path) is not None:
                gone.add(path)
        for file in added:
            fresh[file.path] = file
            if self._place(file.path) is not None:
                gone.add(file.path)
        if len(fresh) + len(gone) > _FRESH + self._kept.num_rows // 32:
            return ActiveFiles(self._columns, self._joined(fresh, gone))
        return ActiveFiles(self._columns, self._kept, fresh, frozenset(gone))

    def __len__(self) -> int:
        return len(self._paths) - len(self._gone) + len(self._fresh)

    def __iter__(self) -> Iterator[str]:
        return (file.path for file in self._files())

    def __contains__(self, path: object) -> bool:
        if path in self._fresh or path in self._gone:
            return path in self._fresh
        return isinstance(path, str) and self._place(path) is not None

    def __getitem__(self, path: str) -> ActiveFile:
        if path in self._fresh:
            return self._fresh[path]
        place = None if path in self._gone else self._place(path)
        if place is None:
            raise KeyError(path)
        return next(self._objects(self._kept.slice(place, 1)))

    def values(self) -> ValuesView[ActiveFile]:
        """Return a view of the files, which makes objects of them as it goes."""
        return _Files(self)

    def items(self) -> ItemsView[str, ActiveFile]:
        """Return a view of the files with their paths, which makes objects of them as it goes."""
        return _Items(self)

    def _files(self) -> Iterator[ActiveFile]:
        slices = (self._kept.slice(start, _BATCH) for start in range(0, self._kept.num_rows, _BATCH))
        kept = chain.from_iterable(map(self._objects, slices))
        return chain((file for file in kept if file.path not in self._gone), self._fresh.values())

    def _place(self, path: str) -> int | None:
        """Find a path among the columns; Arrow sorts by bytes, Python by code points: in UTF-8 that is one order."""
        paths, low, high = self._paths, 0, len(self._paths)
        while low < high:
            middle = (low + high) // 2
            if paths[middle].as_py() < path:
                low = middle + 1
            else:
                high = middle
        return low if low < len(paths) and paths[low].as_py() == path else None

    def _objects(self, rows: pa.Table) -> Iterator[ActiveFile]:
        paths, sizes, logged, *values = (column.to_pylist() for column in rows.columns)
        for number, path in enumerate(paths):
            held = {name: of_all[number] for name, of_all in zip(self._columns, values, strict=True)}
            yield ActiveFile(path, sizes[number], held, logged[number])

    def _joined(self, fresh: Mapping[str, ActiveFile], gone: set[str]) -> pa.Table:
        stays = pc.invert(pc.is_in(self._paths, pa.array(sorted(gone), pa.large_string())))
        rest = self._kept.filter(stays) if self._kept.num_rows else self._kept
        joined = pa.concat_tables([rest, _table(self._columns, fresh.values())])
        return _sorted(self._columns, joined.columns)


class _Files(ValuesView[ActiveFile]):
    _mapping: ActiveFiles

    def __iter__(self) -> Iterator[ActiveFile]:
        return self._mapping._files()  # noqa: SLF001 - a view of the class above


class _Items(ItemsView[str, ActiveFile]):
    _mapping: ActiveFiles

    def __iter__(self) -> Iterator[tuple[str, ActiveFile]]:
        return ((file.path, file) for file in self._mapping._files())  # noqa: SLF001 - a view of the class above


def active_file(added: AddedFile, columns: tuple[str, ...]) -> ActiveFile:
    """Return the file that an action adds to a table with these partition columns; an empty value is Delta's null."""
    path = unquote(added.path)
    values = {name: added.partition_values.get(name) or None for name in columns}
    return ActiveFile(path, added.size, values, None if logged_path(path) == added.path else added.path)


def _values_of(maps: pa.ChunkedArray, name: str) -> pa.Array:
    """Return one partition column; an empty value is Delta's null."""
    if not len(maps):
        return pa.array([], pa.string())
    found = pc.map_lookup(maps, pa.scalar(name), "first")
    return pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)


def _table(columns: tuple[str, ...], files: Iterable[ActiveFile]) -> pa.Table:
    listed = list(files)
    values = [pa.array([each.partition_values.get(name) for each in listed], pa.string()) for name in columns]
    paths = pa.array([each.path for each in listed], pa.large_string())
    sizes, logged = pa.array([each.size for each in listed], pa.int64()), [each.logged for each in listed]
    return _sorted(columns, [paths, sizes, pa.array(logged, pa.large_string()), *values])


def _sorted(columns: tuple[str, ...], values: list[Any]) -> pa.Table:
    """Return columns as one chunk each, sorted by path; partition values repeat, so they are kept once."""
    text, repeated = pa.large_string(), pa.dictionary(pa.int32(), pa.string())
    kinds = (text, pa.int64(), text, *(repeated for _ in columns))
    names = ("path", "size", "logged", *(f"partition.{name}" for name in columns))
    table = pa.table([_encoded(value, kind) for value, kind in zip(values, kinds, strict=True)], names=list(names))
    return table.take(pc.sort_indices(table, [("path", "ascending")])).unify_dictionaries().combine_chunks()


def _encoded(values: Any, kind: pa.DataType) -> Any:
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(values.type):
        return pc.dictionary_encode(values)
    return values.cast(kind)
