"""The shop's log: records by the day they were logged, and the outcome that each of them must come to."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from random import Random
from typing import Any, Literal

Outcome = Literal["emitted", "dropped", "rejected"]
UNKNOWN = "_unrouted"
BROKEN = "_undecoded"


class Log:
    """Records as the shop's services wrote them: two of a hundred a day late, one of a hundred twice."""

    def __init__(self, random: Random) -> None:
        self.days: dict[date, list[bytes]] = defaultdict(list)
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.rows: Counter[str] = Counter()
        self._random, self._number = random, 0

    def write(
        self, kind: str, at: datetime, fields: Mapping[str, Any], outcome: Outcome = "emitted", rows: int = 1
    ) -> str:
        """Write an event that comes to an outcome, and to so many rows if it is emitted; return its id."""
        self._number += 1
        name = f"{kind}-{self._number}"
        # Of optional fields that are null, half are left out.
        given = {key: value for key, value in fields.items() if value is not None or self._number % 2}
        value = json.dumps({"event_type": kind, "id": name, "at": at.isoformat()} | given).encode()
        for _ in range(2 if self._random.random() < 0.01 else 1):
            self.write_line(kind, self._logged(at), value, outcome, rows)
        self.rows[kind] += rows if outcome == "emitted" else 0
        return name

    def write_line(self, counted: str, day: date, value: bytes, outcome: Outcome, rows: int = 0) -> None:
        """Write a record as it is, counted under an event type or what the engine counts records without one under."""
        self.days[day].append(value)
        figures = {"read": 1, "emitted_inputs": 0, "dropped": 0, "rejected": 0, "emitted_rows": 0}
        figures["emitted_inputs" if outcome == "emitted" else outcome] = 1
        figures["emitted_rows"] = rows if outcome == "emitted" else 0
        self.counts[counted].update(figures)

    def expected(self) -> dict[str, Any]:
        """Return what a run over all of it must count, and how many rows a reader must find of each event type."""
        counts = {kind: dict(sorted(figures.items())) for kind, figures in sorted(self.counts.items())}
        return {"counts": counts, "rows": dict(sorted(self.rows.items()))}

    def _logged(self, at: datetime) -> date:
        day = at.utctimetuple()
        late = self._random.random() < 0.02
        return date.fromordinal(date(day.tm_year, day.tm_mon, day.tm_mday).toordinal() + late)
