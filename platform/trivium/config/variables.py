"""Variables that a pipeline file names, whether they are set or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trivium.config.include import include
from trivium.config.paths import project_root
from trivium.config.yaml.interpolate import references
from trivium.config.yaml.load import load


def named_variables(config_file: Path) -> dict[str, str | None]:
    """Return the default of each variable that the file or one it includes names, sorted; None: it must be set.

    A variable that stands without a default anywhere must be set.

    Raises:
        ConfigError: the file cannot be read as one YAML mapping.
    """
    found: dict[str, str | None] = {}
    for name, default in _named(config_file):
        found[name] = None if default is None else found.get(name, default)
    return dict(sorted(found.items()))


def _named(config_file: Path) -> Iterator[tuple[str, str | None]]:
    document = load(config_file, {})
    root = project_root(config_file)
    if root is not None:
        include(document, {}, root)
    for text in document.references.values():
        yield from references(text)
