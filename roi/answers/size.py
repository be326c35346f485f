"""How many replicas keep the SLO at the peak? Each plan's fleet, ways to run it, and cost against latency, replayed.

    FILE --load_scenario--> Scenario --open_case--> Case and its plans
         --the option and its load--> every plan's fleets --> the cheapest plan over a day, and ways to run it
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from roi.answers.opening import open_case, open_trace
from roi.answers.saved import read_saved
from roi.answers.size_hours import FOR_THE_WORK
from roi.answers.size_plan import Day, Load, SizedPlan, replay_day, size_plan
from roi.answers.size_system import sized_option, why_untrained
from roi.answers.size_ways import Way, least_floor, ways, ways_on_trace
from roi.answers.telling import Tell, keep_quiet
from roi.catalog.cards.gpus import find_gpu
from roi.catalog.models.shapes import find_model
from roi.economics.decision.alarms import NO_LOAD, Alarm, read_alarms
from roi.economics.decision.evaluation import alone_from, choose_plan, read_all
from roi.economics.inputs import Array, Option, Shared
from roi.economics.lines.api_bill import service_of_long
from roi.economics.lines.api_request import long_share, without_long
from roi.economics.lines.calendar import committed_share
from roi.economics.lines.line import FarVolume, far_volume, pick, rent_level
from roi.economics.lines.line_kind import LineKind
from roi.economics.lines.option_lines import cost_lines
from roi.economics.lines.self_hosting import waiting
from roi.economics.option_kinds import OWN_HARDWARE
from roi.economics.outlook import unstated_reasoning
from roi.errors import InputError
from roi.estimate.replay.fleet import demand_to_hold
from roi.estimate.replay.load_curve import Slo
from roi.estimate.replay.traffic import Lengths
from roi.facts.model import ModelShape
from roi.resolution.plan_capacity import ENGINE, FleetPlan, slo_of
from roi.resolution.plans import why_no_plan
from roi.resolution.request_lengths import LONGEST, OF_CONTEXT, TOO_LONG, option_lengths
from roi.resolution.resolution import Resolved, resolve
from roi.resolution.training.training_runs import mean_tokens
from roi.scenario.file import load_scenario
from roi.scenario.quantity import value_of
from roi.scenario.scenario import Scenario
from roi.scenario.sections.demand import MOST_TOKENS, Bin
from roi.store.traces import Trace
from roi.units import DAYS_PER_MONTH, SECONDS_PER_DAY

CELLS: Final = 8
"""Parts of a trace's calls by prompt, and each of these by answer, equal in number, for whose lengths plans are sought."""

@dataclass(frozen=True)
class TraceSpan:
    """A trace as it was kept, and how much faster it is replayed."""

    calls: int
    span_s: float
    times: float


@dataclass(frozen=True, kw_only=True)
class ComparedRent:
    """What `roi compare` pays for GPUs of the option that is sized, at the central values."""

    plan: int
    """Which of the plans that are sized it takes, the cheapest over its months."""
    usd_per_month: float
    """Mean rent of the months in which the option serves alone, USD a month."""
    drifted_usd_per_month: float
    """USD a month were the load to stay today's: what the plan costs today, with that rent's drift alone."""


