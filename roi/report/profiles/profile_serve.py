"""How `roi profile serve` is told: before anything is sent, the plan of its loads; then what each load showed.

After the loads' latency, throughput and goodput stands the engine step that is fitted on them: its coefficients beside the
roofline, and how it predicts a load that it has not seen.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from roi.estimate.replay.held_out import HoldOut
from roi.estimate.replay.metrics import PointMetrics, point_metrics
from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.step_fit import NAMES, Coefficient, CoefficientSum
from roi.evidence.measured_servers import ServeFit, unused
from roi.facts.serve_profile import ServePoint, ServeProfile
from roi.profiling.server.load_design import PROBE_TOKENS, PROBES, PROMPT_RATE, STEP_S, ServePlan, planned_seconds
from roi.profiling.server.server_facts import QUESTIONS
from roi.report.layout.blocks import Block, Gap, Notes, Paragraph, Row, Table, render
from roi.report.layout.wording import from_to, span
from roi.report.profiles.shared_remarks import BUSY, INCOMPLETE, kept_blocks, profile_text
from roi.units import formatted

SCHEMA, PLAN_SCHEMA = "roi.serve/1", "roi.serve-plan/1"
HEADS = ("load", "in/out", "n", "err", "TTFT ms", "TPOT ms", "ITL ms", "tok/s", "req/s", "good")
PLAN_HEADS = ("load", "in", "out", "requests", "prompt tokens", "output tokens")

LEAST_SCATTER = 0.02
"""The scatter of whole points is told from this value on."""
UNITS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("ps", 1e-12))
"""Units of time, largest first."""


def plan_text(plan: ServePlan, url: str, budget_s: float, *, key: bool) -> str:
    """What will be sent, and at most how much of it; `key` is true where a key goes with it."""
    rows = [Row((f"{point.load}, {point.adapters} lora" if point.adapters else point.load, f"{point.input_tokens:,}",
                 f"{point.output_tokens:,}", f"{len(point.requests):,}", f"{point.prompt_tokens:,}", f"{point.asked_tokens:,}"))
            for point in plan.points]
    rows.append(Row(("all", "", "", f"{plan.requests:,}", f"{plan.prompt_tokens:,}", f"{plan.output_tokens:,}"), strong=True))
    about_s = planned_seconds(plan)
    trims = ": the budget would then trim the loads" if about_s > budget_s else ""
    remarks = [
        f"all to {url}{', with a key' if key else ''}; nothing is sent elsewhere, and no redirect is followed",
        (f"before: {QUESTIONS} questions about the server (GET) and {PROBES} requests of {PROBE_TOKENS} output tokens at most, "
         f"{plan.probe_words:,} words together"),
        f"at most {plan.most_prompt_tokens:,} prompt tokens: words are counted into tokens by what the server says",
        (f"time: at most {span(budget_s)} (--budget), then it stops; about {span(about_s)} at "
         f"{STEP_S * 1e3:.0f} ms a step and {PROMPT_RATE:,.0f} prompt tokens a second{trims}"),
    ]
    if any(point.arrivals == "poisson" and point.rate is None for point in plan.points):
        remarks.append("poisson: at 60% of the rate that the closed loops reach; a fit does not see it")
    return render((Table(PLAN_HEADS, tuple(rows), align=""), Gap(), Notes(tuple(remarks))))


def plan_json(plan: ServePlan, url: str, budget_s: float, *, key: bool) -> str:
    """The planned loads as JSON text."""
    return json.dumps({
        "schema": PLAN_SCHEMA, "url": url, "key": key, "budget_s": budget_s, "about_s": planned_seconds(plan),
        "points": [{
            "arrivals": point.arrivals, "concurrency": point.concurrency, "requests_per_s": point.rate,
            "input_tokens": point.input_tokens, "output_tokens": point.output_tokens, "requests": len(point.requests),
            "prompt_tokens": point.prompt_tokens, "asked_tokens": point.asked_tokens, "adapters": point.adapters,
        } for point in plan.points],
        "requests": plan.requests, "prompt_tokens": plan.prompt_tokens, "most_prompt_tokens": plan.most_prompt_tokens,
        "output_tokens": plan.output_tokens, "before": {"questions": QUESTIONS, "requests": PROBES,
                                                        "output_tokens": PROBES * PROBE_TOKENS, "words": plan.probe_words},
    }, indent=1)


def serve_text(profile: ServeProfile, fitted: ServeFit, most_ttft_s: float, most_tpot_s: float, file: Path | None) -> str:
    """The report for a terminal; `most_ttft_s` and `most_tpot_s` are the limits of goodput."""
    told = _metrics(profile, most_ttft_s, most_tpot_s)
    table = Table(HEADS, tuple(Row(_point_cells(point, found)) for point, found in told), align="") if told else (
        Paragraph("no load was measured"))
    remarks = _remarks(profile, [found for _, found in told], most_ttft_s, most_tpot_s)
    why = unused(profile, fitted.fit)
    used = f"nothing from it: {'; '.join(why)}" if why else (
        f"the step from it for {profile.model} {profile.weight_dtype} on {profile.gpus} x {profile.gpu}, and one speed for"
        " other plans on that card")
    after = () if file is None else (*kept_blocks(file), Notes((f"roi size and roi compare take {used}",)))
    return profile_text(_title(profile), [table], remarks, (Gap(), *step_fit_blocks(fitted), *after))


def serve_json(profile: ServeProfile, fitted: ServeFit, most_ttft_s: float, most_tpot_s: float, file: Path | None) -> str:
    """The measured loads as JSON text, SI units; every request with its timestamps is in the profile's file."""
    head = profile.model_dump(mode="json", exclude={"points", "kind", "schema_"})
    return json.dumps({
        "schema": SCHEMA, **head, "slo": {"ttft_s": most_ttft_s, "tpot_s": most_tpot_s},
        "points": [{**point.model_dump(mode="json", exclude={"requests"}), "requests": len(point.requests), **asdict(found)}
                   for point, found in _metrics(profile, most_ttft_s, most_tpot_s)],
        "step": step_fit_body(fitted), "unused": list(unused(profile, fitted.fit)), "file": str(file) if file else None,
    }, indent=1, allow_nan=False)


