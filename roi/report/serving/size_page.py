"""`roi size --html`: the plan to rent, what it does over a day, and every fleet that was replayed."""

from roi.answers.size import Sizing
from roi.answers.size_hours import ALL_DAY
from roi.report.charts.style import Spec, cents, money_axis, own_colours, spec
from roi.report.layout.wording import figure, number_of, percent, usd
from roi.report.page.parts import Page, Picture, told
from roi.report.serving.fleet_words import plan_name
from roi.report.serving.size import frontier, size_blocks, slo_words

SHOWN = 7
"""Plans that have a colour of their own."""
OTHER = "other plans"


def size_page(sizing: Sizing) -> Page:
    """The report as a page."""
    day = day_of_load(sizing)
    pictures = {
        "Rent against latency": [Picture(rent_against_latency(sizing), "Circle: the SLO holds at the peak; cross: it is broken."
                                         " Dashed: fleets that no cheaper one beats. Ring: what the cheapest plan needs.")],
        "A day's load": [] if day is None else [Picture(day, "Dashed: what the fleet holds at the SLO, nothing kept free.")],
    }
    return told(size_blocks(sizing, full=True), pictures)


def rent_against_latency(sizing: Sizing) -> Spec:
    """Rent of every fleet that was replayed, USD a month, against its time to the last token at the peak, p95, seconds.

    Filled: the SLO holds. A line joins the fleets that no cheaper one beats; a ring marks what the cheapest plan needs.
    """
    plans = list(dict.fromkeys(plan_name(plan) for plan in sizing.plans))
    names = {name: name if k < SHOWN else OTHER for k, name in enumerate(plans)}
    rows: list[Spec] = [{"plan": names[plan_name(plan)], "replicas": fleet.replicas, "usd": cents(fleet.usd_per_month),
                         "e2e": fleet.load.e2e_p95_s, "ttft": fleet.load.ttft_p95_s, "tpot": 1e3 * fleet.load.tpot_p95_s,
                         "slo": "SLO holds" if fleet.holds else "SLO broken"} for plan in sizing.plans for fleet in plan.fleets]
    best = [{"usd": cents(fleet.usd_per_month), "e2e": fleet.load.e2e_p95_s} for _, fleet in frontier(sizing)]
    first, all_day = sizing.plans[0].fleet, "" if sizing.plans[0].runs == ALL_DAY else " all day"
    x = {"field": "e2e", "type": "quantitative", "title": "P95 to the last token, s, logarithmic",
         "scale": {"type": "log", "nice": False, "padding": 20}, "axis": {"grid": False, "format": "~r", "tickCount": 6}}
    y = {"field": "usd", "type": "quantitative", "title": "USD a month, spares included",
         "axis": money_axis([row["usd"] for row in rows])}
    domain = [*plans[:SHOWN], *([OTHER] if len(plans) > SHOWN else [])]
    layer: list[Spec] = [
        {"data": {"values": best}, "mark": {"type": "line", "strokeDash": [4, 3]},
         "encoding": {"x": x, "y": y, "order": {"field": "usd"}}},
        {"mark": {"type": "point", "filled": True, "size": 80, "opacity": 1}, "encoding": {
            "x": x, "y": y, "color": own_colours("plan", domain),
            "shape": {"field": "slo", "type": "nominal", "legend": None,
                      "scale": {"domain": ["SLO holds", "SLO broken"], "range": ["circle", "cross"]}},
            "tooltip": [{"field": "plan"}, {"field": "replicas"}, {"field": "usd", "title": "USD a month", "format": "$,.0f"},
                        {"field": "ttft", "title": "TTFT p95, s", "format": ".2f"},
                        {"field": "tpot", "title": "TPOT p95, ms", "format": ".1f"},
                        {"field": "e2e", "title": "E2E p95, s", "format": ".2f"}]}},
        {"data": {"values": [{"usd": cents(first.usd_per_month), "e2e": first.load.e2e_p95_s}]},
         "mark": {"type": "point", "size": 380, "filled": False, "strokeWidth": 2}, "encoding": {"x": x, "y": y}},
    ]
    said = (f"{number_of(len(rows), 'fleet')} of {number_of(len(plans), 'plan')} under"
            f" {figure(sizing.hold_requests_per_s)} requests a second, SLO: {slo_words(sizing.slo)}."
            f" {'The cheapest plan that holds' if first.holds else 'No plan holds; the cheapest'}"
            f" needs {number_of(first.replicas, 'replica')} of"
            f" {plan_name(sizing.plans[0])} for {usd(first.usd_per_month)} a month{all_day}, {first.load.e2e_p95_s:.2f} s to"
            " the last token.")
    return spec("Rent against latency", said, height=340, layer=layer, data={"values": rows})


def day_of_load(sizing: Sizing) -> Spec | None:
    """Requests a second in each hour of a day, the busiest first, and what the fleet holds; None where no day was replayed."""
    if sizing.day is None:
        return None
    best = sizing.plans[0]
    held = best.replicas * best.alone_requests_per_s * best.pooling
    rows = [{"hour": k + 1, "load": float(f"{rate:.6g}")} for k, rate in enumerate(sizing.day.by_hour_requests_per_s)]
    x = {"field": "hour", "type": "ordinal", "title": "hours of a day, the busiest first", "axis": {"labelAngle": 0}}
    y = {"field": "load", "type": "quantitative", "title": "requests a second", "axis": {"format": "~r"}}
    label = f"held at the SLO: {figure(held)}"
    mark = {"data": {"values": [{"load": float(f"{held:.6g}"), "label": label}]}}
    layer: list[Spec] = [
        {"mark": {"type": "bar"}, "encoding": {"x": x, "y": y, "tooltip": [
            {"field": "hour"}, {"field": "load", "title": "requests a second", "format": ".3r"}]}},
        {**mark, "mark": {"type": "rule", "strokeDash": [5, 4]}, "encoding": {"y": y}},
        {**mark, "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -3},
         "encoding": {"y": y, "x": {"value": {"expr": "width"}}, "text": {"field": "label"}}},
    ]
    most, least = (figure(float(rows[k]["load"])) for k in (0, -1))
    said = (f"Load by hour, from {most} to {least} requests a second; {number_of(best.replicas, 'replica')}"
            f" {'holds' if best.replicas == 1 else 'hold'} {figure(held)} at the SLO."
            f" {percent(sizing.day.within_slo)} of a day's requests are within both limits.")
    return spec("A day's load", said, height=220, layer=layer, data={"values": rows})
