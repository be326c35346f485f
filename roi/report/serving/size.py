"""How `roi size` is told: on a terminal, as Markdown or as JSON.

The plan to rent comes first, everything else with `--full`.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from itertools import accumulate
from operator import itemgetter

from roi.answers.size import Sizing
from roi.answers.size_hours import ALL_DAY, FOR_THE_WORK
from roi.answers.size_plan import FleetPoint, SizedPlan
from roi.economics.decision.alarms import limit_words
from roi.estimate.replay.fleet import HOURS
from roi.estimate.replay.load_curve import LoadPoint, Slo
from roi.report.layout.blocks import Block, Bullets, Gap, Heading, Labelled, Notes, Paragraph, Row, Table, Title, render
from roi.report.layout.wording import (
    correct_first,
    few_slots,
    figure,
    little_free,
    number_of,
    old_prices,
    peak_words,
    percent,
    usd,
)
from roi.report.serving.fleet_words import (
    arrivals,
    busy,
    fleet_words,
    hours_of_work,
    late_api,
    later_load,
    means,
    no_plan,
    of_yours,
    plan_name,
    speed_words,
    too_few_words,
    unsaid_reasoning,
    whose_usd,
)

SCHEMA = "roi.sizing/1"
ENGINE_NAMES = {"tensorrt-llm": "TensorRT-LLM", "sglang": "SGLang", "lmdeploy": "LMDeploy", "llama.cpp-metal": "llama.cpp"}
"""Engines whose own limits replicas have (engine_habits.csv); those of others are vLLM's."""
SEEN = 1.03
"""A router's gain is said from this factor on: what a replica behind it holds, over what one holds alone."""
PLAN_HEADS = (
    "plan, USD per GPU and hour", "alone\nreq/s", "need", "5-95%", "GPUs", "USD\n/month", "TTFT\np95 s", "TPOT\np95 ms", "busy",
)
UNLISTED = (" Not listed: plans that another beats in rent and capacity alike, and those that the closed form puts behind nine"
            " others (candidates.gpus asks for a card).")
"""What `resolution.plans` leaves out of an option's plans."""
KV_FULL = 0.85
"""Share of the KV cache held at the peak from which an engine that evicts is slower than a replay without: a toy that preempts
and computes again had a TPOT p95 of 33.7 ms, not 29.2, at 0.85 of saturation (prompts of 100, answers of 2,000 tokens)."""
MOST_LINES, SHOWN = 40, 5
"""Lines of the short answer on a terminal, and its plans, at most."""
YOURS = "yours: power and space, no rent; what selling the cards would bring is not in it, roi compare counts it"
FLEET_HEADS = ("fleet", "USD\n/month", "TTFT\np50 s", "TTFT\np95 s", "TPOT\np95 ms", "E2E\np95 s", "SLO")


def size_json(sizing: Sizing) -> str:
    """The answer as JSON; seconds, USD, requests/s. A limit that is not set is null."""
    body = {"schema": SCHEMA, **asdict(sizing)}
    body["slo"] = {name: None if value == float("inf") else value for name, value in body["slo"].items()}
    return json.dumps(body, indent=1, allow_nan=False)


def size_blocks(sizing: Sizing, *, full: bool = False) -> Iterable[Block]:
    """The plan to rent, in MOST_LINES of a terminal: with fewer plans, then fewer reasons; with `full` all that is known."""
    if full:
        return (*_lead(sizing, sizing.plans, None), *_details(sizing))
    every = len(dict.fromkeys(sizing.left_out_why))
    shorter = (*((most, every) for most in range(SHOWN, 0, -1)), *((1, why) for why in range(every - 1, -1, -1)))
    told = (tuple(_short(sizing, most, why)) for most, why in shorter)
    return next((blocks for blocks in told if render(blocks).count("\n") < MOST_LINES), tuple(_short(sizing, 1, 0)))


def frontier(sizing: Sizing) -> tuple[tuple[SizedPlan, FleetPoint], ...]:
    """The fleets that no cheaper one beats in E2E p95, the cheapest first."""
    every = sorted(((plan, fleet) for plan in sizing.plans for fleet in plan.fleets),
                   key=lambda each: (each[1].usd_per_month, each[1].load.e2e_p95_s))
    before = accumulate((fleet.load.e2e_p95_s for _, fleet in every), min, initial=float("inf"))
    return tuple(each for each, best in zip(every, before, strict=False) if each[1].load.e2e_p95_s < best)


