"""One service on Ray Serve behind HAProxy, from its start to its end, as a person sees it."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from tests.runtimes.serving.services import RunningService
from tests.runtimes.serving.tick_project import row, tick, tick_project

HERE = "0100007F"  # 127.0.0.1 as the kernel writes it


def listening(of: str) -> set[str]:
    """The addresses on which processes with this in their command line listen."""
    found: set[str] = set()
    sockets = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A":
            sockets[fields[9]] = fields[1].partition(":")[0]
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and of.encode() in (process / "cmdline").read_bytes():
                links = [link.readlink().name for link in (process / "fd").iterdir() if link.is_symlink()]
                found |= {sockets[name[8:-1]] for name in links if name[8:-1] in sockets}
        except OSError:  # it has ended
            continue
    return found


def test_a_service_starts_answers_and_stops(tmp_path: Path) -> None:
    with RunningService(tick_project(tmp_path)) as service:
        answer = service.post([tick(1), {"event_type": "tick"}, tick(2)])
        assert answer.status == 200
        outcomes = answer.json()["events"]
        assert [each["outcome"] for each in outcomes] == ["emitted", "rejected", "emitted"]
        assert [outcomes[0]["rows"], outcomes[2]["rows"]] == [[row(1)], [row(2)]]
        assert answer.headers["trivium-plan"] == service.shown["plan"]
        assert answer.headers["x-request-id"]

        document = service.get("/openapi.json").json()
        assert document["servers"] == [{"url": "/ticks"}]
        assert service.get("/readyz").status == 200
        assert service.get("/docs").body.startswith(b"<!doctype html>")
        assert service.post(tick(1), "/v1/events/tock").status == 404
        assert service.post(b"x" * (2 << 20)).status == 413

        shown = subprocess.run(shlex.split(service.shown["try"]), capture_output=True, text=True, check=True).stdout
        assert '"openapi"' in shown  # a project without samples has no event to show
        assert listening("h.cfg") == {HERE}
        service.ask_to_stop()
        assert service.ended() == 0
    assert listening("h.cfg") == set()
