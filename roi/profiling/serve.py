"""A running server, measured from outside: asked what it is, probed, loaded point by point, told as a profile."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Final, Literal, NamedTuple

from roi.catalog.models import find_model
from roi.catalog.serve_imports.records import Stated
from roi.errors import InputError
from roi.estimate.serve_metrics import itl_s, point_metrics, successes
from roi.facts.serve_profile import Counted, ServePoint, ServeProfile
from roi.profiling.host import client_environment
from roi.profiling.progress import Watcher
from roi.profiling.serve_design import PROBE_TOKENS, PROBES, PlannedPoint, ServePlan, open_rate
from roi.profiling.serve_dialect import read_answer, served
from roi.profiling.serve_facts import ServerFacts, ask_server, choose_served, unknown_model
from roi.profiling.serve_load import HOPELESS, Allowance, Limits, Load, Shot
from roi.profiling.serve_notes import answer_notes, delay_note
from roi.profiling.serve_probe import Prober, Settled
from roi.profiling.serve_prompts import Prompts
from roi.profiling.serve_wire import Place, Wire

INTERRUPTED: Final = "interrupted by the user"

LEAST: Final = 3
"""Successes that a point needs which the budget trimmed; in a closed loop as many as are in flight."""

DRAIN_SHARE: Final = 0.1
"""Part of a point's share of the budget that is kept for requests in flight when sending stops."""


@dataclass(frozen=True)
class ServeRequest:
    """What is asked of a profile."""

    place: Place
    key: str | None
    """Sent to `place`, written nowhere."""
    served_model: str | None
    plan: ServePlan
    seed: int
    budget_s: float
    timeout_s: float
    stall_s: float
    adapters: tuple[str, ...] = ()
    """Names; a point takes the first so many."""
    merged: bool = False
    """The served weights have an adapter merged into them."""
    stated: Stated = field(default_factory=Stated)
    """Where it says nothing, the server does."""
    count: Callable[[str], int] | None = None
    """Counts the tokens of a text; None = the server does."""


class ServeRun(NamedTuple):
    """What came of it."""

    profile: ServeProfile
    interrupted: bool
    """True after Ctrl-C."""
    failure: str | None
    """What went wrong, where requests failed or the server was given up."""


def profile_serve(request: ServeRequest, watcher: Watcher) -> ServeRun:
    """The profile of a server under the planned loads; the budget holds for all of it.

    Sends what the plan says, before it at most PROBES requests and serve_facts.QUESTIONS questions, all to one place. Where
    the server fails, the budget ends or Ctrl-C comes, what was measured is kept and marked incomplete. A server that cannot be
    loaded at all is a RoiError.
    """
    work = _Work(request, watcher)
    interrupted = False
    try:
        asyncio.run(work.run())
    except KeyboardInterrupt:
        if not work.loads:
            raise
        interrupted = True
        work.notes.append(INTERRUPTED)
    return work.told(interrupted=interrupted)


class _Loaded(NamedTuple):
    """One point, planned and as it went."""

    planned: PlannedPoint
    load: Load


