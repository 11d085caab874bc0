"""A serving run in a process of its own, for code that needs the service beside its own work."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from trivium.config.compile import compile_file
from trivium.core.errors import RunError, TriviumError
from trivium.runtimes.logs import log_json_lines
from trivium.runtimes.serving.run import Service, ServingArguments, run_serving

_STOP_SECONDS: Final = 60
_LAST_LETTERS: Final = 2_000


@contextmanager
def service_process(config: Path) -> Iterator[Service]:
    """Serve a pipeline file at a free port for as long as the context lasts; its end drains the service.

    Raises:
        RunError: the service did not start, for the reason given.
    """
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    with tempfile.NamedTemporaryFile("r", prefix="trivium-serving-", suffix=".log", errors="replace") as log:
        process = context.Process(target=_serve, args=(config, log.name, there))
        process.start()
        there.close()
        try:
            yield _answered(here, Path(log.name))
        finally:
            process.terminate()  # SIGTERM: drains
            process.join(_STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()


def _answered(here: Connection, log: Path) -> Service:
    try:
        answer: Service | str = here.recv()
    except EOFError as error:
        raise RunError(f"the service did not start: {log.read_text(errors='replace')[-_LAST_LETTERS:]}") from error
    if isinstance(answer, str):
        raise RunError(f"the service did not start: {answer}")
    return answer


def _serve(config: Path, log: str, there: Connection) -> None:
    """Run in the new process: serve, and send the service, or why there is none, to the process that started it."""
    opened = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(opened, stream)
    log_json_lines()
    try:
        run_serving(compile_file(config, runtime="serving"), ServingArguments(port=0), there.send)
    except TriviumError as error:
        there.send(str(error))
