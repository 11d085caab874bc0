"""One service on Ray Serve behind HAProxy, from its start to its end, as a person sees it."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from tests.support.haproxy_process import haproxy_of, listening
from tests.support.serving_services import RunningService, until
from tests.support.tick_project import row, tick, tick_project

HERE = "0100007F"  # 127.0.0.1 as the kernel writes it


def counted(service: RunningService, tag: str) -> float | None:
    """The exported number of events with this tag."""
    pattern = rf"ray_trivium_events_answered_total\{{[^}}]*{tag}[^}}]*\}} (\S+)"
    found = re.search(pattern, service.metrics())
    return float(found[1]) if found else None


def test_a_service_starts_answers_and_stops(tmp_path: Path) -> None:
    config = tick_project(tmp_path)
    config.write_text(config.read_text().replace("{type: tick}", "{type: tick, owner: clocks}"))
    with RunningService(config, RAY_metrics_report_interval_ms="500") as service:
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
        until(
            lambda: counted(service, 'outcome="emitted"') == 2.0 and counted(service, 'outcome="rejected"') == 1.0, 30
        )
        assert counted(service, 'owner="clocks"')

        haproxy = haproxy_of(service.url.port or 0)
        assert listening(haproxy) == {HERE}
        service.ask_to_stop()
        assert service.ended() == 0
    assert not haproxy.exists()
