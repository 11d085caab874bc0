"""Two event types whose classes share a name and whose fields differ."""

from __future__ import annotations

from dataclasses import replace

from tests.support.pipelines import pipeline_of
from trivium import Event, Executor, NormalizedEvent
from trivium.config.model.serving import Serving


class Row(NormalizedEvent):
    """A row."""


class Thing(Event, tag="first"):
    """The first."""

    one: str


class First(Executor[Thing, Row]):
    """Drops all."""

    def process(self, event: Thing) -> None:
        """Nothing."""


class Second:
    """Keeps the other class of that name."""

    class Thing(Event, tag="second"):
        """The second."""

        two: int


class SecondExecutor(Executor[Second.Thing, Row]):
    """Drops all."""

    def process(self, event: Second.Thing) -> None:
        """Nothing."""


_MADE = pipeline_of([First, SecondExecutor])
PIPELINE = replace(_MADE, config=_MADE.config.model_copy(update={"serving": Serving(route="/")}))
