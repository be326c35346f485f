"""Requests to one server over HTTP/1.1, whose answers are timed as they come off the socket.

A client that hands every chunk through queues of its own takes 0.1 ms of a core for it (httpx 0.28, here), so of 32 streams
that get a token at once the last would be seen 3 ms late; this one takes 0.03 ms. It follows no redirect, asks no proxy, keeps
no cookie, and sends to the one endpoint that it was given.
"""

import asyncio
import re
import socket
import ssl
import sys
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from roi import __version__
from roi.errors import RoiError
from roi.profiling.server.endpoint import Endpoint
from roi.profiling.server.server_json import without_key

MOST_BYTES: Final = 64 * 2**20
"""An answer that is longer is no stream of tokens that was asked for."""
EVENT_BYTES: Final = 4096
"""Bytes of an event of a stream at most, on average; usual ones have 200 to 400."""
LONGEST_LINE: Final = 65_536
"""A head, or the size line of a chunk, that has not ended by then is no HTTP."""
IDLE_S: Final = 2.0
"""A connection that was idle for longer is opened anew: servers close theirs after 5 s (uvicorn) or more, and a request that
meets the closing would fail or be sent twice."""


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
    most_events: int | None = None
    """Events of its stream after which it is cut off; None: any number."""
    foreign: bool = False
    """True where what answers speaks no HTTP, or no TLS although the URL says so."""

    def seconds_at(self, length: int) -> float:
        """Clock at which the body first had `length` bytes."""
        first = bisect_left(self.marks, length, key=lambda mark: mark[1])
        return self.marks[min(first, len(self.marks) - 1)][0]


class NotHttp(Exception):
    """What the server sent is no HTTP/1.1 answer."""


class WentOn(Exception):
    """A stream goes on after the tokens that were asked for."""


def most_events(tokens: int) -> int:
    """Events of a stream of so many tokens at most: one each, those that open and end it, and some to keep it alive."""
    return 2 * tokens + 64


