"""A lookup in Redis or Valkey: JSON texts by MGET, or hashes by HMGET in one pipeline."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from trivium.config.model.key_template import KeyTemplate
from trivium.config.model.remote_lookups import RedisLookupSettings
from trivium.connectors.redis.server import RedisServer
from trivium.connectors.remote.columns import FactMisfit, JsonRows, in_order, text_column, text_problem
from trivium.connectors.remote.trouble import Trouble
from trivium.contract.errors import LookupUnavailable
from trivium.contract.lookup import Answer, LookupRequest
from trivium.core.clock import Deadline

_SAMPLE: Final = 20
_REPAIR: Final = "repair the value, or declare the column otherwise"


class RedisLookup:
    """Answers keys with the values of the Redis keys that the template names."""

    def __init__(self, settings: RedisLookupSettings, request: LookupRequest) -> None:
        self._settings, self._request = settings, request
        self._template = KeyTemplate.of(settings.key)
        self._trouble = Trouble(request.name, settings)
        self._server = RedisServer(settings, self._trouble)
        self._json = JsonRows(request.fields) if settings.value == "json" else None
        problems = [text_problem(spec) for spec in request.fields] if self._json is None else []
        for problem in filter(None, problems):
            raise self._trouble.wrong(problem, "value: json, or a column of text, a number, a bool, a day or a time")

    def load(self) -> None:
        """Ask for one key that is not there. A server that does not answer now may answer later.

        Raises:
            LookupAnswerError: the server refuses what every call will ask.
        """
        try:
            self._ask(["".join(self._template.literals)], self._patience())
        except LookupUnavailable:
            return

    def check(self) -> str:
        """Ask for some of the keys that the server has, and return what was found.

        Raises:
            LookupUnavailable: the server does not answer.
            LookupAnswerError: it refuses, or a value is none of the declared columns.
        """
        deadline = self._patience()
        self._ask(["".join(self._template.literals)], deadline)
        found: dict[str, None] = {}
        cursor = b"0"
        while len(found) < _SAMPLE:
            (reply,) = self._server.ask([("SCAN", cursor, "MATCH", self._pattern(), "COUNT", 1000)], deadline)
            cursor, names = reply
            found.update(dict.fromkeys(name.decode("utf-8", "surrogateescape") for name in names))
            if cursor == b"0":
                break
        names = list(found)[:_SAMPLE]
        present = self._answered(names, self._ask(names, deadline)).index.null_count
        if present:
            what = f"{present} of {len(names)} keys like {self._pattern()} hold no {self._settings.value}"
            raise self._trouble.wrong(what, "value: json or hash, as the keys hold it, or another key template")
        return f"{len(names)} keys like {self._pattern()} read" if names else f"no key is like {self._pattern()}"

    def fetch(self, keys: pa.Array, deadline: Deadline) -> Answer:
        """Answer distinct keys in one exchange with the server.

        Raises:
            LookupUnavailable: no answer within the deadline.
            LookupAnswerError: a value is none of the declared columns; names the Redis key.
        """
        names = self._template.texts(keys, self._request.key_type)
        return self._answered(names, self._ask(names, deadline))

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _ask(self, names: list[str], deadline: Deadline) -> list[Any]:
        """Return what each key holds: its text, or its hash's fields; None where there is no such key."""
        if not names:
            return []
        if self._json is not None:
            (values,) = self._server.ask([("MGET", *names)], deadline)
            return list(values)
        fields = [spec.wire for spec in self._request.fields]
        commands = [command for name in names for command in (("HMGET", name, *fields), ("EXISTS", name))]
        replies = self._server.ask(commands, deadline)
        # A hash without any of the fields is a row; without a hash there is none.
        return [values if exists else None for values, exists in zip(replies[::2], replies[1::2], strict=True)]

    def _answered(self, names: list[str], values: list[Any]) -> Answer:
        present = [value is not None for value in values]
        held = [name for name, here in zip(names, present, strict=True) if here]
        try:
            rows = self._rows([value for value in values if value is not None])
        except FactMisfit as error:
            raise self._trouble.wrong(f"the key {held[error.row]}: {error.reason}", _REPAIR) from error
        return in_order(rows, present)

    def _rows(self, values: list[Any]) -> pa.RecordBatch:
        if self._json is not None:
            return self._json.read(values)
        columns = [
            text_column([_text(at, value[place]) for at, value in enumerate(values)], spec)
            for place, spec in enumerate(self._request.fields)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._request.schema)

    def _pattern(self) -> str:
        return "*".join(self._template.literals)

    def _patience(self) -> Deadline:
        return Deadline.after(self._request.clock, self._settings.timeout_seconds)


def _text(row: int, value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError as error:
        raise FactMisfit(row, f"a field is not UTF-8: {error.reason}") from error
