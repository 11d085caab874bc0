"""Access to S3: endpoint, region and patience, the same for Arrow's files and for Delta's log.

Both libraries find credentials themselves, in the standard variables, profiles and roles; none pass through here.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

_CONNECT_SECONDS: Final = 5
_SILENCE_SECONDS: Final = 15
_ARROW_ATTEMPTS: Final = 5
_DELTA_OPTIONS: Final = {
    # What two committers race by: the second put of a version answers 412. Not to be switched off by a variable.
    "AWS_CONDITIONAL_PUT": "etag",
    "connect_timeout": f"{_CONNECT_SECONDS}s",
    "timeout": "30s",
    "max_retries": "8",
    "retry_timeout": "30s",
    "backoff_config.init_backoff": "200ms",
    "backoff_config.max_backoff": "5s",
}
_IDENTITY: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
)


def storage_options(uri: str) -> dict[str, str]:
    """Return the options deltalake needs to open this table; none for a local one. They hold no secret."""
    if not uri.startswith("s3://"):
        return {}
    endpoint = _endpoint()
    http = "true" if urlsplit(endpoint).scheme == "http" else ""
    found = {"AWS_REGION": _region(endpoint), "AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": http}
    return _DELTA_OPTIONS | {name: value for name, value in found.items() if value}


def file_system() -> S3FileSystem:
    """Make Arrow's S3, once per process and set of variables: finding credentials may take a second."""
    endpoint = _endpoint()
    return _file_system(endpoint, _region(endpoint), tuple(os.environ.get(name, "") for name in _IDENTITY))


@lru_cache(maxsize=4)
def _file_system(endpoint: str, region: str, identity: tuple[str, ...]) -> S3FileSystem:
    parts = urlsplit(endpoint)
    return S3FileSystem(
        endpoint_override=endpoint or None,
        scheme=parts.scheme or "https",
        region=region or None,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_SILENCE_SECONDS,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ARROW_ATTEMPTS),
        force_virtual_addressing=identity[-1].lower() in ("1", "true"),
        allow_delayed_open=True,  # a file below 5 MB is one put, where it would be three requests
    )


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _region(endpoint: str) -> str:
    """Return the region given; without one both libraries look in the profile, of no use to a store of one's own."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return region or ("us-east-1" if endpoint else "")
