"""Plans beside the table: every plan that a row may name, as `_trivium/plans/<plan>.json`, kept before the first row.

A plan never holds a secret, so neither does its file.
"""

from __future__ import annotations

from typing import Final

from trivium.config.plan import Plan
from trivium.delivery.errors import StorageError
from trivium.delivery.storage.storage import Storage

_FOLDER: Final = "_trivium/plans"


def keep_plan(uri: str, plan: Plan) -> None:
    """Store a plan durably, if it is not there.

    Raises:
        StorageError: the storage refused.
    """
    storage, path = Storage(uri), _path(plan.plan_short)
    if storage.stat(path) is None:
        storage.publish(path, plan.json)


def find_plan(uri: str, digest: str) -> Plan | None:
    """Return the plan with this hash, in full or its first digits; None where it was not kept.

    Raises:
        StorageError: several plans begin with these digits, or the file does not hold the plan.
    """
    storage = Storage(uri)
    names = [file.path.rpartition("/")[2].removesuffix(".json") for file in storage.list(_FOLDER)]
    found = [name for name in names if digest and (name.startswith(digest) or digest.startswith(name))]
    if len(found) > 1:
        raise StorageError(f"{uri}: {len(found)} plans begin with {digest}: {', '.join(sorted(found)[:5])}")
    if not found:
        return None
    plan = Plan.parse(storage.read(_path(found[0])))
    if plan.plan_short != found[0]:
        raise StorageError(f"{uri}/{_path(found[0])}: expected the plan {found[0]}, the file holds {plan.plan_short}")
    return plan


def _path(plan: str) -> str:
    return f"{_FOLDER}/{plan}.json"
