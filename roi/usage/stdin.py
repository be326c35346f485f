"""Standard input, whose beginning can be looked at before it is read."""

import io
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


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
        part = bytes(self.head[: len(room)]) if self.head else self.rest.read(len(room))
        self.head = self.head[len(part) :] if self.head else self.head
        room[: len(part)] = part
        return len(part)


@cache
def read_stdin(size: int) -> tuple[bytes, bool, BinaryIO]:
    """(up to `size` bytes of standard input, True where that is everything, the whole of it as a stream)."""
    parts: list[bytes] = []
    ended = False
    while sum(map(len, parts)) < size and not ended:
        part = os.read(sys.stdin.fileno(), 1 << 16)
        ended = not part
        parts.append(part)
    head = b"".join(parts)
    return head, ended, io.BufferedReader(_Ahead(head, sys.stdin.buffer))
