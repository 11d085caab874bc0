"""The README is short, and what it quotes is what is tested."""

import re
from pathlib import Path


def test_at_most_1100_words(repository: Path) -> None:
    assert len((repository / "README.md").read_text().split()) <= 1100


def test_the_executor_is_quoted_from_its_file(repository: Path) -> None:
    quoted = re.search(r"```python\n(class Departure\(.*?)```", (repository / "README.md").read_text(), re.DOTALL)
    source = (repository / "executors" / "departure" / "executor.py").read_text()
    assert quoted is not None
    assert source.endswith(quoted.group(1))


def test_continuous_integration_calls_the_readmes_test_command(repository: Path) -> None:
    assert "./dev test\n" in (repository / "README.md").read_text()
    commands = [line for line in (repository / ".ci" / "run").read_text().splitlines() if not line.startswith("#")]
    assert commands[-1].startswith("exec ")
    assert commands[-1].endswith('/../dev" test')


def test_linked_files_exist(repository: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (repository / "README.md").read_text())
    assert [link for link in links if "://" not in link and not (repository / link).exists()] == []
