"""Reads a pipeline file: YAML with positions, only plain data, no surprises of YAML 1.1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from trivium.config.problems import ConfigError
from trivium.config.yaml import nodes
from trivium.config.yaml.document import Document
from trivium.config.yaml.interpolate import interpolate
from trivium.core.regular_file import FileTooLarge, read_regular

MAX_BYTES: Final = 1 << 20


def load(path: Path, environ: Mapping[str, str]) -> Document:
    """Return the file as a document with its variables filled in. Problems inside a readable tree are in the document.

    Raises:
        ConfigError: the file cannot be read as one YAML mapping.
    """
    return load_text(_read(path), str(path), environ)


def load_text(data: bytes, file: str, environ: Mapping[str, str]) -> Document:
    """Load as `load` does, from a file's bytes."""
    document = Document(file)
    node = _compose(_decode(data, document), document)
    document.value = nodes.mapping(node, document)
    interpolate(document, environ)
    return document


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MAX_BYTES)
    except FileTooLarge as error:
        raise _refused(Document(str(path)), (1, 1), "too-large", str(error.strerror)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(Document(str(path)), (1, 1), "unreadable", f"cannot read the file: {reason}") from None


def _decode(data: bytes, document: Document) -> str:
    if len(data) > MAX_BYTES:
        raise _refused(document, (1, 1), "too-large", f"the file has {len(data)} bytes, the limit is {MAX_BYTES}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8-sig", "replace")
        message = f"not UTF-8: byte 0x{data[error.start]:02x}"
        raise _refused(document, _after(good), "encoding", message, "save the file as UTF-8") from None


def _compose(text: str, document: Document) -> yaml.Node | None:
    try:
        return nodes.compose(text)
    except nodes.TooMuchError as error:
        raise _refused(document, error.position, error.code, str(error)) from None
    except yaml.MarkedYAMLError as error:
        code = "several-documents" if error.context == "expected a single document in the stream" else "syntax"
        mark = error.problem_mark or error.context_mark
        position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        hint = "one file is one pipeline" if code == "several-documents" else ""
        raise _refused(document, position, code, _words(error), hint) from None
    except yaml.reader.ReaderError as error:
        message = f"the character {error.character!r} is not allowed in YAML"
        raise _refused(document, _after(text[: error.position]), "encoding", message) from None
    except RecursionError:
        raise _refused(document, (1, 1), "too-deep", "nested too deeply to be a pipeline") from None
    except (ValueError, OverflowError) as error:
        raise _refused(document, (1, 1), "syntax", f"not YAML: {error}") from None


def _words(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return ": ".join(parts) or "not YAML"


def _after(text: str) -> tuple[int, int]:
    return text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1


def _refused(document: Document, at: tuple[int, int], code: str, message: str, hint: str = "") -> ConfigError:
    document.add_at(at, code, message, hint)
    return ConfigError(document.problems)
