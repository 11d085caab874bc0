"""Errors an author's code may raise, each of another kind, with the reason and the text its reject has."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from trivium import RejectError, RowErrors, TransientError


def raising(make: Callable[[], BaseException]) -> Callable[..., Any]:
    """A function that raises a new error of a kind at each call."""

    def call(*_: Any, **__: Any) -> Any:
        raise make()

    return call


class WithText(Exception):
    """An error with a `__str__` of its own."""

    def __init__(self, text: Callable[[], Any]) -> None:
        super().__init__()
        self.text = text

    def __str__(self) -> str:
        return self.text()  # type: ignore[no-any-return]


class LateText(str):
    """Text with methods of its own, none of which does what it should."""

    __slots__ = ()

    def __getitem__(self, _: Any) -> Any:
        raise KeyError("no slice")

    def __len__(self) -> int:
        return 0

    def __format__(self, _: str) -> str:
        raise ValueError("no format")

    def encode(self, *_: Any) -> bytes:
        raise ValueError("no bytes")

    def isascii(self) -> bool:
        return True


class FromItself(Exception):
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise KeyError("no class")


class Unpicklable(Exception):
    def __reduce__(self) -> Any:
        raise TypeError("not to be pickled")


def recursing(*_: Any, **__: Any) -> Any:
    return recursing(*_, **__)


def allocating(*_: Any, **__: Any) -> Any:
    return np.empty((1 << 40, 1 << 10))


def chained(length: int) -> BaseException:
    error: BaseException = ValueError("the first")
    for number in range(length):
        after = ValueError(f"after {number}")
        after.__cause__ = error
        error = after
    return error


LONG_NAME: Final = type("N" * 100_000, (Exception,), {})
ERRORS: Final[dict[str, tuple[Callable[..., Any], str, str]]] = {
    "a lone surrogate": (raising(lambda: ValueError("unknown \ud83d")), "ValueError", "ValueError: unknown \\ud83d"),
    "text before a surrogate": (raising(lambda: KeyError("é\udcff")), "KeyError", "KeyError: 'é\\udcff'"),
    "bytes as arguments": (raising(lambda: ValueError(b"\xff")), "ValueError", "ValueError: b'\\xff'"),
    "a NUL": (raising(lambda: ValueError("a\0b")), "ValueError", "ValueError: a\0b"),
    "no text": (raising(ValueError), "ValueError", "ValueError"),
    "megabytes": (raising(lambda: ValueError("x" * 5_000_000)), "ValueError", " characters in all)"),
    "a megabyte of surrogates": (raising(lambda: ValueError("\ud800" * 1_000_000)), "ValueError", " in all)"),
    "a name of 100,000 letters": (raising(LONG_NAME), "N" * 140, "NNNN"),
    "an error that cannot be printed": (raising(lambda: WithText(lambda: 1 / 0)), "WithText", "WithText"),
    "a text that is none": (raising(lambda: WithText(lambda: b"x")), "WithText", "WithText"),
    "a text with methods": (raising(lambda: WithText(lambda: LateText("late"))), "WithText", "WithText: late"),
    "a text that exits": (raising(lambda: WithText(sys.exit)), "WithText", "WithText"),
    "a text that interrupts": (raising(lambda: WithText(raising(KeyboardInterrupt))), "WithText", "WithText"),
    "a text without end": (raising(lambda: WithText(recursing)), "WithText", "WithText"),
    "an error without a class": (raising(FromItself), "FromItself", "FromItself"),
    "no pickle": (raising(lambda: Unpicklable("p")), "Unpicklable", "Unpicklable: p"),
    "a long chain": (raising(lambda: chained(5_000)), "ValueError", "ValueError: after 4999"),
    "a group": (raising(lambda: ExceptionGroup("two", [ValueError(), KeyError()])), "ExceptionGroup", "two (2 sub"),
    "a group of bases": (
        raising(lambda: BaseExceptionGroup("one", [SystemExit(1)])),
        "RejectError",
        "the executor raised BaseExceptionGroup: one (1 sub-exception)",
    ),
    "KeyboardInterrupt": (raising(KeyboardInterrupt), "RejectError", "the executor raised KeyboardInterrupt"),
    "GeneratorExit": (raising(GeneratorExit), "RejectError", "the executor raised GeneratorExit"),
    "CancelledError": (raising(asyncio.CancelledError), "RejectError", "the executor raised CancelledError"),
    "SystemExit": (raising(lambda: SystemExit("\ud800")), "RejectError", "the executor called exit: \\ud800"),
    "StopIteration": (raising(StopIteration), "StopIteration", "StopIteration"),
    "StopAsyncIteration": (raising(StopAsyncIteration), "StopAsyncIteration", "StopAsyncIteration"),
    "MemoryError": (raising(lambda: MemoryError("no room")), "MemoryError", "MemoryError: no room"),
    "an array without room": (allocating, "MemoryError", "MemoryError: Unable to allocate 8.00 PiB"),
    "recursion": (recursing, "RecursionError", "RecursionError: maximum recursion depth"),
    "a wait that is none": (raising(lambda: TransientError("busy", "soon")), "TransientError", "busy"),  # type: ignore[arg-type]
    "a wait without a number": (raising(lambda: TransientError("busy", float("nan"))), "TransientError", "busy"),
    "a reject of a surrogate": (raising(lambda: RejectError("\ud800")), "RejectError", "RejectError: \\ud800"),
}
ROW_ERRORS: Final[dict[str, tuple[Any, str]]] = {
    "text with a surrogate": ("\ud800", "RejectError: \\ud800"),
    "no text": (7, "RejectError: 7"),
    "an interrupt": (KeyboardInterrupt(), "the executor raised KeyboardInterrupt"),
    "an error that cannot be printed": (WithText(lambda: 1 / 0), "WithText"),
    "RowErrors again": (RowErrors({0: "x"}), "RowErrors: 1 rows rejected"),
}
