"""Reader of the facts beside an event: rows of the lookups, by the keys that the executor's enrichments have for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from trivium.contract.declaration import Declaration
from trivium.core.suggest import one_of
from trivium.engine.enrichment.questions import KeyQuestion
from trivium.engine.lookups.fetch import Facts as LookupFacts
from trivium.engine.worker import Worker
from trivium.samples.facts import FactKey, Facts, add, agree
from trivium.samples.file import Sample, SampleError
from trivium.samples.stages import ask_stages, keys_of, known_answer
from trivium.types.convert import columns_of
from trivium.types.normalise import Normaliser
from trivium.types.structs import derive

FactRow = dict[str, Any]
Given = FactRow | list[FactRow | None] | None


class FactReader:
    """Reads the facts beside an event into rows of the lookups they come from.

    `types` names the type of an event where nothing in it does.
    """

    def __init__(self, worker: Worker, declaration: Declaration, types: Sequence[str] | None) -> None:
        self._declaration, self._worker, self._types = declaration, worker, types

    def read(self, sample: Sample) -> Facts:
        """Return the sample's facts; none where the event cannot be decoded, is not accepted or has no keys.

        Raises:
            SampleError: an unknown enrichment, a fact that is no such row, or two answers to one question.
        """
        return self.read_stated(sample)[0]

    def read_stated(self, sample: Sample) -> tuple[Facts, set[FactKey]]:
        """Return the facts, and of which keys the sample itself says them, be it that there is no row.

        Raises:
            SampleError: as `read`.
        """
        enrichments, event_type = self._declaration.enrichments, self._declaration.event_type
        for name in sample.facts:
            if name not in enrichments:
                message = f"the executor has no enrichment {name}"
                raise SampleError(sample.line, f"{message} ({one_of(name, enrichments) or 'it declares none'})")
        given = {name: self._given(sample, name) for name in sample.facts}
        reading = _Reading(sample.line, given)
        if enrichments:
            decoded = self._worker.decoder.decode([sample.event], self._types and list(self._types))
            for event in decoded.events.get(event_type, ([], []))[1]:
                ask_stages(self._worker.types[event_type], [event], reading.answer)
        return reading.facts, reading.stated

    def _given(self, sample: Sample, name: str) -> Given:
        fields = self._declaration.enrichment_fields[name]
        row: Any = derive(self._declaration.enrichments[name].row, fields)
        normalise = Normaliser(fields)

        def plain(fact: Any) -> FactRow | None:
            if fact is None:
                return None
            normalise(fact)
            values = columns_of([fact], fields).to_pylist()[0]
            return {spec.wire: values[spec.name] for spec in fields}

        wanted: Any = list[row | None] | None if self._declaration.keys[name].many else row | None
        try:
            found = msgspec.json.decode(sample.facts[name], type=wanted)
            return list(map(plain, found)) if isinstance(found, list) else plain(found)
        except (msgspec.MsgspecError, ValueError, TypeError, pa.ArrowException) as error:
            raise SampleError(sample.line, f"enrichment {name}: {error}") from error


class _Reading:
    """The facts of one sample, taken in stage by stage."""

    def __init__(self, line: int, given: Mapping[str, Given]) -> None:
        self._line, self._given = line, given
        self.facts: Facts = {}
        self.stated: set[FactKey] = set()

    def answer(self, questions: Sequence[KeyQuestion]) -> list[LookupFacts]:
        """Return what the sample says, to the questions of one stage."""
        for each in questions:
            self._take(each)
        return [known_answer(each, self.facts) for each in questions]

    def _take(self, question: KeyQuestion) -> None:
        name, keys = question.step.name, keys_of(question)
        for code, row in zip(question.codes.to_pylist(), self._by_place(question), strict=True):
            if code is not None:
                self._note(name, keys[code], row)
            elif row is not None:
                message = f"enrichment {name} has a row, but its key ({question.step.enrichment.key}) is null"
                raise SampleError(self._line, message)

    def _by_place(self, question: KeyQuestion) -> list[FactRow | None]:
        name, count = question.step.name, len(question.codes)
        given = self._given.get(name)
        if not isinstance(given, list):
            return [given] * count
        if len(given) != count:
            message = f"enrichment {name}: expected a list of {count}, a row or null for each key, got {len(given)}"
            raise SampleError(self._line, message)
        return list(given)

    def _note(self, name: str, key: FactKey, row: FactRow | None) -> None:
        if name not in self._given:
            self.facts.setdefault(key, None)
            return
        if key not in self.stated:
            self.facts.pop(key, None)
        elif not agree(self.facts, key, row):
            message = f"enrichment {name} asks {key.lookup} for {key.key!r}, which answers another one otherwise"
            raise SampleError(self._line, message)
        add(self.facts, key, row)
        self.stated.add(key)
