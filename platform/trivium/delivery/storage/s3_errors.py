"""Errors of a store that speaks S3, through Arrow or through deltalake, in one line with what to try."""

from __future__ import annotations

import re
from typing import Final

_ARROW: Final = re.compile(r"AWS Error (\w+) during (\w+) operation: (.*)", re.DOTALL)
_REQUEST_ID: Final = re.compile(r" ?\(Request ID: [^)]*\)")
_NO_CREDENTIALS: Final = re.compile(r"loading credentials|//169\.254\.169\.254/")  # the machine's role, tried last
_DELTA: Final = re.compile(r"Generic S3|Error performing [A-Z]+ http|lacked the necessary privileges")
_DELTA_CODE: Final = re.compile(r"<Code>(\w+)</Code>(?:<Message>([^<]*)</Message>)?")
_DELTA_STEP: Final = re.compile(r"\s*(?:\x1b\[\d+m)?\N{DOWNWARDS ARROW WITH TIP RIGHTWARDS}(?:\x1b\[\d+m)?\s*")
_DELTA_STATUS: Final = re.compile(r"\b(403|404|429|5\d\d) \w+")
_SPACE: Final = re.compile(r"\s+")

_KEYS: Final = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN on this machine"
_BUSY: Final = "the store is busy or fails inside; wait, then run again"
_ADVICE: Final = {
    "ACCESS_DENIED": "allow these credentials to list, get, put and delete there, on driver and workers alike",
    "NO_SUCH_BUCKET": "create the bucket, or check its name and AWS_ENDPOINT_URL",
    "NO_SUCH_KEY": "check the path; was the file removed (vacuum with a short retention, lifecycle rules)?",
    "NETWORK_CONNECTION": "check AWS_ENDPOINT_URL and the network; then run again",
    "EXPIRED_TOKEN": "renew the session's credentials, then run again",
    "SLOW_DOWN": _BUSY,
    "SERVICE_UNAVAILABLE": _BUSY,
    "INTERNAL_FAILURE": _BUSY,
    "INTERNAL_ERROR": _BUSY,
    "INVALID_ACCESS_KEY_ID": _KEYS,
    "SIGNATURE_DOES_NOT_MATCH": _KEYS,
}
_OF_STATUS: Final = {"403": "ACCESS_DENIED", "404": "NO_SUCH_KEY"}
_UNKNOWN: Final = "check AWS_ENDPOINT_URL, AWS_REGION and the credentials; then run again"


def explain(error: Exception) -> str:
    """Reason and advice: `ACCESS_DENIED (HeadObject): …. Try: …`."""
    code, reason = _read(error)
    return f"{reason.strip().rstrip('.')}. Try: {_ADVICE.get(code, _UNKNOWN)}"


def from_delta(error: Exception) -> bool:
    """Return whether an error of deltalake is the store's, not the table's."""
    return any(pattern.search(str(error)) for pattern in (_DELTA, _NO_CREDENTIALS))


def _read(error: Exception) -> tuple[str, str]:
    """Return the code, in Arrow's spelling, and the reason."""
    text = str(error)
    if isinstance(error, FileNotFoundError):
        return "NO_SUCH_KEY", "there is no such object or bucket"
    if found := _ARROW.search(text):
        code, operation, text = found.groups()
        return code, f"{code} ({operation}): {_REQUEST_ID.sub('', text)}"
    if _NO_CREDENTIALS.search(text):
        return "INVALID_ACCESS_KEY_ID", "no credentials were found in variables, profile or the machine's role"
    if found := _DELTA_CODE.search(text):
        code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", found[1]).upper()
        return code, f"{code}: {found[2] or ''}"
    steps = [_SPACE.sub(" ", step).strip() for step in _DELTA_STEP.split(text)]
    status = _DELTA_STATUS.search(text)
    code = _OF_STATUS.get(status[1], "SERVICE_UNAVAILABLE") if status else "NETWORK_CONNECTION"
    return code if from_delta(error) else "", ": ".join(filter(None, steps))
