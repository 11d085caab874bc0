"""Ways of fetching, as plans show them: by hints, runtime and the lookup's settings."""

from __future__ import annotations

from dataclasses import replace

from tests.support.held_lookup import visits
from tests.support.pipelines import pipeline_of
from trivium import Hint
from trivium.config.model.lookups import LOOKUP_KINDS
from trivium.config.pipeline import Pipeline
from trivium.contract.lookup_settings import RemoteLookupSettings
from trivium.operations.plans.fetching import ways_of


def remote(hints: Hint) -> Pipeline:
    """A pipeline whose lookups are in a database."""
    made = pipeline_of([visits(hints)])
    section = {"type": "sql", "path": "facts.sqlite", "table": "facts", "key": "user", "concurrency": 3, "max_keys": 50}
    config = LOOKUP_KINDS.read(section)
    assert isinstance(config, RemoteLookupSettings)
    lookups = {name: replace(bound, config=config, calls=config) for name, bound in made.lookups.items()}
    return replace(made, lookups=lookups)


def test_files_are_answered_in_place_whatever_the_hints() -> None:
    made = pipeline_of([visits(Hint.ASYNC)])
    in_place = "answered in place from memory, refreshed beside the path; hints change nothing"
    assert ways_of(made, made.lookups["users"]) == {
        "any": {"batch": in_place, "streaming": in_place, "serving": in_place}
    }


def test_no_hints() -> None:
    made = remote(Hint.NONE)
    assert ways_of(made, made.lookups["users"]) == {
        "no hints": {
            "batch": "one call at a time of up to 50 keys; slices of a unit wait in place; nothing kept beyond a slice",
            "streaming": "one call at a time of up to 50 keys; batches wait in place; nothing kept beyond a batch",
            "serving": "one call at a time of up to 50 keys; requests wait side by side; nothing kept beyond a request",
        }
    }


def test_all_hints() -> None:
    made = remote(Hint.SLOW | Hint.ASYNC | Hint.CACHEABLE)
    kept = "rows kept 300 s, absence 30 s, in 64 MiB"
    calls = "up to 3 calls at a time of up to 50 keys"
    assert ways_of(made, made.lookups["pages"]) == {
        "SLOW | ASYNC | CACHEABLE": {
            "batch": f"{calls}; up to 16 slices of a unit on their way; {kept}",
            "streaming": f"{calls}; up to 16 batches on their way; {kept}",
            "serving": f"{calls}; requests wait side by side; {kept}",
        }
    }
