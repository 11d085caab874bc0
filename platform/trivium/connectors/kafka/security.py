"""TLS and SASL of the pipeline file as kafka-python's options."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import unquote, urlsplit

from trivium.config.model.streaming import KafkaSource
from trivium.core.network import is_loopback

_log = logging.getLogger(__name__)
_warned: set[str] = set()


def security_options(source: KafkaSource, password: str | None) -> dict[str, Any]:
    """Return the client's options, secrets in memory only. Warns, once a process, of plaintext beyond this machine."""
    security = source.security
    if security.protocol.endswith("PLAINTEXT"):
        _warn_of_plaintext(source)
    options: dict[str, Any] = {"security_protocol": security.protocol, "ssl_check_hostname": True}
    files = {"cafile": security.ca_file, "certfile": security.certificate_file, "keyfile": security.key_file}
    options |= {f"ssl_{name}": local_path(location) for name, location in files.items() if location is not None}
    if security.mechanism is not None:
        options["sasl_mechanism"] = security.mechanism
        options["sasl_plain_username"], options["sasl_plain_password"] = security.username, password
    return options


def local_path(location: str) -> str:
    """Return the path of a certificate or key, which may be written as a file: URI."""
    return unquote(urlsplit(location).path) if location.startswith("file:") else location


def _warn_of_plaintext(source: KafkaSource) -> None:
    far = [server for server in source.servers.split(",") if not is_loopback(server.strip().rsplit(":", 1)[0])]
    if far and source.servers not in _warned:
        _warned.add(source.servers)
        what = "Records" if source.security.protocol == "PLAINTEXT" else "Records and the password"
        _log.warning(
            "%s cross the network unencrypted: security.protocol is %s and %s is not this machine; use SASL_SSL or SSL",
            what,
            source.security.protocol,
            ", ".join(far),
        )
