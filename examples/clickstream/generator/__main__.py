"""Makes the shop's data: `python -m generator [--visits N] [--days N] [--seed N]`, into `data/`."""

import argparse
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from generator.aftermath import follow
from generator.catalogue import all_products, some_users, write_products, write_users
from generator.log import Log
from generator.noise import write_noise
from generator.recommendations import write_recommendations
from generator.visits import Visit

FIRST = date(2026, 3, 27)


def make(folder: Path, visits: int, days: int, seed: int) -> Log:
    """Write the archive, the lookups and `expected.json` into a folder; return the log."""
    random = Random(seed)
    users, products = some_users(random, max(20, visits // 5)), all_products(random)
    log = Log(random)
    for _ in range(visits):
        start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
        visit = Visit(log, random, random.choice(users), start + timedelta(seconds=random.uniform(0, days * 86_400)))
        cart = visit.fill_cart(visit.browse(products)) if visit.chance(0.9) else []
        if cart and visit.chance(0.7):
            follow(visit, *visit.order(cart), cart)
    for day in sorted(log.days):
        write_noise(log, day)
    folder.mkdir(parents=True, exist_ok=True)
    _write_archive(folder / "events", log)
    write_users(folder / "users.csv", users)
    write_products(folder / "products.parquet", products)
    write_recommendations(folder / "recommendations", FIRST, days, seed)
    (folder / "expected.json").write_text(json.dumps(log.expected(), indent=1))
    return log


def _write_archive(folder: Path, log: Log) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for day, values in sorted(log.days.items()):
        path = folder / f"day={day}" / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"value": pa.array(values, pa.binary())}), path)


def main() -> None:
    """Make the data that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m generator", description=__doc__)
    parser.add_argument("--visits", type=int, default=5_000)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--into", type=Path, default=Path("data"))
    arguments = parser.parse_args()
    log = make(arguments.into, arguments.visits, arguments.days, arguments.seed)
    print(f"{sum(map(len, log.days.values())):,} records of {len(log.days)} days in {arguments.into}")


if __name__ == "__main__":
    main()
