"""Files of teams: one plan, whatever the split, and every problem at its place in its own file."""

from pathlib import Path

import pytest

from tests.support import group_project
from trivium.config.compile import compile_file
from trivium.config.pipeline import Pipeline
from trivium.config.problems import ConfigError
from trivium.config.rebuild import rebuild

INCLUDE = 'include: [teams/web.yaml, "teams/*.yaml"]\n'
WEB = "executors:\n  - {type: page_*, options: {weight: 2}, owner: web, artifacts: {model: ../../model.bin}}\n"
SHOP = "executors:\n  - {type: order, owner: shop, description: An order of the shop.}\n"


def compiled(root: Path, executors: str, **files: str) -> Pipeline:
    group_project.forget()
    root.mkdir()
    (root / "model.bin").write_bytes(b"1")
    return compile_file(group_project.make(root, executors, **files), {}, "serving")


def test_the_plan_does_not_depend_on_the_split(tmp_path: Path) -> None:
    whole = (
        "executors:\n" + SHOP.removeprefix("executors:\n") + WEB.removeprefix("executors:\n").replace("../../", "../")
    )
    split = compiled(tmp_path / "site", INCLUDE, teams__web=WEB, teams__shop=SHOP)
    (tmp_path / "site").rename(tmp_path / "one")
    other = compiled(tmp_path / "site", "include: [a/*.yaml]\n", a__x=SHOP, a__y=WEB)
    (tmp_path / "site").rename(tmp_path / "two")
    single = compiled(tmp_path / "site", whole)
    hashes = {(each.plan.logic, each.plan.plan) for each in (split, other, single)}
    assert len(hashes) == 1
    assert [list(each.executors) for each in (split, other, single)] == [
        ["page_click", "page_view", "order"],
        ["order", "page_click", "page_view"],
        ["order", "page_click", "page_view"],
    ]
    assert split.listed == {
        "order": "configs/teams/shop.yaml:2",
        "page_click": "configs/teams/web.yaml:2",
        "page_view": "configs/teams/web.yaml:2",
    }
    assert (split.owner("order"), split.owner("page_view"), split.owner("visit")) == ("shop", "web", "")
    group_project.forget()
    assert list(rebuild(split.plan.json, {}, tmp_path / "site").executors) == list(split.executors)


WRONG = {
    "a type of two files": (
        {"teams__a": SHOP, "teams__b": SHOP},
        [
            "{configs}/teams/b.yaml:2:12: executor-listed-twice: order is listed twice, "
            "first in {configs}/teams/a.yaml:2"
        ],
    ),
    "a lookup of two files": (
        {
            "teams__a": SHOP + "lookups:\n  plane: {type: parquet, path: /a, key: k}\n",
            "teams__b": "lookups:\n  plane: {type: parquet, path: /a, key: k}\n",
        },
        [
            "{configs}/teams/a.yaml:4:3: unused-lookup: no executor of the pipeline uses the lookup plane",
            "{configs}/teams/b.yaml:2:3: lookup-declared-twice: the lookup plane is declared twice, first in "
            "{configs}/teams/a.yaml:4",
        ],
    ),
    "another section": (
        {"teams__a": SHOP + "table: {type: delta, path: /a}\n"},
        ["{configs}/teams/a.yaml:3:1: unknown-key: an included file holds executors and lookups, not table"],
    ),
    "an included file that includes": (
        {"teams__a": SHOP + "include: [b.yaml]\n"},
        ["{configs}/teams/a.yaml:3:1: unknown-key: an included file holds executors and lookups, not include"],
    ),
    "a section of another kind": (
        {"teams__a": SHOP, "teams__b": "executors: {order: {}}\nlookups: []\n"},
        [
            "{configs}/teams/b.yaml:1:12: wrong-value: executors: expected a list of entries",
            "{configs}/teams/b.yaml:2:10: wrong-value: lookups: expected a mapping of names",
        ],
    ),
    "no YAML": (
        {"teams__a": SHOP, "teams__b": "executors: [\n"},
        ["{configs}/teams/b.yaml:2:1: syntax: while parsing a flow node: expected the node content"],
    ),
    "problems of entries": (
        {
            "teams__a": SHOP,
            "teams__b": "executors:\n  - {type: visit}\n  - type: page_view\n    options:\n      wight: 2\n"
            "  - {type: page_click, owners: x, artifacts: {m: no.bin}, options: {weight: '${NOT_THERE}'}}\n",
        },
        [
            "{configs}/teams/b.yaml:2:12: unknown-executor: there is no executor of 'visit'",
            "{configs}/teams/b.yaml:5:7: unknown-option: there is no key wight",
            "{configs}/teams/b.yaml:6:24: unknown-key: there is no key owners",
            "{configs}/teams/b.yaml:6:50: artifact-missing: the artifact m is no file: {configs}/teams/no.bin",
            "{configs}/teams/b.yaml:6:77: unset-variable: the variable NOT_THERE is not set",
        ],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_problems_are_at_their_place_in_their_file(name: str, tmp_path: Path) -> None:
    files, expected = WRONG[name]
    with pytest.raises(ConfigError) as raised:
        compiled(tmp_path / "site", 'include: ["teams/*.yaml"]\n', **files)
    lines = str(raised.value).splitlines()
    wanted = [line.format(configs=tmp_path / "site/configs") for line in expected]
    assert [line[: len(start)] for line, start in zip(lines, wanted, strict=True)] == wanted


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("[teams/none.yaml]", r"site.yaml:2:11: include-missing: no file is 'teams/none.yaml'"),
        ('["*.yaml"]', r"site.yaml:2:11: include-itself: '\*.yaml' takes the file into itself"),
        ("[../../outside.yaml]", r"site.yaml:2:11: path-outside: "),
        ("teams/web.yaml", r"site.yaml:2:10: wrong-value: include: Input should be a valid array"),
    ],
)
def test_an_include_that_cannot_be_is_a_problem_there(include: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(SHOP)
    with pytest.raises(ConfigError, match=said):
        compiled(tmp_path / "site", f"include: {include}\nexecutors:\n  - {{type: order}}\n")
