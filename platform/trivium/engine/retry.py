"""Runs inputs again by the policy: only those that failed, only errors the executor calls retryable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trivium.contract.errors import TransientError
from trivium.contract.retry import RetryPolicy
from trivium.core.clock import Deadline
from trivium.engine.steps import Steps, WaitTime

Chosen = npt.NDArray[np.int64]
Failures = Mapping[int, Exception]
IsRetryable = Callable[[Exception], bool]
Attempt = Callable[[Chosen, IsRetryable], Failures]


@dataclass(frozen=True)
class GivenUp:
    """An input that failed for good, its last error and how often it was tried."""

    error: Exception
    attempts: int


def never(_error: Exception) -> bool:
    """Call no error passing: there is no further attempt."""
    return False


def retry_failed(
    failures: Failures, attempt: Attempt, is_retryable: IsRetryable, policy: RetryPolicy, deadline: Deadline
) -> Steps[dict[int, GivenUp]]:
    """Try again what failed for a passing reason in the first attempt; return what failed for good.

    `attempt` takes the inputs to run and a predicate that says which errors will be tried again (so a batch that
    fails as a whole need not be taken apart yet); it returns the failures. Nothing is tried again that would have to
    wait beyond `deadline`.
    """
    given_up: dict[int, GivenUp] = {}
    delays: list[float | None] = [*policy.delays(), None]
    for number, delay in enumerate(delays, 1):
        passing = {i: error for i, error in failures.items() if is_retryable(error)}
        given_up.update({i: GivenUp(error, number) for i, error in failures.items() if i not in passing})
        wait = max([delay or 0.0, *(requested_wait(error) for error in passing.values())])
        if not passing or delay is None or wait >= deadline.remaining():
            given_up.update({i: GivenUp(error, number) for i, error in passing.items()})
            break
        yield WaitTime(wait)
        chosen = np.fromiter(sorted(passing), np.int64)
        failures = attempt(chosen, is_retryable if delays[number] is not None else never)
    return given_up


def requested_wait(error: BaseException) -> float:
    """Return the seconds a TransientError asks to wait for; 0 for any other error, and for what is no time to wait."""
    if not issubclass(type(error), TransientError):
        return 0.0
    wait = getattr(error, "retry_after", None)
    return float(wait) if isinstance(wait, int | float) and wait > 0 else 0.0