class _Work:
    """The run as it goes."""

    def __init__(self, request: ServeRequest, watcher: Watcher) -> None:
        self.request, self.watcher = request, watcher
        self.started, self.environment = datetime.now(tz=UTC), client_environment(request.seed)
        self.wire = Wire(request.place, request.key)
        self.prompts = Prompts(request.seed, request.count)
        plan = request.plan
        self.allowance = Allowance(plan.requests, plan.most_prompt_tokens, plan.output_tokens)
        self.loads: list[_Loaded] = []
        self.notes: list[str] = []
        self.ended: list[str] = []
        """What kept the plan from being done."""
        self.fatal: str | None = None
        self.facts = ServerFacts()
        self.served_model = ""
        self.settled: Settled | None = None
        self._points: dict[int, ServePoint] = {}

    async def run(self) -> None:
        """Everything, in order."""
        began_s = perf_counter()
        end_s = began_s + self.request.budget_s
        try:
            await self._prepare()
            waiting = list(self.request.plan.points)
            weights = [_weight(point, waiting) for point in waiting]
            for i, planned in enumerate(waiting):
                left_s = end_s - perf_counter()
                if left_s <= 0.0:
                    self.ended.append(f"the budget ended before {len(waiting) - i} of {len(waiting)} points")
                    break
                share_s = left_s * weights[i] / sum(weights[i:])
                done = (sum(weights[:i]) / sum(weights), sum(weights[: i + 1]) / sum(weights))
                await self._measure(planned, share_s, end_s, done)
                if self.fatal is not None:
                    break
        finally:
            self.wire.close()

    async def _prepare(self) -> None:
        """Ask the server what it is, settle how to ask it, calibrate the prompts."""
        request = self.request
        self.watcher.say(f"asking {request.place.url}")
        self.facts = await ask_server(self.wire)
        self.served_model = choose_served(request.served_model, self.facts, request.adapters)
        for name in request.adapters:
            if self.facts.models and name not in self.facts.models:
                raise unknown_model(name, self.facts, "", "--adapters")
        wait_s = min(request.timeout_s, request.budget_s)
        prober = Prober(self.wire, self.served_model, self.facts, self.prompts, wait_s)
        self.settled = await prober.settle()
        shortest = min(planned.input_tokens for planned in request.plan.points)
        if self.prompts.least > shortest:
            self.notes.append(f"no prompt has less than {self.prompts.least} tokens; the server adds {self.prompts.fixed:.0f}")
        missing = [name for name in ("ignore_eos", "min_tokens") if name not in self.settled.dialect.extras]
        if len(missing) == 2:
            self.notes.append("the server takes neither ignore_eos nor min_tokens: answers may be shorter than asked")

    async def _measure(self, planned: PlannedPoint, share_s: float, end_s: float, done: tuple[float, float]) -> None:
        """One point; what came of it is in `loads`."""
        assert self.settled is not None
        if planned.arrivals != "closed" and planned.rate is None:
            rate = self._open_rate()
            if rate is None:
                self.ended.append("no open loop: no closed loop told a rate for it")
                return
            planned = planned.at_rate(rate)
        shots = self._shots(planned)
        await self.wire.open(planned.concurrency or max(one.concurrency or 1 for one in self.request.plan.points))
        now_s = perf_counter()
        stop_s = now_s + share_s * (1.0 - DRAIN_SHARE)
        limits = Limits(stop_s, end_s, self.request.timeout_s, self.request.stall_s)
        load = Load(self.wire, self.settled.dialect.path, limits, self.allowance, self.watcher, label(planned), done)
        self.loads.append(_Loaded(planned, load))
        if planned.concurrency is not None:
            await load.closed(shots, planned.concurrency)
        else:
            await load.open(shots)
        if load.fatal:
            self.fatal = load.ended

    def _shots(self, planned: PlannedPoint) -> list[Shot]:
        """The requests of a point, ready to be sent, so that nothing is made while they run."""
        assert self.settled is not None
        dialect, names = self.settled.dialect, self.request.adapters[: planned.adapters]
        shots = []
        for i, one in enumerate(planned.requests):
            prompt = self.prompts.make(one.input_tokens)
            model = names[i % len(names)] if names else None
            body = dialect.body(model or self.served_model, prompt.text, one.output_tokens)
            shots.append(Shot(body, prompt.tokens, one.output_tokens, one.at_s, model))
        return shots

    def _open_rate(self) -> float | None:
        """The rate of the open loop, from the closed loops with most in flight; None where they tell none."""
        closed = [(planned.concurrency, self._point(i)) for i, (planned, _) in enumerate(self.loads)
                  if planned.concurrency and not planned.adapters]
        most = max((level for level, _ in closed), default=0)
        told = [point_metrics(point, 1.0, 1.0).requests_per_s for level, point in closed if level == most]
        rates = [rate for rate in told if rate]
        return open_rate(rates) if rates else None

    def _point(self, i: int) -> ServePoint:
        """Point `i` as the profile keeps it, read once."""
        if i not in self._points:
            planned, load = self.loads[i]
            self._points[i] = self._read(planned, load)
        return self._points[i]

    def _read(self, planned: PlannedPoint, load: Load) -> ServePoint:
        requests = []
        for fired in load.fired:
            if fired.answer.ended_s is None and fired.answer.problem is None:
                fired.answer.problem = load.ended or INTERRUPTED
            reading = read_answer(fired.answer, self.wire.hide)
            counted = self.request.count(reading.text) if self.request.count is not None and reading.usage is None else None
            requests.append(served(
                fired.answer, reading, load.origin_s, fired.sent_s, fired.shot.output_tokens, fired.shot.prompt_tokens,
                output_tokens=counted, model=fired.shot.model))
        failed = sum(one.error is not None for one in requests)
        enough = max(planned.concurrency or 0, LEAST)
        unsent = len(planned.requests) - len(requests)
        state, count = self._adapters(planned)
        return ServePoint(
            input_tokens=planned.input_tokens, output_tokens=planned.output_tokens, concurrency=planned.concurrency,
            requests_per_s=planned.rate, arrivals=planned.arrivals, adapter=state, adapters=count,
            requests=tuple(requests),
            complete=failed == 0 and load.ended is None and (unsent == 0 or (load.trimmed and len(requests) >= enough)),
        )

    def _adapters(self, planned: PlannedPoint) -> tuple[Literal["base", "merged", "unmerged"], int]:
        """(state, number) of a point's adapters; the server says where the loaded model is itself one."""
        count = planned.adapters or int(self.served_model in self.facts.adapters)
        return ("unmerged" if count else "merged" if self.request.merged else "base"), count

    def told(self, *, interrupted: bool) -> ServeRun:
        """The profile of what was done, and what went wrong."""
        assert self.settled is not None
        points = tuple(self._point(i) for i in range(len(self.loads)))
        stated, facts = self.request.stated, self.facts
        counted, prompt_counted = self._counted()
        for planned, load in self.loads:
            if load.trimmed:
                sent = f"{len(load.fired)} of {len(planned.requests)} requests"
                self.notes.append(f"{label(planned)}: {sent}, by its share of the budget")
            if load.ended is not None:
                self.notes.append(f"{label(planned)}: {load.ended}")
        self.notes += [*self.ended, *answer_notes(points)]
        note = delay_note([delay for _, load in self.loads for delay in load.delays_s], _shortest_itl_s(points))
        complete = (not interrupted and self.fatal is None and not self.ended
                    and all(point.complete for point in points) and len(points) == len(self.request.plan.points))
        profile = ServeProfile(
            started=self.started, environment=self.environment, url=self.request.place.url, served_model=self.served_model,
            model=stated.model or guess_model(self.served_model, facts), gpu=stated.gpu, gpus=stated.gpus,
            engine=stated.engine or facts.engine, engine_version=facts.version, weight_dtype=stated.weight_dtype,
            kv_dtype=stated.kv_dtype or facts.kv_dtype, kv_capacity_tokens=stated.kv_capacity_tokens or facts.kv_tokens,
            counted_by=counted, prompt_counted_by=prompt_counted, points=points, budget_s=self.request.budget_s,
            complete=complete, notes=(*self.notes, *([note] if note else [])),
        )
        return ServeRun(profile, interrupted, self._failure(points))

    def _counted(self) -> tuple[Counted, Counted]:
        """Who counted output tokens, and prompt tokens."""
        assert self.settled is not None
        if self.settled.usage:
            return "server usage", "server usage"
        if self.request.count is not None:
            return "tokenizer", "tokenizer"
        self.notes.append("prompt tokens by the rate that unstreamed answers told" if self.settled.calibrated else
                          "prompt tokens: nobody counts them; a word is taken as one")
        return "chunks", "stated"

    def _failure(self, points: Sequence[ServePoint]) -> str | None:
        """What went wrong, in one line; None where nothing did."""
        cut = (INTERRUPTED, *(load.ended for _, load in self.loads if load.ended and not load.fatal))
        errors = [one.error for point in points for one in point.requests if one.error and not one.error.endswith(cut)]
        sent = sum(len(point.requests) for point in points)
        if self.fatal is None and not errors:
            return None
        kinds = Counter(errors).most_common(2)
        said = self.fatal or "; ".join(f"{error} ({n})" if len(kinds) > 1 else error for error, n in kinds)
        if any(load.given_up for _, load in self.loads):
            said = f"given up after {HOPELESS} in a row: {said}"
        if not any(successes(point) for point in points):
            return f"no request succeeded, of {sent:,} sent: {said}"
        return f"{len(errors):,} of {sent:,} requests failed: {said}"