@dataclass(frozen=True)
class Elsewhere:
    """Requests that are too long for the model, or for every replica of it, and go to an API: none of the load is theirs."""

    to: str
    """The API, as the report calls it."""
    longest_tokens: float
    """Prompt and answer, in the model's own tokens, beyond which requests go to the API."""
    of_context: bool
    """True where that is the model's context; False where it is the longest of the lengths known that its cards hold."""
    share_of_requests: float
    usd_per_month: float
    """What the API bills for these requests at today's volume and price, USD a month."""


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """The answer of `roi size`."""

    title: str
    system: str
    option: str
    untrained: str | None
    """Why the tuned model is not what is sized; None where it is, or the scenario tunes none."""
    in_place_of: str | None
    """The first system of the scenario, where another was tested and costs less by `roi compare`; None where it is sized, or
    the one that is sized was asked for."""
    mean_requests_per_s: float
    peak_requests_per_s: float
    """Requests a second at the peak; for a trace its mean rate, since its own bursts are replayed."""
    busiest_hour: float | None
    """Load of the busiest hour over the mean, of hourly_weights; None where hours follow from the peak, and for a trace."""
    peak_stated: bool
    """False where the peak is the busiest hour, or a usual one, times what is assumed within an hour."""
    waits_hours: float
    """Hours within which what can wait is answered; from 24 on within its day."""
    hold_requests_per_s: float
    """What must hold the SLO, before headroom: the peak, less what can wait for a valley."""
    volume_factor: float
    """Factor on the rates: requests by the bill over requests_per_day, the part of its gap that is volume; 1 for a trace."""
    far_volume: FarVolume | None
    """The month of the horizon whose requests are furthest from today's, for which the fleets are; None where none has twice or
    half as many, and for a trace."""
    headroom: float
    fleet_share: float
    """Share of the rent that this workload pays, and of power and space of owned cards; below 1 where others share the base."""
    sent_on: Elsewhere | None
    """None where the replicas take all requests."""
    workloads: float
    """Workloads on the fleet, this one among them: requests a second, replicas and GPUs are those of all, USD this one's."""
    rent_level: float
    """Rent over today's as `roi compare` counts it, centrally, the mean of its months; 1 while a first plan is committed, and
    for one that is owned, whose cost does not drift."""
    compared: ComparedRent | None
    """None where the first plan is on cards that are owned, or for a trace, which `roi compare` does not replay."""
    slo: Slo
    prompt_tokens: float
    cached_tokens: float
    output_tokens: float
    unstated_reasoning_tokens: float
    """A request of today's model, where nobody stated those of the system, which writes none here; 0 elsewhere."""
    trace: TraceSpan | None
    """The trace that is replayed; None for the scenario's traffic."""
    plans: tuple[SizedPlan, ...]
    """Cheapest first, as they run by the scenario; those on cards that are owned at what they cost in power and space. Last
    those whose fleet, found by the law that `roi compare` pays by, breaks the SLO in a replay of its own."""
    too_few: tuple[SizedPlan, ...]
    """Plans on cards that are owned, of which more are needed than there are."""
    own_infeasible: str | None
    """Why no plan on cards that are owned is possible; None where one is, or none are owned."""
    engine: str
    """The engine whose limits the replicas have where no server of the user's was profiled."""
    left_out: tuple[str, ...]
    """Cards that the scenario names and no plan runs on."""
    left_out_why: tuple[str, ...]
    """Why each of these cards is left out: what binds, or that a plan on another card is never dearer."""
    day: Day | None
    """The first plan's; None for a trace, where it runs for the hours of work alone, or where a day has too many requests to
    replay."""
    alarms: tuple[Alarm, ...]
    """What cannot be true in the Case, or was meant and is accepted, as `roi compare` has it."""
    late_api: Mapping[str, float]
    """Limits of the SLO (ttft_p95_s, tpot_p95_s) that the API in `ways` misses, and what was measured of it, s."""
    ways: tuple[Way, ...]
    """Ways to run the first plan: fixed, autoscaled, with spill, with requests that wait; on a trace the fleet, and the API
    alone. Where that plan is rented and cards are owned, a floor on those besides."""


def size_file(
    file: Path | None = None, *, overrides: tuple[str, ...] = (), part: Path | None = None, profiles: Sequence[Path] = (),
    model: str | None = None, trace: Path | None = None, times: float = 1.0, tell: Tell = keep_quiet, status: Tell = keep_quiet,
    cache: bool = True, frontier: bool = True,
) -> Sizing:
    """The fleets of the scenario in `file` (None: the bundled one), with the arrivals of the file `trace` where given."""
    if file is not None and read_saved(file) is not None:
        raise InputError(f"{file} is a saved comparison; size takes a scenario")
    scenario = load_scenario(file, overrides, part, tell=tell)
    arrivals = None if trace is None else open_trace(trace)
    scenario = scenario if arrivals is None else on_trace(scenario, arrivals, times)
    resolved = open_case(scenario, profiles, tell, cache=cache)
    for warning in resolved.warnings:
        if warning.startswith(("profile ", "serving ", "The bill, ", "candidates.spot ")):
            tell(warning)
    return size_service(resolved, model, arrivals, times, status, frontier=frontier)


