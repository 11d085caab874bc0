"""Structured logs: a JSON object a line, each with the pipeline and plan it is about, and positions where they matter.

A record's `extra` fields become fields of the object. Events' contents are never logged.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_context: dict[str, Any] = {}


def bind(**fields: Any) -> None:
    """Have these fields in every record of this process from here on."""
    _context.update(fields)


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `{"at": …, "level": …, "logger": …, "message": …}` with the bound fields and the record's own."""
        # Names that begin with an underscore are Ray's own.
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD and name[0] != "_"}
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_context,
            **extra,
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=True)


class Sentences(logging.Formatter):
    """A record for a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `warning: message`."""
        return f"{record.levelname.lower()}: {record.getMessage()}"


def log_json_lines(level: int = logging.INFO) -> None:
    """Write Trivium's records to standard error as JSON lines."""
    _log_with(JsonLines(), level)


def log_sentences(level: int = logging.WARNING) -> None:
    """Write Trivium's records to standard error as sentences."""
    _log_with(Sentences(), level)


def _log_with(formatter: logging.Formatter, level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logger = logging.getLogger("trivium")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(level)
