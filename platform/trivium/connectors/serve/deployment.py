"""A deployment of Ray Serve as calls with a deadline, made from whatever process of its cluster."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from typing import Any, Final

import ray
from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
from ray.serve.context import _disconnect
from ray.serve.exceptions import BackPressureError, RayServeException

from trivium.config.model.remote_lookups import ServeLookupSettings
from trivium.connectors.remote.trouble import Trouble
from trivium.core.clock import Deadline

_NO_METHOD: Final = "that does not exist. Available methods"
_DEPLOY: Final = "serve deploy or serve run in this cluster, or app and deployment as `serve status` names them"


class Deployment:
    """The deployment that a section names. A handle is made by the first call and kept as long as its Serve is there.

    A process without Ray is connected to the cluster of `RAY_ADDRESS` by its first call.
    """

    def __init__(self, settings: ServeLookupSettings, trouble: Trouble) -> None:
        self._settings, self._trouble = settings, trouble
        self._handle: Any = None
        self._controller: Any = None
        self._lock = threading.Lock()

    def ask(self, keys: Any, deadline: Deadline) -> Any:
        """Return what the method answers to keys.

        Raises:
            LookupUnavailable: nobody answers within the deadline, or the method raised.
            LookupAnswerError: the deployment has no such method, or this process is in no cluster.
        """
        handle = self._known(deadline)
        response = None
        try:
            response = handle.remote(keys)
            return response.result(timeout_s=deadline.remaining())
        except BackPressureError as error:
            raise self._trouble.away(error, error.retry_after_s) from error
        except TimeoutError as error:
            if response is not None:
                response.cancel()
            self._check_handle()
            raise self._trouble.away(f"{self._settings.place} did not answer in time") from error
        except (RayError, RayServeException) as error:
            if _NO_METHOD in str(error):
                raise self._trouble.wrong(self._settings.place, "a method of the deployment", _cause(error)) from error
            if not isinstance(error, RayTaskError):
                self._check_handle()
            raise self._trouble.away(_cause(error)) from error

    def _known(self, deadline: Deadline) -> Any:
        with self._lock:
            if self._handle is None:
                self._connect()
                self._handle = self._found(deadline)
                self._controller = _controller()
            return self._handle

    def _connect(self) -> None:
        if ray.is_initialized():
            return
        address = os.environ.get("RAY_ADDRESS")
        if not address:
            what = f"{self._settings.place} is asked inside its Ray cluster, and this process is in none"
            raise self._trouble.wrong(what, "RAY_ADDRESS=HOST:PORT of the cluster, or --address of a run")
        try:
            ray.init(address, log_to_driver=False, logging_level="WARNING")
        except (OSError, ValueError, RuntimeError) as error:
            raise self._trouble.away(error) from error

    def _found(self, deadline: Deadline) -> Any:
        """Return a handle; Serve's own call for it has no limit."""
        found: Future[Any] = Future()
        threading.Thread(target=_resolve, args=(self._settings, found), daemon=True).start()
        try:
            handle = found.result(deadline.remaining())
        except TimeoutError as error:
            raise self._trouble.away("Ray Serve did not answer in time") from error
        except Exception as error:
            _disconnect()  # a client of a Serve that was shut down stays with its controller for ever
            raise self._trouble.away(f"{self._settings.place}: {_cause(error)}. Try: {_DEPLOY}") from error
        return getattr(handle, self._settings.method)

    def _check_handle(self) -> None:
        """Let go of a handle whose Serve was shut down; any other follows its deployment by itself."""
        with self._lock:
            if self._handle is not None and _controller() != self._controller:
                self._handle = None
                _disconnect()


def _controller() -> Any:
    try:
        return ray.get_actor(SERVE_CONTROLLER_NAME, SERVE_NAMESPACE)
    except (ValueError, RayError):
        return None


def _resolve(settings: ServeLookupSettings, found: Future[Any]) -> None:
    try:
        if settings.deployment is None:
            found.set_result(serve.get_app_handle(settings.app))
        else:
            found.set_result(serve.get_deployment_handle(settings.deployment, settings.app))
    except Exception as error:  # noqa: BLE001 - whoever waits for the handle raises it
        found.set_exception(error)


def _cause(error: Exception) -> str:
    """Return what a deployment said, without the stack that Ray puts around it."""
    cause = getattr(error, "cause", None)
    shown = cause if isinstance(cause, Exception) else error
    message = getattr(shown, "message", None) or str(shown) or "no message"
    return f"{type(shown).__name__}: {message}"
