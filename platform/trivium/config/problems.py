"""Everything wrong with a pipeline file, at once, each with its position and what to try."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trivium.core.errors import TriviumError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One problem. `line` and `column` count from 1; `code` is stable; `path` reads like `executors[0].options`."""

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    path: str = ""

    def __str__(self) -> str:
        advice = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.code}: {self.message}{advice}"


class ConfigError(TriviumError):
    """A pipeline file with problems, sorted by position."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.column, p.code, p.message)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def dotted(path: Path) -> str:
    """Return a path into the file as people write it: `executors[0].options.late`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
