"""One load on a server: so many requests in flight, or requests at their due times whatever the server does."""

import asyncio
import gc
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

from roi.profiling.progress import Watcher
from roi.profiling.server.dialect import failure, quick_usage
from roi.profiling.server.http_client import Answer, HttpClient, most_events
from roi.profiling.server.load_design import PlannedPoint

HOPELESS: Final = 5
"""Failures in a row after which a server is left alone."""
FINAL: Final = {401, 403, 404, 429}
"""Statuses after which no further request is sent: another would be answered alike."""
SLOWER: Final = 1.5
"""A request may take this much longer than the longest so far: none is sent that would then outlast the budget."""
TICK_S: Final = 0.01
"""How often the client looks whether it is late."""
DRAW_S: Final = 1.0
"""How often the bar is drawn, from the start on: it takes milliseconds, in which no chunk is read."""


@dataclass
class Allowance:
    """What may still be sent; it counts down, and never below zero."""

    requests: int
    prompt_tokens: int
    output_tokens: int

    def take(self, prompt_tokens: int, output_tokens: int) -> bool:
        """True where one more request is within what was announced; it is then taken off."""
        if self.requests < 1 or self.prompt_tokens < prompt_tokens or self.output_tokens < output_tokens:
            return False
        self.requests -= 1
        self.prompt_tokens -= prompt_tokens
        self.output_tokens -= output_tokens
        return True

    def correct(self, held: int, counted: int, more_output: int = 0) -> None:
        """Take the difference off where a prompt was held to have `held` tokens and the server counted others.

        `more_output`: output tokens beyond those that were asked for.
        """
        self.prompt_tokens -= counted - held
        self.output_tokens -= more_output


@dataclass(frozen=True)
class ScheduledRequest:
    """One request of a point, its body made, so that nothing is made while the load runs."""

    body: bytes
    prompt_tokens: int
    output_tokens: int
    at_s: float | None = None
    """Due this long after the point's start (open loop)."""
    model: str | None = None
    """Name of the adapter that it asks for; None for the base."""


@dataclass
class SentRequest:
    """A request that was sent, and what came back so far."""

    scheduled: ScheduledRequest
    sent_s: float
    """Clock at which it was sent; in an open loop at which it was due."""
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True)
class Limits:
    """Clocks and seconds at which sending, or waiting, ends."""

    stop_s: float
    """Clock after which no further request is sent; those in flight go on."""
    end_s: float
    """Clock at which requests in flight are cut off."""
    timeout_s: float
    """Seconds that one request may take."""
    stall_s: float
    """Silence while requests are in flight, after which the server has stopped answering."""


