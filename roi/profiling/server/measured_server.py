"""A running server, measured from outside: asked what it is, probed, loaded point by point, told as a profile."""

import asyncio
from collections.abc import Sequence
from math import inf
from time import perf_counter
from typing import Final

from roi.estimate.replay.metrics import point_metrics
from roi.profiling.progress import Watcher
from roi.profiling.server.dialect import failure
from roi.profiling.server.http_client import HttpClient
from roi.profiling.server.load import Allowance, Limits, Load, ScheduledRequest
from roi.profiling.server.load_design import PlannedPoint, open_rate, planned_seconds
from roi.profiling.server.probe import Prober, ProbeResult, Prompts
from roi.profiling.server.server_facts import ask_server, choose_served, unknown_model, unlisted
from roi.profiling.server.server_run import RunRecord, ServeRequest, ServeRun
from roi.profiling.stops import Stops

DRAIN_SHARE: Final = 0.1
"""Part of a point's share of the budget that is kept for requests in flight when sending stops."""


def profile_serve(request: ServeRequest, watcher: Watcher, stops: Stops | None = None) -> ServeRun:
    """The profile of a server under the planned loads; the budget holds for all of it.

    Sends what the plan says, before it at most PROBES requests and QUESTIONS questions, all to one endpoint. Where
    the server fails, the budget ends or a signal comes (Ctrl-C, or what `stops` hears of), what was measured is kept and marked
    incomplete. A server that cannot be loaded at all is a RoiError; a signal before the first load is passed on.
    """
    stops = stops or Stops()
    run = _Run(request, watcher, stops)
    try:
        asyncio.run(run.measure())
    except (KeyboardInterrupt, asyncio.CancelledError):
        if not run.record.loads:
            raise stops.error() from None
        stops.finish()
        run.record.stopped = stops.why
    return run.record.make_run()


