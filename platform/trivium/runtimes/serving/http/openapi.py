"""The OpenAPI 3.1 document of a pipeline, from the types the engine decodes and the rows executors declare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from trivium.config.pipeline import Pipeline
from trivium.config.worker_spec import BoundExecutor
from trivium.types.structs import derive

_REFERENCE: Final = "#/components/schemas/{name}"
_SAMPLES: Final = "samples.jsonl"
_EXAMPLES: Final = 3
_HEADERS: Final = {
    "trivium-plan": "The plan that answered.",
    "trivium-logic": "What decides a row's content: equal logic, equal rows.",
    "trivium-executors": "A digest of all executor versions; `executors_digest` of /v1/plan, beside the versions.",
}
_REFUSALS: Final = {
    "400": "The body is a list of events that cannot be taken apart.",
    "401": "No API key, or a wrong one.",
    "404": "Nothing is served here.",
    "405": "Another method is.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large, or holds too many events.",
    "415": "The body is not JSON, or compressed.",
    "429": "Too much at once, or too much to be answered in time; Retry-After says when to come back.",
    "500": "A defect. The service's log has the cause under the id in `instance`.",
    "502": "The replica died over the request.",
    "503": "A lookup is unavailable and the pipeline answers nothing without it, or no replica is there.",
    "504": "No answer within the deadline.",
}


class _Line(msgspec.Struct):
    event: msgspec.Raw


def openapi(pipeline: Pipeline, mount: str) -> dict[str, Any]:
    """Write the document, for a service whose paths begin with `mount`."""
    return _Document(pipeline).document(mount)


class _Document:
    """One document under construction."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._section = pipeline.serving_section()
        routing = pipeline.config.routing
        self._tag_field = routing.field if routing.by_body else None
        self._events: dict[str, dict[str, Any]] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self.schemas: dict[str, Any] = {"EventAnswer": {}, "Answers": _answers(), "Problem": _problem()}
        for name, bound in pipeline.executors.items():
            self._events[name], self._rows[name] = self._schemas_of(bound)
        row_schemas = list({row["$ref"]: row for row in self._rows.values()}.values())
        self.schemas["EventAnswer"] = _answer({"anyOf": row_schemas})

    def document(self, mount: str) -> dict[str, Any]:
        name, protected = self._pipeline.name, self._section.protected
        paths = self._paths()
        document: dict[str, Any] = {
            "openapi": "3.1.0",
            "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "info": {
                "title": name,
                "version": self._pipeline.plan.plan_short,
                "description": "Events in, the rows they become out: the same rows batch and streaming write.",
            },
            "servers": [{"url": mount or "/"}],
            "paths": paths,
            "components": {"schemas": self.schemas},
        }
        if protected:
            document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"key": []}]
        return document

    def _schemas_of(self, bound: BoundExecutor) -> tuple[dict[str, Any], dict[str, Any]]:
        declaration = bound.declaration
        event = derive(declaration.event, declaration.event_fields)
        row = derive(declaration.row, declaration.row_specs)
        return self._adopt(f"{bound.event_type}.event", event), self._adopt("row", row)

    def _adopt(self, kind: str, struct: Any) -> dict[str, Any]:
        """Take in a schema and those it needs; one that has the name of another schema gets a name of its own."""
        (reference,), parts = msgspec.json.schema_components([struct], ref_template=_REFERENCE)
        names = {name: name for name in parts}
        for name, schema in parts.items():
            if self.schemas.get(name, schema) != schema:
                names[name] = _component_name(f"{kind}.{name}")
        text = json.dumps([reference, parts])
        for old, new in names.items():
            text = text.replace(f'"{_REFERENCE.format(name=old)}"', f'"{_REFERENCE.format(name=new)}"')
        renamed, schemas = json.loads(text)
        self.schemas.update({names[name]: schema for name, schema in schemas.items()})
        adopted: dict[str, Any] = renamed
        return adopted

    def _paths(self) -> dict[str, Any]:
        paths: dict[str, Any] = {}
        if self._tag_field is not None:
            paths["/v1/events"] = {"post": self._post_any(self._tag_field)}
        for name, bound in self._pipeline.executors.items():
            paths[f"/v1/events/{name}"] = {"post": self._post_one(bound)}
        paths["/v1/plan"] = {"get": _get("plan", "The plan that answers, its hashes and its executors' versions.")}
        paths["/openapi.json"] = {"get": _get("openapi", "This document.")}
        for path, text in (("/healthz", "Whether the service lives."), ("/readyz", "Whether it takes requests.")):
            paths[path] = {"get": {**_get(path.strip("/"), text), "security": []}}
        return paths

    def _post_any(self, field: str) -> dict[str, Any]:
        tagged = [
            {"allOf": [self._events[name], {"properties": {field: {"const": name}}, "required": [field]}]}
            for name in self._events
        ]
        named = {
            name: {"value": found[0]} for name, bound in self._pipeline.executors.items() if (found := examples(bound))
        }
        if len(named) > 1:
            named["several"] = {"value": [each["value"] for each in named.values()]}
        summary = f"Events of any type; the field {field} of each says which."
        return self._post("events", summary, {"anyOf": tagged}, named)

    def _post_one(self, bound: BoundExecutor) -> dict[str, Any]:
        name = bound.event_type
        summary = _first_line(bound.cls.__doc__) or f"Events of the type {name}."
        numbered = {str(number): {"value": event} for number, event in enumerate(examples(bound), 1)}
        return self._post(f"events.{name}", summary, self._events[name], numbered)

    def _post(self, operation: str, summary: str, event: dict[str, Any], examples: dict[str, Any]) -> dict[str, Any]:
        several = {"type": "array", "items": event, "maxItems": self._section.max_events_per_request}
        content = {"schema": {"anyOf": [event, several]}, "examples": examples}
        headers = {name: {"schema": {"type": "string"}, "description": text} for name, text in _HEADERS.items()}
        answered = {
            "description": "One answer an event, in the order of the events. Rejected events are answers, too.",
            "headers": headers,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answers"}}},
        }
        return {
            "operationId": operation,
            "summary": summary,
            "requestBody": {"required": True, "content": {"application/json": content}},
            "responses": {"200": answered, **_refusals()},
        }