def _metrics(profile: ServeProfile, most_ttft_s: float, most_tpot_s: float) -> list[tuple[ServePoint, PointMetrics]]:
    return [(p, point_metrics(p, most_ttft_s, most_tpot_s, ends_only=profile.ends_only)) for p in profile.points]


def _title(profile: ServeProfile) -> list[str]:
    engine = " ".join(part for part in (profile.engine or "an engine that nobody named", profile.engine_version) if part)
    card = f"{profile.gpus} x {profile.gpu}" if profile.gpu else "a card that nobody named (--gpu)"
    dtypes = (("weights", profile.weight_dtype), ("KV", profile.kv_dtype))
    types = ", ".join(f"{what} {dtype}" for what, dtype in dtypes if dtype)
    cache = f"KV cache {profile.kv_capacity_tokens:,.0f} tokens" if profile.kv_capacity_tokens else ""
    served = profile.served_model if profile.served_model == profile.model else f"{profile.served_model} ({profile.model})"
    return [f"{served} on {engine}, {card}", "; ".join(part for part in (profile.url, types, cache) if part)]


def _point_cells(point: ServePoint, found: PointMetrics) -> tuple[str, ...]:
    load = f"{point.concurrency}" if point.concurrency is not None else f"{_rate(point.requests_per_s)}/s"
    load += f"+{point.adapters}" if point.adapters else ""
    return (
        f"{load}{'' if point.complete else '*'}", f"{point.input_tokens}/{point.output_tokens}",
        f"{found.succeeded}", f"{found.failed}",
        _pair(found.ttft_p50_s, found.ttft_p95_s), _pair(found.tpot_p50_s, found.tpot_p95_s),
        _pair(found.itl_p50_s, found.itl_p99_s), _rate(found.output_tokens_per_s), _rate(found.requests_per_s),
        f"{found.good_share:.0%}",
    )


