"""The lookups in a commit's metadata: how many keys each was to find, and which of its states answered.

`lookups` is JSON of `LookupUse` by name. It is not there where none was used, nor in commits of releases before 2.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trivium.delivery.commit.committer import metadata_text
from trivium.engine.lookups.usage import LookupUse

_KEY = "lookups"


def lookups_metadata(uses: Mapping[str, LookupUse]) -> dict[str, str]:
    """Return the entry of a commit's metadata; none where no lookup was used."""
    return {_KEY: metadata_text(uses)} if uses else {}


def lookups_in(metadata: Mapping[str, str]) -> dict[str, LookupUse]:
    """Return what a commit says of its lookups; nothing where it says none, or says it in another release's words."""
    try:
        return msgspec.json.decode(metadata.get(_KEY, "{}"), type=dict[str, LookupUse])
    except msgspec.ValidationError:
        return {}
