from __future__ import annotations

import pyarrow as pa
import pytest

from trivium.delivery.errors import SchemaConflict
from trivium.delivery.files.lineage import table_schema


def test_the_author_s_columns_come_first_then_the_day_then_lineage():
    schema = table_schema(pa.schema([("event_id", pa.string())]))
    assert schema.names[:2] == ["event_id", "event_date"]
    assert schema.names[2:] == [
        *(
            "_event_type",
            "_logic",
            "_plan",
            "_executor",
            "_source",
            "_position",
            "_row",
            "_ingested_at",
            "_enrichments",
            "_runtime",
        )
    ]
    assert schema.field("_position").type == pa.int64()
    assert schema.field("_ingested_at").type == pa.timestamp("us", "UTC")
    assert schema.field("_enrichments").nullable


@pytest.mark.parametrize("name", ["_row", "_mine", "event_date"])
def test_the_engine_s_names_are_refused(name: str):
    with pytest.raises(SchemaConflict, match=name):
        table_schema(pa.schema([(name, pa.string())]))
