"""A server on this machine that answers with whatever bytes it was given, in any pieces, and ends them in any way."""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

PROMPT, TIMES_1000, OUTPUT = '"@prompt"', '"@prompt000"', '"@output"'
"""What stands in an answer where a server counts: words of the prompt, a thousand for each, tokens asked for."""


class Said(NamedTuple):
    """The bytes of one answer, how they are sent, and what follows them."""

    raw: bytes
    pieces: int = 1
    pause_s: float = 0.0
    end: str = "keep"
    """keep: another request may come; close; half: nothing more, but open; reset; hang."""


@dataclass
class HostileServer:
    """`with HostileServer() as server:`, which answers what `answer(method, path, body)` gives."""

    answer: Callable[[str, str, bytes], Said] = field(default=lambda *_: Said(b""))
    requests: int = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(taken,), daemon=True).start()

    def _serve(self, taken: socket.socket) -> None:
        taken.settimeout(5.0)
        try:
            with taken, taken.makefile("rb") as incoming:
                while (first := incoming.readline()).strip():
                    size = 0
                    while line := incoming.readline().strip():
                        name, _, value = line.partition(b":")
                        size = int(value) if name.lower() == b"content-length" else size
                    method, path, _ = first.decode("latin-1").split(" ", 2)
                    body = incoming.read(size)
                    self.requests += 1
                    if not self._send(taken, self.answer(method, path, body), body):
                        return
        except (OSError, ValueError):
            return

    @staticmethod
    def _send(taken: socket.socket, said: Said, body: bytes) -> bool:
        raw = counted(said.raw, body)
        step = max(-(-len(raw) // said.pieces), 1)
        for at in range(0, len(raw), step):
            taken.sendall(raw[at : at + step])
            time.sleep(said.pause_s)
        if said.end == "half":
            taken.shutdown(socket.SHUT_WR)
        if said.end in {"half", "hang"}:
            taken.recv(1)
        if said.end == "reset":
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return said.end == "keep"


def counted(raw: bytes, body: bytes) -> bytes:
    """The answer with what an honest server counts in the request's body."""
    if b'"@prompt' not in raw:
        return raw
    asked = json.loads(body) if body else {}
    words = len(re.findall(r"\w+", str(asked.get("prompt") or asked.get("messages"))))
    told = str(asked.get("max_tokens", asked.get("max_completion_tokens", 1)))
    for sign, number in ((PROMPT, str(words)), (TIMES_1000, f"{words}000"), (OUTPUT, told)):
        raw = raw.replace(sign.encode(), number.rjust(len(sign)).encode())  # the length that was told stays
    return raw


def http(body: bytes, *, status: str = "200 OK", kind: str = "application/json", framing: str = "length",
         headers: Sequence[str] = ()) -> bytes:
    """An answer of HTTP/1.1: its end told by its length, by chunks, or not; other words for `framing` lie."""
    chunks, size = "transfer-encoding: chunked", len(body)
    if framing == "raw":
        return body
    told = {"length": [f"content-length: {size}"], "longer": [f"content-length: {size + 7}"],
            "shorter": [f"content-length: {max(size - 7, 0)}"], "both": ["content-length: 3", chunks],
            "chunked": [chunks], "unended": [chunks]}.get(framing, [])
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-type: {kind}", *told, *headers, "", ""])
    if framing in {"chunked", "unended", "both"}:
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:]) if part)
        body += b"" if framing == "unended" else b"0\r\n\r\n"
    return head.encode("utf-8", "surrogatepass") + body
