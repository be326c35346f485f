"""What is asked of a run on a server, what it has done so far, and the profile that is made of it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

import numpy as np

from roi.catalog.models.shapes import known_model
from roi.estimate.replay.metrics import itl_s, successes
from roi.facts.serve_profile import Counted, Cut, ServePoint, ServeProfile
from roi.profiling.machine import client_environment
from roi.profiling.server.dialect import read_answer, served_request, told_limit
from roi.profiling.server.endpoint import Endpoint
from roi.profiling.server.load import HOPELESS, TICK_S, Load
from roi.profiling.server.load_design import LEAST, ServePlan
from roi.profiling.server.probe import ProbeResult
from roi.profiling.server.server_facts import ServerFacts
from roi.store.imports.points import Stated

LATE: Final = 0.1
RARE: Final = 0.05
"""Delay of the client's loop over the shortest ITL above which its own timestamps are in doubt; share of the time in which it
may be later."""
TIMER_S: Final = 0.001
"""Timers of epoll wake up to a millisecond late; what is below that is no delay of the loop."""
CACHED: Final = 0.02
"""Prompt tokens from the prefix cache above which prefill looks faster than it is; a template's few are below."""
MERGED: Final = 1.05
"""Tokens a chunk above which ITL is of chunks, not of tokens."""


@dataclass(frozen=True)
class ServeRequest:
    """The server, the load and the limits of a profile."""

    endpoint: Endpoint
    key: str | None
    """The API key: it is sent to `endpoint` and written nowhere."""
    served_model: str | None
    plan: ServePlan
    seed: int
    budget_s: float
    timeout_s: float
    stall_s: float
    adapters: tuple[str, ...] = ()
    """Names of unmerged adapters; a point spreads its requests over the first so many."""
    merged: bool = False
    """True where the served weights have an adapter merged into them."""
    stated: Stated = field(default_factory=Stated)
    """What the user says of the server; the server is believed where this says nothing."""
    count: Callable[[str], int] | None = None
    """A function that counts the tokens of a text; None where the server counts them."""


class ServeRun(NamedTuple):
    """The profile of a server, and how its run ended."""

    profile: ServeProfile
    interrupted: bool
    """True after Ctrl-C or SIGTERM."""
    failure: str | None
    """What went wrong, where requests failed or the server was given up."""


