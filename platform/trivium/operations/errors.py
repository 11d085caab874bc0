"""Errors of arguments that cannot be met."""

from __future__ import annotations

from trivium.core.errors import TriviumError


class ArgumentError(TriviumError):
    """An argument is wrong or missing; the message says what was expected, what came and what to try."""
