"""Sections of the pipeline file: strict frozen mappings, and the types of their values."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LookupName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,62}$")]
Owner = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,62}$")]
Location = Annotated[str, Field(min_length=1, max_length=4096)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


def _relative_pattern(pattern: str) -> str:
    parts = pattern.split("/")
    if "" in parts or ".." in parts or "\0" in pattern:
        raise ValueError("no pattern below a folder; for example **/*.parq or part-*")
    return pattern


Pattern = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_relative_pattern)]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("no time zone of the IANA database; for example Europe/Zurich or UTC")
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]


class Section(BaseModel):
    """A mapping of the pipeline file: unknown keys are problems, values never change."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True)
