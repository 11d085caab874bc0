"""A load generator for one HTTP endpoint on loopback: closed loop (so many callers) and open loop (a rate).

    python -m benchmarks.serving_load < load.json > result.json

An open loop's latency counts from the moment a request was due, so a stall is seen by every request it delays.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvloop

_DRAIN_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Load:
    """What to send. `bodies` names a file of request bodies, one JSON text a line, sent in turn.

    `rate` is requests a second of an open loop over at most `connections`; None: each connection sends its next request
    when its last is answered.
    """

    host: str
    port: int
    path: str
    bodies: str
    connections: int
    seconds: float
    warm_seconds: float = 0.5
    rate: float | None = None
    seed: int = 0


@dataclass
class Answered:
    """Latencies (seconds) of answered requests, and how many had which status; 0 is a broken connection."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    longest_hole: float = 0.0


class Caller(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: Generator) -> None:
        self._load, self._transport = load, None
        self._received = b""
        self.due = 0.0

    def connection_made(self, transport: Any) -> None:
        """Ready for a request."""
        self._transport = transport
        self._load.free(self)

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at a moment."""
        self.due = due
        self._transport.write(request)  # type: ignore[union-attr,attr-defined]

    def data_received(self, data: bytes) -> None:
        """Take in an answer, perhaps in pieces."""
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end].lower()
        at = head.find(b"content-length:")
        assert at >= 0, f"expected a content-length, got {head!r}"
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._received) < end + 4 + length:
            return
        status = int(self._received[9:12])
        self._received = b""
        self._load.answered(self, status)

    def connection_lost(self, exc: Exception | None) -> None:
        """A broken connection counts as status 0 if an answer was due; another takes its place."""
        self._load.lost(self)


class Generator:
    """Keeps the callers busy and books their answers."""

    def __init__(self, load: Load) -> None:
        self._told, self._random = load, random.Random(load.seed)
        head = f"POST {load.path} HTTP/1.1\r\nHost: {load.host}:{load.port}\r\nContent-Type: application/json\r\n"
        bodies = Path(load.bodies).read_bytes().splitlines()
        self._requests = [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
        self._next = 0
        self._free: deque[Caller] = deque()
        self._busy: set[Caller] = set()
        self._waiting: deque[float] = deque()
        self._stopped = False
        self.result = Answered()
        self._counts_from, self._last = float("inf"), 0.0

    async def run(self) -> Answered:
        """Warm up, load for so many seconds, drain."""
        loop = asyncio.get_running_loop()
        for _ in range(self._told.connections):
            await self._connect()
        start = time.perf_counter()
        self._counts_from = self._last = start + self._told.warm_seconds
        ends = self._counts_from + self._told.seconds
        if self._told.rate is None:
            await asyncio.sleep(ends - time.perf_counter())
        else:
            await self._arrivals(start, ends, self._told.rate)
        self._stopped, stop = True, time.perf_counter()
        drained = loop.time() + _DRAIN_SECONDS
        while (self._busy or self._waiting) and loop.time() < drained:
            await asyncio.sleep(0.01)
        self.result.statuses[0] += len(self._busy) + len(self._waiting)
        self.result.seconds = stop - self._counts_from
        return self.result

    def free(self, caller: Caller) -> None:
        """A caller without a request: it gets the next one."""
        if self._waiting:
            self._send(caller, self._waiting.popleft())
        elif self._told.rate is None and not self._stopped:
            self._send(caller, time.perf_counter())
        else:
            self._free.append(caller)

    def answered(self, caller: Caller, status: int) -> None:
        """Book an answer."""
        self._book(caller, status)
        self.free(caller)

    def lost(self, caller: Caller) -> None:
        """Book a broken connection and make another."""
        if caller in self._busy:
            self._book(caller, 0)
        if caller in self._free:
            self._free.remove(caller)
        if not self._stopped:
            asyncio.get_running_loop().create_task(self._connect_again())

    def _book(self, caller: Caller, status: int) -> None:
        self._busy.discard(caller)
        now = time.perf_counter()
        if caller.due >= self._counts_from:
            self.result.latencies.append(now - caller.due)
            self.result.statuses[status] += 1
            self.result.longest_hole = max(self.result.longest_hole, now - self._last)
            self._last = now

    def _send(self, caller: Caller, due: float) -> None:
        self._busy.add(caller)
        self._next = (self._next + 1) % len(self._requests)
        caller.send(self._requests[self._next], due)

    async def _arrivals(self, start: float, ends: float, rate: float) -> None:
        due = start
        while due < ends:
            due += self._random.expovariate(rate)
            pause = due - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            if self._free:
                self._send(self._free.popleft(), due)
            else:
                self._waiting.append(due)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Caller(self), self._told.host, self._told.port)

    async def _connect_again(self) -> None:
        while not self._stopped:
            try:
                await self._connect()
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return


def summary(result: Answered) -> dict[str, Any]:
    """Requests a second, percentiles in milliseconds, statuses, the longest time without an answer."""
    latencies = np.asarray(result.latencies) * 1000
    points = np.percentile(latencies, [50, 99, 99.9]).tolist() if len(latencies) else [float("nan")] * 3
    return {
        "requests_per_second": result.statuses[200] / result.seconds,
        **dict(zip(("p50_ms", "p99_ms", "p999_ms"), points, strict=True)),
        "statuses": dict(result.statuses),
        "longest_hole_seconds": result.longest_hole,
    }


def main() -> None:
    """One load from standard input, its figures to standard output."""
    load = Load(**json.load(sys.stdin))
    gc.disable()
    result = uvloop.run(Generator(load).run())
    json.dump(summary(result), sys.stdout)


if __name__ == "__main__":
    main()
