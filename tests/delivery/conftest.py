from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.sample_table import Tables


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path)
