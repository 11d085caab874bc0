"""Metrics of ours as the agents of the session's cluster export them."""

from __future__ import annotations

import re
import time
import urllib.request
from typing import Any

_SECONDS = 40.0
_LINE = re.compile(r"^ray_(trivium_\w+)\{(.*)\} (\S+)$", re.MULTILINE)


def exported(**tags: str) -> list[dict[str, Any]]:
    """The samples that have these tags: all tags, and `name` and `value`."""
    import ray  # noqa: PLC0415 - tests without a cluster do not wait for this import

    urls = [f"http://127.0.0.1:{node['MetricsExportPort']}/metrics" for node in ray.nodes() if node["Alive"]]
    text = "".join(urllib.request.urlopen(url, timeout=10).read().decode() for url in urls)
    samples = [
        {**dict(re.findall(r'(\w+)="([^"]*)"', given)), "name": name, "value": float(value)}
        for name, given, value in _LINE.findall(text)
    ]
    return [each for each in samples if tags.items() <= each.items()]


def wait_for(**tags: str) -> list[dict[str, Any]]:
    """The samples that have these tags, once there are some; the agents take them in every ten seconds."""
    end = time.monotonic() + _SECONDS
    while not (found := exported(**tags)):
        assert time.monotonic() < end, f"nothing with the tags {tags} was exported in time"
        time.sleep(0.5)
    return found
