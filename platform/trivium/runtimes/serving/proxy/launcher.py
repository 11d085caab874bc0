"""The program that Serve starts as HAProxy: it puts right the configuration that Serve rendered, then becomes HAProxy.

It runs on its own (`python -I -S haproxy_launcher.py SETTINGS ARGUMENTS…`), once a reload, so it imports the standard
library only. Lines that it does not recognise stay: on another version of Serve the worst case is Serve's own
behaviour.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_LOOPBACK: Final = "127.0.0.1"
_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG
_PROBLEM: Final = "application/problem+json"
_BIND_ALL: Final = re.compile(r"( *bind )(?::|\*:)(\d+)$")
_KEEP_ALIVE: Final = re.compile(r"( *timeout http-keep-alive )\S+$")
_RETURN_TEXT: Final = re.compile(
    r" *http-request return status (\d+) content-type text/plain (?:lf-)?string .*?( if .*)?$"
)
_ROUTES: Final = re.compile(r" *http-request return status .* if routes$")
_PLAIN_ID: Final = "'^[!#-[\\]-~]{1,200}$'"
# What Serve reads of a request and decodes as text: a byte it does not expect would be its failure.
_SERVES_HEADERS: Final = (
    "x-request-timeout-seconds",
    "x-request-disconnect-disabled",
    "x-session-id",
    "serve_multiplexed_model_id",
    "serve-multiplexed-model-id",
)


def put_right(text: str, settings: Mapping[str, Any]) -> str:
    """Return Serve's configuration with what it has no setting for.

    The service listens on its host, the pages of statistics and metrics on loopback only. Connections that stall are
    closed. Whatever HAProxy or Serve refuse is a problem document, in which `txn.id` is the request's id. Requests
    carry the time they came.
    """
    lines = text.splitlines()
    has_backends = any(line.startswith("backend ") and line != "backend default_backend" for line in lines)
    made: list[str] = []
    section = ""
    for line in lines:
        if line and not line.startswith(" "):
            section = line
        made += _line(line, section, has_backends, settings)
    return "\n".join(made) + "\n"


def _line(line: str, section: str, has_backends: bool, settings: Mapping[str, Any]) -> Iterator[str]:
    problems = settings["problems"]
    if line.lstrip().startswith("errorfile "):
        return  # one status for three causes; ours stand at the top of the section
    if line == "defaults":
        yield line
        yield from _defaults(settings)
    elif found := _KEEP_ALIVE.match(line):
        yield f"{found[1]}{settings['idle_seconds']}"
    elif section == "frontend http_frontend" and line.lstrip().startswith("bind "):
        indent, port = line[: line.index("bind ")], line.rpartition(":")[2]
        yield f"{indent}bind {settings['host']}:{port}"
        yield from _frontend(settings)
    elif line.strip() == "http-reuse always":
        # Over a connection to a replica that others used, a death is no 502 but a silent end.
        yield line.replace("always", "safe")
    elif found := _BIND_ALL.match(line):
        yield f"{found[1]}{_LOOPBACK}:{found[2]}"
    elif _ROUTES.match(line):
        yield _returned("http-request", "404", problems, "if { path,url_dec -i /-/routes }")
    elif (found := _RETURN_TEXT.match(line)) and int(found[1]) >= 400:
        status = found[1] if has_backends or section != "backend default_backend" else "503"
        yield _returned("http-request", status, problems, (found[2] or "").strip())
    else:
        yield line


def _defaults(settings: Mapping[str, Any]) -> Iterator[str]:
    yield f"    timeout http-request {settings['header_seconds']}"
    for status in ("400", "408", "500", "502", "503", "504"):
        problem = settings["problems"][status]
        yield f"    http-error status {status} {_document(problem)}"


def _frontend(settings: Mapping[str, Any]) -> Iterator[str]:
    good = f"{{ req.fhdr(x-request-id) -m reg {_PLAIN_ID} }}"
    yield f"    http-request set-header x-request-id %[uuid()] if !{good} || {{ req.fhdr_cnt(x-request-id) gt 1 }}"
    yield "    http-request set-var(txn.id) req.fhdr(x-request-id),url_enc"
    given = "req.fhdr(x-request-timeout-seconds)"
    yield f"    http-request set-header trivium-timeout-seconds %[{given}] if {{ {given} -m reg '^[0-9.]{{1,20}}$' }}"
    for name in _SERVES_HEADERS:
        yield f"    http-request del-header {name}"
    yield f"    http-request wait-for-body time {settings['body_seconds']} if !METH_GET !METH_HEAD"
    yield "    http-request set-header trivium-received %[date(0,ms)]"
    yield "    http-response allow if { status lt 400 } || { res.hdr(content-type) -m beg " + _PROBLEM + " }"
    for status in settings["problems"]:
        yield _returned("http-response", status, settings["problems"], f"if {{ status {status} }}")


def _returned(rule: str, status: str, problems: Mapping[str, Any], condition: str) -> str:
    problem = problems[status]
    return f"    {rule} return status {problem['status']} {_document(problem)} {condition}".rstrip()


def _document(problem: Mapping[str, Any]) -> str:
    """Return what follows the status in a rule; the problem's text has neither single quotes nor percent signs."""
    headers = "".join(f" hdr {name} {value}" for name, value in problem["headers"].items())
    return f"content-type {_PROBLEM}{headers} lf-string '{problem['text']}'"


def started(pid: int) -> str:
    """Return when a process started, which tells it from a later one of its number; nothing if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def main(arguments: Sequence[str]) -> None:
    """Put the configuration named by -f right and become HAProxy, which ends when whoever started it does."""
    settings = json.loads(Path(arguments[0]).read_text())
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    owner = settings["owner"]
    if os.getppid() != parent or started(owner["pid"]) != owner["started"]:
        sys.exit("haproxy: the run that this proxy belongs to has ended")
    given = list(arguments[1:])
    if "-f" in given:
        config = Path(given[given.index("-f") + 1])
        config.write_text(put_right(config.read_text(), settings))
    os.execv(settings["binary"], [settings["binary"], *given])


if __name__ == "__main__":
    main(sys.argv[1:])
