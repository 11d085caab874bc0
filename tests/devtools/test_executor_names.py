"""An event type's name makes files that pass `trivium check`, or it is refused and nothing is left."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.terminal import Trivium
from trivium.devtools.executor_names import class_name_of, entry_of, folder_of
from trivium.devtools.scaffold import new_executor, new_project
from trivium.operations.errors import ArgumentError

ACCEPTED = (
    *("executor", "event", "normalized_event", "UTC", "NOON", "none", "true", "Null", "null", "no", "yes", "on"),
    *("type", "match", "exception", "a.b-c", "order_", "x" * 63, "Executor", "datetime", "trivium", "executors", "row"),
)
REFUSED = (
    *("__init__", "__main__", "__pycache__", "_order", "_unrouted", "___", "class", "None", "True", "import", "async"),
    *("", " order", "order ", "order\n", "1st", "a/b", "a b", "ö", "x" * 64, "-x", ".x"),
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    new_project("shop", tmp_path)
    return tmp_path / "shop"


def listing(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts}


def test_every_accepted_name_passes_check(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = shop / "configs/shop.yaml"
    for name in ACCEPTED:
        new_executor(name, shop, config)
        compile((shop / f"tests/test_{folder_of(name)}.py").read_text(), name, "exec")
    monkeypatch.chdir(shop)
    done = Trivium()("check")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("✓") == len(ACCEPTED) + 2


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_name_leaves_nothing(name: str, shop: Path) -> None:
    before = listing(shop)
    with pytest.raises(ArgumentError, match="Try: "):
        new_executor(name, shop, shop / "configs/shop.yaml")
    assert listing(shop) == before


def test_a_folder_that_would_hide_a_module_is_refused(shop: Path) -> None:
    (shop / "executors/prices.py").write_text("VAT = 8.1\n")
    before = listing(shop)
    with pytest.raises(ArgumentError, match=r"would hide the module .*prices\.py"):
        new_executor("prices", shop, shop / "configs/shop.yaml")
    assert listing(shop) == before


def by_topic(text: str) -> str:
    source = "value_column: value, day_column: day"
    return text.replace(source, f"{source}, type_column: kind").replace("field: event_type", "topics: {orders: order}")


def by_field(text: str) -> str:
    return text.replace("field: event_type", "field: id")


@pytest.mark.parametrize(
    ("changed", "said"),
    [(by_topic, "no topic of routing.topics holds the event type refund"), (by_field, "declares the field id")],
)
def test_an_executor_that_could_not_run_is_refused(changed: Callable[[str], str], said: str, shop: Path) -> None:
    config = shop / "configs/shop.yaml"
    config.write_text(changed(config.read_text()))
    before = listing(shop)
    with pytest.raises(ArgumentError, match=said):
        new_executor("refund", shop, config)
    assert listing(shop) == before
    assert not (shop / "executors/refund").exists()


def test_a_project_that_does_not_compile_yet_gets_its_executor(shop: Path) -> None:
    config = shop / "configs/shop.yaml"
    config.write_text(config.read_text().replace("- {type: order", "- {type: gone}\n  - {type: order"))
    new_executor("refund", shop, config)
    assert "{type: refund}" in config.read_text()


@settings(max_examples=300, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("aZ09_.-é \nNonetruEv"), max_size=12))
def test_a_name_is_refused_or_makes_python_that_compiles(name: str) -> None:
    try:
        folder = folder_of(name)
    except ArgumentError:
        return
    made = class_name_of(folder)
    compile(f"import executors.{folder}.executor\nclass {made}: {folder.lower()}_value = 1", name, "exec")
    assert made not in {"Event", "Executor", "NormalizedEvent"}
    assert entry_of(name).startswith("{type: ")
