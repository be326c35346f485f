"""An HTTP server that streams OpenAI completions by a known step, in a thread of its own: what a profile must find again.

One step takes a + b x sequences + c x KV tokens + d x prefill tokens: sequences that decode, and their contexts. Whole prompts
are prefilled in one step, which also gives them their first token. A step begins where the last one ended, so late timers do
not add up; tokens leave when it is over.
"""

import asyncio
import json
import selectors
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple, Self

FAULTS = (
    "refuse the key", "limit the rate", "cut", "hang", "break after", "no usage", "usage unstreamed", "several tokens",
    "chat only", "html", "not streamed", "refuse fields", "name fields", "stops early", "redirect", "wrong json", "loading",
    "no completions",
)  # fmt: skip


class Law(NamedTuple):
    """Seconds: of a step, of each decoding sequence, of each KV token, of each prompt token; of a request before the engine."""

    step_s: float = 0.008
    sequence_s: float = 0.0001
    kv_token_s: float = 2e-7
    prefill_token_s: float = 1e-5
    request_s: float = 0.0

    def seconds(self, sequences: int, kv_tokens: int, prefill_tokens: int) -> float:
        return (self.step_s + self.sequence_s * sequences + self.kv_token_s * kv_tokens
                + self.prefill_token_s * prefill_tokens)


@dataclass
class Running:
    prompt_tokens: int
    wanted: int
    adapter: bool
    out: asyncio.Queue = field(default_factory=asyncio.Queue)
    made: int = 0
    gone: bool = False