class AnswerReader:
    """Parses the bytes of one answer as they arrive, and fills an Answer with them."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.buffer = answer, bytearray()
        self.step = self._head
        self.left = 0
        """Bytes until the part at hand ends."""
        self.until_close = False
        self.events = self.seen = 0
        """Events so far, and bytes of the body in which they were counted."""
        self.reusable = False
        """True where the connection can carry another request once this one has ended."""
        self.ended = False

    def feed(self, data: bytes, now_s: float) -> bool:
        """Take what arrived at the clock `now_s`; True once the answer has ended. NotHttp where it makes no sense."""
        self.buffer += data
        before = len(self.answer.body)
        try:
            while not self.ended and self.step():
                pass
        finally:  # also of what came before it makes no sense
            if len(self.answer.body) > before:
                self.answer.marks.append((now_s, len(self.answer.body)))
        self._count_events()
        events = self.answer.most_events
        most = MOST_BYTES if events is None else min(MOST_BYTES, (events + 16) * EVENT_BYTES)
        if len(self.answer.body) > most:
            raise NotHttp(f"more than {most / 2**20:.3g} MiB for one request")
        if self.ended:
            self.answer.ended_s = now_s
        return self.ended

    def _count_events(self) -> None:
        body, most = self.answer.body, self.answer.most_events
        end = body.rfind(b"\n") + 1
        if most is None or end <= self.seen:
            return
        self.events += body.count(b"\ndata:", max(self.seen - 1, 0), end)
        self.seen = end
        if self.events > most:
            raise WentOn(f"the server ignores max_tokens: cut off after {self.events:,} events")

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
        if not version.startswith("HTTP/1.") or not re.fullmatch("[1-9][0-9]{2}", rest[:3]):
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
            if not re.fullmatch("[0-9]{1,15}", headers["content-length"]):
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
        size = re.fullmatch(rb"\s*([0-9a-fA-F]{1,12})\s*(;.*)?", line, re.DOTALL)
        if size is None:
            raise NotHttp("a chunk without a size")
        self.left = int(size[1], 16)
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


class HttpClient:
    """Sends requests to one endpoint over connections that it keeps; `close` ends them."""

    def __init__(self, endpoint: Endpoint, key: str | None = None) -> None:
        self.endpoint, self.key = endpoint, key
        self.idle: list[tuple[float, _Connection]] = []
        self.address: tuple[str, int] | None = None
        """Where the name led the first time, so that no later request waits for a name server."""
        self.heard_s = perf_counter()
        """Clock of the last byte that came on any connection."""
        self.context = ssl.create_default_context() if endpoint.scheme == "https" else None

    def hide(self, text: str) -> str:
        """`text` without the key, which servers like to quote."""
        return without_key(text, self.key)

    async def send(self, path: str, body: bytes | None, answer: Answer, timeout_s: float) -> None:
        """Send one request and fill `answer`; what goes wrong is its `problem`. GET without a body, else POST.

        Where it is cancelled the connection is cut, which tells the server to stop, and `answer` keeps what came.
        """
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(timeout_s):
                connection = self._reuse() or await self._connect()
                await connection.exchange(self._request(path, body), answer)
        except TimeoutError:
            answer.problem = f"timed out after {timeout_s:g} s"
        except OSError as error:
            answer.problem = reason(error)
            answer.foreign = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError)
        except NotHttp as error:
            answer.problem, answer.foreign = str(error), True
        except WentOn as error:
            answer.problem = str(error)
        finally:
            if connection is not None:
                if answer.ended_s is not None and connection.reusable:
                    self.idle.append((perf_counter(), connection))
                else:
                    connection.abort()

    async def open(self, connections: int) -> None:
        """Have so many connections open, so that no request waits for one; where that fails, the request will say so."""
        self.idle = [(since_s, one) for since_s, one in self.idle if one.reusable]
        missing = range(connections - len(self.idle))
        opened = await asyncio.gather(*(self._connect() for _ in missing), return_exceptions=True)
        self.idle += [(perf_counter(), one) for one in opened if isinstance(one, _Connection)]

    def close(self) -> None:
        """End the idle connections."""
        for _, connection in self.idle:
            connection.abort()
        self.idle.clear()

    def _reuse(self) -> "_Connection | None":
        while self.idle:
            since_s, connection = self.idle.pop()
            if connection.reusable and perf_counter() - since_s <= IDLE_S:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        host, port = self.address or (self.endpoint.host, self.endpoint.port)
        name = self.endpoint.host if self.context else None
        transport, connection = await loop.create_connection(
            lambda: _Connection(self), host, port, ssl=self.context, server_hostname=name)
        peer = transport.get_extra_info("peername")
        if peer is None:  # it died meanwhile
            raise ConnectionResetError("the server closed the connection")
        self.address = peer[:2]
        return connection

    def _request(self, path: str, body: bytes | None) -> bytes:
        headers: Mapping[str, str] = {
            "Host": self.endpoint.authority, "User-Agent": f"roi/{__version__}",
            "Accept": "text/event-stream, application/json", "Accept-Encoding": "identity",
            **({} if self.key is None else {"Authorization": f"Bearer {self.key}"}),
            **({} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(body))}),
        }
        lines = [f"{'GET' if body is None else 'POST'} {self.endpoint.prefix}{path} HTTP/1.1",
                 *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


class _Connection(asyncio.Protocol):
    """One connection, one request at a time; bytes are timed where the loop reads them."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client
        self.transport: asyncio.Transport | None = None
        self.reader: AnswerReader | None = None
        self.finished: asyncio.Future[None] | None = None
        self.lost = False

    @property
    def reusable(self) -> bool:
        """True where another request can be sent."""
        return not self.lost and (self.reader is None or (self.reader.ended and self.reader.reusable))

    async def exchange(self, request: bytes, answer: Answer) -> None:
        """Send a request, and wait for the end of its answer."""
        assert self.transport is not None
        self.reader, self.finished = AnswerReader(answer), asyncio.get_running_loop().create_future()
        self.transport.write(request)
        await self.finished

    def abort(self) -> None:
        """Cut the connection, which tells the server to stop."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        now_s = perf_counter()
        self.client.heard_s = now_s
        if self.reader is None or self.reader.ended:
            self.abort()  # nobody asked
            return
        try:
            ended = self.reader.feed(data, now_s)
        except (NotHttp, WentOn) as error:
            self._finish(error)
            self.abort()
            return
        if ended:
            self._finish(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        self.lost = True
        if self.reader is None or self.reader.ended:
            return
        ended = self.reader.close(perf_counter())
        self._finish(None if ended else ConnectionResetError("the server closed the connection"))

    def _finish(self, error: Exception | None) -> None:
        if self.finished is not None and not self.finished.done():
            if error is None:
                self.finished.set_result(None)
            else:
                self.finished.set_exception(error)


def ask_once(endpoint: Endpoint, path: str, timeout_s: float) -> Answer:
    """The answer to one GET, over a connection of its own."""
    async def ask() -> Answer:
        client, answer = HttpClient(endpoint), Answer()
        try:
            await client.send(path, None, answer, timeout_s)
        finally:
            client.close()
        return answer

    return asyncio.run(ask())


def find_host(endpoint: Endpoint) -> None:
    """RoiError where the endpoint's host has no address; nothing is sent to it."""
    try:
        socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise RoiError(f"URL: no answer from {endpoint.url}: {reason(error)}") from error


def reason(error: OSError) -> str:
    """Why a connection failed, in words without an address or a number."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if "Connect call failed" in str(error):
        return "connection refused"
    for kinds, said in (
        (socket.gaierror, "no such host"), (ssl.SSLError, "no TLS there (http:// instead of https://?)"),
        (ConnectionRefusedError, "connection refused"),
        ((ConnectionResetError, BrokenPipeError), "the server closed the connection"),
    ):
        if isinstance(error, kinds):
            return said
    return error.strerror or type(error).__name__
