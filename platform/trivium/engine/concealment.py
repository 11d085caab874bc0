"""Values of variables kept out of what is written down about an input: an author's error may quote its own options."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from trivium.core.errors import RunError
from trivium.engine.outcomes import Reject

_SHORTEST: Final = 6
"""A shorter text, or a number, is no secret; to take it out would spoil what other words say."""
_INSTEAD: Final = "(a value from a variable)"


class Concealment:
    """Takes the values that travel beside a plan out of texts; `secrets` is the pipeline's."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        values = sorted({value for each in secrets.values() for value in _texts(each)}, key=len, reverse=True)
        forms = dict.fromkeys(form for value in values for form in (value, repr(value)[1:-1], json.dumps(value)[1:-1]))
        self._pattern = re.compile("|".join(map(re.escape, forms))) if forms else None

    @contextmanager
    def of_what_is_raised(self) -> Iterator[None]:
        """Raise a `RunError` again without such values, and then without the cause, which holds them, too."""
        try:
            yield
        except RunError as error:
            said = self.text(str(error))
            if said == str(error):
                raise
            raise RunError(said) from None

    def text(self, text: str) -> str:
        """Return a text with no such value in it."""
        return text if self._pattern is None else self._pattern.sub(_INSTEAD, text)

    def of(self, rejects: list[Reject]) -> list[Reject]:
        """Return the rejects with no such value in what they say."""
        pattern = self._pattern
        if pattern is None:
            return rejects
        return [
            replace(each, error=self.text(each.error), reason=self.text(each.reason))
            if pattern.search(each.error) or pattern.search(each.reason)
            else each
            for each in rejects
        ]


def _texts(secret: str) -> Iterable[str]:
    """Yield a secret as it is, or the text it is the JSON of: options travel as JSON."""
    try:
        value = json.loads(secret)
    except ValueError:
        value = secret
    text = value if isinstance(value, str) else secret
    if len(text) >= _SHORTEST and not re.fullmatch(r"[-+.\d]*|true|false|null", text):
        yield text
