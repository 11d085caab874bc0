"""Recommendations beside products, a file of JSON lines a day; some show what the model does not know."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from random import Random

A_DAY = 200


def write_recommendations(folder: Path, first: date, days: int, seed: int) -> None:
    """Write the recommendations of some days, made up from a seed of their own."""
    random = Random(f"recommendations {seed}")
    shutil.rmtree(folder, ignore_errors=True)
    names = [f"p-{number}" for number in range(1, 61)] + ["gift-card"]
    for number in range(days):
        day = first + timedelta(days=number)
        path = folder / f"day={day}" / "part-0.jsonl"
        path.parent.mkdir(parents=True)
        with path.open("w") as file:
            for place in range(A_DAY):
                value = {
                    "event_type": "recommendation",
                    "id": f"recommendation-{number}-{place}",
                    "at": f"{day}T{place * 24 // A_DAY:02}:{place % 60:02}:00Z",
                    "user": f"user-{random.randrange(50)}",
                    "product": random.choice(names),
                    "shown": random.sample(names, random.randrange(6)),
                }
                file.write(json.dumps(value) + "\n")