def size_service(
    resolved: Resolved, model: str | None = None, trace: Trace | None = None, times: float = 1.0, status: Tell = keep_quiet,
    *, frontier: bool = True,
) -> Sizing:
    """The fleets of one self-hosted option of the Case, at today's volume and central values.

    `model` is a system of the Case (qwen3-8b+lora) or a model of candidates.self_hosted; None is the tested one that costs
    least, else the first. With a trace plans are sought by its lengths and its rate, `times` as fast, and its own arrivals are
    replayed; else Poisson arrivals of the scenario's lengths at its peak. `status` hears which plan is being replayed. Without
    `frontier` only fleets that the answer names are: what each plan needs, and a replica less. InputError where no plan holds
    the SLO.
    """
    if trace is not None and (several := resolved.scenario.serving.adapters_on_base) > 1:
        raise InputError(f"--trace holds the calls of one workload, and serving.adapters_on_base puts {several:,} on the fleet,"
                         " whose bursts need not fall together: merge their traces into one, with serving.adapters_on_base: 1"
                         f" and training.adapters: {several}")
    if trace is not None and (scenario := on_trace(resolved.scenario, trace, times)) != resolved.scenario:
        resolved = resolve(scenario, resolved.known)
    shared, options = read_all(resolved.case, resolved.case.values())
    owned = {id: plans for id, plans in resolved.plans.items()
             if options[id].kind == OWN_HARDWARE and plans[0].offer.owned is not None}
    option, in_place_of = sized_option(resolved.case, shared, options, model, owned)
    taken = without_long(shared, option)
    own = f"{OWN_HARDWARE}:{option.system}"
    plans, (mean, peak, load) = resolved.plans.get(option.id, ()), _load(resolved, shared, option, trace, times)
    if trace is not None:
        _check_context(load.traffic.drawn(0), find_model(option.system.partition("+")[0]))
    if option.infeasible is not None and own not in owned:
        mine = f"; on your own: {options[own].infeasible}" if resolved.scenario.cards else (
            f"; the fleet of cards that are bought: roi compare --explain {OWN_HARDWARE}" if own in options else "")
        raise InputError(f"{option.system}: {option.infeasible}{mine}{' (on this trace)' if trace is not None else ''}")
    yours = _one_size(owned.get(own, ()))
    plans, sized, too_few = (*plans, *yours), [], []
    for number, plan in enumerate(plans, start=1):
        replica = f"{plan.serving.tensor_parallel} x {plan.offer.gpu} {plan.serving.weight_dtype}"
        status(f"replaying {replica}, plan {number} of {len(plans)}")
        found = size_plan(plan, shared, option if plan.offer.owned is None else options[own], load, resolved.known,
                          resolved.scenario.as_of, frontier=frontier)
        if found is not None and found.owned is not None and found.fleet.gpus > found.owned:
            too_few.append(found)
        elif found is not None:
            sized.append((found, plan))
    if not sized:
        few = [f"{plan.fleet.gpus} x {plan.gpu} are needed{', spares included' if plan.spares else ''}, {plan.owned} are owned"
               for plan in too_few]
        raise InputError(f"{option.system}: no plan holds the SLO{' on this trace' if trace is not None else ''}"
                         f"{''.join(f'; {each}' for each in few[:1])}")
    sized.sort(key=lambda each: (not each[0].fleet.holds, each[0].usd_per_month))
    best, plan = sized[0]

    def floor(kind: str) -> tuple[Way, ...]:
        id = f"{kind}:{option.system}"
        return least_floor(shared, options, id, resolved.plans.get(id, ()), mean, plan)

    shape, named = load.traffic.shape, dict.fromkeys(find_gpu(name).id for name in resolved.scenario.candidates.gpus)
    left_out = tuple(name for name in named if name not in {found.gpu for found, _ in sized})
    return Sizing(
        title=resolved.scenario.title, system=option.system, option=option.id, untrained=why_untrained(options, option),
        in_place_of=in_place_of,
        mean_requests_per_s=mean, peak_requests_per_s=peak, waits_hours=shared.waits_hours,
        hold_requests_per_s=load.requests_per_s,
        busiest_hour=float(np.max(shared.load_curve)) if resolved.scenario.workload.hourly_weights else None,
        peak_stated=resolved.scenario.workload.peak_to_mean is not None,
        volume_factor=1.0 if trace is not None else float(shared.volume_factor),
        far_volume=None if trace is not None else far_volume(shared),
        headroom=float(option.headroom), fleet_share=float(option.fleet_share), workloads=float(option.workloads), slo=load.slo,
        sent_on=_sent_on(resolved, shared, option, options),
        rent_level=float(np.mean(_rent_levels(shared, option, plan))) if best.owned is None else 1.0,
        compared=None if trace is not None or best.owned is not None else _compared(
            shared, options, option, resolved.plans[option.id], sized),
        prompt_tokens=float(shape.uncached_tokens + shape.cached_tokens),
        cached_tokens=float(shape.cached_tokens), output_tokens=float(shape.output_tokens),
        unstated_reasoning_tokens=0.0 if trace is not None else unstated_reasoning(resolved.case, option.id),
        trace=None if trace is None else TraceSpan(trace.arrival_s.size, float(trace.arrival_s[-1]), times),
        plans=tuple(found for found, _ in sized), too_few=tuple(too_few),
        own_infeasible=options[own].infeasible if resolved.scenario.cards and own not in owned else None,
        engine=plan.serving.engine or ENGINE,
        alarms=tuple(alarm for alarm in read_alarms(resolved.case.values()) if alarm.name not in NO_LOAD),
        left_out=left_out, left_out_why=tuple(
            "no fleet of it holds the SLO" if name in {plan.offer.gpu for plan in plans} else
            why_no_plan(resolved.scenario, resolved.known, resolved.case.facts, option, name)
            for name in left_out),
        day=None if trace is not None or best.runs == FOR_THE_WORK else replay_day(
            plan, load, best.replicas, mean, shared.load_curve, float(waiting(shared, option))),
        late_api=_late_api(resolved, options, option.system, load.slo),
        ways=ways_on_trace(taken, options, option.system, best, mean) if trace is not None
        else ways(taken, options, options[own], plan, mean, floor("hybrid-own")) if best.owned is not None
        else (*ways(taken, options, option, plan, mean, floor("hybrid")), *floor("hybrid-own")),
    )


