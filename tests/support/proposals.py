"""A proposal of files and removals for the committer."""

from __future__ import annotations

from dataclasses import dataclass, field

from trivium.delivery.commit.committer import Change
from trivium.delivery.delta.snapshot import ActiveFile, Snapshot
from trivium.delivery.files.data_file import DataFile


@dataclass
class Append:
    """Adds files and moves a transaction; `interfere` runs after the snapshot was taken."""

    files: tuple[DataFile, ...] = ()
    remove: tuple[ActiveFile, ...] = ()
    interferences: list = field(default_factory=list)
    fault_point: str | None = "table"
    seen: list[int] = field(default_factory=list)

    def change(self, snapshot: Snapshot) -> Change:
        self.seen.append(snapshot.version)
        if self.interferences:
            self.interferences.pop(0)()
        return Change(self.files, self.remove, {"test": 1}, {"kind": "test"})

    def landed(self, snapshot: Snapshot) -> bool:
        return snapshot.transaction("test") == 1