def _own(sizing: Sizing) -> list[SizedPlan]:
    """The plans on cards that are owned, the cheapest first."""
    return [plan for plan in sizing.plans if plan.owned is not None]


def _lead(sizing: Sizing, shown: tuple[SizedPlan, ...], why: int | None) -> Iterable[Block]:
    """The cheapest plan that holds the SLO, what it does at the peak, and how sure that is; what to know of the plans shown."""
    best = sizing.plans[0]
    yield Title(f"Fleet for {sizing.system}: {sizing.title}")
    if not all(alarm.accepted for alarm in sizing.alarms):  # before any fleet
        yield Labelled("CORRECT FIRST", correct_first(sizing.alarms, "the fleet follows"), "alarm")
    yield from _few_slots(sizing.plans[:1] if why is not None else shown)
    lead = "Cheapest plan that holds" if best.fleet.holds else "No plan holds in a replay of its fleet; the cheapest"
    yield Paragraph(f"{lead}: {fleet_words(sizing, best)}", strong=True)
    yield from _yours(sizing)
    yield from _api_alone(sizing)
    yield from _other_way(sizing)
    yield Notes((_held(sizing), _how_sure(sizing), *_limits(sizing, shown, why)))
    yield from (Gap(), Paragraph(_load(sizing)))


def _short(sizing: Sizing, most: int, why: int) -> Iterable[Block]:
    """The answer with at most so many plans and reasons why cards have none."""
    best, own, shown = sizing.plans[0], _own(sizing), sizing.plans[:most]
    shown = shown if not own or own[0] in shown or most == 1 else (*shown[:-1], own[0])
    yield from (*_lead(sizing, shown, why), Gap())
    rows = ((plan, _plan(plan).cells) for plan in shown)
    yield Table((PLAN_HEADS[0], *PLAN_HEADS[2:]),
                tuple(Row((name, *cells), strong=plan is best) for plan, (name, _, *cells) in rows))
    volume = "the trace's rate" if sizing.trace else "today's volume"
    others = [f"{way.name}{'' if way.gpus else f' ({way.note})'} {way.usd:,.0f}" for way in sizing.ways[1:]]
    paid_so = "all day" if best.runs == ALL_DAY else best.runs
    ways = [f"Other ways than the first plan {paid_so}, USD a month at {volume}: {'; '.join(others)}"] if others else []
    whole = {plan.vendor: plan.gpus_per_instance for plan in shown
             if plan.fleet.gpus > (plan.replicas + plan.spares) * plan.tensor_parallel}
    paid = "".join(f"; {vendor} rents {held} GPUs at a time" for vendor, held in whole.items())
    more = len(sizing.plans) - len(shown)
    plans = f"{number_of(more, 'more plan')}, " if more > 0 else ""
    least = ", serving.replicas_least at least" if best.replicas > best.replicas_unbound else ""
    hold = "keep pace" if sizing.slo == Slo() else "hold the SLO"
    heads = (f"need: the fewest replicas that {hold} at the peak{least}, spares on top, 5-95% over the engine's speed,"
             " ? where no fleet holds; GPUs and USD: with spares,"
             f" in whole instances{paid}{means(best)}{whose_usd(sizing)}; {busy(best)}")
    yield from (Gap(), Notes((
        heads, *([YOURS] if own or sizing.too_few else ()), *ways,
        f"--full: {plans}capacity of a replica, larger and smaller fleets, what this rests on")))


def _few_slots(plans: Iterable[SizedPlan]) -> Iterable[Block]:
    """On which of these plans not all adapters fit at once."""
    held = {f"{p.tensor_parallel} x {p.gpu} {p.weight_dtype}": (p.adapter_slots, float(p.adapters)) for p in plans}
    if told := few_slots(held):
        yield Labelled("!", (told,), "doubt", 2)


