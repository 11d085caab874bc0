"""The committed JSON Schema is the one the models give."""

from pathlib import Path

from trivium.config.model.schema import schema_text


def test_the_committed_schema_is_current() -> None:
    committed = Path(__file__).parents[2] / "configs/pipeline.schema.json"
    assert committed.read_text() == schema_text(), (
        "python -m trivium.config.model.schema > configs/pipeline.schema.json"
    )
