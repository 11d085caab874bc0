"""A project of 57 event types shaped like other people's webhooks, five records of each, always the same.

    python -m tests.support.webhooks FOLDER

Records have nested optional rows, lists with nulls, maps (declared as rows with wire names that are no Python names),
unicode, long text, offsets in times, numbers at their limits, fields nobody declared, and keys in any order. The last
of each type is wrong somewhere: it has to be a reject.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SEED: Final = 57
RECORDS: Final = 5
NOUNS: Final = (
    "push", "issue", "pull_request", "release", "deployment", "check_run", "label", "member", "repository", "workflow",
    "invoice", "charge", "refund", "payout", "subscription", "ticket", "contact", "message", "order",
)  # fmt: skip
VERBS: Final = ("created", "updated", "deleted")
TEXTS: Final = (
    "", "plain", "Ä ö ß", "日本語のテキスト", "😀👩‍👩‍👧", "e\u0301 combining", "\u202eright to left",
    "tab\tnewline\nquote\"",
    "back\\slash", "\u0000 nul", "null", "1e5", "x" * 70_000, "ünï" * 9_000,
)  # fmt: skip
ZONES: Final = ("Z", "+00:00", "+02:00", "-11:30", "+14:00")
MAP_KEYS: Final = ("content-type", "http.status_code", "X-Request-Id", "class", "größe", "1st", "with space", "$ref")


@dataclass(frozen=True)
class Record:
    """One webhook: its JSON, and the row it has to become; None where it has to be a reject."""

    event_type: str
    value: bytes
    row: dict[str, Any] | None


@dataclass(frozen=True)
class Field:
    """A declared field: names, annotation in the source, and how a value and its place in the row are made."""

    name: str
    wire: str
    annotation: str
    optional: bool
    make: Callable[[random.Random], tuple[Any, Any]]

    @property
    def source(self) -> str:
        kind = f"{self.annotation} | None" if self.optional else self.annotation
        if self.wire != self.name:
            default = ", default=None" if self.optional else ""
            return f"    {self.name}: {kind} = field(name={self.wire!r}{default})"
        return f"    {self.name}: {kind}{' = None' if self.optional else ''}"


@dataclass(frozen=True)
class Shape:
    """An event type: its fields, and the source of the executor that copies them."""

    event_type: str
    fields: tuple[Field, ...]
    rows: tuple[str, ...]

    @property
    def folder(self) -> str:
        return self.event_type.replace(".", "_")

    @property
    def source(self) -> str:
        name = "".join(part.capitalize() for part in self.folder.split("_"))
        copied = ", ".join(f"{each.name}=event.{each.name}" for each in self.fields)
        plain = "\n".join(f"    {each.name}: {each.annotation} | None = None" for each in self.fields)
        return "\n".join([
            f'"""{self.event_type} as it came."""', "", "from datetime import datetime", "from decimal import Decimal",
            "from typing import Annotated", "", "from msgspec import field",
            "from trivium import Event, Executor, Int32, NormalizedEvent, Precision, Row", "",
            *self.rows, "",
            f"class {name}(Event, tag={self.event_type!r}):", '    """What comes."""', "", "    delivery: str",
            "    sent_at: datetime", *(each.source for each in self.fields), "", "",
            f"class {name}Row(NormalizedEvent):", '    """What is kept."""', "", plain, "", "",
            f"class {name}Executor(Executor[{name}, {name}Row]):", '    """Copies every field."""', "",
            f"    def process(self, event: {name}) -> {name}Row:", '        """One row."""',
            f"        return {name}Row(event_id=event.delivery, event_time=event.sent_at, {copied})", "",
        ])  # fmt: skip


def shapes() -> list[Shape]:
    """All 57, always the same."""
    chance = random.Random(SEED)
    return [_shape(f"{noun}.{verb}", chance) for noun in NOUNS for verb in VERBS]


def records(shape: Shape) -> list[Record]:
    """Records of one type, the last one wrong."""
    chance = random.Random(f"{SEED}/{shape.event_type}")
    return [_record(shape, number, chance) for number in range(RECORDS)]


def write_project(root: Path) -> list[Record]:
    """Write the project below `root`; its records, which stand in `records.jsonl`, too."""
    every = shapes()
    for shape in every:
        folder = root / "executors" / shape.folder
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "executor.py").write_text(shape.source, encoding="utf-8")
    (root / "executors" / "__init__.py").touch()
    (root / "configs").mkdir()
    (root / "configs" / "webhooks.yaml").write_text(
        _PIPELINE + "".join(f"  - {{type: {s.event_type}}}\n" for s in every)
    )
    made = [record for shape in every for record in records(shape)]
    (root / "records.jsonl").write_bytes(b"".join(record.value + b"\n" for record in made))
    return made


_PIPELINE: Final = """\
pipeline: webhooks
table: {type: delta, path: tables/webhooks}
dead_letters: {type: delta, path: tables/webhooks_dead_letters}
batch:
  source: {type: parquet, path: data, value_column: value}
streaming:
  source: {type: kafka, servers: "localhost:9092", topics: [webhooks]}
