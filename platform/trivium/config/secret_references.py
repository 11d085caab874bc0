"""Secrets of the pipeline file: the file names the variable, the value travels beside the plan."""

from __future__ import annotations

from collections.abc import Iterable

from trivium.config.document import Document
from trivium.config.interpolate import variable
from trivium.config.problems import Path, dotted


def take_secrets(document: Document, path: Path, places: Iterable[Path]) -> dict[str, str] | None:
    """The values of the secrets at `places` below `path`, by variable; the document keeps their references.

    None if a secret is written out, or given as anything but `${NAME}`: a problem each, and nothing more is said of it.
    """
    given = [place for place in places if document.at((*path, *place)) is not None]
    literal = [place for place in given if variable(document.references.get((*path, *place), "")) is None]
    for place in literal:
        name = str(place[-1]).upper()
        message = f"{dotted(place)} is a secret, so the file may only name the variable that holds it"
        document.add((*path, *place), "secret-literal", message, f"write ${{{name}}}, without a default")
        document.broken.add((*path, *place))
    return None if literal else dict(_taken(document, (*path, *place)) for place in given)


def _taken(document: Document, place: Path) -> tuple[str, str]:
    reference, value = document.references[place], document.at(place)
    document.replace(place, reference)
    return variable(reference) or "", value
