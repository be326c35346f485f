"""Standard input, whose beginning can be looked at before it is read, and the beginning of any other stream."""

import gzip
import io
import os
import sys
import zlib
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from roi.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP: Final = b"\x1f\x8b"
"""First bytes of a gzip, whatever its name is."""


class _Ahead(io.RawIOBase):
    """What was read already, then the rest of a stream."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self.head, self.rest = memoryview(head), rest

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the buffer from the head, then from the rest; 0 at the end."""
        room = memoryview(buffer).cast("B")
        part = bytes(self.head[: len(room)]) if self.head else _some(self.rest, len(room))
        self.head = self.head[len(part) :] if self.head else self.head
        room[: len(part)] = part
        return len(part)


def _some(stream: BinaryIO, size: int) -> bytes:
    """Up to `size` bytes by one read, so that what stands before a damaged place is not lost with it."""
    return cast("io.BufferedReader", stream).read1(size)


def read_head(stream: BinaryIO, size: int) -> tuple[bytes, bool]:
    """Up to `size` bytes, and True where that was everything; what a damaged gzip still gives is taken."""
    parts: list[bytes] = []
    length = 0
    try:
        while length < size:
            part = _some(stream, min(size - length, 1 << 16))
            if not part:
                return b"".join(parts), True
            parts.append(part)
            length += len(part)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        pass
    return b"".join(parts), False


@cache
def read_stdin(size: int) -> tuple[bytes, bool, BinaryIO]:
    """(up to `size` bytes of standard input, True where that is everything, the whole of it as a stream), unpacked."""
    if sys.stdin is None:
        raise InputError("FILES: standard input is closed")
    first = b""
    while len(first) < len(GZIP) and (part := os.read(sys.stdin.fileno(), 1 << 16)):
        first += part
    stream: BinaryIO = io.BufferedReader(_Ahead(first, sys.stdin.buffer))
    if first.startswith(GZIP):
        stream = gzip.GzipFile(fileobj=stream)  # type: ignore[assignment]  # reads alike
    head, whole = read_head(stream, size)
    return head, whole, io.BufferedReader(_Ahead(head, stream))
