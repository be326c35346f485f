"""Cash by month: what each option has saved against staying, how far that may lie off, and when it has paid back."""

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.economics.outlook import Outlook, look_ahead
from roi.report.charts.style import Spec, by_option, cents, money_axis, names_of, options_of, spec
from roi.report.comparison.option_figures import counted
from roi.report.layout.wording import months, number_of, short_usd


def outlook_of(c: Comparison) -> Outlook:
    """What the pictures of savings and of NPV rest on: worked out once for both."""
    return look_ahead(c.case, [o.id for o in options_of(c) if o.id != "stay"], c.verdict.counts)


def cash(comparison: Comparison, outlook: Outlook | None = None) -> Spec:
    """Cumulative savings against staying by month, USD, undiscounted: the central line, the P10 to P90 band, the payback."""
    c, outlook = comparison, outlook or outlook_of(comparison)
    names, found = names_of(c), [o for o in options_of(c) if o.id != "stay"]
    rows = [{"option": names[o.id], "month": month, "usd": cents(usd), **_band(outlook, o.id, month)}
            for o in found for month, usd in enumerate(outlook.central[o.id])]
    paid = [{"option": names[o.id], "month": round(at, 3), "usd": 0.0}
            for o in found if 0 < (at := payback_of(c, o)) <= len(o.monthly_usd)]
    x = {"field": "month", "type": "quantitative", "title": "month", "axis": {"tickMinStep": 1, "grid": False},
         "scale": {"domain": [0, len(c.options[0].monthly_usd)], "nice": False}}
    y = {"field": "usd", "type": "quantitative", "title": f"saved so far, USD, {counted(c, cash=True)}",
         "axis": money_axis([v for row in rows for v in (row["usd"], row.get("p10"), row.get("p90"))], tickCount=6)}
    shown = [o.id for o in found]
    colour, dash = by_option(c, shown), by_option(c, shown, dashed=True)
    told = [{"field": "option", "title": "option"}, {"field": "month", "title": "month"},
            {"field": "usd", "title": "saved so far, USD", "format": "$,.0f"},
            *({"field": name, "title": f"{name.upper()}, USD", "format": "$,.0f"} for name in ("p10", "p90") if outlook.bands)]
    layer: list[Spec] = [
        {"data": {"values": [{"usd": 0}]}, "mark": {"type": "rule"}, "encoding": {"y": y}},
        {"mark": {"type": "line", "strokeWidth": 2.5}, "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash}},
        {"mark": {"type": "point", "opacity": 0, "size": 90, "aria": False},
         "encoding": {"x": x, "y": y, "color": colour, "tooltip": told}},
        {"data": {"values": paid}, "mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
         "encoding": {"x": x, "y": y, "color": colour, "tooltip": [
             told[0], {"field": "month", "title": "paid back after months", "format": ".1f"}]}},
    ]
    if outlook.bands:
        wide = [row for row in rows if row["option"] in {names[id] for id in banded(c)}]
        layer.insert(0, {"data": {"values": wide}, "mark": {"type": "area", "opacity": 0.16, "aria": False}, "encoding": {
            "x": x, "y": {**y, "field": "p10"}, "y2": {"field": "p90"}, "color": colour}})
    return spec("Savings against staying, month by month", _said(c, outlook, found), height=340, layer=layer,
                data={"values": rows})


def banded(c: Comparison) -> list[str]:
    """Options whose band is drawn, by id; more than two would hide each other.

    What is recommended, else the best that was tested; and the best other one that runs GPUs, or else the best other one.
    """
    found = sorted((o for o in options_of(c) if o.id != "stay"), key=lambda o: (o.id != c.verdict.leader, not o.tested))
    other = next((o for o in found[1:] if o.fleet is not None), found[1] if len(found) > 1 else None)
    return [o.id for o in (*found[:1], other) if o is not None]


def payback_of(c: Comparison, o: OptionResult) -> float:
    """Months until the option has paid back, on what the verdict counts; infinite where it never does."""
    return o.payback_cash_months if c.verdict.counts == "cash" else o.payback_months


def _band(outlook: Outlook, id: str, month: int) -> Spec:
    if id not in outlook.bands:
        return {}
    low, _, high = outlook.bands[id][:, month]
    return {"p10": cents(low), "p90": cents(high)}


def _said(c: Comparison, outlook: Outlook, found: list[OptionResult]) -> str:
    """What the picture says, for whoever does not see it."""
    horizon, told = len(c.options[0].monthly_usd), []
    for o in found:
        end = f"{o.label} has saved {short_usd(outlook.central[o.id][-1])} after {number_of(horizon, 'month')}"
        if o.id in outlook.bands:
            low, _, high = outlook.bands[o.id][:, -1]
            end += f" (P10 {short_usd(low)}, P90 {short_usd(high)})"
        at = months(payback_of(c, o), horizon)
        told.append(f"{end}, payback {at}{'' if at in {'never', 'at once'} else ' months'}")
    return f"Cumulative savings against staying by month. {'; '.join(told) or 'There is no other option'}."
