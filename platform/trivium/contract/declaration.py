"""The declaration of an executor class, read and checked once, when the class is defined."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import pyarrow as pa

from trivium.contract.enrichment import Enrichment
from trivium.contract.keys import Key, keys_of
from trivium.contract.rows import Event, NormalizedEvent
from trivium.core.errors import ContractError
from trivium.types.rows import row_fields
from trivium.types.spec import FieldSpec, arrow_schema, without_wire_names

Form = Literal["row", "column"]
Place = tuple[str, int]


@dataclass(frozen=True)
class Declaration:
    """An executor's event, row and enrichments as specs.

    `form` is the method it overrides; `parameters` names the enrichments in the order that method takes them.
    `keys` are those of its enrichments, in an order in which they can be fetched.
    `event_types` are all that the event class claims; `event_type` is the one at hand, of a class itself the first.
    """

    event: type[Event]
    row: type[NormalizedEvent]
    event_type: str
    event_types: tuple[str, ...]
    form: Form
    has_accepts: bool
    event_fields: tuple[FieldSpec, ...]
    row_schema: pa.Schema
    row_specs: tuple[FieldSpec, ...]
    enrichments: Mapping[str, Enrichment]
    keys: Mapping[str, Key]
    parameters: tuple[str, ...]
    enrichment_fields: Mapping[str, tuple[FieldSpec, ...]]
    file: str
    line: int

    def of_type(self, event_type: str) -> Declaration:
        """Return the declaration for another of the event types that the class claims.

        Raises:
            ContractError: the class does not claim it.
        """
        if event_type not in self.event_types:
            message = f"the event class {self.event.__name__} claims {', '.join(self.event_types)}, not {event_type!r}"
            raise ContractError(message, hint=f'class {self.event.__name__}(Event, tags=(…, "{event_type}"))')
        return self if event_type == self.event_type else replace(self, event_type=event_type)


def declare(executor: type, root: type, place: Place) -> Declaration:
    """Read and check an executor class.

    Raises:
        ContractError: naming the class, its file and line, what is wrong and what to write.
    """
    try:
        return _declare(executor, root, place)
    except ContractError as error:
        where = f"{executor.__qualname__} ({place[0]}:{place[1]})"
        raise ContractError(error.message, where, error.hint) from error.__cause__


def _declare(executor: type, root: type, place: Place) -> Declaration:
    event, row = _type_arguments(executor, root)
    enrichments = _enrichments(executor)
    form = _form(executor, root)
    event_fields, row_specs = row_fields(event), without_wire_names(row_fields(row))
    _check_optional_defaults(event.__name__, event_fields)
    enrichment_fields = _enrichment_fields(enrichments)
    event_types = _event_types(event)
    return Declaration(
        event=event,
        row=row,
        event_type=event_types[0],
        event_types=event_types,
        form=form,
        has_accepts=_has_accepts(executor, root, form),
        event_fields=event_fields,
        row_schema=arrow_schema(row_specs),
        row_specs=row_specs,
        enrichments=enrichments,
        keys=keys_of(executor, root, form, enrichments, event_fields, enrichment_fields),
        parameters=_parameters(executor, form, enrichments),
        enrichment_fields=enrichment_fields,
        file=place[0],
        line=place[1],
    )


def _type_arguments(executor: type, root: type) -> tuple[type[Event], type[NormalizedEvent]]:
    for parent in executor.__mro__:
        for written in getattr(parent, "__orig_bases__", ()):
            if typing.get_origin(written) is root:
                event, row = typing.get_args(written)
                return _checked(event, Event, "reads"), _checked(row, NormalizedEvent, "returns")
    raise ContractError("does not say what it reads and returns", hint="class MyExecutor(Executor[MyEvent, MyRow])")


def _checked(argument: Any, wanted: type, verb: str) -> Any:
    if isinstance(argument, type) and issubclass(argument, wanted):
        return argument
    name = getattr(argument, "__name__", repr(argument))
    message = f"{verb} {name}, which is not a {wanted.__name__}"
    raise ContractError(message, hint=f"class {name}({wanted.__name__}{', tag=…' if wanted is Event else ''})")


def _event_types(event: type[Event]) -> tuple[str, ...]:
    several: tuple[str, ...] = getattr(event, "__event_types__", ())
    if several:
        return several
    tag = event.__struct_config__.tag
    if isinstance(tag, str) and tag:
        return (tag,)
    message = f"the event class {event.__name__} does not name its event type"
    raise ContractError(message, hint=f'class {event.__name__}(Event, tag="{event.__name__.lower()}")')


def _form(executor: type, root: type) -> Form:
    row = getattr(executor, "process") is not getattr(root, "process")  # noqa: B009
    column = getattr(executor, "process_batch") is not getattr(root, "process_batch")  # noqa: B009
    if row and column:
        raise ContractError("overrides both process and process_batch", hint="keep one: the engine derives the other")
    if not row and not column:
        raise ContractError("overrides neither process nor process_batch", hint="def process(self, event): …")
    for name in ("process", "process_batch", "accepts"):
        if inspect.iscoroutinefunction(getattr(executor, name)):
            raise ContractError(f"{name} is async; executors do no I/O to wait for", hint=f"def {name}(self, …)")
    return "row" if row else "column"


def _has_accepts(executor: type, root: type, form: Form) -> bool:
    own = getattr(executor, "accepts") is not getattr(root, "accepts")  # noqa: B009
    if own and form == "column":
        raise ContractError("has accepts beside process_batch", hint="filter inside process_batch")
    return own


def _enrichments(executor: type) -> dict[str, Enrichment]:
    found: dict[str, Enrichment] = {}
    for parent in reversed(executor.__mro__):
        found.update({name: value for name, value in vars(parent).items() if isinstance(value, Enrichment)})
    return found


def _enrichment_fields(enrichments: Mapping[str, Enrichment]) -> dict[str, tuple[FieldSpec, ...]]:
    specs = {name: row_fields(enrichment.row) for name, enrichment in enrichments.items()}
    for name, fields in specs.items():
        _check_optional_defaults(enrichments[name].row.__name__, fields)
    return specs


def _check_optional_defaults(owner: str, fields: tuple[FieldSpec, ...]) -> None:
    for spec in fields:
        if spec.nullable and (spec.required or spec.default is not None):
            message = f"{owner}.{spec.name} is optional, so a missing value must read as None"
            raise ContractError(message, hint=f"{spec.name}: … | None = None")


def _parameters(executor: type, form: Form, enrichments: Mapping[str, Enrichment]) -> tuple[str, ...]:
    method: Callable[..., Any] = getattr(executor, "process" if form == "row" else "process_batch")
    parameters = list(inspect.signature(method).parameters.values())[2:]
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    for name in enrichments:
        if name not in names:
            message = f"{method.__name__} has no parameter for the enrichment {name}"
            raise ContractError(message, hint=f"def {method.__name__}(self, event, {', '.join(enrichments)})")
    extra = [name for name in names if name not in enrichments]
    if extra:
        message = f"{method.__name__} asks for {', '.join(extra)}, which is no enrichment of the class"
        raise ContractError(message, hint=f"{extra[0]} = Enrichment({extra[0].title()}, key=…)")
    return tuple(names)
