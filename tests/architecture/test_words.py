"""The words of docs/concepts.md hold: docstrings begin as they should, and a replaced word does not come back."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "platform/trivium"
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())
QUESTIONS = {"what", "whether", "which", "how", "where", "who", "whose", "why", "when", "that"}
NO_VERBS = QUESTIONS | {
    *(
        "the",
        "a",
        "an",
        "each",
        "every",
        "all",
        "one",
        "it",
        "its",
        "this",
        "these",
        "those",
        "some",
        "any",
        "no",
        "not",
    ),
    *("none", "nothing", "only", "both", "other", "another", "several", "more", "so", "if", "as", "for", "from", "in"),
    *("of", "on", "by", "to", "at", "with", "without", "until", "after", "before", "there", "never", "true", "false"),
}
RIDDLES = {"told", "asked", "seen", "elsewhere", "road"}
OUR_WORDS = [
    path
    for folder in ("platform", "docs", "executors", "jobs", "serve", "benchmarks", "tests", "configs")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".md", ".txt", ".yaml"} and not {"decisions", "__pycache__"} & set(path.parts)
]


def begun(room: Path) -> Iterator[tuple[str, ast.AST, str]]:
    """Yield every docstring of a folder with its place and the first word of it."""
    for path in sorted(room.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}: {text[:60]}", node, text.split()[0]


def is_verbal(node: ast.AST) -> bool:
    """Return whether a docstring tells what a function does; those of commands are help, those of properties nouns."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    marks = " ".join(ast.unparse(each) for each in node.decorator_list)
    return not re.search(r"property|command|group", marks)


def wrong(node: ast.AST, word: str) -> bool:
    """Return whether a docstring may not begin with this word."""
    plain = word.strip("`\"'(),:;.").lower()
    if not is_verbal(node):
        return plain in QUESTIONS
    return plain in NO_VERBS or word[0] in "`0123456789" or bool(re.fullmatch(r"[a-z]+[^s]s", plain))


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_of_functions_begin_with_a_verb_and_no_other_with_a_question(room: str) -> None:
    assert [place for place, node, word in begun(PACKAGE / room) if wrong(node, word)] == []


@pytest.mark.parametrize("folder", ["executors", "jobs", "serve"])
def test_docstrings_of_the_project_do_so_too(folder: str) -> None:
    assert [place for place, node, word in begun(ROOT / folder) if wrong(node, word)] == []


def test_no_two_public_types_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert len(places) > 300
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def named(node: ast.AST) -> str | None:
    """Return the name that a node defines or uses."""
    for field in ("id", "attr", "arg", "name"):
        name = getattr(node, field, None)
        if isinstance(name, str):
            return name
    return None


def riddles(source: str) -> Iterator[tuple[int, str]]:
    """Yield the names and the lines of docstrings that hold a word which says too little, each with a line's number."""
    for node in ast.walk(ast.parse(source)):
        place = getattr(node, "lineno", 1)
        words = re.findall("[A-Z]?[a-z]+", named(node) or "")
        if RIDDLES & {word.lower() for word in words}:
            yield place, named(node) or ""
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (ast.get_docstring(node) or "").splitlines()
            yield from ((place, line) for line in lines if RIDDLES & set(re.findall(r"\w+", line.lower())))


@pytest.mark.parametrize("room", ROOMS)
def test_names_and_docstrings_hold_no_riddles(room: str) -> None:
    files = sorted((PACKAGE / room).rglob("*.py"))
    assert [(path.relative_to(ROOT), *each) for path in files for each in riddles(path.read_text())] == []


def test_riddles_are_found() -> None:
    source = '"""Rows seen\\n\\nand told."""\nwas_asked = seen = 1\nclass SeenRows: pass\nunseen = lastly = 2\n'
    assert sorted(riddles(source)) == [
        (1, "Rows seen"),
        (1, "and told."),
        (2, "seen"),
        (2, "was_asked"),
        (3, "SeenRows"),
    ]


def test_a_host_of_workers_is_called_a_runtime() -> None:
    replaced = re.compile(r"(?<![A-Za-z])roads?(?![A-Za-z])", re.IGNORECASE)
    found = [
        path.relative_to(ROOT)
        for path in OUR_WORDS
        if path != Path(__file__) and replaced.search(path.read_text("utf-8", "replace"))
    ]
    assert len(OUR_WORDS) > 500
    assert found == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Return the rows.", False),
        ("The rows.", True),
        ("Returns the rows.", True),
        ("`a` of b.", True),
        ("What it is.", True),
        ("Process a row.", False),
        ("Pass it on.", False),
    ],
)
def test_what_a_function_may_begin_with(text: str, expected: bool) -> None:
    (node,) = ast.parse("def function(): pass").body
    assert wrong(node, text.partition(" ")[0]) is expected
