"""Errors of `trivium.run`'s arguments."""

from __future__ import annotations

from trivium.core.errors import TriviumError


class InputError(TriviumError):
    """`trivium.run` was handed something it cannot use. Raised before any event is run."""


def listed(heading: str, problems: list[str], advice: str) -> InputError:
    """Return all problems at once, one a line."""
    lines = "".join(f"\n  - {problem}" for problem in problems)
    return InputError(f"{heading}:{lines}\nTry: {advice}")
