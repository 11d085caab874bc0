"""Each file of `wrong/` says at its end which problems it has, and has exactly those."""

import re
from pathlib import Path

import msgspec
import pytest

from tests.support.broken_executors import ENVIRON
from trivium.config.compile import RuntimeName, compile_file
from trivium.config.problems import ConfigError

WRONG = sorted((Path(__file__).parent / "wrong").glob("*.yaml"))
_EXPECT = re.compile(rb'^# expect: (\d+):(\d+) ([a-z-]+) "(.*)"$', re.MULTILINE)


def _expected(data: bytes) -> list[tuple[int, int, str, str]]:
    found = [(int(m[1]), int(m[2]), m[3].decode(), m[4].decode()) for m in _EXPECT.finditer(data)]
    return sorted(found, key=lambda each: each[:3])


@pytest.mark.parametrize("wrong", WRONG, ids=lambda path: path.stem)
def test_every_problem_is_named_at_its_place_with_what_to_try(wrong: Path, broken_project: Path) -> None:
    file = broken_project / "configs" / wrong.name
    file.write_bytes(wrong.read_bytes())
    environ = {**ENVIRON, "RAY_JOB_CONFIG_JSON_ENV_VAR": "{}"} if wrong.stem.startswith("job-") else ENVIRON

    runtimes: tuple[RuntimeName, ...] = ("streaming", "serving")
    runtime = next((runtime for runtime in runtimes if wrong.stem.startswith(f"{runtime}-runtime-")), "batch")

    with pytest.raises(ConfigError) as caught:
        compile_file(file, environ, runtime)

    expected = _expected(wrong.read_bytes())
    problems = caught.value.problems
    assert expected, "the file does not say what to expect"
    assert [(p.line, p.column, p.code) for p in problems] == [each[:3] for each in expected], str(caught.value)
    for problem, (*_, fragment) in zip(problems, expected, strict=True):
        assert fragment in str(problem)
    assert ENVIRON["TOKEN"] not in str(caught.value)
    assert ENVIRON["TOKEN"] not in str(msgspec.to_builtins(caught.value.problems))


def test_there_are_enough_of_them() -> None:
    assert len(WRONG) >= 60


def test_most_codes_are_covered() -> None:
    sources = (Path(compile_file.__code__.co_filename).parent).rglob("*.py")
    named = {
        code
        for source in sources
        if source.stem != "worker_spec"
        for code in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source.read_text())
    }
    covered = {code for wrong in WRONG for _, _, code, _ in _expected(wrong.read_bytes())}
    elsewhere = {
        "no-project",
        "executor-outside",
        "no-executors-package",
        "variable-text",
        "key-type",
        "too-many-problems",
        "include-missing",
        "include-itself",
        "lookup-declared-twice",
    }
    assert covered <= named | {"syntax", "encoding", "unreadable"}
    assert named - covered - elsewhere == set()
