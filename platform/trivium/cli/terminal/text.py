"""Text that came from data, made safe for a terminal, and figures as people read them."""

from __future__ import annotations

import unicodedata


def printable(text: str, keep: str = "") -> str:
    """Return the text with control, format and surrogate characters written as escapes, other than those in `keep`."""
    return "".join(letter if letter in keep or letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    if unicodedata.category(letter) == "Zs":
        return letter
    return letter.encode("unicode_escape", "backslashreplace").decode()


def one_line(text: str, width: int = 100) -> str:
    """Return the first line, printable and cut to a width."""
    line = printable(text.strip().split("\n", 1)[0])
    return line if len(line) <= width else f"{line[: width - 1]}…"


def size(number: int) -> str:
    """Return bytes in a unit that leaves at most four digits."""
    amount = float(number)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def span(days: tuple[str, ...]) -> str:
    """Return days as first to last."""
    if not days:
        return "no days"
    count = f"{len(days)} day{'s' if len(days) > 1 else ''}"
    return f"{count}, {days[0]} to {days[-1]}" if len(days) > 1 else f"{count}, {days[0]}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
