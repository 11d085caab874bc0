"""`./dev bench enrichment`: what facts cost, beside a hand-written asyncio loop and a DuckDB join, in one run.

The hosts are those of the runtimes, without Ray, Kafka and HTTP around them: a queue of batches in flight for streaming
and batch, the event loop's answering for serving. Sides take turns; figures are medians.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.enrichment_files import batch_goals, refresh_goals, write_facts
from benchmarks.enrichment_serving import serving_goals
from benchmarks.enrichment_streaming import streaming_goals
from benchmarks.measure import REPOSITORY
from benchmarks.report import as_json, machine, show


def main() -> None:
    """Measure all four parts and report the ratios to reach."""
    parser = argparse.ArgumentParser(prog="./dev bench enrichment", description="What facts cost.")
    parser.add_argument("--events", type=int, default=200_000, help="events of a stream (default 200,000)")
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the batch join (default 10,000,000)")
    parser.add_argument("--facts", type=int, default=3_000_000, help="rows of the looked-up table (default 3,000,000)")
    parser.add_argument("--requests", type=int, default=400, help="requests of serving (default 400)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default 3)")
    options = parser.parse_args()
    where = machine()
    found = streaming_goals(options.events, options.rounds) + serving_goals(options.requests)
    with tempfile.TemporaryDirectory() as folder:
        facts = write_facts(Path(folder), options.facts)
        found += batch_goals(facts, options.facts, options.rows, options.rounds)
        found += refresh_goals(facts, options.facts)
    show([], found, where)
    output = REPOSITORY / "benchmarks" / "results" / "enrichment.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(as_json([], found, where), indent=2) + "\n")
    print(f"written to {output}")


if __name__ == "__main__":
    main()
