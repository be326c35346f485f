"""What a run on a server has done so far, and the profile that is made of it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from roi.catalog.models.shapes import find_model
from roi.errors import InputError
from roi.estimate.replay.metrics import itl_s, successes
from roi.facts.environment import Environment
from roi.facts.serve_profile import Counted, Cut, ServePoint, ServeProfile
from roi.profiling.server.dialect import read_answer, served
from roi.profiling.server.load import HOPELESS, Load
from roi.profiling.server.load_design import LEAST, PlannedPoint
from roi.profiling.server.probe import Settled
from roi.profiling.server.run_notes import answer_notes, delay_note
from roi.profiling.server.server_facts import ServerFacts
from roi.profiling.server.server_request import ServeRequest


class ServeRun(NamedTuple):
    """What came of it."""

    profile: ServeProfile
    interrupted: bool
    """True after Ctrl-C or SIGTERM."""
    failure: str | None
    """What went wrong, where requests failed or the server was given up."""


class Loaded(NamedTuple):
    """One point, planned and as it went."""

    planned: PlannedPoint
    load: Load


@dataclass
class Done:
    """The run as it goes, so that a signal finds what was sent."""

    request: ServeRequest
    environment: Environment
    hide: Callable[[str], str]
    """Takes the key out of what a server said."""
    started: datetime = field(default_factory=lambda: datetime.now(tz=UTC))
    facts: ServerFacts = field(default_factory=ServerFacts)
    served_model: str = ""
    settled: Settled | None = None
    loads: list[Loaded] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """What kept the plan from being done."""
    fatal: str | None = None
    """Why the server was left alone."""
    stopped: str | None = None
    """The signal that ended it, in words."""
    points: dict[int, ServePoint] = field(default_factory=dict)

    def point(self, i: int) -> ServePoint:
        """Point `i` as the profile keeps it, read once."""
        if i not in self.points:
            self.points[i] = self._read(*self.loads[i])
        return self.points[i]

    def told(self) -> ServeRun:
        """The profile of what was done, and what went wrong."""
        points = tuple(self.point(i) for i in range(len(self.loads)))
        stated, facts = self.request.stated, self.facts
        counted, prompt_counted = self._counted()
        failure = self._failure(points)
        cut = self._cut(points, failure)
        profile = ServeProfile(
            started=self.started, environment=self.environment, url=self.request.place.url, served_model=self.served_model,
            model=stated.model or guess_model(self.served_model, facts), gpu=stated.gpu, gpus=stated.gpus,
            engine=stated.engine or facts.engine, engine_version=facts.version, weight_dtype=stated.weight_dtype,
            kv_dtype=stated.kv_dtype or facts.kv_dtype, kv_capacity_tokens=stated.kv_capacity_tokens or facts.kv_tokens,
            counted_by=counted, prompt_counted_by=prompt_counted, points=points, budget_s=self.request.budget_s,
            complete=cut is None, cut=cut, notes=self._notes(points),
        )
        return ServeRun(profile, self.stopped is not None, failure)

    def _read(self, planned: PlannedPoint, load: Load) -> ServePoint:
        requests = []
        for fired in load.fired:
            if fired.answer.ended_s is None and fired.answer.problem is None:
                fired.answer.problem = load.ended or self.stopped
            reading = read_answer(fired.answer, self.hide)
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

    def _cut(self, points: Sequence[ServePoint], failure: str | None) -> Cut | None:
        """How it ended early; None where all that was planned was done."""
        planned = self.request.plan.points
        short = [f"{self.loads[i].planned.label}: too few requests in its share of the budget"
                 for i, point in enumerate(points) if not point.complete]
        ended = [*self.ended, *(load.ended for _, load in self.loads if load.ended), *short]
        why = failure or self.stopped or next(iter(ended), None)
        if why is None:
            return None
        whole = sum(p.complete for p in points if p.arrivals == "closed" and p.adapter != "unmerged")
        wanted = sum(p.arrivals == "closed" and not p.adapters for p in planned)
        return Cut(why=why, failed=failure is not None, closed_loops=whole == wanted)

    def _counted(self) -> tuple[Counted, Counted]:
        """Who counted output tokens, and prompt tokens."""
        assert self.settled is not None
        if self.settled.usage:
            return "server usage", "server usage"
        if self.request.count is not None:
            return "tokenizer", "tokenizer"
        return "chunks", "stated"

    def _notes(self, points: Sequence[ServePoint]) -> tuple[str, ...]:
        """What a reader must know of how the profile came about."""
        assert self.settled is not None
        notes = [*self.notes, *([self.stopped] if self.stopped else [])]
        if self._counted() == ("chunks", "stated"):
            notes.append("prompt tokens by the rate that unstreamed answers told" if self.settled.calibrated else
                         "prompt tokens: nobody counts them; a word is taken as one")
        for planned, load in self.loads:
            if load.trimmed:
                sent = f"{len(load.fired)} of {len(planned.requests)} requests"
                notes.append(f"{planned.label}: {sent}, by its share of the budget")
            if load.ended is not None:
                notes.append(f"{planned.label}: {load.ended}")
        late = delay_note([delay for _, load in self.loads for delay in load.delays_s], _shortest_itl_s(points))
        return (*notes, *self.ended, *answer_notes(points), *([late] if late else []))

    def _failure(self, points: Sequence[ServePoint]) -> str | None:
        """What went wrong, in one line; None where nothing did."""
        cut = tuple(filter(None, (self.stopped, *(load.ended for _, load in self.loads if not load.fatal))))
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


def _shortest_itl_s(points: Sequence[ServePoint]) -> float | None:
    """Median ITL of the point where it is shortest."""
    medians = [float(sorted(gaps)[len(gaps) // 2]) for point in points if len(gaps := itl_s(successes(point)))]
    return min(medians, default=None)