@dataclass
class RunRecord:
    """What a run has asked, sent and received so far, so that a signal loses nothing of it."""

    request: ServeRequest
    hide: Callable[[str], str]
    """A function that takes the key out of what a server said."""
    started: datetime = field(default_factory=lambda: datetime.now(tz=UTC))
    facts: ServerFacts = field(default_factory=ServerFacts)
    served_model: str = ""
    probed: ProbeResult | None = None
    loads: list[Load] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """What kept the plan from being done."""
    fatal: str | None = None
    """Why no further request was sent; None where the server did not fail for good."""
    stopped: str | None = None
    """The signal that ended it, in words."""
    points: dict[int, ServePoint] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = client_environment(self.request.seed)

    def point(self, i: int) -> ServePoint:
        """Point `i` as the profile keeps it, read once."""
        if i not in self.points:
            self.points[i] = self._read(self.loads[i])
        return self.points[i]

    def make_run(self) -> ServeRun:
        """The profile of what was done, and what went wrong."""
        points = tuple(self.point(i) for i in range(len(self.loads)))
        stated, facts = self.request.stated, self.facts
        counted, prompt_counted = self._counted()
        failure = self._failure(points)
        cut = self._cut(points, failure)
        profile = ServeProfile(
            started=self.started, environment=self.environment, url=self.request.endpoint.url, served_model=self.served_model,
            model=stated.model or guess_model(self.served_model, facts), gpu=stated.gpu, gpus=stated.gpus,
            engine=stated.engine or facts.engine, engine_version=facts.version, weight_dtype=stated.weight_dtype,
            kv_dtype=stated.kv_dtype or facts.kv_dtype, kv_capacity_tokens=stated.kv_capacity_tokens or facts.kv_tokens,
            counted_by=counted, prompt_counted_by=prompt_counted, points=points, budget_s=self.request.budget_s,
            complete=cut is None, cut=cut, notes=self._notes(points),
        )
        return ServeRun(profile, self.stopped is not None, failure)

    def _read(self, load: Load) -> ServePoint:
        planned, requests = load.planned, []
        for sent in load.sent:
            if sent.answer.ended_s is None and sent.answer.problem is None:
                sent.answer.problem = load.ended or self.stopped
            reading = read_answer(sent.answer, self.hide)
            counted = self.request.count(reading.text) if self.request.count is not None and reading.usage is None else None
            requests.append(served_request(
                sent.answer, reading, origin_s=load.origin_s, sent_s=sent.sent_s, asked=sent.scheduled.output_tokens,
                prompt_tokens=sent.scheduled.prompt_tokens, output_tokens=counted, model=sent.scheduled.model))
        failed = sum(one.error is not None for one in requests)
        enough = max(planned.concurrency or 0, LEAST)
        unsent = len(planned.requests) - len(requests)
        adapters = planned.adapters or int(self.served_model in self.facts.adapters)  # the loaded model may itself be one
        return ServePoint(
            input_tokens=planned.input_tokens, output_tokens=planned.output_tokens, concurrency=planned.concurrency,
            requests_per_s=planned.rate, arrivals=planned.arrivals, adapters=adapters,
            adapter="unmerged" if adapters else "merged" if self.request.merged else "base",
            requests=tuple(requests),
            complete=failed == 0 and load.ended is None and (unsent == 0 or (load.trimmed and len(requests) >= enough)),
        )

    def _cut(self, points: Sequence[ServePoint], failure: str | None) -> Cut | None:
        """How the run ended early; None where all that was planned was done."""
        planned = self.request.plan.points
        short = [f"{self.loads[i].planned.label}: too few requests in its share of the budget"
                 for i, point in enumerate(points) if not point.complete]
        ended = [*self.ended, *(load.ended for load in self.loads if load.ended), *short]
        why = failure or self.stopped or next(iter(ended), None)
        if why is None:
            return None
        complete = sum(p.complete for p in points if p.arrivals == "closed" and p.adapter != "unmerged")
        wanted = sum(p.arrivals == "closed" and not p.adapters for p in planned)
        return Cut(why=why, failed=failure is not None, closed_loops=complete == wanted)

    def _counted(self) -> tuple[Counted, Counted]:
        """(Who counted output tokens, who counted prompt tokens)."""
        assert self.probed is not None
        if self.probed.usage:
            return "server usage", "server usage"
        if self.request.count is not None:
            return "tokenizer", "tokenizer"
        return "chunks", "stated"

    def _notes(self, points: Sequence[ServePoint]) -> tuple[str, ...]:
        """What a reader must know of how the profile came about."""
        assert self.probed is not None
        notes = [*self.notes, *([self.stopped] if self.stopped else [])]
        if self._counted() == ("chunks", "stated"):
            notes.append("prompt tokens by the rate that unstreamed answers told" if self.probed.calibrated else
                         "prompt tokens: nobody counts them; a word is taken as one")
        for load in self.loads:
            label, planned = load.planned.label, load.planned.requests
            if load.trimmed:
                notes.append(f"{label}: {len(load.sent)} of {len(planned)} requests, by its share of the budget")
            if load.ended is not None:
                notes.append(f"{label}: {load.ended}")
        medians = [float(sorted(gaps)[len(gaps) // 2]) for point in points if len(gaps := itl_s(successes(point)))]
        late = delay_note([delay for load in self.loads for delay in load.delays_s], min(medians, default=None))
        return (*notes, *self.ended, *answer_notes(points), *([late] if late else []))

    def _failure(self, points: Sequence[ServePoint]) -> str | None:
        """What went wrong, in one line; None where nothing did."""
        cut = tuple(filter(None, (self.stopped, *(load.ended for load in self.loads if not load.fatal))))
        errors = [one.error for point in points for one in point.requests if one.error and not one.error.endswith(cut)]
        sent = sum(len(point.requests) for point in points)
        nothing = not any(successes(point) for point in points)
        if self.fatal is None and not errors and (not nothing or self.stopped):
            return None
        kinds = Counter(errors).most_common(2)
        ended = next((why for why in (*self.ended, *(load.ended for load in self.loads)) if why), "its time was too short")
        told = "; ".join(f"{error} ({n})" if len(kinds) > 1 else error for error, n in kinds)
        said = told_limit(self.fatal or told or ended)
        if any(load.given_up for load in self.loads):
            said = f"given up after {HOPELESS} in a row: {said}"
        if nothing:
            return f"no request succeeded, of {sent:,} sent: {said}"
        return f"{len(errors):,} of {sent:,} requests failed: {said}"


def answer_notes(points: Sequence[ServePoint]) -> list[str]:
    """Remarks on the answers of all points: from the cache, shorter than asked, several tokens a chunk."""
    good = [one for point in points for one in successes(point)]
    cached, notes = [], []
    for point in points:
        prompts = sum(one.prompt_tokens for one in successes(point))
        share = sum(one.cached_tokens for one in successes(point)) / max(prompts, 1)
        if share > CACHED:
            cached.append(f"{share:.0%} at {point.input_tokens:,} tokens")
    if cached:
        notes.append(f"prompt tokens from the server's prefix cache: {', '.join(cached)}")
    longer = sum(one.output_tokens > one.asked_tokens for one in good)
    if longer:
        notes.append(f"{longer:,} of {len(good):,} answers were longer than asked: the server ignores max_tokens")
    short = sum(one.output_tokens < one.asked_tokens for one in good)
    if short:
        made, asked = sum(one.output_tokens for one in good), sum(one.asked_tokens for one in good)
        notes.append(f"{short:,} of {len(good):,} answers were shorter than asked; {made / asked:.0%} of the tokens came")
    chunks, tokens = sum(len(one.chunk_s) for one in good), sum(one.output_tokens for one in good)
    if tokens > MERGED * chunks:
        notes.append(f"a chunk carries {tokens / chunks:.3g} tokens; ITL is from chunk to chunk")
    return notes


def delay_note(delays_s: Sequence[float], shortest_itl_s: float | None) -> str | None:
    """A remark where the client itself was late by more than LATE of the shortest ITL; None where it was not.

    `delays_s`: how late its loop woke from each sleep of TICK_S. A wake that is late by a second stands for a second: delays
    weigh as long as they lasted, since a loop that stood still counts few of them.
    """
    if not delays_s or not shortest_itl_s:
        return None
    delays = np.sort(np.asarray(delays_s, dtype=float))
    lasted = np.cumsum(TICK_S + delays)
    late_s = max(float(delays[np.searchsorted(lasted, (1.0 - RARE) * lasted[-1])]) - TIMER_S, 0.0)
    if late_s <= LATE * shortest_itl_s:
        return None
    return (f"this client was late by {late_s * 1e3:,.3g} ms or more in {RARE:.0%} of the time "
            f"(at most {delays[-1] * 1e3:,.3g} ms) at an ITL of {shortest_itl_s * 1e3:.3g} ms; send from a machine with idle"
            " cores")


def guess_model(served: str, facts: ServerFacts) -> str:
    """The catalog's name of the served model's shape, by its name or by where its weights come from; else the served name."""
    names = (served, facts.models.get(served, served))
    shapes = (known_model(tail) for name in names for tail in (name, name.rstrip("/").rpartition("/")[2]))
    return next((shape.id for shape in shapes if shape is not None), served)