def _held(sizing: Sizing) -> str:
    """What the fleet does at the peak and over a day."""
    load, slo, day = sizing.plans[0].fleet.load, sizing.slo, sizing.day
    if sizing.plans[0].runs == FOR_THE_WORK:
        return hours_of_work(sizing, sizing.plans[0])
    ttft, tpot = (f" (SLO {text})" if limit != float("inf") else "" for limit, text in (
        (slo.ttft_p95_s, _s(slo.ttft_p95_s)), (slo.tpot_p95_s, _ms(slo.tpot_p95_s))))
    free = " No SLO: everything can wait." if slo == Slo() else ""
    over = "" if day is None else (f" Over a day busy {percent(day.load.utilisation)} of it,"
                                   f" {percent(day.within_slo)} of the requests within both limits.")
    return (f"At {figure(sizing.hold_requests_per_s)} requests a second, {figure(load.in_flight)} in flight: TTFT p95"
            f" {_s(load.ttft_p95_s)} s{ttft}{_tpot(load, tpot)}, busy {percent(load.utilisation)} of the"
            f" time.{over}{free}")


def _how_sure(sizing: Sizing) -> str:
    """The fleet's rent over the spread of the engine's speed, which plan is cheapest at its slow end, and what it rests on.

    No plan that breaks in its own replay, where others hold.
    """
    best = sizing.plans[0]
    slow = [(p.usd_per_month_slow, p) for p in sizing.plans
            if p.usd_per_month_slow is not None and p.fleet.holds == best.fleet.holds]
    end = f"and no fleet{of_yours(best)} holds" if best.usd_per_month_slow is None else usd(best.usd_per_month_slow)
    ends = f"{usd(best.usd_per_month_fast)} a month where the engine is fast (P95), {end} where it is slow (P5)"
    least, surest = min(slow, key=itemgetter(0), default=(0.0, best))
    other = "" if surest is best else f"; there {surest.replicas_slow} of {plan_name(surest)} cost least, {usd(least)}"
    return f"How sure: {ends}{other}. Speed: {speed_words(best)}"


def _limits(sizing: Sizing, shown: Iterable[SizedPlan], most: int | None) -> Iterable[str]:
    """What does not hold, that the model is untrained, which cards have no plan (at most so many reasons), old prices shown."""
    if sizing.untrained is not None:
        yield f"{sizing.system} is untrained here; tuned it is out: {sizing.untrained}"
    if sizing.in_place_of is not None:
        yield (f"Sized is the tested system that costs least in roi compare; --model {sizing.in_place_of} sizes the scenario's"
               " first.")
    yield from _smaller(sizing)
    yield from (*unsaid_reasoning(sizing), *late_api(sizing), *_full(sizing))
    yield from _broken(sizing, shown)
    yield from _refused(sizing, shown)
    yield from no_plan(sizing, most)
    yield from old_prices({f"{plan.vendor} {plan.gpu}": plan.price_days for plan in shown if plan.owned is None})


def _full(sizing: Sizing) -> Iterable[str]:
    """Says that the first plan's fleet, or its KV cache, has hardly anything free at the peak."""
    if (best := sizing.plans[0]).little_free:
        yield f"{little_free(plan_name(best), best.utilisation_peak)}."
    if (full := best.fleet.kv_full) is not None and full > KV_FULL:
        yield f"KV cache {percent(full)} full at the peak: what is evicted and computed again is not counted."


def _broken(sizing: Sizing, plans: Iterable[SizedPlan]) -> Iterable[str]:
    """Which of these plans break the SLO in a replay of the fleet that the law of several replicas gives them."""
    told = [f"{p.replicas} of {plan_name(p)} (TTFT p95 {_s(p.fleet.load.ttft_p95_s)} s{_tpot(p.fleet.load)})"
            for p in plans if not p.fleet.holds]
    if told:
        yield (f"Broken in a replay of the whole fleet, which roi compare pays for: {', '.join(told)}."
               f" {percent(sizing.headroom)} kept free is too little there.")


def _refused(sizing: Sizing, plans: Iterable[SizedPlan]) -> Iterable[str]:
    """Which share of the requests that were replayed no replica of these plans can hold: of the first plan over the day."""
    share = {f"{p.tensor_parallel} x {p.gpu} {p.weight_dtype}": 1.0 - (
        sizing.day if p is sizing.plans[0] and sizing.day is not None else p.fleet).load.served for p in reversed(list(plans))}
    told = [f"{percent(refused)} on {name}" for name, refused in reversed(share.items()) if refused > 0.0]
    if told:
        yield (f"Requests longer than a replica holds, which it refuses: {', '.join(told)}. They count as slower than the SLO,"
               " as 5% may be.")


