"""An event of many kinds of fields, and the time that work on its bytes takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from tests.support.engine_inputs import MOMENT
from trivium import Event, Executor, NormalizedEvent, Precision
from trivium.config.worker_spec import spec_of
from trivium.engine.blocking import BlockingWorker


class Wide(Event, tag="wide"):
    name: str
    at: datetime | None = None
    price: Annotated[Decimal, Precision(10, 2)] | None = None
    share: float | None = None
    count: int | None = None
    data: bytes | None = None
    words: tuple[str, ...] = ()


class WideRow(NormalizedEvent):
    pass


class WideExecutor(Executor[Wide, WideRow]):
    def process(self, event: Wide) -> WideRow:
        return WideRow(event_id=event.name, event_time=MOMENT)


WORKER = BlockingWorker(spec_of([WideExecutor]), {})


def seconds(scan: Callable[[bytes], Any], text: bytes) -> float:
    began = time.process_time()
    with suppress(ValueError):
        scan(text)
    return time.process_time() - began
