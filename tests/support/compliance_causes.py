"""Executors that break a promise, the check that finds each, and the cause it names."""

from tests.support.own_executors import own_executors  # noqa: F401 - a fixture of these tests, too

WORLDS = "another process, clock, time zone, locale, environment and hash seed"

# By the check that finds it, and the cause it names.
CAUGHT_BY_THE_KIT = {
    "uses_random": ("asked twice", "randomness, the clock, or state of a module"),
    "global_counter": ("asked twice", "randomness, the clock, or state of a module"),
    "neighbours": ("any size of batch", "rows depend on their neighbours"),
    "nested_list": ("inputs stay as they are", "the executor changes an event, a fact or its options in place"),
    "wrong_types": ("returned types", "for some events the executor returns another type than it declares"),
    "uses_now": (WORLDS, "it reads the clock"),
    "environment": (WORLDS, "it reads environment variables"),
    "time_zone": (WORLDS, "it depends on the machine's time zone (TZ)"),
    "set_order": (WORLDS, "it depends on the order of a set, or on hash() (PYTHONHASHSEED)"),
}