class _Run:
    """A run on one server: what it needs from its first question to its last load, and the record of it."""

    def __init__(self, request: ServeRequest, watcher: Watcher, stops: Stops) -> None:
        self.request, self.watcher, self.stops = request, watcher, stops
        self.client = HttpClient(request.endpoint, request.key)
        self.prompts = Prompts(request.seed, request.count)
        plan = request.plan
        self.allowance = Allowance(plan.requests, plan.most_prompt_tokens, plan.output_tokens)
        self.record = RunRecord(request, self.client.hide)

    async def measure(self) -> None:
        """Ask the server, probe it, and put one load after the other on it."""
        end_s = perf_counter() + self.request.budget_s
        try:
            probed = await self._prepare()
            self._warn_where_short(probed, end_s - perf_counter())
            self._guard()
            waiting = list(self.request.plan.points)
            weights = [_weight(point, waiting) for point in waiting]
            for i, planned in enumerate(waiting):
                left_s = end_s - perf_counter()
                if left_s <= 0.0:
                    self.record.ended.append(f"the budget ended before {len(waiting) - i} of {len(waiting)} points")
                    break
                share_s = left_s * weights[i] / sum(weights[i:])
                shares = (sum(weights[:i]) / sum(weights), sum(weights[: i + 1]) / sum(weights))
                load = await self._measure(planned, probed, share_s, end_s, shares)
                if load is not None:
                    self.watcher.done(f"{i + 1} of {len(waiting)}: {_summary(load)}")
                if self.record.fatal is not None:
                    break
            self.stops.finish()
        finally:
            self.client.close()

    def _guard(self) -> None:
        """Have signals cancel this task from here on, as asyncio does on Ctrl-C: none raises in the midst of a callback."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def end() -> None:
            task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # wakes a loop that waits for a socket

        self.stops.guard(end)

    async def _prepare(self) -> ProbeResult:
        """Ask the server what it is, find out how to ask it for tokens, calibrate the prompts."""
        request, record = self.request, self.record
        self.watcher.say(f"asking {request.endpoint.url}")
        record.facts = facts = await ask_server(self.client)
        record.served_model = choose_served(request.served_model, facts, request.adapters)
        for name in request.adapters:
            if facts.models and name not in facts.models:
                raise unknown_model(name, facts, "", "--adapters")
        wait_s = min(request.timeout_s, request.budget_s)
        record.probed = probed = await Prober(self.client, record.served_model, facts, self.prompts, wait_s).probe()
        if told := unlisted(record.served_model, facts):
            record.notes.append(told)
        shortest = min(planned.input_tokens for planned in request.plan.points)
        if self.prompts.least > shortest:
            least, fixed = self.prompts.least, self.prompts.fixed
            record.notes.append(f"no prompt has less than {least} tokens; the server adds {fixed:.0f}")
        if not probed.dialect.keeps_length:
            record.notes.append("the server takes neither ignore_eos nor min_tokens: answers may be shorter than asked")
        return probed

    def _warn_where_short(self, probed: ProbeResult, left_s: float) -> None:
        """Warn where lone short requests at the pace of the probes would not be done in time.

        That is the least: steps of more sequences and longer contexts take longer, and prompts their own time. How much
        longer no probe tells (1.3 to 25 times on the servers of the tests), so that nothing is said where the least fits.
        """
        if probed.tpot_s is None or not probed.dialect.keeps_length:
            return
        least_s = planned_seconds(self.request.plan, probed.tpot_s, inf)
        if least_s > left_s:
            self.watcher.warn(
                f"at the pace of the first requests ({1e3 * probed.tpot_s:.3g} ms a token) this plan takes at least "
                f"{least_s:,.1f} s; the budget of {self.request.budget_s:g} s then trims its loads: raise --budget, or send "
                "less (--requests, --concurrency)")

    async def _measure(self, planned: PlannedPoint, probed: ProbeResult, share_s: float, end_s: float,
                       shares: tuple[float, float]) -> Load | None:
        """The load of one point, which is in the record from its start on; None where it has no rate."""
        if planned.arrivals != "closed" and planned.rate is None:
            rate = self._open_rate()
            if rate is None:
                self.record.ended.append("no open loop: no closed loop told a rate for it")
                return None
            planned = planned.at_rate(rate)
        requests = self._schedule(planned, probed)
        await self.client.open(planned.concurrency or max(one.concurrency or 1 for one in self.request.plan.points))
        now_s = perf_counter()
        stop_s = now_s + share_s * (1.0 - DRAIN_SHARE)
        limits = Limits(stop_s, end_s, self.request.timeout_s, self.request.stall_s)
        load = Load(planned, self.client, probed.dialect.path, limits, self.allowance, self.watcher, shares)
        self.record.loads.append(load)
        if planned.concurrency is not None:
            await load.closed(requests, planned.concurrency)
        else:
            await load.open(requests)
        if load.fatal:
            self.record.fatal = load.ended
        return load

    def _schedule(self, planned: PlannedPoint, probed: ProbeResult) -> list[ScheduledRequest]:
        """The requests of a point, ready to be sent, so that nothing is made while they run."""
        dialect, names = probed.dialect, self.request.adapters[: planned.adapters]
        requests = []
        for i, one in enumerate(planned.requests):
            prompt = self.prompts.make(one.input_tokens)
            model = names[i % len(names)] if names else None
            body = dialect.body(model or self.record.served_model, prompt.text, one.output_tokens)
            requests.append(ScheduledRequest(body, prompt.tokens, one.output_tokens, one.at_s, model))
        return requests

    def _open_rate(self) -> float | None:
        """The rate of the open loop, from the closed loops with most in flight; None where they tell none."""
        closed = [(load.planned.concurrency, self.record.point(i)) for i, load in enumerate(self.record.loads)
                  if load.planned.concurrency and not load.planned.adapters]
        most = max((level for level, _ in closed), default=0)
        told = [point_metrics(point, 1.0, 1.0).requests_per_s for level, point in closed if level == most]
        rates = [rate for rate in told if rate]
        return open_rate(rates) if rates else None


def _summary(load: Load) -> str:
    """A load that has ended, in a line."""
    sent, good = len(load.sent), sum(failure(one.answer, str) is None for one in load.sent)
    counts = f"{sent:,} request{'s' if sent != 1 else ''}{f', {good:,} succeeded' if good < sent else ''}"
    return f"{load.planned.label}: {counts}, {perf_counter() - load.origin_s:.1f} s"


def _weight(point: PlannedPoint, points: Sequence[PlannedPoint]) -> float:
    """Work of a point against others': tokens one after another, and the prompts that go with them at a tenth of that each.

    Prompt tokens are computed many at a time: a lone prompt of 1,000 takes about as long as some tens of output tokens.
    """
    most = max((one.concurrency or 1 for one in points), default=1)
    side_by_side = point.concurrency or max(0.6 * most, 1.0)
    return point.asked_tokens / side_by_side + point.prompt_tokens / 100.0
