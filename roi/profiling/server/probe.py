"""A few small requests before the first point: which endpoint and fields a server takes, and how it counts tokens.

Prompts are random common words that no server has seen, from a seed that no other run has; the probes tell tokens a word.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from roi.errors import InputError, MissingExtra, RoiError
from roi.profiling.server.dialect import (
    CHAT,
    COMPLETIONS,
    EXTRAS,
    Dialect,
    failure,
    message,
    read_answer,
    told_limit,
    unstreamed_usage,
)
from roi.profiling.server.http_client import Answer, HttpClient, most_events
from roi.profiling.server.load_design import FEW_WORDS, MANY_WORDS, PROBE_TOKENS, PROBES
from roi.profiling.server.server_facts import NO_SUCH_PATH, REFUSED, ServerFacts, no_api, refused_key, unknown_model

_TEXT: Final = (
    "about after again air all along also always an and animal another any are around as ask at away back be because been "
    "before began below between big book both boy but by call came can car carry change children city close come could "
    "country cut day did different do does down each earth eat end enough even every example eye face family far father "
    "feet few find first follow food for form found four from get girl give go good got great group grow had hand hard has "
    "have he head hear help her here high him his home house how idea if important in into is it just keep kind know land "
    "large last late learn leave left let letter life light like line list little live long look made make man many may me "
    "mean men might mile more most mother move much must my name near need never new next night no not now number of off "
    "often old on once one only open or other our out over own page paper part people place plant play point put question "
    "quick read really right river run said same saw say school sea second see seem sentence set she should show side small "
    "so some something sometimes song soon sound spell start state still stop story study such take talk tell than that the "
    "their them then there these they thing think this those thought three through time to together too took tree try turn "
    "two under until up us use very walk want was watch water way we well went were what when where which while white who "
    "why will with without word work world would write year you young your"
)
WORDS: Final = tuple(_TEXT.split())
"""Common words: nearly every tokenizer has each of them as one token, so that words count tokens."""
LEAST_PER_WORD: Final = 0.5
MOST_PER_WORD: Final = 16.0
"""Tokens a word that are believed: a tokenizer of letters makes 5 of these words, one of pairs of them fewer than 1."""
REFUSED_BODY: Final = {400, 422}


class Prompt(NamedTuple):
    """A prompt, and how many tokens it is held to have."""

    text: str
    tokens: int
    """Tokens of the text as the calibration foretells, or as the tokenizer counts."""


class Prompts:
    """Makes prompts of about so many tokens: tokens = fixed + per_word x words, or as a tokenizer says."""

    def __init__(self, seed: int, count: Callable[[str], int] | None = None) -> None:
        self.chance = random.Random(seed)  # noqa: S311 -- words, not secrets
        self.count = count
        self.per_word, self.fixed = 1.0, 0.0

    def words(self, n: int) -> str:
        """`n` words in random order."""
        return " ".join(self.chance.choices(WORDS, k=n))

    def calibrate(self, few: Prompt, many: Prompt) -> None:
        """Take two prompts, with the tokens that the server counted, as the rule: what it adds, and tokens a word."""
        few_words, many_words = (len(prompt.text.split()) for prompt in (few, many))
        self.per_word = (many.tokens - few.tokens) / (many_words - few_words)
        if not LEAST_PER_WORD <= self.per_word <= MOST_PER_WORD:
            raise RoiError(f"the server counts {few.tokens:,} tokens in {few_words} common words and {many.tokens:,} in "
                           f"{many_words}: no tokenizer does, so nothing was measured")
        own = self.per_word * few_words if self.count is None else self.count(few.text)
        self.fixed = max(few.tokens - own, 0.0)

    @property
    def least(self) -> int:
        """Tokens of the shortest prompt: one word, and what the server adds."""
        return round(self.fixed + self.per_word)

    def make(self, tokens: int) -> Prompt:
        """A prompt of `tokens` tokens as nearly as words allow, at least one word."""
        words = max(round((tokens - self.fixed) / self.per_word), 1)
        text = self.words(words)
        if self.count is None:
            return Prompt(text, round(self.fixed + self.per_word * words))
        for _ in range(8):  # words of a small vocabulary take several tokens each: a few corrections find the length
            short = round(tokens - self.fixed) - self.count(text)
            if short == 0 or (short < 0 and words == 1):
                break
            step = round(short / max(self.per_word, 1.0)) or (1 if short > 0 else -1)
            words = max(words + step, 1)
            text = f"{text} {self.words(step)}" if step > 0 else " ".join(text.split()[:words])
        return Prompt(text, round(self.fixed) + self.count(text))


def token_counter(path: Path) -> Callable[[str], int]:
    """What counts the tokens of a text with the tokenizer.json at `path`, or in that folder; special tokens count."""
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingExtra("serve", error.name or "tokenizers") from error
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"--tokenizer: no file {file}; a tokenizer.json, or the folder that holds one")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # what the package raises has no class of its own
        raise InputError(f"--tokenizer: {file} is no tokenizer.json: {str(error)[:80]}") from error

    return lambda text: len(tokenizer.encode(text).ids)


class ProbeResult(NamedTuple):
    """How to ask the server for tokens, and who counts them."""

    dialect: Dialect
    usage: bool
    """True where the stream ends with the tokens as the server counts them."""
    calibrated: bool
    """True where prompts follow the server's counts, streamed or not."""
    tpot_s: float | None
    """Seconds a token after the first, of the quickest probe; None where no stream told."""