def examples(bound: BoundExecutor) -> list[Any]:
    """Return the events of the first samples beside the executor; none where there are none."""
    file = Path(bound.declaration.file).parent / _SAMPLES
    if not file.is_file():
        return []
    found: list[Any] = []
    for line in file.read_bytes().splitlines():
        try:
            found.append(json.loads(bytes(msgspec.json.decode(line, type=_Line).event)))
        except (msgspec.DecodeError, ValueError):  # samples of what is no event at all are no examples
            continue
        if len(found) == _EXAMPLES:
            break
    return found


def _get(operation: str, summary: str) -> dict[str, Any]:
    shown = {"description": summary, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": operation, "summary": summary, "responses": {"200": shown, **_refusals()}}


def _refusals() -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": text, "content": content} for status, text in _REFUSALS.items()}


def _answers() -> dict[str, Any]:
    items = {"$ref": "#/components/schemas/EventAnswer"}
    return {
        "type": "object",
        "properties": {"events": {"type": "array", "items": items}},
        "required": ["events"],
        "additionalProperties": False,
    }


def _answer(row: dict[str, Any]) -> dict[str, Any]:
    misses = {"enum": ["missing", "null_key", "unavailable"]}
    texts = {
        "event_type": "The type of the event, where it is known.",
        "stage": "Where it was rejected: decode, accept, enrich, process or validate.",
        "reason": "Why, as a stable short code.",
        "error": "Why, as a sentence.",
        "path": "Where in the event the problem is (JSONPath).",
    }
    return {
        "type": "object",
        "properties": {
            "outcome": {"enum": ["emitted", "dropped", "rejected"]},
            "rows": {"type": "array", "items": row},
            "attempts": {"type": "integer", "minimum": 1, "description": "How often it was tried; 1 is left out."},
            "enrichments": {
                "type": "object",
                "additionalProperties": misses,
                "description": "What the lookups said, where it was no plain hit.",
            },
            **{name: {"type": "string", "description": text} for name, text in texts.items()},
        },
        "required": ["outcome"],
        "additionalProperties": False,
    }


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    names = ("type", "title", "detail", "instance")
    return {
        "type": "object",
        "description": "Problem details (RFC 9457).",
        "properties": {**dict.fromkeys(names, text), "status": {"type": "integer"}},
        "required": [*names, "status"],
    }


def _component_name(text: str) -> str:
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in text)


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
