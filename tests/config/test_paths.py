"""Resolution of the URIs of a pipeline file."""

import pytest

from trivium.config.paths import s3_location


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://my.bucket-1/a/b/", ("my.bucket-1", "a/b")),
        ("s3://bucket//a//b", ("bucket", "a/b")),
        ("s3://bucket/über uns/day=1", ("bucket", "über uns/day=1")),
    ],
)
def test_an_s3_uri_has_a_bucket_and_a_prefix(uri: str, location: tuple[str, str]) -> None:
    assert s3_location(uri) == location


@pytest.mark.parametrize(
    "uri",
    [
        "s3:/bucket/a",
        "s3a://bucket/a",
        "s3://b/a",
        "s3://Bucket/a",
        "s3://key:secret@bucket/a",
        "s3://bucket:9000/a",
        "s3://bucket/a/../b",
        "s3://bucket/a?versionId=1",
        "s3://bucket/a#b",
        "s3://bucket/a%2Fb",
        "s3://bucket/a\nb",
        "/bucket/a",
    ],
)
def test_anything_else_has_none(uri: str) -> None:
    assert s3_location(uri) is None
