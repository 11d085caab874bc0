"""Views of pages, most of all events: in column form."""

from typing import Annotated, Literal

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from executors.shop_event import GivenVector, ShopEvent, ShopRow, Vector
from executors.user import User
from trivium import Enrichment, Executor, Hint, Int32


class PageView(ShopEvent, tag="page_view"):
    """A page was shown. `interests` is the session's vector, where the shop's pages have computed one."""

    url: Annotated[str, Meta(max_length=2_000)]
    device: Literal["phone", "tablet", "desktop"]
    milliseconds: Annotated[Int32, Meta(ge=0)] | None = None
    interests: GivenVector | None = None
    robot: bool = False


class PageViewRow(ShopRow):
    """A page that a person saw; `path` is the URL without query and fragment."""

    path: str
    device: str
    seconds: float | None = None
    vector: Vector | None = None


class PageViewExecutor(Executor[PageView, PageViewRow]):
    """A page view with the user's country. Those of robots are dropped."""

    account = Enrichment(User, key="user", missing="null", hints=Hint.CACHEABLE)

    def process_batch(self, events: pa.RecordBatch, account: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        """Return a row for each view by a person."""
        people = pc.indices_nonzero(pc.invert(events["robot"]))
        views, accounts = events.take(people), account.take(people)
        columns = {
            "event_id": views["id"],
            "event_time": views["at"],
            "entity": views["user"],
            "country": accounts["country"],
            "path": pc.replace_substring_regex(views["url"], r"(?s)[?#].*", ""),
            "device": views["device"],
            "seconds": pc.divide(views["milliseconds"].cast(pa.float64()), 1_000.0),
            "vector": views["interests"],
        }
        return pa.RecordBatch.from_pydict(columns), people.cast(pa.int32())
