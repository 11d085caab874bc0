"""Dead letters of records whose type is said beside them: the name is kept, since the record does not hold it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trivium.engine.batch import RawBatch
from trivium.engine.outcomes import Reject
from trivium.runtimes.dead_letter_rows import dead_letter_rows
from trivium.testing import ManualClock


def errors(header: str | None, *types: str | None) -> list[str]:
    """The errors of one reject a record, each of which had its type said beside it."""
    plan = SimpleNamespace(logic_short="l", plan_short="p")
    config = SimpleNamespace(routing=SimpleNamespace(header=header))
    known = {"order": SimpleNamespace(version="v")}
    pipeline: Any = SimpleNamespace(name="shop", executors=known, config=config, plan=plan)
    batch = RawBatch([b"{}"] * len(types), "orders/0", np.arange(len(types)), list(types))
    rejects = [Reject(row, "route", "unrouted", "not declared", "_unrouted") for row in range(len(types))]
    found: list[str] = dead_letter_rows(rejects, batch, None, pipeline, ManualClock())["error"].to_pylist()
    return found


@pytest.mark.parametrize(("header", "way"), [("kind", "header kind"), (None, "topic")])
def test_the_name_nobody_knows_is_kept(header: str | None, way: str) -> None:
    assert errors(header, "visit", "order", None) == [
        f'not declared; the type beside it (routing by {way}) is "visit"',
        "not declared",
        "not declared",
    ]


def test_a_name_of_any_size_and_of_no_text_is_kept_harmless() -> None:
    (long, odd) = errors("kind", "x" * 5_000, "\udcff")
    assert len(long) < 300
    assert odd.endswith('"\\udcff"')
