"""YAML nodes to plain data: the YAML 1.2 core types only, every refusal with its position.

Differences from PyYAML's own constructor: `yes`, `no`, `on`, `off`, dates and sexagesimal numbers stay strings; keys
are strings and unique; merge keys, custom tags and aliases that multiply are refused.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from trivium.config.problems import ConfigError, Path
from trivium.config.yaml.document import Document

MAX_NODES: Final = 100_000
MAX_DEPTH: Final = 100
_UNTAGGED: Final = "untagged"
_INT: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,18})")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9][0-9_]*\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?")
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS: Final = ("", "~", "null", "Null", "NULL")


class TooMuchError(Exception):
    """A tree that is deeper or larger than any pipeline; raised while it is read, since reading is what takes time."""

    def __init__(self, position: tuple[int, int], code: str, message: str) -> None:
        super().__init__(message)
        self.position, self.code = position, code


class _Loader(yaml.SafeLoader):
    """PyYAML's reader of nodes, with limits."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = self._depth = 0
        self._parser: Any = self  # for mypy: PyYAML's own methods have no types

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, unless there are too many of them or around it."""
        self._nodes += 1
        if self._nodes > 2 * MAX_NODES:  # keys are nodes, too
            raise TooMuchError(self._here(), "too-large", f"more than {MAX_NODES} values")
        if self._depth >= MAX_DEPTH and self._parser.check_event(yaml.CollectionStartEvent):
            raise TooMuchError(self._here(), "too-deep", f"nested more than {MAX_DEPTH} levels")
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _here(self) -> tuple[int, int]:
        return _position(self._parser.peek_event())

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """Resolve nodes without a tag only; `plain` decides their type."""
        return _UNTAGGED


def compose(text: str) -> yaml.Node | None:
    """Return the node tree of one document; None for an empty one."""
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def mapping(node: yaml.Node | None, document: Document) -> dict[str, Any]:
    """Return the document's root as plain data.

    Raises:
        ConfigError: the root is no mapping, or the tree is too deep, too large or contains itself.
    """
    if not isinstance(node, yaml.MappingNode):
        kind = "nothing" if node is None else "a list" if isinstance(node, yaml.SequenceNode) else "a single value"
        document.add_at((1, 1), "not-a-mapping", f"expected a mapping of keys, got {kind}", "pipeline: my_pipeline")
        raise ConfigError(document.problems)
    return _Builder(document).mapping(node, ())


def plain(text: str) -> Any:
    """Return the value of a plain scalar: null, true or false, an integer, a float, else the text itself."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INT.fullmatch(text):
        return int(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return _finite(text)
    return text


def _finite(text: str) -> Any:
    number = float(text.replace("_", ""))
    return number if abs(number) < float("inf") else text


class _Builder:
    """Walks the nodes once. A node reached again through an alias counts again."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0
        self._open: set[int] = set()

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in self._within(node, path):
            key = self._key(key_node, path, result)
            if key is not None:
                inner = (*path, key)
                self._document.keys[inner] = _position(key_node)
                result[key] = self._value(value_node, inner)
        self._open.discard(id(node))
        return result

    def _sequence(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        values = [self._value(inner, (*path, index)) for index, inner in enumerate(self._within(node, path))]
        self._open.discard(id(node))
        return values

    def _within(self, node: yaml.CollectionNode, path: Path) -> list[Any]:
        if id(node) in self._open:
            raise self._stop(node, "recursive-alias", "an alias that contains itself", "write the value out")
        if len(path) >= MAX_DEPTH:
            raise self._stop(node, "too-deep", f"nested more than {MAX_DEPTH} levels")
        self._open.add(id(node))
        children: list[Any] = node.value
        return children

    def _key(self, node: yaml.Node, path: Path, known: dict[str, Any]) -> str | None:
        if not (isinstance(node, yaml.ScalarNode) and node.tag == _UNTAGGED and isinstance(_scalar(node), str)):
            self._skip(node, path, "key-type", "a key must be a plain string", "quote it")
            return None
        key = str(node.value)
        if key == "<<" and getattr(node, "style", None) is None:
            self._skip(node, path, "merge-key", "merge keys are not read", "write the keys out")
            return None
        if key in known:
            line = self._document.keys[(*path, key)][0]
            message = f"{key} is given twice, first in line {line}"
            self._skip(node, path, "duplicate-key", message, "remove one of them")
            return None
        return key

    def _skip(self, node: yaml.Node, path: Path, code: str, message: str, hint: str) -> None:
        self._document.add_at(_position(node), code, message, hint, path)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise self._stop(node, "too-large", f"more than {MAX_NODES} values, aliases written out")
        self._document.values[path] = _position(node)
        if node.tag != _UNTAGGED:
            self._document.broken.add(path)
            self._skip(node, path, "custom-tag", f"the tag {node.tag!r} is not read", "write a plain value")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        return self._sequence(node, path) if isinstance(node, yaml.SequenceNode) else self._text(node, path)

    def _text(self, node: yaml.Node, path: Path) -> Any:
        if any("\ud800" <= letter <= "\udfff" for letter in node.value):
            self._document.broken.add(path)
            self._skip(node, path, "encoding", "half of a surrogate pair is no character", "write the character itself")
            return ""
        return _scalar(node)

    def _stop(self, node: yaml.Node, code: str, message: str, hint: str = "") -> ConfigError:
        self._document.add_at(_position(node), code, message, hint)
        return ConfigError(self._document.problems)


def _scalar(node: yaml.Node) -> Any:
    return plain(node.value) if getattr(node, "style", None) is None else node.value


def _position(node: yaml.Node | Any) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
