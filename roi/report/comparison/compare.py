"""How `roi compare` is told: the verdict first, then how it comes about, then what it rests on; and the answer as JSON.

The JSON is one object, schema roi.comparison/1. It holds its own Case, so that it can be replayed.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from roi.answers.saved import SCHEMA
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.feasibility import FAIL
from roi.economics.decision.option_result import OptionResult
from roi.report.comparison.findings import break_even, returns, winner_changes
from roi.report.comparison.options_table import cost_tree, infeasible, options_table
from roi.report.comparison.scope import excluded, included
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title, render
from roi.report.layout.wording import case_number, fact_name, fact_range, figure, money_of, option_label, percent

FACT = ("value", "low", "high", "unit", "basis", "source", "date")

Json = dict[str, Any]  # Any: plain JSON values


def comparison_text(c: Comparison, warnings: Sequence[str], explain: str | None = None, form: str = "table", *,
                    all_options: bool = False, colour: bool = False, width: int = 80) -> str:
    """The report on `c`; `explain` is the id of the option whose cost tree is shown, None for the recommended one."""
    case, shown = c.case, explain or c.verdict.leader
    rate = percent(case_number(case, "discount_rate_per_year"))
    draws = f"{case['draws'].value:,} draws" if case["draws"].value else "no draws"
    others = (c.verdict.challenger, c.verdict.leader, "stay")
    other = next((id for id in others if id is not None and id != shown), shown)
    return render((
        Title(str(case["title"].value)),
        Paragraph(f"as of {case['as_of'].value}; {case['horizon_months'].value} months; {rate} a year; {draws};"
                  f" {figure(case_number(case, 'workload.requests_per_day'))} requests a day to {option_label(case, 'stay')};"
                  " USD before tax"),
        Heading("Verdict"), Paragraph(c.verdict.sentence, strong=True),
        Heading("Gates: can the task be trained at all?"),
        Table(("answer", "question"), tuple(
            Row((g.status, g.question + ("; rules training out" if g.blocks else "")), strong=g.status == FAIL)
            for g in c.gates), align="ll"),
        *options_table(c, all_options=all_options), *infeasible(c), *cost_tree(c, shown),
        *(returns(c, shown) if explain != "stay" else ()), *break_even(c, all_options=all_options), *_drivers(c),
        *winner_changes(c), *((Heading("Warnings"), Bullets(tuple(warnings))) if warnings else ()),
        Heading("Included"), Bullets(tuple(included(c))), Heading("Excluded"), Bullets(tuple(excluded(c))),
        Heading("More"), Bullets((
            f"--explain OPTION: the cost tree of another option, for example {other}",
            "--all: every option and every break-even",
            "--format json: every figure and every fact with its source; roi compare reads it again",
        )),
    ), form, width=width, colour=colour)


def _drivers(c: Comparison) -> list[Block]:
    """The uncertain facts that move the answer most."""
    if not c.drivers or c.driver_option is None:
        return []
    money = money_of([x for d in c.drivers for x in (d.npv_at_low_usd, d.npv_at_high_usd)])
    heads = ("fact", "5% to 95%", "NPV\nat 5%", "NPV\nat 95%", "rank\ncorr.", "worth\nknowing")
    return [
        Heading(f"What moves the NPV of {option_label(c.case, c.driver_option)}, {money.unit}"),
        Table(heads, tuple(
            Row((fact_name(d.path), fact_range(c.case[d.path]), money(d.npv_at_low_usd), money(d.npv_at_high_usd),
                 f"{d.rank_correlation:+.2f}", money(d.worth_knowing_usd)))
            for d in c.drivers), align="ll"),
        Paragraph("One fact at its 5% and 95% end, the others central. Rank corr.: Spearman, over the draws. Worth knowing: the"
                  " most that any study of this one fact could be worth for this decision."),
    ]


def comparison_json(c: Comparison, *, version: str, scenario: Json | None, warnings: Sequence[str]) -> str:
    """The comparison as JSON text. Infinity ("never") is null; a NaN would be a bug and raises ValueError."""
    verdict = c.verdict.sentence[:1].lower() + c.verdict.sentence[1:]  # begins with stay, change, or "stay, not sure"
    found: Mapping[str, Json] = {  # an option that cannot work has every key of one that can
        **{o.id: {"feasible": True, "reason": None, **asdict(o)} for o in c.options},
        **{o.id: {"feasible": False, "reason": o.reason, **{f.name: None for f in fields(OptionResult)}, **asdict(o),
                  "evaluated": o.quality.status == "evaluated", "monthly_usd": [], "lines": []} for o in c.infeasible},
    }
    body = {
        "schema": SCHEMA, "roi_version": version, "scenario": scenario,
        "case": {path: {name: fact[name] for name in FACT} for path, fact in c.case.model_dump(mode="json")["facts"].items()},
        "recommended": c.verdict.recommended,
        "verdict": verdict if verdict.startswith(c.verdict.decision) else f"{c.verdict.decision}: {c.verdict.sentence}",
        "decision": c.verdict.decision, "sentence": c.verdict.sentence,
        "challenger": c.verdict.challenger,
        "winner_changes_at_error_rate": c.verdict.winner_changes_at_error_rate, "error_rate_of": c.verdict.error_rate_of,
        "challenger_wins_at_error_rate": c.verdict.challenger_wins_at_error_rate,
        "gates": [asdict(gate) for gate in c.gates],
        "options": [found[id] for id in c.case.options if id in found],
        "break_even": [asdict(b) for b in c.break_even],
        "break_even_requests_per_day": c.break_even_requests_per_day,
        "drivers": [asdict(d) for d in c.drivers], "driver_option": c.driver_option,
        "reconciled_option": c.reconciled_option, "reconciled_npv_usd": c.reconciled_npv_usd,
        "probability_best_by_kind": c.probability_best_by_kind,
        "included": included(c), "excluded": excluded(c), "warnings": list(warnings),
    }
    return json.dumps(_no_infinity(body), indent=1, allow_nan=False)


def _no_infinity(x: object) -> object:
    if isinstance(x, dict):
        return {key: _no_infinity(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [_no_infinity(value) for value in x]
    return None if isinstance(x, float) and math.isinf(x) else x
