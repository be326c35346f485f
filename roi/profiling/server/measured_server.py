"""A running server, measured from outside: asked what it is, probed, loaded point by point, told as a profile."""

import asyncio
from collections.abc import Sequence
from math import inf
from time import perf_counter
from typing import Final

from roi.estimate.replay.metrics import point_metrics
from roi.profiling.host.processor import client_environment
from roi.profiling.progress import Watcher
from roi.profiling.server.dialect import failure
from roi.profiling.server.load import Allowance, Limits, Load, Shot
from roi.profiling.server.load_design import PlannedPoint, open_rate, planned_seconds
from roi.profiling.server.probe import Prober, Settled
from roi.profiling.server.prompts import Prompts
from roi.profiling.server.server_facts import ask_server, choose_served, unknown_model
from roi.profiling.server.server_request import ServeRequest
from roi.profiling.server.server_run import Done, Loaded, ServeRun
from roi.profiling.server.wire import Wire
from roi.profiling.stops import Stops

DRAIN_SHARE: Final = 0.1
"""Part of a point's share of the budget that is kept for requests in flight when sending stops."""


def profile_serve(request: ServeRequest, watcher: Watcher, stops: Stops | None = None) -> ServeRun:
    """The profile of a server under the planned loads; the budget holds for all of it.

    Sends what the plan says, before it at most PROBES requests and serve_facts.QUESTIONS questions, all to one place. Where
    the server fails, the budget ends or a signal comes (Ctrl-C, or what `stops` hears of), what was measured is kept and marked
    incomplete. A server that cannot be loaded at all is a RoiError; a signal before the first load is passed on.
    """
    stops = stops or Stops()
    work = _Work(request, watcher, stops)
    try:
        asyncio.run(work.run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        if not work.done.loads:
            raise stops.error() from None
        stops.over()
        work.done.stopped = stops.why
    return work.done.told()


class _Work:
    """The run as it goes."""

    def __init__(self, request: ServeRequest, watcher: Watcher, stops: Stops) -> None:
        self.request, self.watcher, self.stops = request, watcher, stops
        self.wire = Wire(request.place, request.key)
        self.prompts = Prompts(request.seed, request.count)
        plan = request.plan
        self.allowance = Allowance(plan.requests, plan.most_prompt_tokens, plan.output_tokens)
        self.done = Done(request, client_environment(request.seed), self.wire.hide)

    async def run(self) -> None:
        """Everything, in order."""
        end_s = perf_counter() + self.request.budget_s
        try:
            settled = await self._prepare()
            self._foresee(settled, end_s - perf_counter())
            self._guard()
            waiting = list(self.request.plan.points)
            weights = [_weight(point, waiting) for point in waiting]
            for i, planned in enumerate(waiting):
                left_s = end_s - perf_counter()
                if left_s <= 0.0:
                    self.done.ended.append(f"the budget ended before {len(waiting) - i} of {len(waiting)} points")
                    break
                share_s = left_s * weights[i] / sum(weights[i:])
                shares = (sum(weights[:i]) / sum(weights), sum(weights[: i + 1]) / sum(weights))
                loaded = await self._measure(planned, settled, share_s, end_s, shares)
                if loaded is not None:
                    self.watcher.done(f"{i + 1} of {len(waiting)}: {_summary(loaded)}")
                if self.done.fatal is not None:
                    break
            self.stops.over()
        finally:
            self.wire.close()

    def _guard(self) -> None:
        """From here on a signal cancels this task, as asyncio does on Ctrl-C: nothing is raised in the midst of a callback."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def end() -> None:
            task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # wakes a loop that waits for a socket

        self.stops.guard(end)

    async def _prepare(self) -> Settled:
        """Ask the server what it is, settle how to ask it, calibrate the prompts."""
        request, done = self.request, self.done
        self.watcher.say(f"asking {request.place.url}")
        done.facts = facts = await ask_server(self.wire)
        done.served_model = choose_served(request.served_model, facts, request.adapters)
        for name in request.adapters:
            if facts.models and name not in facts.models:
                raise unknown_model(name, facts, "", "--adapters")
        wait_s = min(request.timeout_s, request.budget_s)
        done.settled = settled = await Prober(self.wire, done.served_model, facts, self.prompts, wait_s).settle()
        shortest = min(planned.input_tokens for planned in request.plan.points)
        if self.prompts.least > shortest:
            done.notes.append(f"no prompt has less than {self.prompts.least} tokens; the server adds {self.prompts.fixed:.0f}")
        if not settled.dialect.keeps_length:
            done.notes.append("the server takes neither ignore_eos nor min_tokens: answers may be shorter than asked")
        return settled

    def _foresee(self, settled: Settled, left_s: float) -> None:
        """Warn where lone short requests at the pace of the probes would not be done in time.

        That is the least: steps of more sequences and longer contexts take longer, and prompts their own time. How much
        longer no probe tells (1.3 to 25 times on the servers of the tests), so that nothing is said where the least fits.
        """
        if settled.tpot_s is None or not settled.dialect.keeps_length:
            return
        least_s = planned_seconds(self.request.plan, settled.tpot_s, inf)
        if least_s > left_s:
            self.watcher.warn(
                f"at the pace of the first requests ({1e3 * settled.tpot_s:.3g} ms a token) this plan takes at least "
                f"{least_s:,.1f} s; the budget of {self.request.budget_s:g} s then trims its loads: raise --budget, or send "
                "less (--requests, --concurrency)")

    async def _measure(self, planned: PlannedPoint, settled: Settled, share_s: float, end_s: float,
                       shares: tuple[float, float]) -> Loaded | None:
        """One point, which is in `done` from its start on; None where it has no rate."""
        if planned.arrivals != "closed" and planned.rate is None:
            rate = self._open_rate()
            if rate is None:
                self.done.ended.append("no open loop: no closed loop told a rate for it")
                return None
            planned = planned.at_rate(rate)
        shots = self._shots(planned, settled)
        await self.wire.open(planned.concurrency or max(one.concurrency or 1 for one in self.request.plan.points))
        now_s = perf_counter()
        stop_s = now_s + share_s * (1.0 - DRAIN_SHARE)
        limits = Limits(stop_s, end_s, self.request.timeout_s, self.request.stall_s)
        load = Load(self.wire, settled.dialect.path, limits, self.allowance, self.watcher, planned.label, shares)
        loaded = Loaded(planned, load)
        self.done.loads.append(loaded)
        if planned.concurrency is not None:
            await load.closed(shots, planned.concurrency)
        else:
            await load.open(shots)
        if load.fatal:
            self.done.fatal = load.ended
        return loaded

    def _shots(self, planned: PlannedPoint, settled: Settled) -> list[Shot]:
        """The requests of a point, ready to be sent, so that nothing is made while they run."""
        dialect, names = settled.dialect, self.request.adapters[: planned.adapters]
        shots = []
        for i, one in enumerate(planned.requests):
            prompt = self.prompts.make(one.input_tokens)
            model = names[i % len(names)] if names else None
            body = dialect.body(model or self.done.served_model, prompt.text, one.output_tokens)
            shots.append(Shot(body, prompt.tokens, one.output_tokens, one.at_s, model))
        return shots

    def _open_rate(self) -> float | None:
        """The rate of the open loop, from the closed loops with most in flight; None where they tell none."""
        closed = [(planned.concurrency, self.done.point(i)) for i, (planned, _) in enumerate(self.done.loads)
                  if planned.concurrency and not planned.adapters]
        most = max((level for level, _ in closed), default=0)
        told = [point_metrics(point, 1.0, 1.0).requests_per_s for level, point in closed if level == most]
        rates = [rate for rate in told if rate]
        return open_rate(rates) if rates else None


def _summary(loaded: Loaded) -> str:
    """A point that is over, in a line."""
    planned, load = loaded
    sent, good = len(load.fired), sum(failure(fired.answer) is None for fired in load.fired)
    counts = f"{sent:,} request{'s' if sent != 1 else ''}{f', {good:,} succeeded' if good < sent else ''}"
    return f"{planned.label}: {counts}, {perf_counter() - load.origin_s:.1f} s"


def _weight(point: PlannedPoint, points: Sequence[PlannedPoint]) -> float:
    """Work of a point against others': tokens one after another, and the prompts that go with them at a tenth of that each.

    Prompt tokens are computed many at a time: a lone prompt of 1,000 takes about as long as some tens of output tokens.
    """
    most = max((one.concurrency or 1 for one in points), default=1)
    side_by_side = point.concurrency or max(0.6 * most, 1.0)
    return point.asked_tokens / side_by_side + point.prompt_tokens / 100.0
