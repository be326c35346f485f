"""How `roi profile serve` is told: before anything is sent, the plan of its loads; then what each load showed.

After the loads' latency, throughput and goodput stands the engine step that is fitted on them.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from roi.estimate.replay.metrics import PointMetrics, point_metrics
from roi.evidence.server_fit import ServeFit, unused
from roi.facts.serve_profile import ServePoint, ServeProfile
from roi.profiling.server.load_design import PROBE_TOKENS, PROBES, PROMPT_RATE, STEP_S, ServePlan, planned_seconds
from roi.profiling.server.server_facts import QUESTIONS
from roi.report.layout.blocks import Gap, Notes, Paragraph, Row, Table
from roi.report.layout.render import render_text
from roi.report.layout.wording import span
from roi.report.profiles.fitted_step import step_fit_blocks, step_fit_body
from roi.report.profiles.shared_remarks import BUSY, INCOMPLETE, kept_blocks, profile_text

SCHEMA, PLAN_SCHEMA = "roi.serve/1", "roi.serve-plan/1"

HEADS = ("load", "in/out", "n", "err", "TTFT ms", "TPOT ms", "ITL ms", "tok/s", "req/s", "good")
PLAN_HEADS = ("load", "in", "out", "requests", "prompt tokens", "output tokens")


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
    return render_text((Table(PLAN_HEADS, tuple(rows), align=""), Gap(), Notes(tuple(remarks))), width=80, colour=False)


def plan_json(plan: ServePlan, url: str, budget_s: float, *, key: bool) -> str:
    """The same as JSON."""
    body = {
        "schema": PLAN_SCHEMA, "url": url, "key": key, "budget_s": budget_s, "about_s": planned_seconds(plan),
        "points": [{
            "arrivals": point.arrivals, "concurrency": point.concurrency, "requests_per_s": point.rate,
            "input_tokens": point.input_tokens, "output_tokens": point.output_tokens, "requests": len(point.requests),
            "prompt_tokens": point.prompt_tokens, "asked_tokens": point.asked_tokens, "adapters": point.adapters,
        } for point in plan.points],
        "requests": plan.requests, "prompt_tokens": plan.prompt_tokens, "most_prompt_tokens": plan.most_prompt_tokens,
        "output_tokens": plan.output_tokens,
        "before": {
            "questions": QUESTIONS, "requests": PROBES, "output_tokens": PROBES * PROBE_TOKENS, "words": plan.probe_words,
        },
    }
    return json.dumps(body, indent=1)


def serve_text(profile: ServeProfile, fitted: ServeFit, most_ttft_s: float, most_tpot_s: float, file: Path | None) -> str:
    """The report for a terminal; `most_ttft_s` and `most_tpot_s` are the limits of goodput."""
    told = _metrics(profile, most_ttft_s, most_tpot_s)
    rows = tuple(Row(_point_cells(point, found)) for point, found in told)
    table = Table(HEADS, rows, align="") if rows else Paragraph("no load was measured")
    remarks = _remarks(profile, [found for _, found in told], most_ttft_s, most_tpot_s)
    why = unused(profile, fitted.fit)
    used = f"nothing from it: {'; '.join(why)}" if why else (
        f"the step from it for {profile.model} {profile.weight_dtype} on {profile.gpus} x {profile.gpu}, and one speed for"
        " other plans on that card")
    after = () if file is None else (*kept_blocks(file), Notes((f"roi size and roi compare take {used}",)))
    return profile_text(_title(profile), [table], remarks, (Gap(), *step_fit_blocks(fitted), *after))


def serve_json(profile: ServeProfile, fitted: ServeFit, most_ttft_s: float, most_tpot_s: float, file: Path | None) -> str:
    """The same as JSON, SI units; every request with its timestamps is in the profile's file."""
    head = profile.model_dump(mode="json", exclude={"points", "kind", "schema_"})
    body = {
        "schema": SCHEMA, **head, "slo": {"ttft_s": most_ttft_s, "tpot_s": most_tpot_s},
        "points": [{**point.model_dump(mode="json", exclude={"requests"}), "requests": len(point.requests), **asdict(found)}
                   for point, found in _metrics(profile, most_ttft_s, most_tpot_s)],
        "step": step_fit_body(fitted), "unused": list(unused(profile, fitted.fit)), "file": str(file) if file else None,
    }
    return json.dumps(body, indent=1, allow_nan=False)


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
    mark = "" if point.complete else "*"
    return (
        f"{load}{mark}", f"{point.input_tokens}/{point.output_tokens}", f"{found.succeeded}", f"{found.failed}",
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
    texts = list(profile.notes)
    e = profile.environment
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
