"""A project with three days of orders: five a day, one dropped, one late, one wrong and one that is no order."""

import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from trivium.devtools.scaffold import new_project

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
WRONG = "day=2026-01-02/part-0.parquet:5"
BROKEN = "day=2026-01-03/part-0.parquet:5"
ROWS = 16


def order(identity: str, placed_at: str, amount: float) -> bytes:
    fields = {"event_type": "order", "order_id": identity, "placed_at": placed_at, "customer": "ada", "amount": amount}
    return json.dumps(fields).encode()


def make(parent: Path) -> Path:
    """The project `shop` below `parent`."""
    new_project("shop", parent)
    root = parent / "shop"
    shutil.rmtree(root / "data")
    for day in DAYS:
        records = [order(f"{day}-{number}", f"{day}T1{number}:00:00Z", 50.0 * number + 1) for number in range(5)]
        records += _special(day)
        folder = root / "data" / "events" / f"day={day}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"value": records, "shard": list(range(len(records)))}), folder / "part-0.parquet")
    config = root / "configs" / "shop.yaml"
    config.write_text(config.read_text() + "  late_days: 1\n")
    return root


def _special(day: str) -> list[bytes]:
    if day == DAYS[0]:
        return [order("nothing", f"{day}T20:00:00Z", 0)]
    if day == DAYS[1]:
        return [order("bad", f"{day}T20:00:00Z", -1), order("late", f"{DAYS[0]}T23:59:00Z", 7.0)]
    return [b'\x1b[2J"\xff', b'{"event_type": "visit"}']


def known_customers(project: Path) -> Path:
    """The shop, whose executor looks a customer up; the file of the lookup, which is not there yet."""
    executor = project / "executors/order/executor.py"
    text = executor.read_text().replace("from trivium import ", "from trivium import Enrichment, Row, ", 1)
    text = text.replace(
        "class OrderRow(", 'class Known(Row):\n    """Known."""\n\n    country: str\n\n\nclass OrderRow(', 1
    )
    text = text.replace(
        "    def accepts", '    known = Enrichment(Known, key="customer", missing="null")\n\n    def accepts', 1
    )
    text = text.replace("event: Order) -> OrderRow:", "event: Order, known: Known | None) -> OrderRow:")
    executor.write_text(text)
    config = project / "configs/shop.yaml"
    lookup = "lookups: {known: {type: parquet, path: ../data/known.parquet, key: name}}\n"
    config.write_text(config.read_text() + lookup)
    return project / "data/known.parquet"


def with_variables(root: Path, **defaults: str | None) -> Path:
    """The pipeline file of a shop, with paths below `${DATA}` and `${TABLES}`; `defaults` are theirs, None: without."""
    config, text = root / "configs" / "shop.yaml", (root / "configs" / "shop.yaml").read_text()
    for name in ("data", "tables"):
        default = defaults[name]
        reference = f"${{{name.upper()}}}" if default is None else f"${{{name.upper()}:-{default}}}"
        text = re.sub(rf"\.\./{name}(/\w+)", lambda found, put=reference: f'"{put}{found[1]}"', text)
    config.write_text(text)
    return config
