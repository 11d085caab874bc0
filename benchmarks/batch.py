"""`./dev bench batch`: query 14 over NEXMark bids in the batch runtime, beside Ray Data, two processes and Polars.

Every contender runs in a fresh process, warmed up; rounds go through all of them in turn, and figures are medians of
the rounds. No figure is shown unless all outputs hold the same rows. Walls count only on an idle machine: the column
`others' CPU s` says how idle it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.contenders import FORMS
from benchmarks.measure import REPOSITORY, Measurement, measure
from benchmarks.nexmark import Bids, prepare
from benchmarks.proof import check_equal
from benchmarks.report import Figures, Goal, as_json, figures, machine, show

TINY_ROWS: Final = 1_600
_GROWTH: Final = (("column", "trivium"), ("column", "two processes"))
Who = tuple[str, str]
Found = Mapping[tuple[Who, int], Figures]


def main() -> None:
    """Read the command line, measure, prove, report."""
    told = _arguments()
    cache = REPOSITORY / "data" / "bench"
    where = machine()
    who = [(form, name) for form in told.forms for name in FORMS[form] if name not in told.without]
    found = measure_all(cache, told.rows, who, told.rounds)
    if told.added_rows:
        growing = [each for each in who if each in _GROWTH]
        found |= measure_all(cache, told.rows + told.added_rows, growing, told.rounds)
    reached = goals(found, told.rows, told.rows + told.added_rows)
    show(list(found.values()), reached, where)
    told.output.parent.mkdir(parents=True, exist_ok=True)
    told.output.write_text(json.dumps(as_json(list(found.values()), reached, where), indent=2) + "\n")
    print(f"written to {told.output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench batch", description="The batch runtime beside its peers.")
    parser.add_argument("--rows", type=int, default=10_000_000, help="bids (default 10,000,000)")
    parser.add_argument("--added-rows", type=int, default=0, help="bids more, to see what they add (default none)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender (default 3)")
    parser.add_argument(
        "--forms", nargs="+", choices=list(FORMS), default=list(FORMS), help="which forms (default all)"
    )
    parser.add_argument("--without", nargs="+", default=[], metavar="CONTENDER", help="leave these out")
    output = REPOSITORY / "benchmarks" / "results" / "batch.json"
    parser.add_argument("--output", type=Path, default=output, help="the JSON file to write")
    return parser.parse_args()


def measure_all(cache: Path, rows: int, who: Sequence[Who], rounds: int) -> dict[tuple[Who, int], Figures]:
    """The medians of every contender over `rows` bids.

    Raises:
        OutputsDiffer: two contenders wrote different rows.
    """
    tiny, bids = prepare(cache, TINY_ROWS), prepare(cache, rows)
    _read_once(bids)
    runs: dict[Who, list[Measurement]] = {each: [] for each in who}
    for number in range(rounds):
        for form, name in who:
            run = measure(form, name, tiny, bids, cache / "scratch")
            runs[form, name].append(run)
            print(f"round {number + 1}, {rows:,} bids, {name}, {form} form: {run.wall_seconds:.2f} s", flush=True)
    check_equal({f"{form} {name}": run.fingerprint for (form, name), each in runs.items() for run in each})
    return {(each, rows): figures(measured, rows) for each, measured in runs.items()}


def _read_once(bids: Bids) -> None:
    """Bring the files into the page cache, so that no contender pays for the disk and another does not."""
    for path in (*bids.typed.iterdir(), *bids.raw.iterdir()):
        with path.open("rb") as file, Path("/dev/null").open("wb") as nowhere:
            shutil.copyfileobj(file, nowhere, 1 << 24)


def goals(found: Found, rows: int, more_rows: int) -> list[Goal]:
    """The ratios to reach, of those whose contenders were measured."""

    def wall(form: str, name: str, size: int = rows) -> float | None:
        each = found.get(((form, name), size))
        return each and each.wall_seconds

    def work(name: str) -> float | None:
        each = found.get((("column", name), rows))
        return each and each.wall_seconds - each.fixed_seconds

    def added(name: str) -> float | None:
        less, more = wall("column", name), wall("column", name, more_rows)
        return more - less if less and more and more_rows > rows else None

    ratios = [
        ("column form, beside Ray Data", wall("column", "trivium"), wall("column", "ray data"), 0.8),
        ("column form without fixed cost, beside Ray Data", work("trivium"), work("ray data"), 0.7),
        ("column form, time of the added rows, beside two processes", added("trivium"), added("two processes"), 1.25),
        ("row form, beside two processes", wall("row", "trivium"), wall("row", "two processes"), 1.5),
        ("row form, beside Ray Data's row functions", wall("row", "trivium"), wall("row", "ray data"), 1.0),
    ]
    return [Goal(name, ours / theirs, limit) for name, ours, theirs, limit in ratios if ours and theirs]


if __name__ == "__main__":
    main()
