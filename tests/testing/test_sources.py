"""The source in memory, its faults, and what the kit says of sources that break their contract."""

from collections.abc import Mapping

import pytest

from trivium.connectors.kafka.fetched import Fetched
from trivium.core.errors import SourceError
from trivium.testing import Crash, Eof, MemorySource, Patience, Pause, assert_source_compliance

ORDERS = [b"a", b"bb", None, b"dddd", b"e", b"f", b"g"]
SOON = Patience(quiet_polls=2, poll_seconds=0.0)


def values(source: MemorySource) -> list[bytes | None]:
    return [value for piece in source.poll(0.0, 1000) for value in piece.values]


def test_a_pause_gives_nothing_for_so_many_polls() -> None:
    source = MemorySource({"orders/0": [b"a", Pause(polls=2), b"b"]})
    source.assign({"orders/0": 0})
    assert [values(source) for _ in range(5)] == [[b"a"], [], [], [b"b"], []]


def test_a_crash_stays_until_the_partition_is_assigned_again() -> None:
    source = MemorySource({"orders/0": [b"a", Crash("gone"), b"b"]})
    source.assign({"orders/0": 0})
    assert values(source) == [b"a"]
    for _ in range(2):
        with pytest.raises(SourceError, match="gone"):
            source.poll(0.0, 1000)
    source.assign({"orders/0": 0})
    assert values(source) == [b"a", b"b"]
    source.assign({"orders/0": 1})
    assert values(source) == [b"b"]


def test_behind_an_end_there_is_more_for_who_comes_back() -> None:
    source = MemorySource({"orders/0": [b"a", Eof(), b"b"], "orders/1": [b"x"]})
    source.assign({"orders/0": 0, "orders/1": 0})
    assert [values(source) for _ in range(3)] == [[b"a", b"x"], [], []]
    source.assign({"orders/0": 1})
    assert values(source) == [b"b"]


def test_pieces_say_where_they_are() -> None:
    source = MemorySource({"orders/0": ORDERS})
    source.assign({"orders/0": 1})
    (piece,) = source.poll(0.0, 4)
    assert (piece.start, piece.next, piece.values, piece.nbytes) == (1, 4, [b"bb", None, b"dddd"], 6)
    with pytest.raises(SourceError, match="orders/0: expected an offset of its records"):
        source.assign({"orders/0": 8})
    with pytest.raises(SourceError, match="expected one of orders/0, got orders/9"):
        source.assign({"orders/9": 0})


def test_the_source_in_memory_complies() -> None:
    assert_source_compliance(
        lambda: MemorySource({"orders/0": ORDERS, "orders/1": [b"x", Pause(), b"y"], "orders/2": []}),
        {"orders/0": 0, "orders/1": 0, "orders/2": 0},
        SOON,
    )


class Forgetful(MemorySource):
    """Starts one record late when it is assigned in the middle."""

    def assign(self, positions: Mapping[str, int]) -> None:
        super().assign({name: position + (0 < position < len(ORDERS)) for name, position in positions.items()})


class Repeating(MemorySource):
    """Gives each piece twice."""

    last: list[Fetched]

    def poll(self, timeout_seconds: float, max_bytes: int) -> list[Fetched]:
        pieces = super().poll(timeout_seconds, max_bytes)
        return [*pieces, *pieces]


class Cut(MemorySource):
    """Loses the last offset of a piece."""

    def poll(self, timeout_seconds: float, max_bytes: int) -> list[Fetched]:
        pieces = super().poll(timeout_seconds, max_bytes)
        for piece in pieces:
            object.__setattr__(piece, "offsets", piece.offsets[:-1])
        return pieces


@pytest.mark.parametrize(
    ("kind", "check", "cause"),
    [
        (Forgetful, "no gaps", "a piece begins where the last one of its partition ended"),
        (Repeating, "no gaps", "a piece begins where the last one of its partition ended"),
        (Cut, "columns", "a column was cut"),
    ],
)
def test_a_bad_source_is_named_with_both_answers(kind: type[MemorySource], check: str, cause: str) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_source_compliance(lambda: kind({"orders/0": ORDERS}), {"orders/0": 0}, SOON)
    first = str(caught.value).splitlines()
    assert first[0] == f"{kind.__name__} is not compliant: {check}"
    assert first[1] == "  input: orders/0"
    assert [line.split(":")[0] for line in first[2:]] == ["  expected", "  got", "  likely cause"]
    assert cause in first[4]


def test_records_that_change_are_found() -> None:
    logs = iter([[b"a", b"b"], [b"a", b"c"]])
    with pytest.raises(AssertionError, match=r"read twice\n.*\n  expected: offset 1: b'b'\n  got: offset 1: b'c'"):
        assert_source_compliance(lambda: MemorySource({"orders/0": next(logs)}), {"orders/0": 0}, SOON)
