"""Requests to one server over HTTP/1.1, whose answers are timed as they come off the socket.

A client that hands every chunk through queues of its own takes 0.1 ms of a core for it (httpx 0.28, here), so of 32 streams
that get a token at once the last would be seen 3 ms late; this one takes 0.03 ms. It follows no redirect, asks no proxy, keeps
no cookie, and sends to the one endpoint that it was given.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from time import perf_counter
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from roi import __version__
from roi.errors import InputError
from roi.profiling.server.answer_reader import Answer, AnswerReader, NotHttp

IDLE_S: Final = 2.0
"""A connection that was idle for longer is opened anew: servers close theirs after 5 s (uvicorn) or more, and a request that
meets the closing would fail or be sent twice."""


class Endpoint(NamedTuple):
    """Address of a server, up to the path before /v1."""

    scheme: str
    host: str
    port: int
    prefix: str
    """Path before /v1; empty or /something."""

    @property
    def authority(self) -> str:
        """host:port as a URL and the Host header have it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL as a person would write it."""
        return f"{self.scheme}://{self.authority}{self.prefix}"


DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def read_url(text: str) -> Endpoint:
    """The endpoint that `text` means: http://host:8000, also with /v1 at its end, or host:8000."""
    given = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise InputError(f"URL: {text[:60]!r} is not usable; for example http://localhost:8000") from None
    if "@" in parts.netloc:
        raise InputError("URL: leave out user and password; a key comes from the environment, --api-key-env names it")
    strange = parts.query or parts.fragment or re.search(r"[\s\x00-\x1f]", given)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or strange:
        raise InputError(f"URL: {text[:60]!r} is not usable; for example http://localhost:8000")
    prefix = re.sub(r"/v1(/(chat/)?completions|/models)?$", "", parts.path.rstrip("/"))
    return Endpoint(parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme], prefix.rstrip("/"))


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
        return text.replace(self.key, "***") if self.key else text

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
        self.address = transport.get_extra_info("peername")[:2]
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
        except NotHttp as error:
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
