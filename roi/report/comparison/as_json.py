"""The answer as one JSON object, schema roi.comparison/1. It holds its own Case, so that it can be replayed."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from roi.answers.saved import SCHEMA
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import InfeasibleOption, OptionResult
from roi.report.comparison.scope import excluded, included

FACT = ("value", "low", "high", "unit", "basis", "source", "date")

Json = dict[str, Any]  # Any: plain JSON values


def comparison_json(c: Comparison, *, version: str, scenario: Json | None, warnings: Sequence[str]) -> str:
    """The comparison as JSON text. Infinity ("never") is null; a NaN would be a bug and raises ValueError."""
    verdict = c.verdict.sentence[:1].lower() + c.verdict.sentence[1:]  # begins with stay, change, or "stay, not sure"
    found: Mapping[str, Json] = {
        **{o.id: {"feasible": True, "reason": None, **asdict(o)} for o in c.options},
        **{o.id: _infeasible(o) for o in c.infeasible},
    }
    body = {
        "schema": SCHEMA,
        "roi_version": version,
        "scenario": scenario,
        "case": {path: {name: fact[name] for name in FACT} for path, fact in c.case.model_dump(mode="json")["facts"].items()},
        "recommended": c.verdict.recommended,
        "verdict": verdict if verdict.startswith(c.verdict.decision) else f"{c.verdict.decision}: {c.verdict.sentence}",
        "decision": c.verdict.decision,
        "sentence": c.verdict.sentence,
        "next_step": c.verdict.next_step,
        "challenger": c.verdict.challenger,
        "winner_changes_at_error_rate": c.verdict.winner_changes_at_error_rate,
        "error_rate_of": c.verdict.error_rate_of,
        "challenger_wins_at_error_rate": c.verdict.challenger_wins_at_error_rate,
        "gates": [asdict(gate) for gate in c.gates],
        "options": [found[id] for id in c.case.options if id in found],
        "break_even": [asdict(b) for b in c.break_even],
        "break_even_requests_per_day": c.break_even_requests_per_day,
        "drivers": [asdict(d) for d in c.drivers],
        "driver_option": c.driver_option,
        "reconciled_option": c.reconciled_option,
        "reconciled_npv_usd": c.reconciled_npv_usd,
        "probability_best_by_kind": c.probability_best_by_kind,
        "included": included(c),
        "excluded": excluded(c),
        "warnings": list(warnings),
    }
    return json.dumps(_no_infinity(body), indent=1, allow_nan=False)


def _infeasible(o: InfeasibleOption) -> Json:
    """An option that cannot work, with every key of one that can."""
    empty = {f.name: None for f in fields(OptionResult)}
    known = {"evaluated": o.quality.status == "evaluated", "monthly_usd": [], "lines": []}
    return {"feasible": False, "reason": o.reason, **empty, **asdict(o), **known}


def _no_infinity(x: object) -> object:
    if isinstance(x, dict):
        return {key: _no_infinity(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [_no_infinity(value) for value in x]
    return None if isinstance(x, float) and math.isinf(x) else x