def _details(sizing: Sizing) -> Iterable[Block]:
    """All that the short answer leaves out: every plan, the day, ways to run the first one, other fleets, what all rests on."""
    best = sizing.plans[0]
    yield Heading("Plans, cheapest first")
    yield Table(PLAN_HEADS, tuple(map(_plan, sizing.plans)))
    spares = f" GPUs and USD hold {number_of(best.spares, 'spare')} more." if best.spares else ""
    yield Paragraph(
        f"alone: what one replica holds{' at the SLO' * (sizing.slo != Slo())}. need: replicas at the peak behind a router that"
        " picks the emptiest; 5-95%:"
        f" with the engine at the ends of its speed, ? where no fleet holds.{spares} TTFT, TPOT and busy: those replicas under"
        f" the peak, replayed; {busy(best)} (roi compare"
        f" tells the load over what they hold instead){means(best)}{whose_usd(sizing)}.{_exact(best)}"
        f"{_behind(best, trace=sizing.trace is not None)}{UNLISTED if len(sizing.plans) > 1 else ''}")
    if measured := {plan.evidence: plan_name(plan) for plan in sizing.plans if plan.basis == "measured"}:
        others = " The others are estimates." if any(plan.basis != "measured" for plan in sizing.plans) else ""
        yield Paragraph(f"Measured on your server: {'; '.join(f'{name} ({why})' for why, name in measured.items())}.{others}")
    if _own(sizing) or sizing.too_few:
        yield Paragraph(f"{YOURS[0].upper()}{YOURS[1:]}.")
    if sizing.day is not None:
        load, good = sizing.day.load, percent(sizing.day.within_slo)
        moved = " what can wait in its quietest hours," * (sizing.hold_requests_per_s < sizing.peak_requests_per_s)
        yield Paragraph(f"Over a day with the hourly shape,{moved} {best.replicas} of them: TTFT p95 {_s(load.ttft_p95_s)} s"
                        f"{_tpot(load)}, busy {percent(load.utilisation)}; {good} of the requests within both limits.")
    yield from _ways(sizing)
    rows = tuple(Row((
        f"{fleet.replicas} of {plan_name(plan)}", f"{fleet.usd_per_month:,.0f}", _s(fleet.load.ttft_p50_s),
        _s(fleet.load.ttft_p95_s), _ms(fleet.load.tpot_p95_s), _s(fleet.load.e2e_p95_s),
        "broken" if not fleet.holds else "holds" if fleet.replicas >= plan.replicas_unbound else "tight",
    )) for plan, fleet in frontier(sizing))
    yield Heading("Cost against latency: fleets that no cheaper one beats")
    yield Table(FLEET_HEADS if sizing.slo != Slo() else (*FLEET_HEADS[:-1], "load"), rows)
    tight = f" tight: holds, with less than {percent(sizing.headroom)} kept free."
    all_day = "" if best.runs == ALL_DAY else " USD: paid all day."
    yield Paragraph(f"Replicas that serve; spares are paid and idle.{all_day} E2E: until the last token."
                    f"{tight if any(row.cells[-1] == 'tight' for row in rows) else ''}")
    yield from _basis(sizing)


def _behind(plan: SizedPlan, *, trace: bool) -> str:
    """Why fewer replicas are enough than the load over what one holds alone."""
    if trace:
        return " Alone, one meets every burst of the trace by itself: a fleet shares them."
    if plan.pooling < SEEN:
        return ""
    each = plan.alone_requests_per_s * plan.pooling
    return (f" Behind a router each of four {plan.gpu} holds {figure(each)} req/s, not {figure(plan.alone_requests_per_s)}:"
            " requests that crowd one find another empty.")


