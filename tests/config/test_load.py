"""Reading YAML with variables: what values are, what is never touched, and that garbage is only ever a ConfigError."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.config.model.pipeline import PipelineConfig
from trivium.config.problems import ConfigError
from trivium.config.validate import FILE, validated
from trivium.config.yaml.load import MAX_BYTES, load, load_text

_WORDS = [
    "a:",
    "- ",
    "&x ",
    "*x",
    "<<: ",
    "!t ",
    "${A}",
    "${A:-b}",
    "${",
    "$$",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "  ",
    "\t",
    "#",
]
_WORDS += ['"', "'", "|", ">", "%YAML 9", "---", "...", "\\ud800", "\\U99999999", "pipeline: p", "executors:", "5", "~"]


def read(text: str, **environ: str) -> Any:
    return load_text(text.encode(), "p.yaml", environ).value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("2026-11-01", "2026-11-01"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("1_000", 1000),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        (".inf", ".inf"),
        ("~", None),
        ("", None),
        ('"5"', "5"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_have_no_surprises(text: str, value: object) -> None:
    assert read(f"a: {text}") == {"a": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "1"),
        ("x${A}y${A}", "x1y1"),
        ("${B:-two}", "two"),
        ("${B:-}", ""),
        ("${A:-two}", "1"),
        ("$${A}", "${A}"),
        ("$A and $5", "$A and $5"),
        ("${C}", "- [a: *b] # ${A}"),
    ],
)
def test_references_are_replaced_in_leaves_and_never_read_as_yaml(text: str, value: str) -> None:
    assert read(f'a: "{text}"', A="1", C="- [a: *b] # ${A}") == {"a": value}


def test_keys_are_not_interpolated() -> None:
    assert read('"${A}": 1', A="x") == {"${A}": 1}


def test_an_alias_repeats_a_value() -> None:
    assert read("a: &x [1]\nb: *x") == {"a": [1], "b": [1]}


def test_a_reference_becomes_a_number_where_the_model_wants_one() -> None:
    text = b"pipeline: p\nexecutors: [{type: a}]\ntable: {type: delta, path: t}\ndead_letters: {type: delta, path: d}\n"
    text += b'batch: {source: {type: parquet, path: s}, workers: "${W}", unit_deadline_seconds: "${S:-1.5}"}\n'
    config = validated(PipelineConfig, load_text(text, "p.yaml", {"W": "7"}), (), FILE)
    assert config is not None
    assert config.batch is not None
    assert (config.batch.workers, config.batch.unit_deadline_seconds) == (7, 1.5)


@pytest.mark.parametrize("name", ["absent.yaml", "folder", "nul\0.yaml"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="unreadable"):
        load(tmp_path / name, {})


def test_a_file_beyond_the_limit(tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="too-large"):
        load(tmp_path / "big.yaml", {})


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.lists(st.sampled_from(_WORDS), max_size=25).map(lambda w: "".join(w).encode()))
)
def test_garbage_is_a_config_error_or_a_document(data: bytes) -> None:
    try:
        document = load_text(data, "p.yaml", {"A": "1"})
    except ConfigError:
        return
    assert validated(PipelineConfig, document, (), FILE) is None
    assert document.problems