def _pair(low_s: float | None, high_s: float | None) -> str:
    return "-" if low_s is None or high_s is None else f"{_ms(low_s)}/{_ms(high_s)}"


def _ms(seconds: float) -> str:
    ms = seconds * 1e3
    if ms >= 9999.5:
        return f"{seconds:.0f}s"
    return f"{ms:.2f}" if ms < 9.995 else f"{ms:.1f}" if ms < 99.95 else f"{ms:.0f}"


def _rate(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 99_999.5:
        return f"{value / 1e3:.0f}k"
    return f"{value:.3f}" if value < 0.0995 else f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


def _remarks(profile: ServeProfile, told: Iterable[PointMetrics], most_ttft_s: float, most_tpot_s: float) -> list[str]:
    texts, e = list(profile.notes), profile.environment
    if profile.power_w is not None:
        texts.append(f"the card drew {profile.power_w:.0f} W over the loads")
    if e.load_average and e.cores and e.load_average[0] >= BUSY * e.cores:
        texts.append(f"this host was busy (load {e.load_average[0]:.1f} on {e.cores} cores): its own clock may be late")
    if not profile.complete:
        texts.append(INCOMPLETE)
    if any(not point.complete for point in profile.points):
        texts.append("*: this load did not end as planned")
    if any(point.adapters for point in profile.points):
        texts.append("+N: requests spread over N unmerged adapters")
    if any(found.window is not None and not found.window.steady for found in told):
        texts.append("some loads were too short for a steady window: their rates count start and end")
    who = {"server usage": "the server (usage)", "tokenizer": "a tokenizer here", "chunks": "streamed chunks, one token each",
           "stated": "what was aimed at" if profile.tool == "roi" else "the file"}
    texts.append(f"output tokens counted by {who[profile.counted_by]}, prompt tokens by {who[profile.prompt_counted_by]}")
    texts.append("load: requests in flight, or arrivals a second; TTFT and TPOT p50/p95, ITL p50/p99; TPOT without the first "
                 "token; rates over the steady window: closed loop first to last sending, open loop one median E2E after the "
                 f"first arrival to the last; good: requests within TTFT {most_ttft_s:g} s and TPOT {most_tpot_s:g} s")
    return texts


def step_fit_blocks(found: ServeFit) -> list[Block]:
    """The table of coefficients and the remarks on them; where nothing is fitted, the reason."""
    fit = found.fit
    if fit.iteration is None and not fit.coefficients:
        more = len(fit.rejected) - 1
        first = f"nothing is fitted: {fit.rejected[0]}" + (f" (and {more} more points)" if more > 0 else "")
        return [Notes((first, *fit.notes))]
    heads = ("", "value", "90% interval", "roofline" if found.theory else "", "")
    return [
        Paragraph("Engine step = a + b x sequences + c x KV tokens + d x prompt tokens"), Gap(),
        Table(heads, tuple(Row(_coefficient_cells(c, found.theory)) for c in fit.coefficients)), Gap(),
        Notes(tuple(_step_remarks(found))),
    ]


def step_fit_body(found: ServeFit) -> dict[str, Any]:  # Any: JSON
    """The fitted coefficients as a JSON object, in seconds; what could not be fitted is null."""
    fit = found.fit
    best = None if found.theory is None else {c.name: _theory(c, found.theory) for c in fit.coefficients}
    return {
        "coefficients": {c.name: {"value": c.value, "low": c.low, "high": c.high} for c in fit.coefficients},
        "together": [asdict(one) for one in fit.sums], "fitted": fit.iteration is not None,
        "check_missing": fit.check_missing, "rejected": list(fit.rejected), "notes": list(fit.notes), "points": fit.points,
        "windows": fit.windows, "lone_first_tokens": fit.lone, "median_error": fit.median_error,
        "point_scatter": fit.point_scatter, "condition": fit.condition, "step_tokens": fit.step_tokens,
        "sequence_limit": fit.sequence_limit, "roofline": best, "adapters": [asdict(one) for one in found.adapters],
        "held_out": [{**asdict(one), "errors": dict(zip(("tpot", "ttft", "tokens_per_s"), one.errors, strict=True))}
                     for one in found.held_out],
    }


def _coefficient_cells(c: Coefficient, theory: Iteration | None) -> tuple[str, ...]:
    letter, words = NAMES[c.name]
    unit, scale = _unit(c.value or c.high)
    best = _theory(c, theory) if theory else None
    span = from_to(_three(c.low / scale), _three(c.high / scale)) if c.value > 0.0 else f"below {_three(c.high / scale)}"
    return f"{letter:2s} {words}", _three(c.value / scale), span, "" if best is None else _three(best / scale), unit


def _theory(c: Coefficient, theory: Iteration) -> float | None:
    """The coefficient by the roofline, whose KV coefficient is per token here; a request outside the steps has none."""
    if c.name == "request_s":
        return None
    return float(getattr(theory, "kv_byte_s" if c.name == "kv_token_s" else c.name))


def _step_remarks(found: ServeFit) -> list[str]:
    fit = found.fit
    texts = [*(f"not fitted: {why}" for why in fit.rejected), *map(_unseen, found.held_out)]
    if fit.check_missing and fit.iteration is not None:
        texts.append(f"not checked: the open loop that is kept aside for it was cut short or is missing ({fit.check_missing})")
    texts += [f"{one.adapters} unmerged adapter{'s' if one.adapters > 1 else ''}: {one.speed:.2f} of the speed without"
              f" ({from_to(f'{one.low:.2f}', f'{one.high:.2f}')}, {one.points} points)" for one in found.adapters]
    if fit.median_error is not None:
        texts.append(f"{'fitted on' if fit.iteration else 'looked at'} {fit.points} points: {fit.windows} windows of decoding"
                     f" (median error {100.0 * fit.median_error:.1f}%) and {fit.lone} first tokens that met an idle server")
    if fit.point_scatter and fit.point_scatter >= LEAST_SCATTER:
        texts.append(f"whole points lie {100.0 * fit.point_scatter:.1f}% off the line: a step is not quite a straight line in"
                     " its parts")
    texts += [_sum(one) for one in fit.sums]
    if fit.step_tokens:
        texts.append(f"long prompts come in parts of {fit.step_tokens:,.0f} tokens a step, as lone first tokens show")
    if fit.sequence_limit and fit.sequence_limit > 1:
        texts.append(f"at most {fit.sequence_limit} requests decode together: others waited for them")
    return [*texts, *fit.notes]


def _unseen(one: HoldOut) -> str:
    """How a load that the fit has not seen was predicted."""
    tpot, ttft, rate = (formatted(error, "+.1%") for error in one.errors)
    return (
        f"held out, point {one.point} (n = {one.requests}): replayed TPOT {1e3 * one.predicted_tpot_s:.4g} ms against"
        f" {1e3 * one.tpot_s:.4g} measured ({tpot}), TTFT {1e3 * one.predicted_ttft_s:.4g} against {1e3 * one.ttft_s:.4g} ms"
        f" ({ttft}), {one.predicted_tokens_per_s:.4g} against {one.tokens_per_s:.4g} tokens/s ({rate}); medians"
    )


def _sum(one: CoefficientSum) -> str:
    """The words for coefficients of which only a sum is known."""
    parts = [NAMES[name][0] or "request" for name in one.names]
    times = ["" if f"{per:.4g}" == "1" else f"{per:.4g} " for per in one.per]
    formula = " + ".join(f"{count}{part}" for count, part in zip(times, parts, strict=True))
    unit, scale = _unit(one.value or one.high)
    span = from_to(_three(one.low / scale), _three(one.high / scale))
    return f"known together only: {formula} = {_three(one.value / scale)} {unit} ({span}); add {one.add}"


def _unit(seconds: float) -> tuple[str, float]:
    """The unit in which this time has one to three digits before the point."""
    return next((unit for unit in UNITS if seconds >= unit[1]), UNITS[-1])


def _three(value: float) -> str:
    """Three digits, without an exponent below a million."""
    if value == 0.0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"