def _load(sizing: Sizing) -> str:
    """The requests that the fleet must hold."""
    cached = f" ({sizing.cached_tokens:,.0f} cached)" if sizing.cached_tokens >= 1.0 else ""
    lengths = f"prompts of {sizing.prompt_tokens:,.0f} tokens{cached}, {sizing.output_tokens:,.0f} out, means"
    by_bill = "" if figure(sizing.volume_factor) == "1" else f", x {figure(sizing.volume_factor)} volume by the bill in both"
    peak = peak_words(sizing.peak_requests_per_s / sizing.mean_requests_per_s, sizing.busiest_hour, stated=sizing.peak_stated)
    hours = f"; {peak}" if peak else ""
    left = "" if sizing.hold_requests_per_s == sizing.peak_requests_per_s else (
        f", {figure(sizing.hold_requests_per_s)} left to hold after what can wait"
        f"{'' if sizing.waits_hours >= HOURS else f' {figure(sizing.waits_hours)} hours'}")
    several = f" of {sizing.workloads:,.0f} workloads together" * (sizing.workloads > 1.0)
    rate = (f"The trace's {figure(sizing.mean_requests_per_s)} requests a second, its own bursts replayed" if sizing.trace
            else f"Today's peak{several}: {figure(sizing.peak_requests_per_s)} requests a second (mean"
            f" {figure(sizing.mean_requests_per_s)}{by_bill}{hours}){left}")
    return (f"{rate}; {lengths}. {percent(sizing.headroom)} of the requests a second that"
            f" {'a fleet holds' if sizing.slo == Slo() else 'hold the SLO'} are kept free (serving.headroom)."
            f"{_sent_on(sizing)}{later_load(sizing)}")


def _sent_on(sizing: Sizing) -> str:
    """What is too long, and where it goes."""
    found = sizing.sent_on
    return "" if found is None else (
        f" {percent(found.share_of_requests)} of all requests, longer than"
        f" {limit_words(found.longest_tokens, of_context=found.of_context)},"
        f" go to {found.to}: {usd(found.usd_per_month)} a month, in no figure here (candidates.by_length).")


def slo_words(slo: Slo) -> str:
    """The words for the limits: TTFT p95 2.00 s, TPOT p95 50.0 ms."""
    limits = [f"{name} p95 {text}" for name, value, text in (
        ("TTFT", slo.ttft_p95_s, f"{_s(slo.ttft_p95_s)} s"), ("TPOT", slo.tpot_p95_s, f"{_ms(slo.tpot_p95_s)} ms"),
    ) if value != float("inf")]
    return ", ".join(limits) or "none, everything can wait"


def _exact(best: SizedPlan) -> str:
    """How many replicas the load needs before they are rounded up, where that is known, or the scenario asks for more."""
    needed = str(best.replicas_unbound) if best.replicas_exact is None else f"{best.replicas_exact:.2f}"
    if best.replicas > best.replicas_unbound:
        return f" The load needs {needed}, serving.replicas_least asks for {best.replicas}."
    return "" if best.replicas_exact is None else f" The load needs {needed} of the first, rounded up."


def _plan(plan: SizedPlan) -> Row:
    load = plan.fleet.load
    return Row((
        f"{plan_name(plan)} {plan.usd_per_gpu_hour:.3g}", figure(plan.alone_requests_per_s), str(plan.replicas),
        f"{plan.replicas_fast}-{'?' if plan.replicas_slow is None else plan.replicas_slow}", figure(plan.gpus_paid),
        f"{plan.usd_per_month:,.0f}", _s(load.ttft_p95_s), _ms(load.tpot_p95_s), percent(load.utilisation),
    ))


def _ways(sizing: Sizing) -> Iterable[Block]:
    """The ways to run the cheapest plan."""
    if not sizing.ways:
        return
    yield Heading(f"Ways to run {plan_name(sizing.plans[0])}")
    rows = [Row((way.name, figure(way.replicas), figure(way.gpus), f"{way.rent_usd:,.0f}",
                 f"{way.api_usd:,.0f}" if way.api_usd else "-", f"{way.usd:,.0f}"), way.note) for way in sizing.ways]
    yield Table(("a month, USD", "replicas", "GPUs", "rent", "API", "in all"), tuple(rows))