serving: {route: /webhooks}
executors:
"""


def _shape(event_type: str, chance: random.Random) -> Shape:
    rows: list[str] = []
    count = chance.randint(3, 9)
    made = [_field(f"{event_type.replace('.', '_')}_{number}", chance, rows, 3) for number in range(count)]
    return Shape(event_type, tuple(made), tuple(rows))


def _field(name: str, chance: random.Random, rows: list[str], depth: int, wire: str | None = None) -> Field:
    annotation, make = _kind(chance, rows, depth)
    optional = chance.random() < 0.6
    return Field(name, wire or name, annotation, optional, make)


Made = tuple[str, Callable[[random.Random], tuple[Any, Any]]]


def _kind(chance: random.Random, rows: list[str], depth: int) -> Made:
    kinds = [*_SCALARS, _list, _row, _row, _map] if depth else [*_SCALARS]
    kind = chance.choice(kinds)
    return kind(chance, rows, depth - 1) if kind in (_list, _row, _map) else kind  # type: ignore[return-value]


def _same(values: Callable[[random.Random], Any]) -> Callable[[random.Random], tuple[Any, Any]]:
    def make(chance: random.Random) -> tuple[Any, Any]:
        value = values(chance)
        return value, value

    return make


def _time(chance: random.Random) -> tuple[Any, Any]:
    hour, micro = chance.randint(0, 23), chance.choice(["", ".5", ".123456"])
    utc = f"2026-03-{chance.randint(2, 27):02}T{hour:02}:00:00"
    return f"{utc}{micro}Z", f"{utc}{micro.ljust(7, '0') if micro else ''}Z"


def _decimal(chance: random.Random) -> tuple[Any, Any]:
    cents = chance.choice([0, 1, -1, 999_999_999, chance.randint(-99_999, 99_999)])
    text = f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"
    return text, text


_SCALARS: Final[tuple[Made, ...]] = (
    ("str", _same(lambda chance: chance.choice(TEXTS))),
    ("int", _same(lambda chance: chance.choice([0, -1, 2**63 - 1, -(2**63), chance.randint(-(10**6), 10**6)]))),
    ("Int32", _same(lambda chance: chance.choice([0, 2**31 - 1, -(2**31)]))),
    ("float", _same(lambda chance: chance.choice([0.0, 0.1, -1e300, 5e-324, chance.uniform(-1, 1)]))),
    ("bool", _same(lambda chance: chance.random() < 0.5)),
    ("datetime", _time),
    ("Annotated[Decimal, Precision(11, 2)]", _decimal),
)


def _list(chance: random.Random, rows: list[str], depth: int) -> Made:
    annotation, make = _kind(chance, rows, depth)
    nulls = chance.random() < 0.5

    def several(chance: random.Random) -> tuple[Any, Any]:
        pairs = [make(chance) for _ in range(chance.randint(0, 4))]
        pairs = [(None, None) if nulls and chance.random() < 0.3 else pair for pair in pairs]
        return [given for given, _ in pairs], [kept for _, kept in pairs]

    return f"tuple[{annotation}{' | None' if nulls else ''}, ...]", several


def _row(chance: random.Random, rows: list[str], depth: int) -> Made:
    names = [(name, name) for name in ("login", "id", "email", "owner", "config", "url")[: chance.randint(1, 6)]]
    return _class(chance, rows, depth, names)


def _map(chance: random.Random, rows: list[str], depth: int) -> Made:
    """Some keys of a map, declared as a row; the map has others."""
    wires = chance.sample(MAP_KEYS, chance.randint(1, 4))
    return _class(chance, rows, depth, [(f"key_{MAP_KEYS.index(wire)}", wire) for wire in wires])


def _class(chance: random.Random, rows: list[str], depth: int, names: list[tuple[str, str]]) -> Made:
    inside = [_field(name, chance, rows, depth, wire) for name, wire in names]
    name = f"Inner{len([row for row in rows if row.startswith('class ')])}"
    rows += [f"class {name}(Row):", '    """Inside."""', "", *(each.source for each in inside), "", ""]

    def make(chance: random.Random) -> tuple[Any, Any]:
        return _object(inside, chance)

    return name, make


def _object(fields: list[Field] | tuple[Field, ...], chance: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """An object as it is sent, keys in any order and some that nobody declared, and as it has to be kept."""
    given: dict[str, Any] = (
        {"undeclared": {"deep": [[[{"a": [None, 1e300, "😀"]}]]], "n": 2**70}} if chance.random() < 0.3 else {}
    )
    kept = {}
    for each in fields:
        given_value, kept_value = each.make(chance)
        fate = chance.choice(["there", "there", "null", "absent"]) if each.optional else "there"
        kept[each.name] = kept_value if fate == "there" else None
        if fate != "absent":
            given[each.wire] = given_value if fate == "there" else None
    keys = list(given)
    chance.shuffle(keys)
    return {key: given[key] for key in keys}, kept


def _record(shape: Shape, number: int, chance: random.Random) -> Record:
    given, kept = _object(shape.fields, chance)
    hour, zone = chance.randint(0, 23), chance.choice(ZONES)
    delivery = f"{shape.event_type}/{number}/{chance.choice(TEXTS[:6])}"
    given |= {
        "event_type": shape.event_type,
        "delivery": delivery,
        "sent_at": f"2026-03-1{number}T{hour:02}:30:00{zone}",
    }
    wrong = number == RECORDS - 1
    if wrong:
        given |= chance.choice(
            [{"delivery": 7}, {"sent_at": "2026-03-01T10:00:00"}, {"delivery": None}, {"sent_at": ""}]
        )
    value = json.dumps(given, ensure_ascii=chance.random() < 0.5, separators=chance.choice([(",", ":"), (", ", ": ")]))
    return Record(shape.event_type, value.encode(), None if wrong else {"event_id": delivery, **kept})


if __name__ == "__main__":
    sys.stdout.write(f"{len(write_project(Path(sys.argv[1])))} records of {len(shapes())} event types\n")