class Load:
    """The load of one point while it runs; an interrupt finds here what was sent."""

    def __init__(self, planned: PlannedPoint, client: HttpClient, path: str, limits: Limits, allowance: Allowance,
                 watcher: Watcher, done: tuple[float, float]) -> None:
        self.planned, self.client, self.path, self.limits, self.allowance = planned, client, path, limits, allowance
        self.watcher, self.done = watcher, done
        """What is told of progress, and the shares of the run that are done before this point and after it."""
        self.sent: list[SentRequest] = []
        self.origin_s = perf_counter()
        self.ended: str | None = None
        """Why the load ended before its last request had been answered; None where all were answered."""
        self.fatal = False
        """True where the server, not the time, ended the load."""
        self.given_up = False
        """True where it ended because HOPELESS requests failed in a row."""
        self.trimmed = False
        """True where its time ended before its last request was sent."""
        self.delays_s: list[float] = []
        """How late the event loop woke from each sleep of TICK_S, s."""
        self._failures = self._in_flight = self._answered = 0
        self._longest_s = 0.0
        self._busy_s = self.origin_s
        self._tasks: list[asyncio.Task[None]] = []

    async def closed(self, requests: Sequence[ScheduledRequest], concurrency: int) -> None:
        """Send all requests, `concurrency` at a time; each that ends makes room for the next."""
        waiting = iter(requests)

        async def worker() -> None:
            while (request := next(waiting, None)) is not None and self._may_send(request):
                await self._send(request, perf_counter())

        await self._run([worker() for _ in range(min(concurrency, len(requests)))], len(requests))

    async def open(self, requests: Sequence[ScheduledRequest]) -> None:
        """Send every request when it is due."""

        async def schedule() -> None:
            async with asyncio.TaskGroup() as group:
                for request in requests:
                    due_s = self.origin_s + (request.at_s or 0.0)
                    await sleep_until(due_s)
                    if not self._may_send(request):
                        break
                    group.create_task(self._send(request, due_s))

        await self._run([schedule()], len(requests))

    async def _run(self, work: Sequence[Coroutine[Any, Any, None]], requests: int) -> None:
        collects = gc.isenabled()
        gc.collect()
        gc.disable()  # a collection stops the clock of every stream for tens of milliseconds
        try:
            self.origin_s = self._busy_s = perf_counter()
            self._tasks = [asyncio.create_task(one) for one in work]
            watch = asyncio.create_task(self._watch(requests))
            try:
                done = await asyncio.gather(*self._tasks, return_exceptions=True)
            finally:
                watch.cancel()
        finally:
            if collects:
                gc.enable()
        for result in done:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result

    def _may_send(self, request: ScheduledRequest) -> bool:
        if self.ended is not None:
            return False
        now_s = perf_counter()
        if now_s >= self.limits.stop_s or now_s + SLOWER * self._longest_s > self.limits.end_s:
            self.trimmed = True
            return False
        if not self.allowance.take(request.prompt_tokens, request.output_tokens):
            self.ended = "prompts or answers turned out longer than announced"
            return False
        return True

    async def _send(self, request: ScheduledRequest, sent_s: float) -> None:
        if self._in_flight == 0:
            self._busy_s = perf_counter()
        sent = SentRequest(request, sent_s, Answer(most_events=most_events(request.output_tokens)))
        self.sent.append(sent)
        self._in_flight += 1
        try:
            await self.client.send(self.path, request.body, sent.answer, self.limits.timeout_s)
        finally:
            self._in_flight -= 1
            self._answered += 1
        self._longest_s = max(self._longest_s, perf_counter() - sent_s)
        usage = quick_usage(sent.answer)
        if usage is not None:
            self.allowance.correct(request.prompt_tokens, usage.prompt, max(usage.output - request.output_tokens, 0))
        failed = failure(sent.answer, self.client.hide)
        self._failures = self._failures + 1 if failed else 0
        if failed and (sent.answer.status in FINAL or self._failures >= HOPELESS):
            self.given_up = sent.answer.status not in FINAL
            self._halt(failed, fatal=True)

    def _halt(self, why: str, *, fatal: bool) -> None:
        self.ended = self.ended or why
        self.fatal = self.fatal or fatal
        for task in self._tasks:
            task.cancel()

    async def _watch(self, requests: int) -> None:
        drawn_s = 0.0
        while True:
            before_s = perf_counter()
            await asyncio.sleep(TICK_S)
            now_s = perf_counter()
            self.delays_s.append(max(now_s - before_s - TICK_S, 0.0))
            if self._in_flight and now_s - max(self.client.heard_s, self._busy_s) > self.limits.stall_s:
                self._halt(f"the server stopped answering: nothing came for {self.limits.stall_s:g} s", fatal=True)
            if now_s >= self.limits.end_s:
                self._halt("the budget ended with requests in flight", fatal=False)
            if now_s - drawn_s >= DRAW_S:
                drawn_s = now_s
                before, after = self.done
                share = before + (after - before) * self._answered / requests
                text = f"{self.planned.label}: {self._answered} of {requests}"
                self.watcher.update(text, share, max(self.limits.end_s - now_s, 0.0))


async def sleep_until(due_s: float) -> None:
    """Sleep until the clock shows `due_s`; the last two milliseconds by looking, because timers wake up to one too late."""
    while (left_s := due_s - perf_counter()) > 0.0:  # noqa: ASYNC110 -- a clock sets no event
        await asyncio.sleep(left_s - 0.002 if left_s > 0.003 else 0.0)
