"""The assertion that an executor keeps its contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trivium.contract.executor import Executor, ExecutorOptions
from trivium.samples.compliance.check import breaches
from trivium.samples.compliance.subject import Samples, Subject

_MOST_SHOWN: Final = 5


def assert_executor_compliance(
    executor: type[Executor[Any, Any]],
    *,
    samples: Samples | None = None,
    options: ExecutorOptions | None = None,
    artifacts: Mapping[str, str] | None = None,
) -> None:
    """Hold an executor to its contract, with its samples and with events made up from its declared types.

    `samples` is a file of golden samples, or events as JSON (bytes, text or a mapping); by default the `samples.jsonl`
    beside the executor, if there is one. Samples are held to their outcomes under the default options only.
    `artifacts` maps names to local paths. Takes about two seconds: two fresh processes run it as well.

    Raises:
        AssertionError: naming the executor, the input, both answers and the likely cause of each breach.
        ArgumentError: no events can be made up from the declared types.
    """
    event_type = executor.declaration.event_type
    subject = Subject(executor, event_type, options or executor.Options(), dict(artifacts or {}))
    found = breaches(subject, samples)
    if found:
        rest = f"\n… and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
        raise AssertionError("\n".join(map(str, found[:_MOST_SHOWN])) + rest)
