from __future__ import annotations

import socket

import pytest

from trivium.core.network import LOOPBACK, free_port, is_loopback, is_taken


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True),
        ("0.0.0.0", False), ("10.0.0.1", False), ("broker.example", False), ("", False),
    ],
)  # fmt: skip
def test_loopback_by_address_and_by_name(host: str, own: bool) -> None:
    assert is_loopback(host) == own


def test_a_port_that_a_server_has_is_taken_and_never_chosen() -> None:
    with socket.create_server((LOOPBACK, free_port())) as server:
        held = server.getsockname()[1]
        assert is_taken(held)
        assert free_port(among=range(held, held + 2)) == held + 1
    assert not is_taken(held)
