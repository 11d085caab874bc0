"""Clients that keep their connections, as load balancers and SDKs do."""

from __future__ import annotations

import select
import socket
import threading

HOST = "127.0.0.1"


class Kept(threading.Thread):
    """A client that keeps its connection and asks every now and then; `lost` counts requests without an answer."""

    def __init__(
        self, port: int, pause: float, over: threading.Event, body: bytes, path: str = "/ticks/v1/events"
    ) -> None:
        super().__init__()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.request = head.encode() + body
        self.port, self.pause, self.over = port, pause, over
        self.statuses: list[int] = []
        self.lost = 0

    def run(self) -> None:
        connection = socket.create_connection((HOST, self.port), 10)
        while not self.over.wait(self.pause):
            if select.select([connection], [], [], 0)[0]:  # closed while it was idle: nothing was sent
                connection.close()
                connection = socket.create_connection((HOST, self.port), 10)
            head = self.asked(connection)
            if not head or b"connection: close" in head.lower():
                connection.close()
                connection = socket.create_connection((HOST, self.port), 10)
        connection.close()

    def asked(self, connection: socket.socket) -> bytes:
        got = b""
        try:
            connection.sendall(self.request)
            while not got.endswith(b"}"):
                piece = connection.recv(65_536)
                if not piece:
                    break
                got += piece
        except OSError:
            got = b""
        if got:
            self.statuses.append(int(got.split(b" ", 2)[1]))
        else:
            self.lost += 1
        return got.partition(b"\r\n\r\n")[0]
