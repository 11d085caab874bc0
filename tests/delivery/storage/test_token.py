from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trivium.delivery.errors import StorageNotShared
from trivium.delivery.storage.storage import Storage
from trivium.delivery.storage.token import prove_shared, remove_token, write_token


def test_the_same_storage_is_proven_and_the_token_goes(tmp_path: Path):
    token = write_token(str(tmp_path))
    prove_shared(token, "node-1")
    remove_token(token)
    assert Storage(str(tmp_path)).list() == []


def test_other_storage_under_the_same_name_is_said(tmp_path: Path):
    token = write_token(str(tmp_path / "driver"))
    elsewhere = replace(token, uri=str(tmp_path / "worker"))
    with pytest.raises(StorageNotShared, match=r"node-2 does not see.*storage that driver and workers share"):
        prove_shared(elsewhere, "node-2")
    Storage(elsewhere.uri).create(token.path, b"something else")
    with pytest.raises(StorageNotShared, match="another content"):
        prove_shared(elsewhere, "node-2")
