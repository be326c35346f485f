"""How the plan of `roi profile serve` is told before anything is sent: which loads, and how much at most."""

import json

from roi.profiling.server.load_design import PROBE_TOKENS, PROBES, PROMPT_RATE, STEP_S, ServePlan, planned_seconds
from roi.profiling.server.server_facts import QUESTIONS
from roi.report.layout.blocks import Gap, Notes, Row, Table
from roi.report.layout.render import render_text
from roi.report.layout.wording import span

SCHEMA = "roi.serve-plan/1"

HEADS = ("load", "in", "out", "requests", "prompt tokens", "output tokens")


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
    return render_text((Table(HEADS, tuple(rows)), Gap(), Notes(tuple(remarks))), width=80, colour=False)


def plan_json(plan: ServePlan, url: str, budget_s: float, *, key: bool) -> str:
    """The same as JSON."""
    body = {
        "schema": SCHEMA, "url": url, "key": key, "budget_s": budget_s, "about_s": planned_seconds(plan),
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
