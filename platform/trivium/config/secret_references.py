"""Values of the pipeline file that only their variables' names stand for: the values travel beside the plan."""

from __future__ import annotations

import json
from collections.abc import Iterable

from trivium.config.problems import Path, dotted
from trivium.config.yaml.document import Document
from trivium.config.yaml.interpolate import concealed, variable


def take_secrets(document: Document, path: Path, places: Iterable[Path]) -> dict[str, str] | None:
    """Return the values of the secrets at `places` below `path`, by variable; the document keeps their references.

    None if a secret is written out, or given as anything but `${NAME}`: a problem each, and nothing more is said of it.
    """
    given = [place for place in places if document.at((*path, *place)) is not None]
    if not all_by_variable(document, path, given):
        return None
    return dict(_taken(document, (*path, *place)) for place in given)


def all_by_variable(document: Document, path: Path, given: Iterable[Path]) -> bool:
    """Tell whether all secrets at `given` below `path` are written `${NAME}`; a problem for each that is not."""
    literal = [place for place in given if variable(document.references.get((*path, *place), "")) is None]
    for place in literal:
        name = str(place[-1]).upper()
        message = f"{dotted(place)} is a secret, so the file may only name the variable that holds it"
        document.add((*path, *place), "secret-literal", message, f"write ${{{name}}}, without a default")
        document.broken.add((*path, *place))
    return not literal


def take_values(document: Document, path: Path) -> dict[Path, str]:
    """Return whatever came from a variable at `path` or below, as JSON by place; the document keeps what was written.

    Defaults are left out of what it keeps: whoever may read a plan need not know them.
    """
    size = len(path)
    found = [place for place in document.references if place[:size] == path and place not in document.broken]
    taken = {place[size:]: json.dumps(document.at(place)) for place in found}
    for place in found:
        document.replace(place, concealed(document.references[place]))
    return taken


def _taken(document: Document, place: Path) -> tuple[str, str]:
    reference, value = document.references[place], document.at(place)
    document.replace(place, reference)
    return variable(reference) or "", value
