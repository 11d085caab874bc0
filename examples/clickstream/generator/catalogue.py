"""The shop's users and products, and the vectors of words that its models know."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

WORDS: dict[str, list[float]] = json.loads((Path(__file__).parents[1] / "models" / "words.json").read_bytes())
COLOURS = ("red", "blue", "green", "black", "white", "yellow")
ARTICLES = {
    "shirt": "clothes",
    "coat": "clothes",
    "lamp": "home",
    "chair": "home",
    "kettle": "kitchen",
    "pan": "kitchen",
}
ZONES = {"DE": ZoneInfo("Europe/Berlin"), "PL": ZoneInfo("Europe/Warsaw"), "US": ZoneInfo("America/New_York")}
CURRENCIES = {"DE": "EUR", "PL": "PLN", "US": "USD"}


@dataclass(frozen=True)
class User:
    """An account. `known` is False for those that the register lacks."""

    name: str
    country: str
    tier: str
    since: date
    known: bool = True


@dataclass(frozen=True)
class Product:
    """An article. `known` is False for those that the catalogue lacks."""

    number: str
    name: str
    category: str
    price: Decimal
    known: bool = True


def mean_vector(words: list[str]) -> list[float]:
    """Return the mean of some words' vectors."""
    return [sum(column) / len(words) for column in zip(*(WORDS[word] for word in words), strict=True)]


def some_users(random: Random, count: int) -> list[User]:
    """Return users, of whom one in ten has no account."""
    return [
        User(
            f"user-{number}",
            random.choice(list(ZONES)),
            random.choice(("basic", "plus", "gold")),
            date(2020, 1, 1) + timedelta(days=random.randrange(2_000)),
            known=number % 10 != 9,
        )
        for number in range(count)
    ]


def all_products(random: Random) -> list[Product]:
    """Return every article in every colour; the catalogue lacks the last one."""
    names = [(colour, article) for article in ARTICLES for colour in COLOURS]
    return [
        Product(
            f"p-{number}",
            f"{colour} {article}",
            ARTICLES[article],
            Decimal(random.randrange(500, 20_000)) / 100,
            known=number < len(names) - 1,
        )
        for number, (colour, article) in enumerate(names)
    ]


def write_users(path: Path, users: list[User]) -> None:
    """Write the register of accounts."""
    known = [user for user in users if user.known]
    columns = {
        "user": [user.name for user in known],
        "country": [user.country for user in known],
        "tier": [user.tier for user in known],
        "since": [user.since for user in known],
    }
    pa_csv.write_csv(pa.table(columns), path)


def write_products(path: Path, products: list[Product]) -> None:
    """Write the catalogue with the vector of each product, which is that of its name."""
    known = [product for product in products if product.known]
    columns = {
        "product": pa.array([product.number for product in known]),
        "name": pa.array([product.name for product in known]),
        "category": pa.array([product.category for product in known]),
        "price": pa.array([product.price for product in known], pa.decimal128(10, 2)),
        "vector": pa.array([mean_vector(product.name.split()) for product in known], pa.list_(pa.float32())),
    }
    pq.write_table(pa.table(columns), path)
