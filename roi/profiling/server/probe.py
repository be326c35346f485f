"""A few small requests before the first point: which endpoint and fields a server takes, and how it counts tokens."""

from dataclasses import replace
from typing import Final, NamedTuple

from roi.errors import InputError, RoiError
from roi.profiling.server.answer_reader import Answer
from roi.profiling.server.dialect import (
    CHAT,
    COMPLETIONS,
    EXTRAS,
    Dialect,
    Reading,
    failure,
    message,
    read_answer,
    unstreamed_usage,
)
from roi.profiling.server.http_client import HttpClient
from roi.profiling.server.load_design import FEW_WORDS, MANY_WORDS, PROBE_TOKENS, PROBES
from roi.profiling.server.prompts import Prompt, Prompts
from roi.profiling.server.server_facts import NO_SUCH_PATH, REFUSED, ServerFacts, no_api, refused_key, unknown_model

REFUSED_BODY: Final = {400, 422}


class ProbeResult(NamedTuple):
    """How to ask the server for tokens, and who counts them."""

    dialect: Dialect
    usage: bool
    """True where the stream ends with the tokens as the server counts them."""
    calibrated: bool
    """True where prompts follow the server's counts, streamed or not."""
    probes: int
    """Requests that it took."""
    tpot_s: float | None
    """Seconds a token after the first, of the quickest probe; None where no stream told."""


class Prober:
    """Sends probes, at most PROBES of them."""

    def __init__(self, client: HttpClient, model: str, facts: ServerFacts, prompts: Prompts, timeout_s: float) -> None:
        self.client, self.model, self.facts, self.prompts, self.timeout_s = client, model, facts, prompts, timeout_s
        self.sent = 0
        self.text = ""
        """Prompt of the last probe."""
        self.tpots_s: list[float] = []
        """Seconds a token of each probe that was streamed."""

    async def probe(self) -> ProbeResult:
        """What the server takes; prompts are calibrated on the way. An error where it serves nothing."""
        dialect, few = await self._find_dialect()
        few_text, usage = self.text, read_answer(few).usage
        if usage is not None:
            many = await self._send(dialect, MANY_WORDS)
            counted = read_answer(many, self.client.hide)
            if counted.error is not None or counted.usage is None:
                raise RoiError(f"a prompt of {MANY_WORDS} words: {counted.error or 'the server stopped counting tokens'}")
            self.prompts.calibrate(Prompt(few_text, usage.prompt), Prompt(self.text, counted.usage.prompt))
            return self._result(dialect, usage=True, calibrated=True)
        counted_by_server = []
        for words in (FEW_WORDS, MANY_WORDS):
            found = unstreamed_usage(await self._send(dialect, words, stream=False))
            if found is not None:
                counted_by_server.append(Prompt(self.text, found.prompt))
        if len(counted_by_server) == 2:
            self.prompts.calibrate(*counted_by_server)
        return self._result(dialect, usage=False, calibrated=len(counted_by_server) == 2)

    def _result(self, dialect: Dialect, *, usage: bool, calibrated: bool) -> ProbeResult:
        return ProbeResult(dialect, usage, calibrated, self.sent, min(self.tpots_s, default=None))

    async def _find_dialect(self) -> tuple[Dialect, Answer]:
        """The first dialect that is answered with a stream, and that answer."""
        said, there = "", False
        for path in (COMPLETIONS, CHAT):
            dialect: Dialect | None = Dialect(path)
            while dialect is not None:
                answer = await self._send(dialect, FEW_WORDS)
                if answer.status in NO_SUCH_PATH:
                    said = self._missing(answer)
                    break
                if answer.status not in REFUSED_BODY:
                    self._check(path, answer)
                    return dialect, answer
                said, there = self.client.hide(message(bytes(answer.body))), True
                dialect = _plainer(dialect, said)
        if self.facts.models and self.model not in self.facts.models:
            raise unknown_model(self.model, self.facts, said)
        url = self.client.endpoint.url
        if not there:
            raise InputError(f"URL: {url} has neither {COMPLETIONS} nor {CHAT} ({said}): no OpenAI-compatible server")
        raise RoiError(f"{url} takes no request to {COMPLETIONS} or {CHAT}: {said}")

    def _missing(self, answer: Answer) -> str:
        """What a 404 said, where it means the path; an error where it means the model."""
        said = self.client.hide(f"HTTP {answer.status}: {message(bytes(answer.body))}")
        quoted = self.model.lower() in bytes(answer.body).decode("utf-8", errors="replace").lower()
        if (self.facts.models and self.model not in self.facts.models) or quoted:
            raise unknown_model(self.model, self.facts, said)
        return said

    def _check(self, path: str, answer: Answer) -> None:
        """Raise where the answer is no stream with output."""
        error = failure(answer)
        if error is None:
            error = read_answer(answer).error
        if error is None:
            return
        text = self.client.hide(error)
        if answer.status in REFUSED:
            raise refused_key(self.client, text)
        if answer.status == 200 and "html" in answer.headers.get("content-type", "").lower():
            raise no_api(self.client, path, answer)
        if self.facts.models and self.model not in self.facts.models:
            raise unknown_model(self.model, self.facts, text)
        raise RoiError(f"the first request to {self.client.endpoint.url} failed, nothing was measured: {text}")

    async def _send(self, dialect: Dialect, words: int, *, stream: bool = True) -> Answer:
        """The answer to one more probe."""
        if self.sent >= PROBES:
            raise RoiError(f"URL: {self.client.endpoint.url} did not settle within {PROBES} requests")
        self.sent += 1
        answer = Answer()
        self.text = self.prompts.words(words)
        body = dialect.body(self.model, self.text, PROBE_TOKENS, stream=stream)
        await self.client.send(dialect.path, body, answer, self.timeout_s)
        if stream and (told_s := _tpot_s(read_answer(answer))) is not None:
            self.tpots_s.append(told_s)
        return answer


def _tpot_s(reading: Reading) -> float | None:
    """Seconds a token after the first; None for fewer than two chunks."""
    tokens = reading.usage.output if reading.usage else len(reading.chunk_s)
    return None if min(len(reading.chunk_s), tokens) < 2 else (reading.chunk_s[-1] - reading.chunk_s[0]) / (tokens - 1)


def _plainer(dialect: Dialect, said: str) -> Dialect | None:
    """The dialect without what the server refused: the fields that it names, else the least needed; None at the end."""
    if "max_completion_tokens" in said and dialect.limit == "max_tokens":
        return replace(dialect, limit="max_completion_tokens")
    named = [name for name in dialect.extras if name in said]
    if named:
        return replace(dialect, extras=tuple(name for name in dialect.extras if name not in named))
    if len(dialect.extras) == len(EXTRAS):
        return replace(dialect, extras=("stream_options",))
    return replace(dialect, extras=()) if dialect.extras else None
