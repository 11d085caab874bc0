"""Checks between routing, the runtimes' sources and the executors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trivium.config.checks import Listed, event_types
from trivium.config.model.pipeline import Routing
from trivium.config.yaml.document import Document
from trivium.core.suggest import did_you_mean, one_of

_TOPICS = ("streaming", "source", "topics")
_SOURCE = ("batch", "source")


def check_routed_field(document: Document, executors: Sequence[Listed]) -> None:
    """Check that no event declares the field that routes it; a header or topic leaves it to events."""
    if not _by_body(document):
        return
    written = document.at(("routing", "field"))
    field = written if isinstance(written, str) else Routing().field
    for executor in executors:
        if any(spec.wire == field for spec in executor.declaration.event_fields):
            message = f"{executor.name} declares the field {field}, which routing reads the event type from"
            document.add(executor.place, "routed-field", message, "leave it out: the event's tag says it")


def check_topics(document: Document, executors: Sequence[Listed]) -> None:
    """Check that no topic is read twice; where topics name types, that topics and executors have one each."""
    _check_read_once(document)
    topics = document.at(("routing", "topics"))
    if not isinstance(topics, dict):
        return
    _check_mapped(document, topics)
    declared = {name for _, name in event_types(document)}
    for topic, event_type in topics.items():
        if isinstance(event_type, str) and event_type not in declared:
            message = f"the topic {topic} holds the event type {event_type}, which has no executor here"
            document.add(("routing", "topics", topic), "unknown-event-type", message, one_of(event_type, declared))
    for executor in executors:
        if executor.name not in topics.values():
            message = f"no topic of routing.topics holds the event type {executor.name}"
            spare = {each for each in topics.values() if isinstance(each, str)} - declared
            hint = did_you_mean(executor.name, spare) or f"topics: {{…: {executor.name}}}"
            document.add(executor.place, "executor-without-topic", message, hint)


def check_source_types(document: Document) -> None:
    """Check that the batch source names event types where no field does, and that they have executors."""
    if not isinstance(document.at(_SOURCE), dict):
        return
    event_type, column = (document.at((*_SOURCE, key)) for key in ("event_type", "type_column"))
    if event_type is None and column is None and not _by_body(document):
        message = "the event type is not in the event, so the batch source must say where it is"
        document.add_at_key(_SOURCE, "missing-type-column", message, "type_column: …, or event_type: … of all events")
    declared = {name for _, name in event_types(document)}
    place = (*_SOURCE, "event_type")
    if isinstance(event_type, str) and place not in document.broken and event_type not in declared:
        message = f"all events of the batch source are of the type {event_type}, which has no executor here"
        document.add(place, "unknown-event-type", message, one_of(event_type, declared))


def _by_body(document: Document) -> bool:
    return all(document.at(("routing", key)) is None for key in ("header", "topics"))


def _check_read_once(document: Document) -> None:
    known: set[str] = set()
    for index, topic in _read(document):
        if topic in known:
            place = (*_TOPICS, index)
            document.add(place, "topic-listed-twice", f"the topic {topic} is listed twice", "remove one of them")
        known.add(topic)


def _check_mapped(document: Document, topics: dict[str, Any]) -> None:
    read = dict(_read(document))
    for index, topic in read.items():
        if topic not in topics:
            message = f"routing.topics does not say which event type the topic {topic} holds"
            hint = did_you_mean(topic, topics.keys() - set(read.values())) or f"topics: {{{topic}: …}}"
            document.add((*_TOPICS, index), "unmapped-topic", message, hint)


def _read(document: Document) -> list[tuple[int, str]]:
    """Return the topics the streaming runtime reads, with their index, as far as they are readable."""
    topics = document.at(_TOPICS)
    listed = enumerate(topics if isinstance(topics, list) else [])
    return [(i, topic) for i, topic in listed if isinstance(topic, str) and (*_TOPICS, i) not in document.broken]
