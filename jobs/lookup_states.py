"""Shows how much each lookup of a table's pipeline was asked by each runtime, and which of its states answered last."""

from collections import defaultdict
from datetime import UTC, datetime

from deltalake import DeltaTable

from trivium.delivery.commit.lookups import lookups_in
from trivium.engine.lookups.usage import LookupUse, merged_use

SHOWN = ("keys", "cached", "calls", "found", "missing", "unavailable")
NO_NAME = "names no states"


def uses_of(table: str) -> dict[tuple[str, str], LookupUse]:
    """Return the use of each lookup by each runtime, in all commits of a table's log."""
    parts: dict[str, list[dict[str, LookupUse]]] = defaultdict(list)
    for commit in DeltaTable(table).history():
        parts[commit.get("runtime", "")].append(lookups_in(commit))
    return {
        (name, runtime): use
        for runtime, found in sorted(parts.items())
        for name, use in sorted(merged_use(found).items())
    }


def show(table: str) -> None:
    """Print a line for each lookup and runtime."""
    print(f"{'lookup':<9}{'runtime':<11}" + "".join(f"{name:>12}" for name in SHOWN) + "  state that answered last")
    for (name, runtime), use in sorted(uses_of(table).items()):
        counts = "".join(f"{use.counts.get(each, 0):>12,}" for each in SHOWN)
        print(f"{name:<9}{runtime:<11}{counts}  {_state(use)}")


def _state(use: LookupUse) -> str:
    if use.newest is None:
        return NO_NAME
    used = datetime.fromtimestamp(use.newest.used_us / 1e6, UTC)
    return f"{use.newest.name[:12]} of {used:%Y-%m-%d %H:%M:%S} UTC"