def on_trace(scenario: Scenario, trace: Trace, times: float) -> Scenario:
    """The scenario with the lengths of a trace, in CELLS x CELLS cells, at its rate, without another peak.

    What it trains stays. The stated prefix is found as often as gives the trace's cached tokens; one that is shorter than
    those, or longer than the trace's prompts, is not the trace's: then every call finds what is cached. What a scenario says
    of the cache of own servers gives way to that. InputError where a call is longer than any scenario's.
    """
    for name, tokens in (("input_tokens", trace.input_tokens), ("output_tokens", trace.output_tokens)):
        if tokens.max() > MOST_TOKENS:
            raise InputError(f"--trace: {name} {tokens.max():,.0f} is not usable; at most {MOST_TOKENS:,.0f}")
    by_prompt = np.array_split(np.argsort(trace.input_tokens, kind="stable"), CELLS)
    by_both = (cell for row in by_prompt for cell in np.array_split(
        row[np.argsort(trace.output_tokens[row], kind="stable")], CELLS) if cell.size)
    lengths = tuple(Bin(input_tokens=float(np.mean(trace.input_tokens[cell])), share=cell.size / trace.input_tokens.size,
                        output_tokens=float(np.mean(trace.output_tokens[cell]))) for cell in by_both)
    w, t, cached = scenario.workload, scenario.training, float(np.mean(np.minimum(trace.cached_tokens, trace.input_tokens)))
    stated = value_of(w.shared_prefix_tokens)
    prefix = stated if cached <= stated <= np.mean(trace.input_tokens) else cached
    workload = w.model_copy(update={
        "requests_per_day": trace.requests_per_s * times * SECONDS_PER_DAY, "peak_to_mean": 1.0, "hourly_weights": None,
        "lengths": lengths, "input_tokens": None, "output_tokens": None, "shared_prefix_tokens": prefix,
        "cache_hit_rate": cached / prefix if prefix else 0.0})
    training = t.model_copy(update={"tokens_per_example": t.tokens_per_example or mean_tokens(scenario)})
    serving = scenario.serving.model_copy(update={"prefix_hit_rate": None})
    return scenario.model_copy(update={"workload": workload, "training": training, "serving": serving})


def _compared(
    shared: Shared, options: Mapping[str, Option], option: Option, plans: Sequence[FleetPlan],
    sized: Sequence[tuple[SizedPlan, FleetPlan]],
) -> ComparedRent | None:
    """What `roi compare` pays for GPUs of the option, whose plans are `plans`; None where it cannot work, or none is sized."""
    chosen = choose_plan(shared, option, options)
    if option.infeasible is not None or chosen.plan is None:
        return None
    taken = plans[option.plans.index(chosen.plan)]
    at = next((k for k, (_, plan) in enumerate(sized) if plan is taken), None)
    if at is None:
        return None
    lines, first = cost_lines(shared, chosen, options).lines, alone_from(chosen, shared.horizon)
    rent = sum((line.monthly for line in lines if line.kind is LineKind.RENT), np.zeros(shared.horizon))
    level = float(np.mean(_rent_levels(shared, option, taken)[first:]))
    return ComparedRent(plan=at, usd_per_month=float(np.mean(rent[first:])),
                        drifted_usd_per_month=sized[at][0].usd_per_month * level)


