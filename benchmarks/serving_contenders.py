"""The contenders of the serving benchmark, and the process each runs in.

That is `python -m benchmarks.serving_contenders NAME`. The process prints the URL it answers at and ends when its
standard input does. All three answer the same requests with the same content:

* `trivium`: the platform, as `trivium run serving` starts it, behind HAProxy.
* `serve`: the handler written by hand in a bare Ray Serve deployment, behind the same HAProxy with the same settings.
* `uvicorn`: the handler written by hand under Starlette and uvicorn, one process, no Ray.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn as uvicorn_server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.peers.serving_by_hand import app as by_hand
from benchmarks.peers.serving_by_hand import respond
from trivium.config.compile import compile_file
from trivium.core.network import free_port, is_taken
from trivium.runtimes.cluster import connected
from trivium.runtimes.serving.proxy.haproxy import proxy_environment
from trivium.runtimes.serving.run import ServingArguments, run_serving

ROUTE: Final = "/bids"
_CONFIG: Final = Path(__file__).parent / "q14" / "row" / "pipeline_serving.yaml"
Tell = Callable[[str], None]


def trivium(tell: Tell) -> None:
    """The platform."""
    pipeline = compile_file(_CONFIG, runtime="serving")
    run_serving(pipeline, ServingArguments(port=0), lambda service: tell(service.url))


def serve(tell: Tell) -> None:
    """A bare Serve deployment of the handler written by hand."""
    with proxy_environment("haproxy", compile_file(_CONFIG, runtime="serving").serving_section()) as settings:
        os.environ.update(settings)
        with connected(None, 2):
            from ray import serve  # noqa: PLC0415 - it reads its settings when it is imported

            port = free_port()
            serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
            deployment = serve.deployment(
                serve.ingress()(_ByHand),
                logging_config={"enable_access_log": False},
                max_ongoing_requests=200,
                ray_actor_options={
                    "num_cpus": 1,
                    "runtime_env": {"env_vars": {"RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0"}},
                },
            )
            serve.run(deployment.bind(), route_prefix=ROUTE)
            tell(f"http://127.0.0.1:{port}{ROUTE}")
            _wait_for_the_end()
            serve.shutdown()


def uvicorn(tell: Tell) -> None:
    """The handler written by hand under Starlette and uvicorn."""

    async def events(request: Request) -> Response:
        return Response(respond(await request.body()), media_type="application/json")

    port = free_port()
    made = Starlette(routes=[Route(f"{ROUTE}/v1/events", events, methods=["POST"])])
    config = uvicorn_server.Config(made, port=port, log_level="error", access_log=False)
    threading.Thread(target=uvicorn_server.Server(config).run, daemon=True).start()
    while not is_taken(port):
        pass
    tell(f"http://127.0.0.1:{port}{ROUTE}")
    _wait_for_the_end()


class _ByHand:
    """A replica of the handler written by hand."""

    def __serve_build_asgi_app__(self) -> Any:
        return by_hand


def _wait_for_the_end() -> None:
    sys.stdin.read()


CONTENDERS: Final = {"trivium": trivium, "serve": serve, "uvicorn": uvicorn}


def main() -> None:
    """Be one of them. Libraries write where they like, so the URL goes to a copy of the standard output."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    CONTENDERS[sys.argv[1]](lambda url: print(url, file=answers))


if __name__ == "__main__":
    main()
