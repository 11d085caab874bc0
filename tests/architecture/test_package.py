"""Contents of the wheel, the names in it, and the modules of others it leaves alone."""

import importlib
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import trivium

CONTRACT = Path(trivium.__file__).parent / "contract"
TYPING = {
    "Annotated",
    "Any",
    "Literal",
    "Mapping",
    "Sequence",
    "Decimal",
    "BaseModel",
    "SecretStr",
}  # what these modules import
PUBLIC = {
    *("Event", "NormalizedEvent", "Row", "Float32", "Int8", "Int16", "Int32", "Precision", "RawJson"),
    *("Executor", "ExecutorOptions", "Enrichment", "Hint", "RetryPolicy"),
    *("ContractError", "RejectError", "RowErrors", "TransientError", "TriviumError", "LookupUnavailable"),
    *("Answer", "Deadline", "Lookup", "LookupRequest", "LookupSettings", "Meta", "field"),
    *("BatchSource", "SourcePart", "SourceRequest", "SourceSettings"),
    *("RemoteLookupSettings", "SecretUri", "TimedLookup"),
    "run",
}


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in the wheel."""
    builder = WheelBuilder(str(repository))
    (path,) = builder.build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return zipfile.ZipFile(path).namelist()


def run(repository: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Runs the code from the root of the repository, with the package's folder on the path as if installed."""
    environment = os.environ | {"PYTHONPATH": str(repository / "platform")}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)


def test_an_author_can_import_exactly_these_names() -> None:
    assert set(trivium.__all__) == PUBLIC
    assert all(hasattr(trivium, name) for name in PUBLIC)


def test_an_author_can_import_whatever_the_contract_page_names(repository: Path) -> None:
    modules = [importlib.import_module(f"trivium.contract.{path.stem}") for path in CONTRACT.glob("[a-z]*.py")]
    public = {name for module in modules for name in vars(module) if name[0].isupper() and not name.isupper()}
    code = re.findall(r"```python\n.*?```|`[^`\n]+`", (repository / "docs" / "contract.md").read_text(), re.DOTALL)
    named = {word for text in code for word in re.findall(r"\b[A-Za-z]\w*\b", text)}
    assert (named & (public | {"Meta", "field"})) - TYPING <= set(trivium.__all__)
    assert {"Executor", "Enrichment", "Meta", "field"} <= named


def test_platform_is_no_package(repository: Path) -> None:
    assert not (repository / "platform" / "__init__.py").exists()


def test_import_platform_is_the_standard_library_from_the_root(repository: Path) -> None:
    found = run(repository, "import platform; print(platform.__file__)").stdout.strip()
    assert Path(found).parent == Path(sysconfig.get_path("stdlib"))


def test_importing_trivium_imports_neither_ray_nor_a_connector_library(repository: Path) -> None:
    heavy = "{'ray', 'rich', 'deltalake', 'kafka', 'pandas', 'duckdb'}"
    done = run(repository, f"import sys, trivium; print(sorted({heavy} & set(sys.modules)))")
    assert done.stdout.strip() == "[]", done.stderr


def test_the_wheel_holds_trivium_only(wheel: list[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel} == {"trivium"}
    assert "trivium/__init__.py" in wheel


def test_the_wheel_carries_its_licence_and_no_bytecode(wheel: list[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel)
    assert not [name for name in wheel if name.endswith(".pyc")]


def test_floors_import_downwards_only(repository: Path) -> None:
    done = run(repository, "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])")
    assert done.returncode == 0, done.stdout + done.stderr
