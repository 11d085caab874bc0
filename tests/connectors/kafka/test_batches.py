"""Record batches to columns: what sound ones give, and that damaged ones give an error and never a wrong record."""

import pickle
import struct

import numpy as np
import pytest
from crc32c import crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.kafka_records import ATTRIBUTES_AT, CODECS, RECORDS_AT, batch, marker, read, sealed, with_records
from trivium.connectors.kafka.errors import KafkaRecordError
from trivium.connectors.kafka.fetched import Fetched
from trivium.connectors.kafka.wire.batches import PartitionBatches, ReadOptions
from trivium.connectors.kafka.wire.kernels import _crc32c

VALUES = [b"one", None, b"", b"x" * 300, b"five"]


def pairs(pieces: list[Fetched]) -> list[tuple[int, bytes | None]]:
    return [pair for piece in pieces for pair in zip(piece.offsets.tolist(), piece.values, strict=True)]


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
def test_values_nulls_and_times(codec: int) -> None:
    (piece,) = read(batch(VALUES, 100, codec), 100)
    assert pairs([piece]) == list(zip(range(100, 105), VALUES, strict=True))
    assert piece.timestamps.tolist() == [1000, 1001, 1002, 1003, 1004]
    assert (piece.start, piece.next, piece.holes, piece.headers) == (100, 105, 0, None)
    assert piece.nbytes == sum(len(value or b"") for value in VALUES)


@pytest.mark.parametrize("codec", [0, 3], ids=["none", "lz4"])
def test_a_fetch_may_start_in_the_middle_of_a_batch(codec: int) -> None:
    (piece,) = read(batch(VALUES, 100, codec), 103)
    assert pairs([piece]) == [(103, VALUES[3]), (104, VALUES[4])]
    assert (piece.start, piece.next, piece.holes) == (103, 105, 0)


def test_batches_of_different_codecs_in_one_response() -> None:
    data = b"".join(batch([b"%d" % n] * 3, 3 * n, n % 5) for n in range(50))
    expected = [(3 * n + i, b"%d" % n) for n in range(50) for i in range(3)]
    assert pairs(read(data)) == expected
    assert pairs(read(data, max_bytes=1)) == expected
    assert [piece.start for piece in read(data, max_bytes=1)][1:] == [piece.next for piece in read(data, max_bytes=1)][
        :-1
    ]


def test_more_one_record_batches_than_are_scanned_at_once() -> None:
    data = b"".join(batch([b"%d" % n], n) for n in range(1300))
    assert pairs(read(data)) == [(n, b"%d" % n) for n in range(1300)]


def test_holes_are_counted_and_never_a_gap() -> None:
    data = batch([b"a"], 10) + batch([b"b"], 20, 3) + batch([b"c"], 40)
    (piece,) = read(data, 5)
    assert (piece.start, piece.next, piece.offsets.tolist(), piece.holes) == (5, 41, [10, 20, 40], 33)


def test_the_last_offset_of_a_batch_counts_though_compaction_removed_its_record() -> None:
    made = bytearray(batch([b"a", b"b"], 7))
    struct.pack_into(">i", made, 23, 9)  # the batch ended at offset 16 when it was written
    (piece,) = read(sealed(made), 7)
    assert (piece.next, piece.offsets.tolist(), piece.holes) == (17, [7, 8], 8)


def test_a_batch_emptied_by_compaction() -> None:
    empty = with_records(batch([b"a"], 7), b"", 0)
    (piece,) = read(empty + batch([b"b"], 8), 7)
    assert (piece.next, pairs([piece])) == (9, [(8, b"b")])


def test_append_time_is_the_time_of_all_records() -> None:
    for codec in (0, 4):
        made = bytearray(batch(VALUES, 0, codec))
        made[ATTRIBUTES_AT + 1] |= 0x08
        struct.pack_into(">q", made, 35, 777_000)
        (piece,) = read(sealed(made))
        assert piece.timestamps.tolist() == [777_000] * 5


def test_the_last_header_of_the_name_counts() -> None:
    headers = [
        [("route", b"first"), ("route", b"last")],
        [("other", b"x")],
        [("route", None)],
        [("route", b""), ("röute", b"y")],
        [],
    ]
    (piece,) = read(batch(VALUES, headers=headers), header=b"route")
    assert piece.headers == [b"last", None, None, b"", None]
    assert read(batch(VALUES, headers=headers))[0].headers is None


def test_aborted_transactions_and_markers() -> None:
    data = b"".join(
        [
            batch([b"a1"], 0, producer=1, transactional=True),
            batch([b"b1"], 1, producer=2, transactional=True),
            batch([b"plain"], 2),
            marker(3, 1, 0),
            batch([b"a2"], 4, producer=1, transactional=True),
            marker(5, 2, 1),
            marker(6, 1, 1),
        ]
    )
    pieces = read(data, aborted=[(1, 0)], max_bytes=1)
    assert pairs(pieces) == [(1, b"b1"), (2, b"plain"), (4, b"a2")]
    assert pieces[-1].next == 7
    assert sum(piece.holes for piece in pieces) == 4
    uncommitted = PartitionBatches("t/0", data, 0, [(1, 0)], ReadOptions(1 << 20, None, False)).read(1 << 20)
    assert uncommitted.values == [b"a1", b"b1", b"plain", b"a2"]


def test_a_response_of_markers_only_moves_the_position() -> None:
    (piece,) = read(marker(3, 1, 1) + marker(4, 1, 1), 3)
    assert (piece.start, piece.next, piece.values) == (3, 5, [])


