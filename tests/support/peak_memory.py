"""Peak memory of a worker over many small files: `python -m tests.support.peak_memory` prints it by number of files.

Each figure is of a process of its own that runs one unit holding all files, as a worker would. The number of events is
the same for every number of files: rows that wait for their row group take memory too, up to a bound of their own.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.visits import Visits, visit

ROWS = 160_000
DAYS = 20
SIZES = (50, 200, 800)
_MEASURE = """
import json, resource, sys
from trivium.config.compile import compile_file
from trivium.core.clock import SystemClock
from trivium.runtimes.batch.prepare import BatchArguments, prepare
from trivium.runtimes.batch.unit_runner import UnitRunner

prepared = prepare(compile_file(sys.argv[1]), BatchArguments(), SystemClock())
(unit,) = prepared.source.units
runner = UnitRunner(prepared.job)
planned = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = runner.run(unit)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(file.rows for file in result.files)
print(json.dumps({"planned": planned / 1024, "peak": peak / 1024, "rows": rows}))
"""


def measure(files: int, folder: Path) -> dict[str, float]:
    """MiB of a process before its unit (`planned`) and at its peak (`peak`), and the `rows` it wrote."""
    project = Visits(folder, unit_rows=10_000_000)
    for number in range(files):
        events = [visit(f"v{number}.{n}", number % DAYS) for n in range(ROWS // files)]
        project.write(number % DAYS, events, f"part-{number}")
    command = [sys.executable, "-c", _MEASURE, str(project.config)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main() -> None:
    """Print a line a size."""
    for files in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(files, Path(folder))
        sizes = f"{found['planned']:.0f} MiB planned, {found['peak']:.0f} MiB peak"
        sys.stdout.write(f"{files:4} files, {found['rows']:,.0f} rows: {sizes}\n")


if __name__ == "__main__":
    main()
