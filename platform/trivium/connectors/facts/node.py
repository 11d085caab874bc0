"""Tables of facts shared by the processes of a node: made once, mapped by all, removed when nobody uses them.

They lie below the node's temporary directory, in a folder that belongs to the user alone. A table is a folder there,
named by the digest of what decides its content; it is written under another name and renamed once it is whole, so that
a maker that is killed leaves nothing that is used. Whoever uses a table holds a shared lock of its folder, which ends
with the process; what nobody holds may be removed. A name holds for one boot of the machine: files need no sync.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from trivium.connectors.facts.locks import held, leased
from trivium.connectors.facts.table import FactTable, Index
from trivium.core.fault_points import reach

_log = logging.getLogger(__name__)

_LEAST_BYTES: Final = 8 << 20
"""Bytes of rows from which on a table is shared: below, each process builds its own, which takes less than 0.1 s."""
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_ROWS: Final = "rows.arrow"
_ARRAYS: Final = ("hashes", "starts", "since", "until")
_PRIVATE: Final = 0o700
_CLEANING: Final = "clean.lock"
_FORMAT: Final = "1"


def shared(content: str, key: Sequence[str], key_type: pa.DataType, build: Callable[[], FactTable]) -> FactTable:
    """Return the table of a content, which `build` makes where no process of this node has made it.

    Small tables, and all where the temporary directory cannot be used, are this process's own.
    """
    root = _root()
    if root is None:
        return build()
    folder = root / hashlib.sha256("\n".join((_FORMAT, pa.__version__, _boot(), content)).encode()).hexdigest()[:32]
    try:
        with held(root / f"{folder.name}.lock"):
            found = _mapped(folder, key, key_type)
            if found is None:
                found = _made(folder, key, key_type, build)
    except OSError as error:
        _log.warning("facts cannot be shared in %s, each process holds its own: %s", root, error)
        return build()
    clean()
    pa.default_memory_pool().release_unused()
    return found


def release(table: FactTable) -> None:
    """Remove the files of a table that this process needs no more, unless another one does; it still answers."""
    if table.lease is not None:
        table.lease.end()
        clean()


def clean() -> None:
    """Remove the tables that no process uses."""
    root = _root()
    if root is None:
        return
    with suppress(OSError), held(root / _CLEANING):
        for folder in root.iterdir():
            if folder.is_dir():
                _remove_unused(folder)


def _root() -> Path | None:
    """Return the user's own folder; None where there is none that only the user can write to."""
    if not _boot():
        return None
    root = Path(tempfile.gettempdir()) / f"trivium-facts-{os.geteuid()}"
    try:
        root.mkdir(_PRIVATE, exist_ok=True)
        state = root.lstat()
    except OSError:
        return None
    own = stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o077
    return root if own else None


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _mapped(folder: Path, key: Sequence[str], key_type: pa.DataType) -> FactTable | None:
    lease = leased(folder)
    if lease is None:
        return None
    rows = pa.ipc.open_file(pa.memory_map(str(folder / _ROWS))).get_batch(0)
    arrays = {name: np.load(path, mmap_mode="r").view(np.ndarray) for name, path in _files(folder) if path.exists()}
    return FactTable(rows, key, key_type, Index(**arrays), lease)


def _made(folder: Path, key: Sequence[str], key_type: pa.DataType, build: Callable[[], FactTable]) -> FactTable:
    """Build a table and put it into its folder; one that is small, or finds no place there, stays where it is."""
    table = build()
    if table.rows.nbytes < _LEAST_BYTES:
        return table
    making = folder.parent / f"making-{uuid.uuid4().hex}"
    try:
        with held(folder.parent / _CLEANING):  # until it is leased, the folder would be taken for an unused one
            making.mkdir(_PRIVATE)
            lease = leased(making)
        _write(making, table)
        reach("facts.before_share")
        making.rename(folder)
        found = _mapped(folder, key, key_type)
    except OSError as error:
        _log.warning("facts cannot be shared in %s, each process holds its own: %s", folder.parent, error)
        shutil.rmtree(making, ignore_errors=True)
        return table
    del lease
    return found or table


def _write(folder: Path, table: FactTable) -> None:
    with pa.OSFile(str(folder / _ROWS), "wb") as file, pa.ipc.new_file(file, table.rows.schema) as writer:
        writer.write_batch(table.rows)
    for name, path in _files(folder):
        array = getattr(table.index, name)
        if array is not None:
            np.save(path, array)


def _files(folder: Path) -> list[tuple[str, Path]]:
    return [(name, folder / f"{name}.npy") for name in _ARRAYS]


def _remove_unused(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)
