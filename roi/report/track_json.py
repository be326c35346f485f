"""`roi track` as JSON."""

import json
from dataclasses import asdict
from math import isfinite

from roi import __version__
from roi.answers.track import TrackAnswer
from roi.economics.tracking.predictive_bands import QUANTITIES
from roi.report.layout.wording import case_number
from roi.report.track import bills_off, on_course
from roi.report.track_causes import off_sentence, over_forecast

SCHEMA = "roi.track/1"


def track_json(a: TrackAnswer) -> str:
    """Everything as JSON: every month with its bands, the payback, each fact's effect, the ways to go on, the limits."""

    def month(k: int) -> dict[str, object]:
        told = {name: {
            "came": float(a.came[name][k]) if a.judged[q, k] else None,
            "inside": bool(a.inside[q, k]) if a.judged[q, k] else None,
            **{end: float(getattr(a.forecast.bands[name], end)[k]) for end in ("central", "low", "high")},
        } for q, name in enumerate(QUANTITIES)}
        return {"month": a.months[k].month, "in_parallel": float(a.overlap[k]), **told}

    def paid(months: tuple[float, float, float]) -> dict[str, object]:
        finite = [x if isfinite(x) else None for x in months]
        days = [None if (day := a.day_of(x)) is None else day.isoformat() for x in months]
        return {"months": finite[0], "p5": finite[1], "p95": finite[2], "day": days[0], "day_p5": days[1], "day_p95": days[2]}

    c, anew = a.comparison, a.course.anew
    came, planned = a.cash()
    return json.dumps({
        "schema": SCHEMA, "roi_version": __version__, "title": c.case["title"].value, "as_of": c.case["as_of"].value,
        "option": a.option, "draws": case_number(c.case, "draws"), "on_course": on_course(a),
        "cash_usd": came, "forecast_cash_usd": planned, "earned_usd": a.course.earned,
        "payback": {"now": paid(a.course.payback), "forecast": paid(a.forecast.payback)},
        "months": [month(k) for k in range(len(a.months))],
        "records": [m.model_dump(mode="json", by_alias=True) for m in a.months],
        "off": off_sentence(a), "effects": [{**asdict(e), "factor": over_forecast(a, e)} for e in a.effects],
        "method": a.method, "bands": {
            "judged": a.held.judged, "inside": a.held.held, "chance": a.held.chance, "binomial": a.binomial,
            "by_quantity": {name: asdict(each) for name, each in a.held_by_quantity.items()}},
        "anew": None if anew is None else asdict(anew), "ahead": [asdict(x) for x in a.course.ahead],
        "signposts_passed": [{**asdict(post.signpost), "now": post.stands} for post in a.passed],
        "bills_asked": [each._asdict() for each in bills_off(a)],
        "limits": [{**asdict(x), "came": x.came if x.came is not None and isfinite(x.came) else None, "holds": x.holds}
                   for x in a.limits],
        "written": list(a.written), "notes": list(a.notes), "warnings": list(a.warnings),
    }, indent=1, allow_nan=False)
