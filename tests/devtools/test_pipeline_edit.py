"""An executor added to a pipeline file: one line more, everything else as it was."""

from pathlib import Path

import pytest

from trivium.config.yaml.load import load_text
from trivium.devtools.pipeline_edit import with_executor
from trivium.operations.errors import ArgumentError

FILE = Path("configs/p.yaml")
BLOCK = "executors:\n  - {type: a}\n"
TEXTS = {
    "block": (BLOCK + "table: {}\n", BLOCK + "  - {type: new}\ntable: {}\n"),
    "comment behind": (
        "executors:\n  - type: a  # why\n\n# about tables\ntable: {}\n",
        "executors:\n  - type: a  # why\n  - {type: new}\n\n# about tables\ntable: {}\n",
    ),
    "nested": (
        "executors:\n- type: a\n  options:\n    x: 1\n    list:\n      - 1\n      - 2\n\ntable: {}\n",
        "executors:\n- type: a\n  options:\n    x: 1\n    list:\n      - 1\n      - 2\n- {type: new}\n\ntable: {}\n",
    ),
    "literal text": (
        "executors:\n  - type: a\n    options:\n      x: |\n        text\ntable: {}\n",
        "executors:\n  - type: a\n    options:\n      x: |\n        text\n  - {type: new}\ntable: {}\n",
    ),
    "at the end, no newline": ("executors:\n  - {type: a}", "executors:\n  - {type: a}\n  - {type: new}\n"),
    "windows": ("executors:\r\n  - {type: ä}\r\n", "executors:\r\n  - {type: ä}\r\n  - {type: new}\r\n"),
    "flow": ("executors: [{type: a}, {type: b}] # x\n", "executors: [{type: a}, {type: b}, {type: new}] # x\n"),
    "flow with a last comma": ("executors: [\n  {type: a},\n]\n", "executors: [\n  {type: a}, {type: new},\n]\n"),
    "empty flow": ("executors: []\ntable: {}\n", "executors: [{type: new}]\ntable: {}\n"),
    "wide letters before": ("# 🚀🚀\nexecutors: [{type: a}]\n", "# 🚀🚀\nexecutors: [{type: a}, {type: new}]\n"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_only_one_line_is_added(name: str) -> None:
    before, after = TEXTS[name]
    assert with_executor(before, "new", FILE) == after
    listed = load_text(after.encode(), "p.yaml", {}).value["executors"]
    assert listed[-1] == {"type": "new"}


@pytest.mark.parametrize(
    "text", ["table: {}\n", "executors:\n", "executors: {type: a}\n", "x: &a {type: a}\nexecutors:\n  - *a\ny: 1\n"]
)
def test_where_there_is_no_list_the_line_is_shown(text: str) -> None:
    with pytest.raises(ArgumentError, match=r"nothing was written. Try: add by hand") as caught:
        with_executor(text, "new", FILE)
    assert str(caught.value).endswith("executors:\n  - {type: new}")


def test_a_type_is_not_listed_twice() -> None:
    with pytest.raises(ArgumentError, match=r"p.yaml lists the executor a already"):
        with_executor(BLOCK, "a", FILE)
