"""Paths and URIs of a pipeline file: what they resolve to, and where they may lie. Nothing is opened here."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from trivium.config.problems import Path as Place
from trivium.config.yaml.document import Document

SCHEMES: Final = "plain paths, file:///… and s3://bucket/prefix"
LOCAL_SCHEMES: Final = "plain paths and file:///…"
_S3: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[^\x00-\x1f\x7f?#%\\]*))?")
_RAY_JOB: Final = "RAY_JOB_CONFIG_JSON_ENV_VAR"


class Relative(enum.Enum):
    """Meaning of relative data paths: the file's folder here, nothing on the machines of a remote job."""

    RESOLVED = enum.auto()
    REFUSED = enum.auto()


@dataclass(frozen=True)
class Base:
    """Base of paths: the project of a pipeline file, and the meaning of relative data paths."""

    root: Path
    relative: Relative


def in_ray_job(environ: Mapping[str, str]) -> bool:
    """Return whether this process is the driver of a submitted Ray job."""
    return bool(environ.get(_RAY_JOB))


def project_root(config_file: Path) -> Path | None:
    """Return the nearest folder above the file that holds `executors/`."""
    return next((folder for folder in config_file.resolve().parents if (folder / "executors").is_dir()), None)


def s3_location(uri: str) -> tuple[str, str] | None:
    r"""Bucket and prefix (no slash at its ends) of an `s3://` URI; None for any other text.

    A prefix holds none of `? # % \`, which readers of a table take for a part of a URL's grammar, and no `.` or `..`.
    """
    found = _S3.fullmatch(uri)
    parts = [part for part in (found["prefix"] or "").split("/") if part] if found else []
    return (found["bucket"], "/".join(parts)) if found and not {".", ".."} & {*parts} else None


def resolve_data(document: Document, place: Place, base: Base) -> str | None:
    """Return the absolute path or the S3 URI of a table, source or lookup; None and a problem where it may not be."""
    text = document.at(place)
    if isinstance(text, str) and text.startswith("s3://") and place not in document.broken:
        return _s3(document, place, text)
    return _resolve(document, place, base, base.relative, SCHEMES)


def resolve_artifact(document: Document, place: Place, base: Base) -> str | None:
    """Return the absolute path of an artifact. A relative one ships with the project, so it is fine in a remote job."""
    return _resolve(document, place, base, Relative.RESOLVED, LOCAL_SCHEMES)


def check_overlap(document: Document, resolved: Mapping[Place, str]) -> None:
    """Check that no data path equals or holds another: a runtime would read or remove the other's files."""
    for (first, one), (second, other) in combinations(resolved.items(), 2):
        inner, outer = (second, first) if len(other) >= len(one) else (first, second)
        if f"{resolved[inner]}/".startswith(f"{resolved[outer].rstrip('/')}/"):
            word = "equals" if one == other else "lies inside"
            hint = "give each a folder of its own"
            document.add(inner, "path-overlap", f"{document.dotted(inner)} {word} {document.dotted(outer)}", hint)


def _s3(document: Document, place: Place, text: str) -> str | None:
    location = s3_location(text)
    if location is None:
        message = f"{document.dotted(place)} is no S3 location"
        hint = "s3://bucket/prefix, the prefix without ? # % \\ and dots alone; credentials are never part of it"
        document.add(place, "path-bucket", message, hint)
        return None
    return "s3://" + "/".join(filter(None, location))


def _resolve(document: Document, place: Place, base: Base, relative: Relative, schemes: str) -> str | None:
    text = document.at(place)
    if not isinstance(text, str) or not text or place in document.broken:
        return None
    local = _local(document, place, text, schemes)
    if local is None or os.path.isabs(local):
        return local and os.path.normpath(local)
    if relative is Relative.REFUSED:
        message = f"{document.dotted(place)} is relative, which means nothing on the machines of a remote job"
        document.add(place, "path-relative-in-job", message, "write an absolute path")
        return None
    return _below_root(document, place, os.path.normpath(_folder(document, place) / local), base)


def _folder(document: Document, place: Place) -> Path:
    """Return the folder at which the relative paths of the file start that holds a place."""
    return Path(document.written(place).file).resolve().parent


def _local(document: Document, place: Place, text: str, schemes: str) -> str | None:
    if "\0" in text:
        document.add(place, "path-scheme", f"{document.dotted(place)} holds a NUL character", f"supported: {schemes}")
        return None
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("unreadable://")
    local = parts.netloc in ("", "localhost") and parts.path and not (parts.query or parts.fragment)
    if parts.scheme == "file" and local:
        return unquote(parts.path)
    message = f"{document.dotted(place)} has the scheme {parts.scheme}://, which this version does not read"
    document.add(place, "path-scheme", message, f"supported: {schemes}")
    return None


def _below_root(document: Document, place: Place, absolute: str, base: Base) -> str | None:
    if base.root in Path(absolute).parents:
        return absolute
    message = f"{document.dotted(place)} is not below the project's folder"
    document.add(place, "path-outside", message, "stay inside the project, or write an absolute path")
    return None
