"""Adds an executor to a pipeline file by inserting text, so that comments and layout stay."""

from __future__ import annotations

from pathlib import Path

import yaml

from trivium.config.problems import ConfigError
from trivium.config.yaml.load import load_text
from trivium.config.yaml.nodes import compose
from trivium.devtools.executor_names import entry_of
from trivium.operations.errors import ArgumentError


def with_executor(text: str, event_type: str, file: Path) -> str:
    """Return the text of a pipeline file with `{type: EVENT_TYPE}` at the end of its list of executors.

    Raises:
        ArgumentError: the type is listed already, or there is no list to add to; says what to write by hand.
    """
    before = _listed(text, file)
    if event_type in before:
        raise ArgumentError(f"{file} lists the executor {event_type} already. Try: another event type")
    listed = _executors_node(text)
    if listed is None:
        raise _by_hand(file, event_type)
    edited = _into_flow(text, listed, event_type) if listed.flow_style else _into_block(text, listed, event_type)
    try:
        after = _listed(edited, file)
    except (ConfigError, ArgumentError):
        after = []
    if after != [*before, event_type]:
        raise _by_hand(file, event_type)
    return edited


def _by_hand(file: Path, event_type: str) -> ArgumentError:
    message = f"{file}: found no list of executors to add to"
    return ArgumentError(f"{message}; nothing was written. Try: add by hand\nexecutors:\n  - {entry_of(event_type)}")


def _listed(text: str, file: Path) -> list[str]:
    executors = load_text(text.encode(), str(file), {}).value.get("executors")
    entries = executors if isinstance(executors, list) else []
    return [str(entry.get("type")) for entry in entries if isinstance(entry, dict)]


def _executors_node(text: str) -> yaml.SequenceNode | None:
    root = compose(text)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = next((value for key, value in pairs if key.value == "executors"), None)
    return found if isinstance(found, yaml.SequenceNode) else None


def _into_flow(text: str, listed: yaml.SequenceNode, event_type: str) -> str:
    item = entry_of(event_type)
    if listed.value:
        at = listed.value[-1].end_mark.index
        return f"{text[:at]}, {item}{text[at:]}"
    at = listed.start_mark.index + 1
    return text[:at] + item + text[at:]


def _into_block(text: str, listed: yaml.SequenceNode, event_type: str) -> str:
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if lines[0].endswith("\r\n") else "\n"
    at = _line_after(listed.value[-1])
    if not lines[at - 1].endswith("\n"):
        lines[at - 1] += newline
    lines.insert(at, f"{' ' * listed.start_mark.column}- {entry_of(event_type)}{newline}")
    return "".join(lines)


def _line_after(node: yaml.Node) -> int:
    """Return the line after the last that a node covers, without the comments behind a block collection."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    inside = node.end_mark.column > 0
    return int(node.end_mark.line) + (1 if inside else 0)
