"""The dashboard of a cluster: its versions and its token, and findings that name what differs."""

import platform
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.dashboard import dashboard
from trivium.operations.shipping.cluster import dashboard_of, look_at_cluster

RAY, PYTHON = version("ray"), platform.python_version()


def test_equal_versions_are_fine() -> None:
    with dashboard(RAY, PYTHON) as address:
        found = look_at_cluster(address, {})
    assert [(each.check, each.level) for each in found] == [("Ray", "ok"), ("Python", "ok")]


def test_other_versions_are_errors() -> None:
    with dashboard("2.48.0", "3.9.7") as address:
        found = look_at_cluster(address, {})
    minor = ".".join(PYTHON.split(".")[:2])
    assert [(each.level, each.got, each.expected) for each in found] == [
        ("error", "2.48.0", f"Ray {RAY} as here"),
        ("error", "3.9.7", f"Python {minor} as here"),
    ]


@pytest.mark.parametrize(
    ("environ", "got", "attempt"),
    [
        ({}, "a refusal without a token (HTTP 401)", "RAY_AUTH_MODE=token and the cluster's token"),
        ({"RAY_AUTH_TOKEN": "right"}, "a refusal without a token, though one is here", "RAY_AUTH_MODE=token before"),
        ({"RAY_AUTH_TOKEN": "other", "RAY_AUTH_MODE": "token"}, "a refusal of this machine's token (HTTP 403)", "own"),
    ],
)
def test_a_head_that_asks_for_a_token(environ: dict[str, str], got: str, attempt: str, tmp_path: Path) -> None:
    """A head of Ray 2.60 asks for a token as soon as one is on its machine; a client sends none by itself."""
    with dashboard(RAY, PYTHON, token="right") as address:
        (found,) = look_at_cluster(address, {"HOME": str(tmp_path), **environ})
    assert (found.check, found.level) == ("token", "error")
    assert got in found.got
    assert attempt in found.attempt


def test_the_token_is_sent_from_where_ray_keeps_it(tmp_path: Path) -> None:
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("right\n")
    with dashboard(RAY, PYTHON, token="right") as address:
        found = look_at_cluster(address, {"HOME": str(tmp_path), "RAY_AUTH_MODE": "token"})
    assert [each.level for each in found] == ["ok", "ok"]


def test_nobody_answers() -> None:
    with dashboard(RAY, PYTHON) as address:
        pass
    (found,) = look_at_cluster(address, {})
    assert (found.level, found.where) == ("error", address)
    assert "no answer" in found.got


def test_an_address_of_ray_itself_is_not_asked() -> None:
    (found,) = look_at_cluster("ray://head:10001", {})
    assert (found.level, found.expected) == ("warning", "http://HOST:8265 of a dashboard")


def test_the_address_is_the_one_that_rays_command_takes() -> None:
    both = {"RAY_API_SERVER_ADDRESS": "http://api:8265", "RAY_ADDRESS": "http://other:8265"}
    assert dashboard_of("http://given:1", both) == "http://given:1"
    assert dashboard_of(None, both) == "http://api:8265"
    assert dashboard_of(None, {}) == "http://127.0.0.1:8265"
