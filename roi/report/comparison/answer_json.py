"""The comparison as one JSON object, schema roi.comparison/3 (docs/json.md). It holds its own Case, so it can be replayed."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from roi import __version__
from roi.answers.saved import SCHEMA
from roi.answers.saved_digests import digest_of, digests_of
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.report.comparison.findings import next_step
from roi.report.comparison.scope import excluded, included

if TYPE_CHECKING:  # processes are for folders alone
    from roi.answers.compare import ComparisonAnswer
    from roi.answers.folder import Compared

Json = dict[str, Any]  # Any: plain JSON values


def comparison_json(c: Comparison, *, scenario: Json | None, warnings: Sequence[str]) -> str:
    """The comparison as JSON text. Infinity ("never") is null; a NaN would be a bug and raises ValueError."""
    return json.dumps(_body(c, scenario, warnings), indent=1, allow_nan=False)


def comparison_line(found: "ComparisonAnswer") -> str:
    """The comparison as JSON text in one line, without what names its file."""
    return json.dumps(_body(found.comparison, found.scenario, found.warnings), allow_nan=False)


def folder_line(found: "Compared") -> str:
    """A line of a folder's answer: the file's name, and its comparison, or why there is none."""
    file = json.dumps({"file": found.file})[:-1]
    return f"{file}, {found.text[1:]}\n" if found.text is not None else f'{file}, "error": {json.dumps(found.error)}}}\n'


def _body(c: Comparison, scenario: Json | None, warnings: Sequence[str]) -> object:
    verdict = c.verdict.sentence[:1].lower() + c.verdict.sentence[1:]  # begins with stay, change or no verdict
    found: Mapping[str, Json] = {  # an option that cannot work has every key of one that can
        **{o.id: {"feasible": True, "reason": None, **asdict(o)} for o in c.options},
        **{o.id: {"feasible": False, "reason": o.reason, **{f.name: None for f in fields(OptionResult)}, **asdict(o),
                  "evaluated": o.quality.status == "evaluated", "monthly_usd": [], "lines": []} for o in c.infeasible},
    }
    case = c.case.plain()
    body = {
        "schema": SCHEMA, "roi_version": __version__, "scenario": scenario, "case": case, "digest": digest_of(case),
        **asdict(c.verdict),
        "verdict": verdict if verdict.startswith(c.verdict.decision) else f"{c.verdict.decision}: {c.verdict.sentence}",
        "next_step": next_step(c),
        "second_move": asdict(c.second_move) if c.second_move is not None else None,
        "start": None if c.start is None else {
            "option": c.start.option.id, "months_to_live": float(c.start.option.months_to_live),
            "requests_per_day": c.start.requests_per_day, "npv_usd": c.start.npv_usd},
        "signposts": [asdict(s) for s in (*c.signposts, *c.signposts_once_in_use)],
        "successor_turns": [asdict(turn) for turn in c.successor_turns],
        "alarms": [asdict(a) for a in c.alarms], "experiments": [asdict(e) for e in c.experiments],
        "gates": [asdict(gate) for gate in c.gates],
        "options": [found[id] for id in c.case.options if id in found],
        "break_even": [asdict(b) for b in c.break_even],
        "break_even_requests_per_day": c.break_even_requests_per_day,
        "drivers": [asdict(d) for d in c.drivers], "driver_option": c.driver_option,
        "reconciled_option": c.reconciled_option, "reconciled_npv_usd": c.reconciled_npv_usd,
        "probability_best_by_kind": c.probability_best_by_kind,
        "included": included(c), "excluded": excluded(c), "warnings": list(warnings),
    }
    whole: Json = _no_infinity(body)
    return {**whole, "digests": digests_of(whole)}


def _no_infinity(x: Any) -> Any:  # Any: plain JSON values
    if isinstance(x, dict):
        return {key: _no_infinity(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [_no_infinity(value) for value in x]
    return None if isinstance(x, float) and math.isinf(x) else x