@dataclass
class StepServer:
    """`with StepServer(...) as server:` serves at `server.url` until the block ends."""

    law: Law = field(default_factory=Law)
    most_sequences: int = 256
    model: str = "tiny"
    adapters: tuple[str, ...] = ()
    adapter_speed: float = 1.0
    """Speed of a step in which an adapter's request has a part, over one without."""
    engine: str = "vllm"
    kv_cache_size_tokens: int | None = None
    """As newer vLLM counts it; None = an older one."""
    faults: tuple[str, ...] = ()
    after: int = 0
    """Completions that are served well before a fault sets in."""
    tokens_per_word: int = 1
    template_tokens: int = 1
    key: str | None = None
    seen: list[tuple[str, str, dict | None]] = field(default_factory=list)
    """Method, path and body of every request."""
    headers: list[dict[str, str]] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    """Clock (time.perf_counter) at which each step was due to end."""
    wrote: list[float] = field(default_factory=list)
    """Clock at which its tokens were handed to the writers."""

    def __enter__(self) -> Self:
        assert set(self.faults) <= set(FAULTS)
        self._switch = sys.getswitchinterval()
        sys.setswitchinterval(5e-4)  # client and server share one interpreter: neither may hold it for 5 ms
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10.0)
        sys.setswitchinterval(self._switch)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def completions(self) -> int:
        return sum(path.endswith("completions") for _, path, _ in self.seen)

    def _run(self, ready: threading.Event) -> None:
        """The server's loop, on select(): its timers are exact to microseconds, those of epoll to a millisecond."""
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
            runner.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._waiting: deque[Running] = deque()
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task] = set()
        self._transports: set[asyncio.WriteTransport] = set()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        engine = asyncio.create_task(self._engine())
        ready.set()
        await self._stop.wait()
        server.close()
        await asyncio.sleep(0)  # connections that were accepted a moment ago begin, so that they can be ended
        for task in [engine, *self._tasks]:
            task.cancel()
        await asyncio.gather(engine, *self._tasks, return_exceptions=True)
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0)  # a transport gives its socket back at the loop's next turn

    async def _engine(self) -> None:
        running: list[Running] = []
        free_s = 0.0
        while True:
            running = [r for r in running if not r.gone and r.made < r.wanted]
            new: list[Running] = []
            while self._waiting and len(running) + len(new) < self.most_sequences:
                new.append(self._waiting.popleft())
            if not running and not new:
                self._wake.clear()
                await self._wake.wait()
                free_s = time.perf_counter()
                continue
            kv = sum(r.prompt_tokens + r.made for r in running)
            spent_s = self.law.seconds(len(running), kv, sum(r.prompt_tokens for r in new))
            running += new
            end_s = free_s + spent_s / (self.adapter_speed if any(r.adapter for r in running) else 1.0)
            await asyncio.sleep(max(end_s - time.perf_counter(), 0.0))
            self.ends.append(end_s)
            self.wrote.append(time.perf_counter())
            free_s = end_s
            for r in running:
                r.made += 1
                r.out.put_nowait(r.made)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._transports.add(writer.transport)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.strip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        body = json.loads(raw) if raw else None
        self.seen.append((method, path, body))
        self.headers.append(headers)
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            self._say(writer, 401, {"error": {"message": f"Incorrect API key provided: {headers.get('authorization')}"}})
        elif "redirect" in self.faults:
            writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:9/v1\r\nContent-Length: 0\r\n\r\n")
        elif "loading" in self.faults:
            self._say(writer, 503, {"error": {"message": "Loading model"}})
        elif "html" in self.faults:
            self._say(writer, 200, "<!doctype html><html><body>Welcome to nginx</body></html>", "text/html")
        elif method == "GET":
            self._tell(writer, path)
        elif path.endswith(("/v1/completions", "/v1/chat/completions")):
            return await self._complete(writer, path, body)
        else:
            self._say(writer, 404, {"detail": "Not Found"})
        await writer.drain()
        return True

    def _tell(self, writer: asyncio.StreamWriter, path: str) -> None:
        owner = {"vllm": "vllm", "sglang": "sglang", "llama.cpp": "llamacpp"}.get(self.engine, "somebody")
        facts = {
            ("vllm", "/version"): {"version": "0.12.0"},
            ("sglang", "/get_server_info"): {"version": "0.5.6", "max_total_num_tokens": 777216, "kv_cache_dtype": "fp8_e5m2"},
            ("tgi", "/info"): {"model_id": self.model, "version": "3.3.6", "max_batch_total_tokens": 65536},
            ("llama.cpp", "/props"): {"build_info": "b7100-abc", "default_generation_settings": {"n_ctx": 4096},
                                      "total_slots": 4},
            ("ollama", "/api/version"): {"version": "0.13.0"},
        }  # fmt: skip
        if path.endswith("/v1/models"):
            names = [{"id": self.model, "object": "model", "owned_by": owner}]
            names += [{"id": name, "object": "model", "owned_by": owner, "parent": self.model} for name in self.adapters]
            self._say(writer, 200, {"object": "list", "data": names})
        elif path.endswith("/metrics") and self.engine == "vllm":
            own = "" if self.kv_cache_size_tokens is None else f',kv_cache_size_tokens="{self.kv_cache_size_tokens}"'
            labels = f'block_size="16",cache_dtype="auto",hash="{{}}",num_gpu_blocks="2000"{own}'
            name = "vllm:cache_config_info"
            text = f"# HELP {name} Information of the LLMEngine CacheConfig\n{name}{{{labels}}} 1.0\n"
            self._say(writer, 200, text, "text/plain")
        else:
            found = next((v for (engine, end), v in facts.items() if engine == self.engine and path.endswith(end)), None)
            self._say(writer, 200 if found else 404, found or {"detail": "Not Found"})

    async def _complete(self, writer: asyncio.StreamWriter, path: str, body: dict) -> bool:
        chat = path.endswith("/chat/completions")
        faulty = self.completions > self.after
        faults = self.faults if faulty else ()
        refused = [name for name in ("ignore_eos", "min_tokens", "stream_options") if name in body]
        if "no completions" in self.faults or ("chat only" in self.faults and not chat):
            self._say(writer, 404, {"detail": "Not Found"})
        elif body["model"] not in (self.model, *self.adapters):
            self._say(writer, 404, {"error": {"message": f"The model `{body['model']}` does not exist.", "code": 404}})
        elif "limit the rate" in faults:
            self._say(writer, 429, {"error": {"message": "Rate limit reached"}})
        elif "refuse fields" in self.faults and refused:
            self._say(writer, 422, {"detail": "unprocessable"})
        elif "name fields" in self.faults and "ignore_eos" in body:
            self._say(writer, 422, {"detail": "Unexpected fields in the request: {'ignore_eos'}"})
        elif "break after" in faults:
            self._say(writer, 500, {"error": {"message": "CUDA error: out of memory"}})
        elif not body.get("stream"):
            await self._whole(writer, chat, body)
        elif "not streamed" in faults:
            self._say(writer, 200, {"choices": [{"text": "whole"}]})
        else:
            return await self._stream(writer, chat, body, faults)
        await writer.drain()
        return True

    def _queue(self, chat: bool, body: dict) -> Running:
        text = body["messages"][0]["content"] if chat else body["prompt"]
        wanted = body["max_tokens"]
        wanted = max(1, wanted // 2) if "stops early" in self.faults else wanted
        return Running(len(text.split()) * self.tokens_per_word + self.template_tokens, wanted, body["model"] in self.adapters)

    def _usage(self, r: Running) -> dict:
        return {"prompt_tokens": r.prompt_tokens, "completion_tokens": r.made, "total_tokens": r.prompt_tokens + r.made}

    async def _whole(self, writer: asyncio.StreamWriter, chat: bool, body: dict) -> None:
        r = self._queue(chat, body)
        self._waiting.append(r)
        self._wake.set()
        while r.made < r.wanted:
            await r.out.get()
        usage = {} if "no usage" in self.faults else {"usage": self._usage(r)}
        self._say(writer, 200, {"choices": [{"text": "a" * r.made}], **usage})

    async def _stream(self, writer: asyncio.StreamWriter, chat: bool, body: dict, faults: tuple[str, ...]) -> bool:
        r = self._queue(chat, body)
        if self.law.request_s:
            await asyncio.sleep(self.law.request_s)
        self._waiting.append(r)
        self._wake.set()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        if chat:
            self._chunk(writer, {"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        held = 0
        try:
            for made in range(1, r.wanted + 1):
                await r.out.get()
                if made > 3 and "cut" in faults:
                    writer.transport.abort()
                    return False
                if made > 3 and "hang" in faults:
                    await asyncio.sleep(3600.0)
                held += 1
                if "several tokens" in self.faults and held < 4 and made < r.wanted:
                    continue
                text = " ha" * held
                held = 0
                self._chunk(writer, {"choices": [{"delta": {"content": text}} if chat else {"text": text}]})
                if made > 3 and "wrong json" in faults:
                    self._event(writer, b'data: {"error": {"message": "engine died"}}\n\n')
            if body.get("stream_options", {}).get("include_usage") and not {"no usage", "usage unstreamed"} & set(self.faults):
                self._chunk(writer, {"choices": [], "usage": self._usage(r)})
            self._event(writer, b"data: [DONE]\n\n")
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            r.gone = True
        return True

    @staticmethod
    def _event(writer: asyncio.StreamWriter, event: bytes) -> None:
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))

    def _chunk(self, writer: asyncio.StreamWriter, body: dict) -> None:
        self._event(writer, b"data: " + json.dumps(body).encode() + b"\n\n")

    @staticmethod
    def _say(writer: asyncio.StreamWriter, status: int, body: object, kind: str = "application/json") -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
            status, kind.encode(), len(data), data))


if __name__ == "__main__":  # by hand: python tests/serving_server.py, then roi profile serve on the printed URL
    with StepServer() as by_hand:
        sys.stdout.write(by_hand.url + "\n")
        sys.stdout.flush()
        threading.Event().wait()