def _api_alone(sizing: Sizing) -> Iterable[Block]:
    """Whether the API alone costs less than every way with a GPU; of a trace, which has no day, than every fleet."""
    api = [way for way in sizing.ways if not way.gpus]
    least = min((way.usd for way in sizing.ways if way.gpus), default=0.0)
    if api and api[0].usd < least:
        other = "every fleet here" if sizing.trace else "every way here with a GPU"
        yield Paragraph(f"The API alone costs less than {other} ({usd(api[0].usd)} against {usd(least)} a month);"
                        " roi compare adds people, platform, retraining, set-up and quality.", strong=True)


def _other_way(sizing: Sizing) -> Iterable[Block]:
    """Where everything can wait, a way with GPUs that costs less than the first plan as it runs here."""
    ways = [way for way in sizing.ways[1:] if way.gpus]
    least = min(ways, key=lambda way: way.usd, default=None)
    if sizing.slo == Slo() and least is not None and least.usd < sizing.plans[0].usd_per_month - 0.5:
        yield Paragraph(f"Cheaper, since everything can wait: {least.name}, {usd(least.usd)} a month ({least.note}).",
                        strong=True)


def _basis(sizing: Sizing) -> Iterable[Block]:
    """What capacity, engine and arrivals rest on."""
    best, measured = sizing.plans[0], sizing.plans[0].basis == "measured"
    defaults = f"{ENGINE_NAMES.get(sizing.engine, 'vLLM')}'s defaults"
    whose = f"as its server showed, else {defaults} for this card" if measured else f"{defaults} for a server on this card"
    whose += ", or as many as its slots for adapters allow" if best.adapter_slots < best.adapters else ""
    engine = (f"engine: {best.step_tokens:,.0f} tokens a step and {best.sequence_limit:,.0f} sequences at most ({whose}); other"
              " limits move TTFT and TPOT against each other.")
    measure = "measure it: roi profile serve URL on your own server replaces the published speed."
    yield Heading("What this rests on")
    capacity = f"capacity: {best.source} ({best.basis})."
    yield Bullets((capacity, engine, arrivals(sizing), *(() if measured else (measure,))))


def _yours(sizing: Sizing) -> Iterable[Block]:
    """Whether the cards that are owned hold the load too, or how many are missing."""
    own = _own(sizing)
    if own and own[0] is not sizing.plans[0] and own[0].fleet.holds:
        yield Paragraph(f"Your own cards hold it too: {fleet_words(sizing, own[0])}", strong=True)
    if sizing.own_infeasible is not None:
        yield Paragraph(f"Your own cards do not hold it: {sizing.own_infeasible}.")
    if not own and sizing.too_few:
        least = min(sizing.too_few, key=lambda plan: plan.fleet.gpus / (plan.owned or 1))
        yield Paragraph(f"Your own cards do not hold it: {too_few_words(least)}.")


def _smaller(sizing: Sizing) -> Iterable[str]:
    """What becomes of the first plan with a replica less."""
    best = sizing.plans[0]
    fewer = [fleet for fleet in best.fleets if fleet.replicas == best.replicas - 1]
    if not fewer:
        return
    load, asked = fewer[0].load, fewer[0].replicas >= best.replicas_unbound
    holds = ("would still hold the SLO (serving.replicas_least asks for more)" if fewer[0].holds and asked
             else f"would still hold the SLO, but with less than {percent(sizing.headroom)} kept free" if fewer[0].holds
             else "would break the SLO" if sizing.slo != Slo() else "would not answer as much as is asked")
    yield (f"A replica less, {best.replicas - 1} in place of {best.replicas}, {holds}: TTFT p95 {_s(load.ttft_p95_s)} s"
           f"{_tpot(load)}, {(queue := figure(load.mean_queue))} request{'s' * (queue != '1')} waiting on average.")


def _s(x: float) -> str:
    return f"{x:.2f}" if x < 10.0 else f"{x:,.0f}"


def _tpot(load: LoadPoint, limit: str = "") -> str:
    """The words for a TPOT, which answers of one token do not have."""
    return f", TPOT p95 {_ms(load.tpot_p95_s)} ms{limit}" if load.tpot_p95_s else ""


def _ms(x: float) -> str:
    return "-" if not x else f"{x * 1e3:.1f}" if x * 1e3 < 100.0 else f"{x * 1e3:,.0f}"