def _sent_on(resolved: Resolved, shared: Shared, option: Option, options: Mapping[str, Option]) -> Elsewhere | None:
    """What is too long for the option, and what the API that takes it bills at today's volume."""
    if option.long_to is None:
        return None
    share, to = float(long_share(shared, option)), service_of_long(shared, option, options[option.long_to])
    requests = float(shared.requests_per_day * shared.volume_factor) * DAYS_PER_MONTH * share
    longest, of_context = (resolved.case[path.format(option=option.id)] for path in (LONGEST, OF_CONTEXT))
    return Elsewhere(to=to.option.label, longest_tokens=longest.number(), of_context=bool(of_context.value),
                     share_of_requests=share, usd_per_month=requests * pick(to.cost.usd) * pick(to.price))


def _late_api(resolved: Resolved, options: Mapping[str, Option], system: str, slo: Slo) -> dict[str, float]:
    """Limits that the API misses to which a floor of this system spills, and what the scenario says was measured of it."""
    hybrid, facts = options.get(f"hybrid:{system}"), resolved.case.facts
    if hybrid is None or (vendor := facts.get(f"options.{hybrid.spills_to}.vendor")) is None:
        return {}
    found = {name: facts.get(f"apis.{vendor.value}.{name}") for name in asdict(slo)}
    return {name: fact.number() for name, fact in found.items() if fact is not None and fact.number() > getattr(slo, name)}


def _rent_levels(shared: Shared, option: Option, plan: FleetPlan) -> Array:
    """Rent of a plan that is rented over today's, by month: as it drifts, and 1 while a commitment runs."""
    bound = committed_share(option.months_to_live, plan.offer.minimum_months, shared.horizon)
    return np.asarray(bound + (1.0 - bound) * rent_level(shared))


def _check_context(calls: Lengths, shape: ModelShape) -> None:
    """InputError where more than TOO_LONG of a trace's calls are longer than the model's context."""
    over = float(np.mean(calls.uncached_tokens + calls.cached_tokens + calls.output_tokens > shape.context_tokens))
    if over > TOO_LONG:
        raise InputError(f"--trace: {over:.0%} of the calls do not fit the context of {shape.id}, {shape.context_tokens:,}"
                         " tokens with the answer")


def _one_size(plans: Sequence[FleetPlan]) -> list[FleetPlan]:
    """Each replica on cards that are owned once, in the smallest server, which leaves the fewest cards over."""
    found: dict[tuple[str, int, str], FleetPlan] = {}
    for plan in sorted(plans, key=lambda plan: -plan.offer.gpus_per_instance):
        found[plan.offer.gpu, plan.serving.tensor_parallel, plan.serving.weight_dtype] = plan
    return list(found.values())


def _load(
    resolved: Resolved, shared: Shared, option: Option, trace: Trace | None, times: float,
) -> tuple[float, float, Load]:
    """Mean and peak requests/s, and the load that must hold the SLO: of the trace where there is one, else of the scenario."""
    slo = slo_of(resolved.scenario)
    if trace is not None:
        tokens = option.tokens
        seen = trace.seen_as(float(tokens.ratio), float(tokens.output_ratio), float(tokens.reasoning_tokens))
        longest = resolved.case.facts.get(LONGEST.format(option=option.id))
        seen = seen if longest is None else seen.within(longest.number())
        mean = seen.requests_per_s * times
        return mean, mean, Load(traffic=seen.at(times), requests_per_s=mean, mean_requests_per_s=mean, slo=slo, is_trace=True)
    taken = 1.0 - long_share(shared, option)
    mean = float(shared.requests_per_day * shared.volume_factor * option.workloads * taken) / SECONDS_PER_DAY
    peak = float(mean * shared.peak_to_mean)
    hold = float(demand_to_hold(peak, mean, waiting(shared, option)))
    lengths = option_lengths(resolved.case.facts, option.id, option.system)
    return mean, peak, Load(traffic=lengths, requests_per_s=hold, mean_requests_per_s=mean, slo=slo, is_trace=False)
