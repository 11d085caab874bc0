"""Diagnosis of a Kafka server that cannot be reached, step by step: name, port, TLS. For error messages only."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from trivium.config.model.streaming import KafkaSource
from trivium.connectors.kafka.security import local_path

_SECONDS: Final = 3.0


def diagnose(source: KafkaSource) -> str:
    """Return what happens at each server, `host:port: what`, separated by semicolons."""
    return "; ".join(f"{server}: {_try(server, source)}" for server in map(str.strip, source.servers.split(",")))


def _try(server: str, source: KafkaSource) -> str:
    host, _, port = server.rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), _SECONDS) as plain:
            if not source.security.protocol.endswith("SSL"):
                return f"takes connections but gives no answer; is it a Kafka {source.security.protocol} listener?"
            with _context(source).wrap_socket(plain, server_hostname=host):
                return f"takes TLS connections but gives no answer; is it a Kafka {source.security.protocol} listener?"
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not accepted ({error.verify_message}); is security.ca_file the right authority?"
    except (OSError, ValueError) as error:
        return str(error)


def _context(source: KafkaSource) -> ssl.SSLContext:
    security = source.security
    context = ssl.create_default_context(cafile=security.ca_file and local_path(security.ca_file))
    if security.certificate_file and security.key_file:
        context.load_cert_chain(local_path(security.certificate_file), local_path(security.key_file))
    return context
