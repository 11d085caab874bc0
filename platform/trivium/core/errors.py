"""The errors Trivium raises, as one tree.

    TriviumError
    ├── ContractError            a class breaks the contract; raised when it is defined or compiled
    ├── ConfigError              a pipeline file with problems (see trivium.config.problems)
    ├── RejectError              an executor's own "this input is wrong, because …" (see trivium.contract.errors)
    ├── RowErrors                process_batch rejects single rows of its batch (see trivium.contract.errors)
    ├── TransientError           worth trying again; may carry the wait (see trivium.contract.errors)
    │   └── LookupUnavailable    a lookup could not answer in time
    ├── LookupAnswerError        a lookup answered something its declaration forbids
    ├── SourceError              a source cannot be read as described
    ├── DeliveryError            the table or its storage refused (see trivium.delivery.errors)
    └── RunError                 a run cannot go on; the message says why and what to do
        ├── LookupOutage         a lookup stayed unavailable and the pipeline says that this fails the run
        ├── AllParked            every event type of a batch run is parked (see trivium.runtimes.batch.parked)
        └── SystemicRejects      rejects look systemic (see trivium.engine.breaker)

Every class survives pickling: an error raised in a worker reads the same on the driver.
"""

from __future__ import annotations


class TriviumError(Exception):
    """An error whose message is meant for the person who reads it: expected, got, where, what to try."""


class ContractError(TriviumError):
    """A class breaks the contract of events, rows or executors.

    `where` is `Class (file:line)`; `hint` says what to write instead.
    """

    def __init__(self, message: str, where: str = "", hint: str = "") -> None:
        super().__init__(message, where, hint)
        self.message, self.where, self.hint = message, where, hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        end = "" if self.message.endswith((".", "!", "?")) else "."
        return f"{place}{self.message}{end} Try: {self.hint}" if self.hint else f"{place}{self.message}"


class LookupAnswerError(TriviumError):
    """A lookup answered something its declaration forbids (two rows for a key, a column of another type)."""


class SourceError(TriviumError):
    """A source cannot be read as the pipeline describes it."""


class DeliveryError(TriviumError):
    """The table or the storage below it refused."""


class RunError(TriviumError):
    """A run cannot go on."""


class LookupOutage(RunError):
    """A lookup stayed unavailable, and the pipeline says that nothing goes on without it."""
