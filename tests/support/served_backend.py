"""A deployment of Ray Serve as a back-end of lookups, which a test fills and troubles by files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from ray import serve

from tests.support.fact_backends import KEYS, Backend, FactRow


def filed_application(folder: str) -> Any:
    """Return an application that answers keys with the rows of `rows.json`, as the text of `mode` says."""

    @serve.deployment(name="facts", ray_actor_options={"num_cpus": 0})
    class Facts:
        async def __call__(self, keys: list[Any]) -> list[Any]:
            mode = Path(folder, "mode")
            if mode.read_text() == "erring":
                raise ValueError("the model is out of memory")
            while mode.read_text() == "slow":
                await asyncio.sleep(0.01)
            rows = json.loads(Path(folder, "rows.json").read_text())
            found = {tuple(key): row for key, row in rows}
            return [found.get(key if isinstance(key, tuple) else (key,)) for key in keys]

    return Facts.bind()


class ServeBackend(Backend):
    """A deployment of the cluster that this process is connected to."""

    name = "serve"
    timed = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._set("mode", "well")
        serve.start(proxy_location="Disabled")
        serve.run(filed_application(str(folder)), name="filed", route_prefix=None)

    def put(self, table: str, rows: Sequence[FactRow]) -> None:
        self._set("rows.json", json.dumps([[[row[name] for name in KEYS[table]], row] for row in rows]))

    def section(self, table: str) -> dict[str, Any]:
        return {"type": "serve", "app": "filed"}

    def slow(self) -> AbstractContextManager[Any]:
        return self._in_mode("slow")

    def erring(self) -> AbstractContextManager[Any]:
        return self._in_mode("erring")

    @contextmanager
    def _in_mode(self, mode: str) -> Iterator[None]:
        self._set("mode", mode)
        try:
            yield
        finally:
            self._set("mode", "well")

    def _set(self, name: str, text: str) -> None:
        whole = self._folder / f".{name}"
        whole.write_text(text)
        whole.replace(self._folder / name)
