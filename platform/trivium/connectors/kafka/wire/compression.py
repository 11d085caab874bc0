"""Decompression of record batches, never past a cap: a few bytes of a hostile batch can ask for gigabytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Final

NONE: Final = 0
NAMES: Final = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = 16
_GZIP: Final = 16 + zlib.MAX_WBITS
_LZ4_MOST: Final = 255  # the highest ratio the format can reach


class DecompressionError(ValueError):
    """The compressed bytes are damaged, of an unknown codec, or larger than the cap."""


def decompress(codec: int, data: bytes, cap: int) -> bytes:
    """Return the records of a batch. `codec` is the number in the batch's attributes.

    Raises:
        DecompressionError: for damaged data, an unknown codec, more than `cap` bytes, or a missing codec package.
    """
    inflate = _CODECS.get(codec)
    if inflate is None:
        raise DecompressionError(f"codec number {codec} is unknown; known are {', '.join(NAMES.values())}")
    try:
        return inflate(data, cap)
    except ImportError as error:
        raise DecompressionError(
            f"it is {NAMES[codec]} compressed and the package {error.name} is missing; install trivium[streaming]"
        ) from error
    except DecompressionError:
        raise
    except Exception as error:  # each codec has errors of its own
        raise DecompressionError(f"its {NAMES[codec]} data is damaged ({error})") from error


def _beyond(cap: int) -> DecompressionError:
    return DecompressionError(f"it decompresses to more than source.max_batch_bytes ({cap} bytes)")


def _gzip(data: bytes, cap: int) -> bytes:
    parts: list[bytes] = []
    left = cap
    while data:
        stream = zlib.decompressobj(_GZIP)
        parts.append(stream.decompress(data, left + 1))
        left -= len(parts[-1])
        if left < 0:
            raise _beyond(cap)
        if not stream.eof:
            raise DecompressionError("its gzip data ends early")
        data = stream.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _snappy(data: bytes, cap: int) -> bytes:
    import snappy  # type: ignore[import-untyped]

    if data[:8] != _XERIAL_MAGIC:
        return bytes(snappy.decompress(_within(data, cap, cap)))
    parts: list[bytes] = []
    position, left = _XERIAL_HEADER, cap
    while position < len(data):
        (size,) = struct.unpack_from(">i", data, position)
        block = data[position + 4 : position + 4 + size]
        if size <= 0 or len(block) != size:
            raise DecompressionError("a block of its snappy stream ends early")
        parts.append(bytes(snappy.decompress(_within(block, left, cap))))
        left -= len(parts[-1])
        position += 4 + size
    return b"".join(parts)


def _within(block: bytes, left: int, cap: int) -> bytes:
    """Return the block itself, once the size in its preamble is known to fit: snappy allocates that size up front."""
    declared = 0
    for index, byte in enumerate(block[:5]):
        declared |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            break
    if declared > left:
        raise _beyond(cap)
    return block


def _lz4(data: bytes, cap: int) -> bytes:
    import lz4.frame  # type: ignore[import-untyped]

    if len(data) * _LZ4_MOST <= cap:
        return bytes(lz4.frame.decompress(data))
    stream = lz4.frame.LZ4FrameDecompressor()
    out: bytes = stream.decompress(data, max_length=cap + 1)
    if len(out) > cap:
        raise _beyond(cap)
    if not stream.eof:
        raise DecompressionError("its lz4 data ends early")
    return out


def _zstd(data: bytes, cap: int) -> bytes:
    import zstandard

    size = zstandard.frame_content_size(data)
    if size > cap:
        raise _beyond(cap)
    decompressor = zstandard.ZstdDecompressor()
    if size > 0:
        return decompressor.decompress(data)
    with decompressor.stream_reader(data, read_across_frames=True) as stream:
        out = stream.read(cap + 1)
    if len(out) > cap:
        raise _beyond(cap)
    return out


_CODECS: Final[dict[int, Callable[[bytes, int], bytes]]] = {1: _gzip, 2: _snappy, 3: _lz4, 4: _zstd}
