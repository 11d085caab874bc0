"""The policy of trying transient failures again; executor or lookup say which failures are transient."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field


class RetryPolicy(BaseModel):
    """Exponential back-off between attempts at what failed transiently.

    `attempts` counts the first try; `deadline_seconds` bounds all tries and waits of one batch together.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True)

    attempts: int = Field(default=4, ge=1, le=100)
    """The most attempts, the first included."""
    first_delay_seconds: float = Field(default=0.2, ge=0, le=3600)
    """Seconds before the second attempt."""
    factor: float = Field(default=2.0, ge=1, le=100)
    """The factor by which each further delay grows."""
    deadline_seconds: float = Field(default=30.0, gt=0, le=86400)
    """The most seconds that all attempts and delays of one batch take together."""

    def delays(self) -> Iterator[float]:
        """Yield the waits between attempts, in seconds: `attempts - 1` of them."""
        for attempt in range(self.attempts - 1):
            yield self.first_delay_seconds * self.factor**attempt
