"""A copy of HAProxy whose parser refuses in problem documents.

What cannot be read as a request, or does not come in time, is answered by HAProxy's parser with texts that are
constants of its program: no `errorfile` or `http-error` replaces them. A copy of the program is given others of equal
length.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from trivium.runtimes.serving.http.problems import MEDIA_TYPE, ProblemDetails

_TEXT: Final = re.compile(
    rb"(HTTP/1\.1 (\d{3}) [^\r\n]+\r\n)Content-length: \d+\r\nCache-Control: no-cache\r\n(Connection: close\r\n)?"
    rb"Content-Type: text/html\r\n\r\n<html>[^\0]*</html>\n(?=\0)"
)
_REFUSALS: Final = {
    400: "malformed-request",
    408: "request-too-slow",
    500: "proxy-failed",
    501: "not-implemented",
}


def with_problems(program: bytes) -> bytes:
    """Return HAProxy's program with problem documents for texts; one that has no room for its document stays."""
    return _TEXT.sub(_replaced, program)


def copy_with_problems(binary: Path, folder: Path) -> Path:
    """Return a copy in this folder, beside the libraries that the original has beside it."""
    made = folder / "haproxy-with-problems"
    made.write_bytes(with_problems(binary.read_bytes()))
    made.chmod(0o700)
    if (binary.parent / "lib").is_dir():
        (folder / "lib").symlink_to(binary.parent / "lib")
    return made


def _replaced(found: re.Match[bytes]) -> bytes:
    line, status, close = found[1], int(found[2]), found[3] or b""
    if status not in _REFUSALS:
        return found[0]
    head = line + close + b"Content-Type: " + MEDIA_TYPE + b"\r\nContent-length: %3d\r\n\r\n"
    room = len(found[0]) - len(head % 0)
    body = _document(status)
    return head % room + body.ljust(room) if len(body) <= room <= 999 else found[0]


def _document(status: int) -> bytes:
    slug = _REFUSALS[status]
    problem = ProblemDetails(status, slug, "")
    return msgspec.json.encode({"type": f"urn:trivium:problem:{slug}", "title": problem.title, "status": status})
