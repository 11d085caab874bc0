"""The errors an author's code raises: an input that is wrong, rows of a batch that are, and what is worth a retry."""

from __future__ import annotations

from collections.abc import Mapping

from trivium.core.errors import TriviumError


class RejectError(TriviumError):
    """Raised by an executor: this input is wrong. It becomes a dead letter with this text."""


class RowErrors(TriviumError):
    """Raised by `process_batch`: the rows named here are rejected, the others are processed again without them.

    `errors` maps a row's index in the batch that was handed in to the reason.
    """

    def __init__(self, errors: Mapping[int, Exception | str]) -> None:
        super().__init__(dict(errors))
        self.errors = dict(errors)

    def __str__(self) -> str:
        return f"{len(self.errors)} rows rejected: " + "; ".join(
            f"row {row}: {error}" for row, error in list(self.errors.items())[:3]
        )


class TransientError(TriviumError):
    """Worth trying again. `retry_after` is the least wait in seconds that the failing side demands, if any."""

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, retry_after)
        self.message, self.retry_after = message, retry_after

    def __str__(self) -> str:
        return self.message


class LookupUnavailable(TransientError):
    """A lookup could not answer within its deadline."""