def guess_model(served: str, facts: ServerFacts) -> str:
    """The catalog's name of the served model's shape, by its name or by where its weights come from; else the served name."""
    for name in (served, facts.models.get(served, served)):
        for tail in (name, name.rstrip("/").rpartition("/")[2]):
            try:
                return find_model(tail).id
            except InputError:
                continue
    return served


def label(planned: PlannedPoint) -> str:
    """A point in a few words."""
    load = (f"{planned.concurrency} in flight" if planned.concurrency is not None else
            f"{planned.arrivals} {planned.rate:.3g}/s" if planned.rate is not None else planned.arrivals)
    names = f", {planned.adapters} adapter{'s' if planned.adapters > 1 else ''}" if planned.adapters else ""
    return f"{load}, {planned.input_tokens:,} in, {planned.output_tokens:,} out{names}"


def most_requests(plan: ServePlan) -> tuple[int, int]:
    """(requests, output tokens) that a run of `plan` sends and asks for at most, its probes included."""
    return plan.requests + PROBES, plan.output_tokens + PROBES * PROBE_TOKENS


def _weight(point: PlannedPoint, points: Sequence[PlannedPoint]) -> float:
    """Work of a point against others': tokens one after another, and the prompts that go with them at a tenth of that each.

    Prompt tokens are computed many at a time: a lone prompt of 1,000 takes about as long as some tens of output tokens.
    """
    most = max((one.concurrency or 1 for one in points), default=1)
    side_by_side = point.concurrency or max(0.6 * most, 1.0)
    return point.asked_tokens / side_by_side + point.prompt_tokens / 100.0


def _shortest_itl_s(points: Sequence[ServePoint]) -> float | None:
    """Median ITL of the point where it is shortest."""
    medians = [float(sorted(gaps)[len(gaps) // 2]) for point in points if len(gaps := itl_s(successes(point)))]
    return min(medians, default=None)


