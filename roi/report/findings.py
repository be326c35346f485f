"""What else the comparison found: delay, bounds, break-even, drivers, and when the winner changes."""

from roi.economics.break_even import BreakEven
from roi.economics.comparison import Comparison
from roi.economics.drivers import Driver
from roi.economics.option_result import OptionResult
from roi.report.blocks import Block, Bullets, Heading, Paragraph, Row, Table
from roi.report.money import Money, money_of
from roi.report.wording import fact_name, fact_range, figure, months, option_label, percent, requests, usd

ORDINARY = {"one crossing", "cheaper at every volume"}
"""Reasons that the two figures say already."""


def winner_notes(c: Comparison, shown: str) -> list[Block]:
    """Return, range, delay, views and bounds of the option whose tree is shown."""
    o = next((o for o in c.options if o.id == shown), None)
    if o is None or o.id == "stay":
        return []
    notes = [_returns(o), *_range(o), _delay(o)]
    if abs(o.npv_usd - o.npv_without_errors_usd) >= 0.5:
        notes.append(f"Without the cost of wrong answers the NPV is {usd(o.npv_without_errors_usd)}.")
    if abs(o.npv_usd - o.npv_incremental_people_usd) >= 0.5:
        notes.append(f"Leaving out hours of people who are paid anyway, the NPV is {usd(o.npv_incremental_people_usd)}.")
    if c.reconciled_npv_usd is not None and o.id == c.verdict.recommended:
        price, volume = c.reconciled_npv_usd
        notes.append(f"Gap to the real bill: NPV {usd(price)} if it is all the incumbent's price, {usd(volume)} if it is all volume.")
    return [Heading(f"What {o.label} returns"), Bullets(tuple(notes))]


def _returns(o: OptionResult) -> str:
    horizon = len(o.monthly_usd)
    extra = "".join(f", {name} {percent(x)}" for name, x in (("IRR", o.irr), ("ROI", o.roi)) if x is not None and x < 100)
    return (f"At the central values: NPV {usd(o.npv_usd)} against staying, {usd(o.npv_vs_best_untrained_usd)} against the best option"
            f" that trains nothing; payback (months) {months(o.payback_months, horizon)}, discounted"
            f" {months(o.payback_discounted_months, horizon)}{extra}.")


def _range(o: OptionResult) -> list[str]:
    if o.npv_p10_p50_p90 is None or o.payback_p10_p50_p90 is None or o.probability_npv_positive is None:
        return []
    horizon = len(o.monthly_usd)
    low, middle, high = (usd(x) for x in o.npv_p10_p50_p90)
    early, median, late = (months(x, horizon) for x in o.payback_p10_p50_p90)
    return [f"Over the draws: NPV {low} in a bad case (P10), {middle} in the middle (P50), {high} in a good one (P90); mean"
            f" {usd(o.expected_npv_usd)}; payback in months {early} (P10), {median} (P50), {late} (P90); cheaper than staying in"
            f" {percent(o.probability_npv_positive)} of them."]


def _delay(o: OptionResult) -> str:
    if o.delay_usd >= 0:
        return f"One month of delay costs {usd(o.delay_usd)} of NPV."
    return f"One month of delay saves {usd(-o.delay_usd)} of NPV: the incumbent is cheaper meanwhile."


def break_even(c: Comparison, *, all_options: bool) -> list[Block]:
    """From how many requests a day each option wins: over the whole horizon, and by running cost alone with --all."""
    if not c.break_even:
        return []
    found = {(b.option, b.basis, b.baseline): b for b in c.break_even}
    rows = []
    for id in dict.fromkeys(b.option for b in c.break_even):
        for basis in ("pv", "run_rate") if all_options else ("pv",):
            pair = [found.get((id, basis, baseline)) for baseline in ("stay", "best_untrained")]
            if pair[0] is not None and pair[1] is not None:
                name = option_label(c.case, id) + (", running cost" if basis == "run_rate" else "")
                rows.append(Row((name, *_cells(pair[0]), *_cells(pair[1])), detail=_reasons(pair[0], pair[1])))
    heads = ("requests a day from which", "staying:\nfirst", "\nfor good", "cheapest untrained:\nfirst", "\nfor good")
    today = requests(_number(c, "workload.requests_per_day"))
    blocks: list[Block] = [
        Heading(f"Break-even in requests a day (today {today})"), Table(heads, tuple(rows)),
        Paragraph("Cheaper than staying, and than the cheapest other option without training, over the whole horizon, set-up included,"
                  " each fleet sized at its own peak. A whole GPU more makes the curve a saw: an option may win first and lose again."),
    ]
    if c.break_even_requests_per_day is not None:
        blocks.append(Paragraph("The best self-hosted option stays ahead of the best option without training from"
                                f" {requests(c.break_even_requests_per_day)} requests a day on."))
    return blocks


def _cells(b: BreakEven) -> tuple[str, str]:
    return requests(b.first), requests(b.stays)


def _reasons(stay: BreakEven, untrained: BreakEven) -> str:
    parts = [f"against {words}: {b.reason}" for words, b in (("staying", stay), ("the untrained", untrained)) if b.reason not in ORDINARY]
    return "; ".join(parts)


def drivers(c: Comparison) -> list[Block]:
    """The facts that move the answer."""
    if not c.drivers or c.driver_option is None:
        return []
    money = money_of([x for d in c.drivers for x in (d.npv_at_low_usd, d.npv_at_high_usd)])
    heads = ("fact", "5% to 95%", f"NPV at\n5%, {money.unit}", f"NPV at\n95%, {money.unit}", "rank\ncorr.", f"worth\nknowing,\n{money.unit}")
    return [
        Heading(f"What moves the NPV of {option_label(c.case, c.driver_option)}"),
        Table(heads, tuple(_driver(c, d, money) for d in c.drivers), left=2),
        Paragraph("One fact at its 5% and 95% end, the others central. Rank corr.: Spearman, over the draws. Worth knowing: the most"
                  " that any study of this one fact could be worth for this decision, for the three largest."),
    ]


def _driver(c: Comparison, d: Driver, money: Money) -> Row:
    worth = "" if d.worth_knowing_usd is None else money(d.worth_knowing_usd)
    return Row((fact_name(d.path), fact_range(c.case[d.path]), money(d.npv_at_low_usd), money(d.npv_at_high_usd),
                f"{d.rank_correlation:+.2f}", worth))


def winner_changes(c: Comparison) -> list[Block]:
    """The error rate at which the winner changes."""
    at, id = c.verdict.winner_changes_at_error_rate, c.verdict.error_rate_of
    if id is None:
        return []
    o = next((o for o in c.options if o.id == id), None)
    if o is None:
        return []
    if at is None:
        if _number(c, "quality.usd_per_error") <= 0:
            text = "A wrong answer costs nothing in this scenario (quality.usd_per_error), so no error rate changes the winner."
        else:
            text = f"No error rate of {o.label} between 0% and 100% changes the winner."
        return [Heading("Quality"), Paragraph(text)]
    above = "at a lower one it wins" if c.verdict.recommended != id else "at a higher one another option wins"
    bar = _number(c, "quality.bar")
    note = f" The bar allows {percent(1 - bar)}." if bar > 0 else ""
    return [Heading("Quality"), Paragraph(f"The winner changes at an error rate of {percent(at)} of {o.label} (used here:"
                                          f" {percent(o.quality.error_rate)}, {o.quality.status}); {above}.{note}")]


def _number(c: Comparison, path: str) -> float:
    value = c.case[path].value if path in c.case else 0.0
    return float(value) if isinstance(value, (int, float)) else 0.0
