"""Questions to a Ray cluster through its dashboard: its versions, and its word on the token of this machine."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, Final

from trivium.operations.shipping.finding import Finding

DEFAULT: Final = "http://127.0.0.1:8265"
_PATIENCE_SECONDS: Final = 5.0
_METADATA: Final = "/api/v0/cluster_metadata"
_REFUSED: Final = (401, 403)


def dashboard_of(address: str | None, environ: Mapping[str, str]) -> str:
    """Return the address that Ray's own command would ask."""
    return address or environ.get("RAY_API_SERVER_ADDRESS") or environ.get("RAY_ADDRESS") or DEFAULT


def token_of(environ: Mapping[str, str]) -> str | None:
    """Return this machine's token of a cluster, where Ray looks for it; None where there is none."""
    if token := environ.get("RAY_AUTH_TOKEN"):
        return token.strip()
    path = Path(environ.get("RAY_AUTH_TOKEN_PATH") or Path(environ.get("HOME", "~")).expanduser() / ".ray/auth_token")
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def look_at_cluster(address: str, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Ask a cluster for its versions, with the token where this machine's Ray would send it."""
    if not address.startswith(("http://", "https://")):
        expected = "http://HOST:8265 of a dashboard"
        got = "an address that is none, so versions were not compared"
        return [Finding("cluster", "warning", got, address, expected, "--address http://HOST:8265")]
    token = token_of(environ) if environ.get("RAY_AUTH_MODE", "").lower() == "token" else None
    try:
        metadata = _metadata(address, token)
    except urllib.error.HTTPError as error:
        return [_refusal(address, error.code, token, environ)]
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        expected = "a dashboard of a Ray cluster"
        attempt = "--address http://HOST:8265 of its head; it must be reachable from here"
        return [Finding("cluster", "error", f"no answer: {reason}", address, expected, attempt)]
    return _versions(address, metadata)


def _metadata(address: str, token: str | None) -> Mapping[str, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(address.rstrip("/") + _METADATA, headers=headers)
    with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as answer:
        data = json.loads(answer.read(1 << 20))["data"]
    if not isinstance(data, Mapping):
        raise ValueError("an answer that is none of a Ray dashboard")
    return data


def _refusal(address: str, status: int, token: str | None, environ: Mapping[str, str]) -> Finding:
    if status not in _REFUSED:
        expected = "a dashboard of a Ray cluster"
        return Finding("cluster", "error", f"HTTP status {status}", address, expected, "the address of its head")
    if token is not None:
        got, attempt = (
            "a refusal of this machine's token",
            "RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH of the cluster's own",
        )
    elif token_of(environ) is not None:
        # A head of Ray 2.60 that finds a token asks for it by itself; a client sends it only when told to.
        got, attempt = "a refusal without a token, though one is here", "RAY_AUTH_MODE=token before the command"
    else:
        got = "a refusal without a token"
        attempt = "RAY_AUTH_MODE=token and the cluster's token in RAY_AUTH_TOKEN or ~/.ray/auth_token"
    return Finding("token", "error", f"{got} (HTTP {status})", address, "a cluster that takes requests", attempt)


def _versions(address: str, metadata: Mapping[str, Any]) -> list[Finding]:
    pairs = (("Ray", version("ray"), "rayVersion", 3), ("Python", python_version(), "pythonVersion", 2))
    return [_compared(address, name, here, str(metadata.get(key)), parts) for name, here, key, parts in pairs]


def _compared(address: str, name: str, here: str, there: str, parts: int) -> Finding:
    if here.split(".")[:parts] == there.split(".")[:parts]:
        return Finding(name, "ok", f"{there} there, {here} here", address)
    wanted = ".".join(here.split(".")[:parts])
    attempt = f"an image or an environment with {name} {wanted} for the cluster, or {there} here"
    return Finding(name, "error", there, address, f"{name} {wanted} as here", attempt)
