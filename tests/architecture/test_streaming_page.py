"""The operator's page lists the metrics as the catalogue has them."""

from pathlib import Path

from trivium.engine.metrics import CATALOGUE


def test_the_page_lists_every_metric_as_the_catalogue_does(repository: Path) -> None:
    lines = (repository / "docs" / "streaming.md").read_text().splitlines()
    listed = [line for line in lines if line.startswith("| `trivium_")]
    assert listed == [f"| `{m.name}` | {m.kind} | {', '.join(m.tags)} | {m.description} |" for m in CATALOGUE]
