"""Addresses and ports of this machine."""

from __future__ import annotations

import random
import socket
from ipaddress import ip_address
from typing import Final

LOOPBACK: Final = "127.0.0.1"
# Below the ports that systems give to outgoing connections: one of those would now and then sit on the port of a
# server that is down, and a client that keeps connecting to it can even meet itself there.
_PORTS: Final = range(20_000, 32_000)


def is_loopback(host: str) -> bool:
    """Return whether a host, by name or address, is this machine's loopback interface."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_taken(port: int, host: str = LOOPBACK) -> bool:
    """Return whether no server could listen on the port now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(1)
        except OSError:
            return True
    return False


def free_port(host: str = LOOPBACK, among: range = _PORTS) -> int:
    """Find a port that no server listens on."""
    return next(port for port in random.sample(among, len(among)) if not is_taken(port, host))