def test_a_batch_cut_off_at_the_end_is_left_for_the_next_fetch() -> None:
    whole, cut = batch([b"a"], 0), batch([b"b"], 1)[:-1]
    assert [piece.next for piece in read(whole + cut)] == [1]
    with pytest.raises(KafkaRecordError, match="no complete batch"):
        read(cut, 1)


@pytest.mark.parametrize("magic", [0, 1])
def test_old_message_formats_are_refused_with_the_reason(magic: int) -> None:
    message = struct.pack(">qiIbb", 5, 30, 0, magic, 0) + b"\0" * 24
    with pytest.raises(KafkaRecordError, match=rf"offsets 5 to 5 .* message format {magic}; formats before 2"):
        read(message, 5)


def test_what_comes_before_a_damaged_batch_is_handed_out_first() -> None:
    damaged = bytearray(batch([b"bad", b"worse"], 2))
    damaged[-3] ^= 1
    batches = PartitionBatches("t/0", batch([b"a", b"b"], 0) + bytes(damaged), 0, [], ReadOptions(1 << 20, None, True))
    assert batches.read(1 << 20).next == 2
    for _ in range(2):
        with pytest.raises(KafkaRecordError, match=r"t/0, the record batch of offsets 2 to 3 .* CRC") as caught:
            batches.read(1 << 20)
        assert batches.position == 2
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_what_comes_before_a_malformed_batch_of_right_crc_is_handed_out_first() -> None:
    sound = batch([b"a", b"b"], 2)
    malformed = with_records(sound, sound[RECORDS_AT:-1])
    batches = PartitionBatches(
        "t/0", batch([b"a"], 0, 3) + batch([b"c"], 1) + malformed, 0, [], ReadOptions(99, None, True)
    )
    assert batches.read(1 << 20).values == [b"a", b"c"]
    with pytest.raises(KafkaRecordError, match="offsets 2 to 3"):
        batches.read(1 << 20)


def test_offsets_that_go_back_are_refused() -> None:
    batches = PartitionBatches("t/0", batch([b"a"], 5) + batch([b"b"], 5), 5, [], ReadOptions(99, None, True))
    assert batches.read(99).next == 6
    with pytest.raises(KafkaRecordError, match="do not follow"):
        batches.read(99)


@pytest.mark.parametrize("codec", [name for name in CODECS if name != "none"])
def test_a_bomb_stops_at_the_cap(codec: str) -> None:
    bomb = batch([b"\0" * 3_000_000], 9, CODECS[codec])
    with pytest.raises(KafkaRecordError, match=r"offsets 9 to 9 .*source.max_batch_bytes \(1000000 bytes\)"):
        read(bomb, 9, cap=1_000_000)
    assert len(read(bomb, 9, cap=4_000_000)[0].values[0] or b"") == 3_000_000


def test_a_count_no_batch_can_hold_allocates_nothing() -> None:
    for codec in (0, 1):
        made = bytearray(batch([b"a"], 3, codec))
        struct.pack_into(">i", made, 57, 2**31 - 1)
        with pytest.raises(KafkaRecordError, match="cannot hold 2147483647 records"):
            read(sealed(made), 3)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_under_the_crc_is_always_found(codec: int, data: st.DataObject) -> None:
    made = bytearray(batch(VALUES, 50, codec))
    place = data.draw(st.integers(17, len(made) - 1))
    made[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(KafkaRecordError):
        read(bytes(made), 50)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_before_the_crc_gives_right_values_or_an_error(data: st.DataObject) -> None:
    made = bytearray(batch(VALUES, 50))
    made[data.draw(st.integers(0, 16))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        pieces = read(bytes(made), 50)
    except KafkaRecordError:
        return
    # The base offset and the epoch are under no checksum at all; values and their order are.
    values = [value for piece in pieces for value in piece.values]
    assert values == (VALUES[len(VALUES) - len(values) :])


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
@pytest.mark.parametrize("header", [None, b"route"])
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_bytes_under_a_right_crc_give_records_inside_the_batch_or_an_error(
    codec: int, header: bytes | None, data: st.DataObject
) -> None:
    made = bytearray(batch(VALUES, 50, codec, headers=[[("route", b"r"), ("q", None)]] * 5))
    for _ in range(data.draw(st.integers(1, 6))):
        made[data.draw(st.integers(ATTRIBUTES_AT, len(made) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        made = made[: data.draw(st.integers(RECORDS_AT, len(made)))]
    try:
        pieces = read(sealed(made), 50, header=header, aborted=[(5, 0)])
    except KafkaRecordError:
        return
    (last,) = struct.unpack_from(">i", made, 23)
    for piece in pieces:
        assert piece.next == 50 + last + 1
        assert np.all((piece.offsets >= 50) & (piece.offsets < piece.next))
        assert all(value is None or len(value) <= 1 << 20 for value in piece.values)


@given(records=st.binary(max_size=200), count=st.integers(-2, 40))
@settings(max_examples=300, deadline=None)
def test_any_bytes_as_records(records: bytes, count: int) -> None:
    made = bytearray(with_records(batch([b"a"] * 40, 5), records, count))
    try:
        (piece,) = read(bytes(made), 5, header=b"")
    except KafkaRecordError:
        return
    assert piece.nbytes <= len(records)
    assert len(piece.values) == count


@given(data=st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_as_a_response(data: bytes) -> None:
    try:
        pieces = read(data, 5)
    except KafkaRecordError:
        return
    assert pairs(pieces) == []


@given(data=st.binary(max_size=200), start=st.integers(0, 20))
@settings(max_examples=100, deadline=None)
def test_our_checksum_of_small_batches_is_the_packages(data: bytes, start: int) -> None:
    array = np.frombuffer(data, np.uint8)
    start = min(start, len(data))
    assert _crc32c(array, start, len(data)) == crc32c(data[start:])
