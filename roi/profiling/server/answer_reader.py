"""One HTTP/1.1 answer as it comes off the socket: its bytes, and when each part of them arrived."""

import sys
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

MOST_BYTES: Final = 64 * 2**20
"""An answer that is longer is no stream of tokens that was asked for."""
LONGEST_LINE: Final = 65_536
"""A head, or the size line of a chunk, that has not ended by then is no HTTP."""


@dataclass
class Answer:
    """The answer to one request, filled while it arrives, so that one that is cut off keeps what came until then."""

    status: int | None = None
    """Status of the answer; None until its head has arrived."""
    headers: dict[str, str] = field(default_factory=dict)
    """Header fields, names in lower case."""
    body: bytearray = field(default_factory=bytearray)
    """The body, without the sizes of the transfer's chunks."""
    marks: list[tuple[float, int]] = field(default_factory=list)
    """(clock of the arrival, length of the body by then)."""
    ended_s: float | None = None
    """Clock of the end of the answer; None where it never came."""
    problem: str | None = None
    """Why the end of the answer never came."""
    foreign: bool = False
    """True where what answers speaks no HTTP, or no TLS although the URL says so."""

    def seconds_at(self, length: int) -> float:
        """Clock at which the body first had `length` bytes."""
        first = bisect_left(self.marks, length, key=lambda mark: mark[1])
        return self.marks[min(first, len(self.marks) - 1)][0]


class NotHttp(Exception):
    """What the server sent is no HTTP/1.1 answer."""


class AnswerReader:
    """Parses the bytes of one answer as they arrive, and fills an Answer with them."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.buffer = answer, bytearray()
        self.step = self._head
        self.left = 0
        """Bytes until the part at hand ends."""
        self.until_close = False
        self.reusable = False
        """True where the connection can carry another request once this one has ended."""
        self.ended = False

    def feed(self, data: bytes, now_s: float) -> bool:
        """Take what arrived at the clock `now_s`; True once the answer has ended. NotHttp where it makes no sense."""
        self.buffer += data
        before = len(self.answer.body)
        while not self.ended and self.step():
            pass
        if len(self.answer.body) > before:
            self.answer.marks.append((now_s, len(self.answer.body)))
        if len(self.answer.body) > MOST_BYTES:
            raise NotHttp(f"more than {MOST_BYTES // 2**20} MiB for one request")
        if self.ended:
            self.answer.ended_s = now_s
        return self.ended

    def close(self, now_s: float) -> bool:
        """True where the server's closing of the connection is the answer's end, because nothing else was to tell it."""
        if self.until_close and not self.ended:
            self.ended, self.answer.ended_s = True, now_s
        return self.ended

    def _line(self, end: bytes) -> bytes | None:
        """Bytes up to `end`, which is taken away too; None where it has not come."""
        found = self.buffer.find(end)
        if found < 0:
            if len(self.buffer) > LONGEST_LINE:
                raise NotHttp("no HTTP/1.1 answer")
            return None
        line = bytes(self.buffer[:found])
        del self.buffer[: found + len(end)]
        return line

    def _head(self) -> bool:
        if len(self.buffer) >= 5 and not self.buffer.startswith(b"HTTP/"):
            raise NotHttp("no HTTP/1.1 answer")
        head = self._line(b"\r\n\r\n")
        if head is None:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise NotHttp("no HTTP/1.1 answer")
        status = int(rest[:3])
        if status < 200:  # 100 Continue and the like: the answer itself follows
            return True
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.answer.status, self.answer.headers = status, headers
        self.reusable = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        if headers.get("transfer-encoding", "").lower().endswith("chunked"):
            self.step = self._size
        elif status in {204, 304}:
            self.ended = True
        elif "content-length" in headers:
            if not headers["content-length"].isdigit():
                raise NotHttp("an answer without a usable length")
            self.left, self.step = int(headers["content-length"]), self._rest
            self.ended = self.left == 0
        else:
            self.until_close, self.reusable, self.left, self.step = True, False, sys.maxsize, self._rest
        return True

    def _size(self) -> bool:
        line = self._line(b"\r\n")
        if line is None:
            return False
        try:
            self.left = int(line.split(b";")[0], 16)
        except ValueError:
            raise NotHttp("a chunk without a size") from None
        self.step = self._chunk if self.left else self._trailer
        return True

    def _chunk(self) -> bool:
        self._take()
        if self.left or len(self.buffer) < 2:
            return False
        del self.buffer[:2]
        self.step = self._size
        return True

    def _trailer(self) -> bool:
        line = self._line(b"\r\n")
        self.ended = line == b""
        return line is not None

    def _rest(self) -> bool:
        self._take()
        self.ended = self.left == 0
        return False

    def _take(self) -> None:
        taken = min(self.left, len(self.buffer))
        self.answer.body += self.buffer[:taken]
        del self.buffer[:taken]
        self.left -= taken
