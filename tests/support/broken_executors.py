"""Sources of executors that are wrong in one way each, by folder of `executors/`."""

from textwrap import dedent

_HEAD = """
from datetime import date, datetime
from trivium import *
from executors.flight_event import FlightEvent, Plane
class Seen(Event, tag="{tag}"):
    flight_id: str
    at: datetime
    number: int | None = None
    tail: str | None = None
"""


def _executor(tag: str, row: str, body: str = "", parameters: str = "") -> str:
    head = _HEAD.replace("{tag}", tag)
    process = f"    def process(self, event{parameters}): return None\n"
    return f"{head}\nclass Own(NormalizedEvent):\n    {row}\nclass Reader(Executor[Seen, Own]):\n{body}{process}"


_SEATS = '    class Other(Row):\n        seats: str | None = None\n    plane = Enrichment(Other, key="tail")\n'

ENVIRON = {"DATA": "/data", "TABLES": "/tables", "TOKEN": "hunter2secret", "WORKERS": "many", "LATE": "20"}
"""The variables that the fixture project of the configuration tests reads."""
BROKEN = {
    "raises": "LIMIT = 15\nRATIO = LIMIT / 0\n",
    "unprintable": "class Bad(Exception):\n    def __str__(self): raise KeyError\nraise Bad\n",
    "syntax": "def broken(:\n    pass\n",
    "absent_import": "import no_such_distribution\n",
    "exits": "import sys\nsys.exit(3)\n",
    "contract": dedent(_HEAD.replace("{tag}", "contract")) + "class Reader(Executor[Seen, FlightEvent]): pass\n",
    "unmapped": 'from trivium import *\nclass Seen(Event, tag="unmapped"):\n    names: list[str]\n'
    "class Reader(Executor[Seen, NormalizedEvent]):\n    def process(self, event): return None\n",
    "nothing": '"""No executor here."""\n',
    "other_tag": _executor("another", "late: bool"),
    "twice": _executor("twice", "late: bool")
    + "class Second(Executor[Seen, Own]):\n    def process(self, event): return None\n",
    "steals": _executor("steals", "late: bool")
    + 'class Arrival(Event, tag="arrival"):\n    at: datetime\n'
    + "class Thief(Executor[Arrival, Own]):\n    def process(self, event): return None\n",
    "conflict": _executor("conflict", "late: str"),
    "caseless": _executor("caseless", "Late: bool"),
    "underscore": _executor("underscore", "_late: bool"),
    "event_date": _executor("event_date", "event_date: date"),
    "retyped": _executor("retyped", "event_time: datetime | None"),
    "int_key": _executor("int_key", "late: bool", '    plane = Enrichment(Plane, key="number")\n', ", plane"),
    "other_seats": _executor("other_seats", "late: bool", _SEATS, ", plane"),
    "needs_airport": _executor(
        "needs_airport", "late: bool", '    airport = Enrichment(Plane, key="tail")\n', ", airport"
    ),
    "impure": "import time\n"
    + _executor("impure", "late: bool")
    + "    def accepts(self, event):\n        return time.time() > 0\n",
    "strict_options": _executor(
        "strict_options",
        "late: bool",
        "    class Options(ExecutorOptions):\n        model: str\n        ratio: float = 0.5\n",
    ),
}
