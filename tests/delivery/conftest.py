from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.s3_server import VARIABLES, Bucket, S3Server, UnreliableProxy
from tests.support.sample_table import S3Tables, Tables


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.close()


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket of its own for each test; this process and those it starts find it by the standard variables."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    bucket = Bucket(s3_server, f"test-{secrets.token_hex(6)}", lambda url: monkeypatch.setenv("AWS_ENDPOINT_URL", url))
    bucket.point_at(s3_server.url)
    s3_server.make_bucket(bucket.name)
    return bucket


@pytest.fixture
def s3_tables(s3: Bucket) -> S3Tables:
    """The sample tables in a bucket, created."""
    return S3Tables(Path(s3.name))


@pytest.fixture
def proxy(s3: Bucket) -> Iterator[UnreliableProxy]:
    """An unreliable way to the bucket, which everything takes from now on."""
    proxy = UnreliableProxy(s3.server.url)
    s3.point_at(proxy.url)
    yield proxy
    proxy.close()