class Prober:
    """Sends probes to a server, at most PROBES of them, and draws conclusions from the answers."""

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
        few_text, usage = self.text, read_answer(few, self.client.hide).usage
        if usage is not None:
            many = await self._send(dialect, MANY_WORDS)
            counted = read_answer(many, self.client.hide)
            if counted.error is not None or counted.usage is None:
                said = told_limit(counted.error or "the server stopped counting tokens")
                raise RoiError(f"a prompt of {MANY_WORDS} words failed, nothing was measured: {said}")
            self.prompts.calibrate(Prompt(few_text, usage.prompt), Prompt(self.text, counted.usage.prompt))
            return ProbeResult(dialect, usage=True, calibrated=True, tpot_s=min(self.tpots_s, default=None))
        told = []
        for words in (FEW_WORDS, MANY_WORDS):
            found = unstreamed_usage(await self._send(dialect, words, stream=False))
            told += [Prompt(self.text, found.prompt)] if found else []
        if len(told) == 2:
            self.prompts.calibrate(*told)
        return ProbeResult(dialect, usage=False, calibrated=len(told) == 2, tpot_s=min(self.tpots_s, default=None))

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
                said, there = message(bytes(answer.body), self.client.hide), True
                dialect = _plainer(dialect, said)
        if self.facts.models and self.model not in self.facts.models:
            raise unknown_model(self.model, self.facts, said)
        url = self.client.endpoint.url
        if not there:
            raise InputError(f"URL: {url} has neither {COMPLETIONS} nor {CHAT} ({said}): no OpenAI-compatible server")
        raise RoiError(f"{url} takes no request to {COMPLETIONS} or {CHAT}: {said}")

    def _missing(self, answer: Answer) -> str:
        """What a 404 said, where it means the path; an error where it means the model."""
        said = f"HTTP {answer.status}: {message(bytes(answer.body), self.client.hide)}"
        quoted = self.model.lower() in bytes(answer.body).decode("utf-8", errors="replace").lower()
        if (self.facts.models and self.model not in self.facts.models) or quoted:
            raise unknown_model(self.model, self.facts, said)
        return said

    def _check(self, path: str, answer: Answer) -> None:
        """Raise where the answer is no stream with output."""
        text = failure(answer, self.client.hide) or read_answer(answer, self.client.hide).error
        if text is None:
            return
        if answer.status in REFUSED:
            raise refused_key(self.client, text)
        if answer.status == 200 and "html" in answer.headers.get("content-type", "").lower():
            raise no_api(self.client, path, answer)
        if self.facts.models and self.model not in self.facts.models:
            raise unknown_model(self.model, self.facts, text)
        raise RoiError(f"the first request to {self.client.endpoint.url} failed, nothing was measured: {told_limit(text)}")

    async def _send(self, dialect: Dialect, words: int, *, stream: bool = True) -> Answer:
        """The answer to one more probe of so many words."""
        if self.sent >= PROBES:
            raise RoiError(f"URL: {self.client.endpoint.url} did not settle within {PROBES} requests")
        self.sent += 1
        answer = Answer(most_events=most_events(PROBE_TOKENS))
        self.text = self.prompts.words(words)
        body = dialect.body(self.model, self.text, PROBE_TOKENS, stream=stream)
        await self.client.send(dialect.path, body, answer, self.timeout_s)
        if stream:
            reading = read_answer(answer, self.client.hide)
            tokens = reading.usage.output if reading.usage else len(reading.chunk_s)
            if min(len(reading.chunk_s), tokens) >= 2:
                self.tpots_s.append((reading.chunk_s[-1] - reading.chunk_s[0]) / (tokens - 1))
        return answer


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
