"""Did you mean …?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

SHOWN: Final = 12


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the nearest known word as a hint, else the empty string."""
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"did you mean {by_folded[close[0]]}?" if close else ""


def one_of(word: str, known: Iterable[str]) -> str:
    """Return the nearest known word as a hint, else the words there are."""
    names = sorted(known)
    if not names:
        return ""
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return did_you_mean(word, names) or f"one of {', '.join(names[:SHOWN])}{rest}"
