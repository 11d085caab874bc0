"""The table from Python types to Arrow."""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pyarrow as pa
import pytest
from msgspec import Meta

from trivium import ContractError, Float32, Int8, Int16, Int32, Precision, Row
from trivium.contract.rows import RowMeta
from trivium.types.rows import row_fields
from trivium.types.spec import FieldSpec, without_wire_names


class Colour(enum.Enum):
    RED = "red"


class Grade(enum.IntEnum):
    LOW = 1


class Mixed(enum.Enum):
    A = 1
    B = "b"


class Place(Row):
    name: str
    level: Int8 | None = msgspec.field(name="the-level", default=None)


PLACE = pa.struct([pa.field("name", pa.string(), nullable=False), pa.field("level", pa.int8())])
TABLE: dict[Any, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    Int8: pa.int8(),
    Int16: pa.int16(),
    Int32: pa.int32(),
    float: pa.float64(),
    Float32: pa.float32(),
    str: pa.string(),
    bytes: pa.binary(),
    datetime: pa.timestamp("us", "UTC"),
    date: pa.date32(),
    UUID: pa.string(),
    Annotated[Decimal, Precision(10, 2)]: pa.decimal128(10, 2),
    Literal["a", "b"]: pa.string(),
    Literal[1, 2]: pa.int64(),
    Colour: pa.string(),
    Grade: pa.int64(),
    tuple[int, ...]: pa.list_(pa.field("item", pa.int64(), nullable=False)),
    tuple[Float32 | None, ...]: pa.list_(pa.float32()),
    Place: PLACE,
    tuple[Place, ...]: pa.list_(pa.field("item", PLACE, nullable=False)),
    Annotated[Int32, Meta(ge=-120)]: pa.int32(),
}


def field(annotation: Any, **default: Any) -> FieldSpec:
    body = {"__annotations__": {"value": annotation}, "__module__": __name__, **default}
    row: Any = RowMeta("Holder", (Row,), body)
    (spec,) = row_fields(row)
    return spec


@pytest.mark.parametrize("annotation", TABLE, ids=str)
def test_a_type_and_its_column(annotation: Any) -> None:
    required, optional = field(annotation), field(annotation | None, value=None)
    assert required.arrow == optional.arrow.with_nullable(False)
    assert str(required.arrow.type) == str(TABLE[annotation]).replace(" not null", "")
    assert required.type.declared == optional.type.declared == TABLE[annotation]
    assert (required.required, optional.required) == (True, False)


def test_inside_a_column_everything_is_nullable() -> None:
    inner = pa.struct([pa.field("name", pa.string()), pa.field("level", pa.int8())])
    assert field(Place | None, value=None).arrow.type == inner
    assert field(tuple[Place, ...]).arrow.type == pa.list_(pa.field("item", inner))


def test_limits_are_kept_beside_the_type() -> None:
    assert field(Annotated[Int32, Meta(ge=-120, lt=5)]).type.limits == {"ge": -120, "lt": 5}
    assert field(Annotated[str, Meta(min_length=1, pattern="a")]).type.limits == {"min_length": 1, "pattern": "a"}
    assert field(Annotated[tuple[int, ...], Meta(max_length=3)]).type.limits == {"max_length": 3}


@pytest.mark.parametrize("annotation", [Mixed, Literal["a", 1]], ids=str)
def test_values_of_two_types_have_no_column(annotation: Any) -> None:
    with pytest.raises(ContractError, match="Holder"):
        field(annotation)


def test_wire_names() -> None:
    spec = field(int, value=msgspec.field(name="the value"))
    assert (spec.name, spec.wire, spec.arrow.name) == ("value", "the value", "value")
    nested = field(Place)
    assert [child.wire for child in nested.type.fields] == ["name", "the-level"]
    (written,) = without_wire_names((nested,))
    assert [child.wire for child in written.type.fields] == ["name", "level"]
    assert written.type.arrow == nested.type.arrow


def test_rename_of_a_whole_class() -> None:
    class Renamed(Row, rename="camel"):
        tail_number: str

    assert [spec.wire for spec in row_fields(Renamed)] == ["tailNumber"]


def test_an_annotation_that_cannot_be_read_names_the_class() -> None:
    body = {"__annotations__": {"value": "Nowhere"}, "__module__": __name__}
    row: Any = RowMeta("Holder", (Row,), body)
    with pytest.raises(ContractError, match=r"Holder: .*Nowhere"):
        row_fields(row)
