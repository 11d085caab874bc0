"""Definitions in cells run on a Ray cluster as in the kernel, or are refused with what to do."""

from pathlib import Path

import pytest

from tests.support.notebook_kernel import environment, executed, of_cells, texts

DEFINITIONS = """
import enum
from datetime import datetime
from typing import Annotated
import pyarrow as pa
import trivium
from msgspec import Meta
from trivium import Enrichment, Event, Executor, ExecutorOptions, NormalizedEvent, Row
from trivium import Int32 as Number
Minutes = Annotated[Number, Meta(ge=-120)]
LIMIT = 10
LIMIT += 5
class Kind(enum.Enum):
    EARLY = "early"
    LATE = "late"
class TooMany(Exception):
    pass
"""

EXECUTOR = """
class Departure(Event, tag="departure"):
    flight: str
    scheduled: datetime
    tail: "str | None" = None
    delay: Minutes | None = None
class Plane(Row):
    model: str
class Flown(NormalizedEvent):
    kind: Kind
    model: str | None = None
def kind(delay):
    return Kind.LATE if delay > LIMIT else Kind.EARLY
class DepartureExecutor(Executor[Departure, Flown]):
    class Options(ExecutorOptions):
        most: int = 1000
    plane = Enrichment(Plane, key="tail", missing="null")
    def process(self, event, plane):
        if event.delay is None:
            return None
        if event.delay > self.options.most:
            raise TooMany(f"{event.delay} minutes")
        model = plane.model if plane else None
        return Flown(event_id=event.flight, event_time=event.scheduled, kind=kind(event.delay), model=model)
"""

RUN = """
import ray
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
flights = [{"flight": str(i), "scheduled": "2024-01-01T08:00:00Z", "tail": f"N{i % 3}",
            "delay": None if i % 5 == 0 else i - 125} for i in range(400)]
given = {"lookups": {"plane": {"N1": {"model": "737"}, "N2": {"model": "A320"}}}, "options": {"most": 250}}
here = trivium.run(DepartureExecutor, flights, **given)
there = trivium.run(DepartureExecutor, flights, address="auto", **given)
print(here.total.emitted_rows > 0, here.total.dropped > 0, here.total.rejected > 0)
rejected = [each.rejected.drop_columns(["code_line", "code_trace"]) for each in (here, there)]
for one, other in ((here.rows, there.rows), (here.dropped, there.dropped), rejected,
                   (here.parents, there.parents), (here.counts, there.counts), (repr(here), repr(there))):
    print(one == other)
"""

COLUMNS = """
class ColumnExecutor(Executor[Departure, Flown]):
    def process_batch(self, events):
        columns = [events["flight"], events["scheduled"], pa.array(["late"] * len(events)), pa.nulls(len(events))]
        rows = pa.RecordBatch.from_arrays(columns, names=["event_id", "event_time", "kind", "model"])
        return rows, pa.array(range(len(events)), pa.int32())
here = trivium.run(ColumnExecutor, flights)
there = trivium.run(ColumnExecutor, flights, address="auto")
print(here.rows == there.rows, len(there) == len(flights) - there.total.rejected)
print(trivium.run(ColumnExecutor, [], address="auto").total.read)
"""

TOLD = """
def told(executor, **given):
    try:
        trivium.run(executor, flights, address="auto", **given)
    except trivium.TriviumError as error:
        print(type(error).__name__, error)
"""

REFUSED = """
handle = open("/dev/null")
class LeakyExecutor(Executor[Departure, Flown]):
    def process(self, event):
        return handle.read()
told(LeakyExecutor)
class OpeningExecutor(Executor[Departure, Flown]):
    def open(self, artifacts):
        artifacts["model"]
    def process(self, event):
        return None
told(OpeningExecutor)
import sys, types
only_here = types.ModuleType("only_here")
sys.modules["only_here"] = only_here
OpeningExecutor.__module__ = "only_here"
told(OpeningExecutor)
"""

REDEFINED = """
class Departure(Event, tag="departure"):
    flight: int
told(DepartureExecutor, **given)
"""

STOP = "ray.shutdown()"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each cell shows. One kernel and one Ray for all of them."""
    folder: Path = tmp_path_factory.mktemp("notebook")
    with environment(folder):
        return texts(executed(of_cells(DEFINITIONS, EXECUTOR, RUN, COLUMNS, TOLD, REFUSED, REDEFINED, STOP), folder))


def test_cluster_and_kernel_give_the_same_outcomes(shown: list[str]) -> None:
    assert shown[2].split() == ["True"] * 9


def test_the_column_form_runs_on_the_cluster_too(shown: list[str]) -> None:
    assert shown[3].split() == ["True", "True", "0"]


def test_an_open_file_is_refused_before_anything_is_sent(shown: list[str]) -> None:
    assert "InputError handle (_io.TextIOWrapper), used by LeakyExecutor, cannot be sent to the cluster" in shown[5]


def test_what_fails_on_a_worker_is_told_in_its_words(shown: list[str]) -> None:
    assert "did not open: KeyError: 'model'" in shown[5]


def test_a_module_the_workers_lack_is_named_with_what_to_do(shown: list[str]) -> None:
    assert "No module named 'only_here'" in shown[5]
    assert "py_modules" in shown[5]


def test_an_executor_of_an_older_event_is_refused(shown: list[str]) -> None:
    assert "Departure was defined again after DepartureExecutor" in shown[6]
