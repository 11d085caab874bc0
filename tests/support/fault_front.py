"""A front before a server, which holds back what is sent, or cuts connections and refuses new ones."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class FaultFront:
    """Passes connections on to a port of this machine, or to the path of a socket. `opened` counts those it took."""

    def __init__(self, target: int | str) -> None:
        self._target = target
        self._passing = threading.Event()
        self._passing.set()
        self._cut = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self.opened = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def clients(self) -> int:
        """Connections of clients that are open now."""
        with self._lock:
            return len(self._open) // 2

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold back all bytes, of connections that are there and of new ones; they arrive at the end."""
        self._passing.clear()
        try:
            yield
        finally:
            self._passing.set()

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Cut all connections, and every new one at once."""
        self._cut = True
        self._end_all()
        try:
            yield
        finally:
            self._cut = False

    def close(self) -> None:
        """Take no more connections, and end all."""
        self._listener.close()
        self._passing.set()
        self._end_all()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                outer, _ = self._listener.accept()
                self.opened += 1
                threading.Thread(target=self._connect, args=(outer,), daemon=True).start()

    def _connect(self, outer: socket.socket) -> None:
        with suppress(OSError), outer:
            if self._cut:
                return
            # Small questions and answers must not wait for each other's receipts.
            outer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._connection() as inner:
                pair = {outer, inner}
                with self._lock:
                    self._open |= pair
                try:
                    back = threading.Thread(target=self._pass_on, args=(inner, outer), daemon=True)
                    back.start()
                    self._pass_on(outer, inner)
                    back.join()
                finally:
                    with self._lock:
                        self._open -= pair

    def _connection(self) -> socket.socket:
        if isinstance(self._target, int):
            made = socket.create_connection(("127.0.0.1", self._target))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        made = socket.socket(socket.AF_UNIX)
        made.connect(self._target)
        return made

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                self._passing.wait()
                target.sendall(piece)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _end_all(self) -> None:
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
