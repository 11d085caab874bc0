"""Changes a list inside its options."""

from tests.support.sighting import Sighting, SightingRow, row
from trivium import Executor, ExecutorOptions


class SightingExecutor(Executor[Sighting, SightingRow]):
    class Options(ExecutorOptions):
        limits: dict[str, list[int]] = {"small": [1, 2, 3]}  # noqa: RUF012 - what this is about

    def process(self, event: Sighting) -> SightingRow:
        limits = self.options.limits["small"]
        limits.reverse()
        return row(event, sum(limits))
