"""A lookup in a service over HTTP: the keys of a call in one request, the rows of its answer by JSON pointers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.types as pt

from trivium.config.model.remote_lookups import HttpLookupSettings
from trivium.connectors.http.answers import AnswerReader, MalformedAnswer
from trivium.connectors.http.service import HttpService
from trivium.connectors.remote.columns import FactMisfit, in_order
from trivium.connectors.remote.trouble import Trouble
from trivium.contract.lookup import Answer, LookupRequest
from trivium.core.clock import Deadline
from trivium.core.error_text import shown

_REPAIR = "the pointers of the section, or what the service answers"


class HttpLookup:
    """Answers keys with what a service says of them. Rows of other keys are left out."""

    def __init__(self, settings: HttpLookupSettings, request: LookupRequest) -> None:
        self._settings, self._request = settings, request
        self._trouble = Trouble(request.name, settings)
        self._service = HttpService(settings, self._trouble)
        self._reader = AnswerReader(settings, request.fields, request.key_type)
        self._names = [pointer.rpartition("/")[2] for pointer in settings.key_pointers]

    def load(self) -> None:
        """Ask for nothing: a service is called for keys only."""

    def check(self) -> str:
        """Send a request without keys and read the answer.

        Raises:
            LookupUnavailable: the service does not answer.
            LookupAnswerError: it refuses, or answers what cannot be read.
        """
        none = pa.array([], self._request.key_type)
        self.fetch(none, Deadline.after(self._request.clock, self._settings.timeout_seconds))
        return "a request without keys is answered"

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys by one request.

        Raises:
            LookupUnavailable: no answer within the deadline.
            LookupAnswerError: an answer that cannot be read, or that has two rows of a key.
        """
        columns = keys.flatten() if pt.is_struct(keys.type) else [keys]
        values = [[_plain(value) for value in column.to_pylist()] for column in columns]
        single = len(values) == 1
        sent = (
            values[0] if single else [dict(zip(self._names, each, strict=True)) for each in zip(*values, strict=True)]
        )
        body = self._service.ask(sent, msgspec.json.encode({self._settings.keys: sent}), deadline)
        held = [column.to_pylist() for column in columns]
        return self._answer(held[0] if single else list(zip(*held, strict=True)), body)

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def _answer(self, keys: list[Any], body: bytes) -> Answer:
        trouble = self._trouble
        try:
            rows = self._reader.rows(body)
            places = self._places(keys, self._reader.keys(rows))
            held = [rows[place] for place in places if place is not None]
            named = [key for key, place in zip(keys, places, strict=True) if place is not None]
        except MalformedAnswer as error:
            raise trouble.wrong(f"the answer cannot be read: {error}", _REPAIR) from error
        except FactMisfit as error:
            raise trouble.wrong(f"row {error.row} of the answer: {error.reason}", _REPAIR) from error
        try:
            return in_order(self._reader.facts(held), [place is not None for place in places])
        except FactMisfit as error:
            raise trouble.wrong(f"the key {shown(named[error.row], 80)}: {error.reason}", _REPAIR) from error

    def _places(self, keys: list[Any], found: list[Any]) -> list[int | None]:
        wanted, places = set(keys), dict[Any, int]()
        for place, key in enumerate(found):
            if key in wanted and places.setdefault(key, place) != place:
                raise self._trouble.wrong(f"expected one row a key, got several for {shown(key, 80)}", _REPAIR)
        return [places.get(key) for key in keys]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
