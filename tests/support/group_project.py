"""A project whose one folder answers for several event types of one shape."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

PAGE: Final = '''"""Views and clicks of pages, as one kind of row."""

from trivium import Event, Executor, ExecutorOptions, NormalizedEvent
from datetime import datetime


class Page(Event, tags=("page_view", "page_click")):
    """A page that somebody saw or clicked."""

    id: str
    at: datetime


class PageRow(NormalizedEvent):
    """A page event with the weight of its type."""

    weight: int


class PageExecutor(Executor[Page, PageRow]):
    """A page event, weighed as the pipeline says."""

    class Options(ExecutorOptions):
        weight: int = 1

    options: Options

    def process(self, event: Page) -> PageRow:
        return PageRow(event_id=event.id, event_time=event.at, weight=self.options.weight)
'''
ORDER: Final = '''"""Orders."""

from datetime import datetime

from trivium import Event, Executor, NormalizedEvent


class Order(Event, tag="order"):
    """An order."""

    id: str
    at: datetime


class OrderRow(NormalizedEvent):
    """An order with its number."""

    number: str


class OrderExecutor(Executor[Order, OrderRow]):
    """An order as it came."""

    def process(self, event: Order) -> OrderRow:
        return OrderRow(event_id=event.id, event_time=event.at, number=event.id)
'''
TABLES: Final = """table: {type: delta, path: ../tables/site}
dead_letters: {type: delta, path: ../tables/site_dead_letters}
serving: {route: /site}
"""


def make(root: Path, executors: str, **files: str) -> Path:
    """Write the project and return its pipeline file, whose part before the tables is `executors`.

    `files` are further texts by path below `configs/`, with `__` for a slash and without `.yaml`.
    """
    for name, source in {"page": PAGE, "order": ORDER}.items():
        (root / "executors" / name).mkdir(parents=True)
        (root / "executors" / name / "executor.py").write_text(source)
    (root / "executors/__init__.py").write_text("")
    written = {"site": f"pipeline: site\n{executors}{TABLES}", **files}
    for name, text in written.items():
        file = root / "configs" / f"{name.replace('__', '/')}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root / "configs/site.yaml"


def forget() -> None:
    """Undo in this process what importing executors left."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "executors"]:
        del sys.modules[name]
