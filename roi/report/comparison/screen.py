"""The one screen of `roi compare`: what to do, what it costs, how sure that is and what is not known, in at most 40 lines."""

from collections.abc import Sequence
from datetime import date

from roi.economics.decision.alarms import BILL_OFF
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.draws import LEAST_DRAWS
from roi.economics.decision.feasibility import FAIL, FAILED, UNKNOWN
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.verdict import chance
from roi.economics.inputs import KEEPS_MODEL
from roi.economics.lines.option_lines import MOVE
from roi.errors import first_of
from roi.facts.case import template_values
from roi.facts.fact import Basis
from roi.report.comparison.advice import advice, counted, npv_of
from roi.report.comparison.thresholds import (
    PRICE_OF_ERRORS,
    alone_from,
    compared_from,
    ending,
    error_path,
    flips_at,
    guessed,
    month_of,
    nothing_fails,
    option_of,
    quality,
    rate_assumed,
)
from roi.report.layout.blocks import Block, Gap, Labelled, Paragraph, Row, Table, Title, render, shortened
from roi.report.layout.wording import (
    case_number,
    fact_name,
    fact_range,
    figure,
    little_free,
    money_of,
    old_prices,
    percent,
    quantity,
    short_usd,
    told_apart,
    usd,
)
from roi.report.layout.wording import chance as share

MOST_LINES, MOST_ROWS = 40, 6
TITLE = 100
"""Characters of a title that are shown."""
MAIN = {"workload.requests_per_day": "volume {} a day", "workload.growth_per_year": "growth {}",
        PRICE_OF_ERRORS: "{} per wrong answer"}
"""Inputs that carry the whole answer, in the screen's words; the scores come to them."""
DEAR_KWH = 1.0
"""USD a kWh that nobody pays who runs GPUs: the dearest grids ask about 0.5, and no diesel generator costs much over 1."""
SLO = {"workload.ttft_p95_s": "TTFT", "workload.tpot_p95_s": "TPOT"}
DRIVING = 3
"""The first so many drivers are told as uncertain although their value is stated."""
SIZES = ((1.0, "$"), (1e3, "$k"), (1e6, "$M"), (1e9, "$bn"), (1e12, "$tn"))
"""Units of the NPV columns, so that the largest figure has five digits."""
NAMED = 3
"""Names that a list on the screen has at most."""


def screen(c: Comparison, warnings: Sequence[str], form: str = "table", *, width: int = 80, colour: bool = False) -> str:
    """The screen; its table has as many of the best options as leave it within its lines."""
    text, above = "", _above(c)
    for most in range(MOST_ROWS, 0, -1):
        text = render([*above, *_below(c, warnings, most)], form, width=width, colour=colour)
        if form != "table" or text.count("\n") < MOST_LINES:
            break
    return text


def screen_blocks(c: Comparison, warnings: Sequence[str], most: int = MOST_ROWS) -> list[Block]:
    """What the screen is made of, with at most so many options in its table."""
    return [*_above(c), *_below(c, warnings, most)]


def _above(c: Comparison) -> list[Block]:
    return [*head(c), *alerts(c), Gap(), *advice(c), Gap()]


def _below(c: Comparison, warnings: Sequence[str], most: int) -> list[Block]:
    return [*table(c, most), *_last(c, warnings, most)]


def head(c: Comparison) -> list[Block]:
    """What is compared, from which day on, and in which money."""
    stay, title = option_of(c, "stay"), shortened(str(c.case["title"].value), TITLE)
    volume = f"{figure(case_number(c.case, 'workload.requests_per_day'))} requests a day on {stay.label}"
    rate = percent(case_number(c.case, "discount_rate_per_year"))
    return [Title(f"{title}: {volume}"),
            Paragraph(f"{c.case['as_of'].value} | {c.case['horizon_months'].value} months | {rate} a year | USD before tax")]


def alerts(c: Comparison) -> list[Block]:
    """What a reader must know before the advice: what is unchecked, guessed, unanswered or about to end."""
    told = [*_bill(c), *_unlikely(c), *_template(c), *_uncounted(c), *_assumed(c), *_gates(c), *_latency(c), *_full(c),
            *_old(c), *_over(c), *_endings(c), *_next_prices(c), *_few_draws(c)]
    accepted = [f"{a.name} ({a.field})" for a in c.alarms if a.accepted]
    if accepted:
        told.append(f"Accepted although unlikely: {', '.join(accepted)}")
    return [Labelled("!", (text,), "doubt", 2) for text in told]


def _bill(c: Comparison) -> list[str]:
    if any(a.name == "bill" and not a.accepted for a in c.alarms):
        return []
    if "reconciliation.as_with" in c.case:
        told = (f"The bill is what {c.case['reconciliation.as_with'].value} would cost: if that is on already, set"
                " incumbent.uses_cache and batch_share; its saving is counted twice until then")
        return [told]
    if c.reconciled_npv_usd is not None and c.reconciled_option is not None:
        price, volume = map(short_usd, c.reconciled_npv_usd)
        gap = case_number(c.case, "reconciliation.factor", 1.0)
        if round(gap, 2) == 1.0 or price == volume or not c.case["reconciliation.volume_share"].uncertain:
            return []
        label = option_of(c, c.reconciled_option).label
        told = (f"The bill is {figure(gap)} x what these requests cost at the scenario's prices. Unsplit: at the central values"
                f" NPV of {label} {price} if all of the gap is price, {volume} if all is volume")
        return [told]
    if (path := "reconciliation.factor") in c.case and not guessed(c.case[path]):
        return []
    return [f"Bill not checked: computed {usd(_billed(c))} in month 1 (incumbent.bill_usd_per_month)"]


def _billed(c: Comparison) -> float:
    """What the API bills in month 1 of staying, USD."""
    return sum(line.monthly_usd[0] for line in option_of(c, "stay").lines if line.name.startswith("API "))


def _unlikely(c: Comparison) -> list[str]:
    """Prices and commitments far from what is usual: cents typed for dollars, a year's amount for a month's."""
    power, committed = (case_number(c.case, path, 0.0) for path in ("own_hardware.usd_per_kwh", "commitment.usd_per_month"))
    dear = f"Power at {usd(power)} a kWh: 0.06 to 0.20 is usual (own_hardware.usd_per_kwh, in USD)"
    told = [dear] if power > DEAR_KWH else []
    if case_number(c.case, "commitment.months", 0.0) > 0 and committed >= BILL_OFF * (billed := _billed(c)):
        told.append(f"A commitment of {usd(committed)} a month on a bill of {usd(billed)} (incumbent.committed_usd_per_month)")
    return told


def _template(c: Comparison) -> list[str]:
    """The template's guesses, those that move the answer most first, but before them one that turns it."""
    paths = template_values(c.case)
    if not paths:
        return []
    pull = {d.path: d.swing_usd for d in c.drivers}
    ranked = sorted(paths, key=lambda path: -pull.get(path, 0.0))
    turns = next(((path, told) for path in ranked if (told := _turns(c, path))), None)
    ranked = ranked if turns is None else [turns[0], *(path for path in ranked if path != turns[0])]
    names = [_guess(c, path) for path in ranked]
    if pull.get(ranked[0], 0.0) > 0:
        names[0] += f" (moves the NPV by {short_usd(pull[ranked[0]])}{'' if turns is None else f'; {turns[1]}'})"
    return [f"The template's guesses: {first_of(names, NAMED)}"]


def _turns(c: Comparison, path: str) -> str:
    """What is advised at the end of the guess's range that speaks against today's advice; empty where that is the same.

    Looked at where the guess moves the NPV by as much as there is. The price of a wrong answer is told in its own line.
    """
    d = next((d for d in c.drivers if d.path == path), None)
    if d is None or c.driver_option is None or c.verdict.recommended is None or path == PRICE_OF_ERRORS:
        return ""
    o, leads = option_of(c, c.driver_option), c.driver_option == c.verdict.leader
    mean = npv_of(c, o)[0]
    if d.swing_usd < mean if leads else mean + d.swing_usd <= 0 or not o.tested:
        return ""
    low, high = c.case[path].spread()
    end = low if (d.npv_at_low_usd < d.npv_at_high_usd) is leads else high
    then = c.leader_at(path, end)
    if then == c.verdict.leader:
        return ""
    advice = "to stay" if then == "stay" else f"to change to {option_of(c, then).label}"
    return f"at {quantity(end, c.case[path].unit)} the advice is {advice}"


def _uncounted(c: Comparison) -> list[str]:
    """That wrong answers are not counted, why, and from which price on the advice is another; that no test could fail."""
    told, lost, guess = list[str](), nothing_fails(c), c.verdict.counts == "cash"
    if guess or (case_number(c.case, PRICE_OF_ERRORS) <= 0 and not c.case[PRICE_OF_ERRORS].uncertain):
        why = "what one costs is the template's guess" if guess else (
            "no price of one is stated" if guessed(c.case[PRICE_OF_ERRORS]) else "one costs $0")
        flips = flips_at(c)
        told.append(f"Wrong answers are not counted: {why} ({PRICE_OF_ERRORS}){f'; {flips}' if flips else ''}")
    return [*told, lost] if lost else told


def _guess(c: Comparison, path: str) -> str:
    fact = c.case[path]
    return f"{fact_name(path)} {quantity(fact.value, fact.unit)}"


def _assumed(c: Comparison) -> list[str]:
    """Main inputs that are assumed, and stated ones that are uncertain and among the facts that move the answer most."""
    driving = [d.path for d in c.drivers[:DRIVING]]
    assumed = [_ranged(c, path, name) for path, name in MAIN.items() if path in c.case and guessed(c.case[path])
               and (path != PRICE_OF_ERRORS or case_number(c.case, path) > 0)]
    if rate_assumed(c, stay := option_of(c, "stay")):
        assumed.append(f"{fact_range(c.case[error_path(c, stay)])} of {stay.label}'s answers wrong (quality.scores)")
    if any(rate_assumed(c, o) for o in c.options if o.evaluated and o.id != "stay"):
        assumed.append("scores")
    unsure = [_ranged(c, path, name) for path, name in MAIN.items()
              if path in driving and not guessed(c.case[path]) and c.case[path].basis is not Basis.TEMPLATE]
    return [f"{word}: {', '.join(names)}" for word, names in (("Assumed", assumed), ("Uncertain", unsure)) if names]


def _latency(c: Comparison) -> list[str]:
    """What the latency of the leading option rests on, where an SLO is stated and another model, or a slower tier, answers."""
    slo = [f"{name} {quantity(c.case[path].value, 's')}" for path, name in SLO.items() if path in c.case
           and not guessed(c.case[path]) and c.case[path].basis is not Basis.TEMPLATE]
    lead = c.leader
    as_today = lead.kind in KEEPS_MODEL - {"flexible-tier"}
    if not slo or as_today or case_number(c.case, "workload.can_wait_share", 0.0) >= 1.0:
        return []
    told = f"SLO ({', '.join(slo)}): the latency of {lead.label} is "
    if lead.fleet is None:
        return [f"{told}not known"]
    plans, runs = f"options.{lead.id}.plans.", (lead.fleet.gpu, lead.fleet.vendor, lead.fleet.weight_dtype)
    heads = (path.removesuffix("gpu") for path in c.case.facts if path.startswith(plans) and path.endswith(".gpu"))
    head = next(x for x in heads if tuple(c.case[x + name].value for name in ("gpu", "vendor", "weight_dtype")) == runs)
    basis = c.case[f"{head}capacity_requests_per_s"].basis
    rests = "as stated, not checked" if basis is Basis.STATED else f"replayed, its speed {basis}"
    return [told + rests + ("; of the API above it not known" if lead.kind == "hybrid" else "")]


def _full(c: Comparison) -> list[str]:
    """That the leading option's fleet has hardly anything free at the peak, as `roi size` says it."""
    fleet = c.leader.fleet
    return [little_free(c.leader.label, fleet.utilisation_peak)] if fleet is not None and fleet.little_free else []


def _old(c: Comparison) -> list[str]:
    """The age of the oldest price of staying and of what leads, where it is too old."""
    ages: dict[str, int] = {}
    today = date.fromisoformat(str(c.case["as_of"].value))
    for o in (option_of(c, "stay"), c.leader):
        rent = None if o.fleet is None else (o.fleet.gpu, o.fleet.vendor, o.fleet.usd_per_gpu_hour)
        for path, fact in c.case.facts.items():
            if path.startswith(f"options.{o.id}.") and fact.unit.startswith("USD") and fact.date is not None:
                plan = path.rpartition(".")[0]
                if ".plans." in path and rent != (c.case[f"{plan}.gpu"].value, c.case[f"{plan}.vendor"].value, fact.value):
                    continue
                ages[o.label] = max(ages.get(o.label, 0), (today - fact.date).days)
    return old_prices(ages)


def _over(c: Comparison) -> list[str]:
    """Commitments that ended before the comparison begins, and are in no figure."""
    paid = [path.removesuffix("usd_per_month") for path in c.case.facts if path.endswith("commitment.usd_per_month")]
    over = [c.case[f"{path}months"].source.removeprefix("scenario ") for path in paid
            if case_number(c.case, f"{path}usd_per_month") > 0 and case_number(c.case, f"{path}months") == 0]
    return [f"A commitment is over by as_of and costs nothing: {', '.join(over)}"] if over else []


def _few_draws(c: Comparison) -> list[str]:
    """Draws that are too few for a chance or a percentile."""
    n = case_number(c.case, "draws")
    told = f"Too few draws for a chance or a percentile: {n:,.0f}; at least {LEAST_DRAWS}, better 4096 (--draws)"
    return [told] if 0 < n < LEAST_DRAWS else []


def _ranged(c: Comparison, path: str, name: str) -> str:
    """A main input with its range; without one, with its value."""
    return name.format(fact_range(c.case[path]))


def _gates(c: Comparison) -> list[str]:
    """What a gate's no drops, or why what trains stands in spite of it; then the gates without an answer."""
    dropped = [o.label for o in c.infeasible if o.trains and o.reason.startswith(FAILED)]
    told = [f"Gate {gate.name.replace('_', ' ')} is no: it drops {first_of(dropped, NAMED)}"
            for gate in c.gates if gate.blocks and dropped]
    if any(gate.status == FAIL and not gate.blocks for gate in c.gates) and any(o.trains for o in c.options):
        told.append("Legal gate is no: training stands only if people label (training.labels_from)")
    return [*told, *_unknown_gates(c)]


def _unknown_gates(c: Comparison) -> list[str]:
    """Questions without an answer, where an option that trains would save anything."""
    open_ones = [gate.name.replace("_", " ") for gate in c.gates if gate.status == UNKNOWN]
    if not open_ones or not any(o.trains and npv_of(c, o)[0] > 0 for o in c.options):
        return []
    return [f"{len(open_ones)} gate{'' if len(open_ones) == 1 else 's'} unknown: {', '.join(open_ones)}"]


def _endings(c: Comparison) -> list[str]:
    """Announced ends of the model in use, and of the leading option's within the horizon, with what that end costs."""
    (now, day), (then, end) = ending(c, "stay"), ending(c, c.verdict.leader)
    told = [f"{now} ends on {day}: a move is due in any case"] if day else []
    moves = next((line for line in c.leader.lines if line.name == MOVE), None)
    if end and then != now and moves is not None:
        paid = next(((k, x) for k, x in enumerate((moves.upfront_usd, *moves.monthly_usd)) if x > 0), None)
        cost = "at no cost" if paid is None else f"{usd(paid[1])} counted at the end of month {paid[0]}"
        path = f"vendors.{then}.successor"
        follow = f"; its vendor suggests {c.case[path].value}" if path in c.case else ""
        told.append(f"{then} ends on {end}: a second move, {cost}{follow}")
    return told


def _next_prices(c: Comparison) -> list[str]:
    """Announced prices of the model in use and of the leading option's, and what the option would then cost a month."""
    told = {}
    for o in (option_of(c, "stay"), c.leader):
        name = ending(c, o.id)[0]
        if name in told or f"vendors.{name}.next_price_on" not in c.case:
            continue
        day, ratio = c.case[f"vendors.{name}.next_price_on"].value, case_number(c.case, f"vendors.{name}.next_price_ratio")
        cash, start = month_of(c, o)[0], compared_from(c) if o.id == "stay" else alone_from(c, o)
        api = sum(sum(x.monthly_usd[start:]) for x in o.lines if x.name.startswith("API ")) / (len(o.monthly_usd) - start)
        then = f"{o.label} then about {usd(cash + (ratio - 1.0) * api)} a month, not {usd(cash)}"
        told[name] = (f"{name} costs {figure(ratio)} x as much from {day} on, announced: {then}. Its price is flat here:"
                      f" roi diff FILE --as-of {day}")
    return list(told.values())


def best_rows(c: Comparison, most: int) -> list[OptionResult]:
    """The rows: the leader and staying, then what the screen names, then the best by NPV, at most so many; by NPV."""
    v = c.verdict
    ranked = sorted(c.options, key=lambda o: (o.id != v.leader or v.recommended is None, -npv_of(c, o)[0]))
    kept = {o.id for o in ranked if o.id in {"stay", v.leader, v.first_move}}
    for id in (v.second, *(p.option for p in v.passed_over), *(o.id for o in ranked)):
        if id is not None and len(kept) < most:
            kept.add(id)
    return [o for o in ranked if o.id in kept]


def table(c: Comparison, most: int) -> list[Block]:
    """The best options, and how to read them."""
    shown, counts, v = best_rows(c, most), c.verdict.counts, c.verdict
    ends = [x for o in shown for mean, spread in [npv_of(c, o)] for x in (mean, *((spread[0], spread[2]) if spread else ()))]
    largest = max(abs(x) for x in ends)
    size, unit = next((each for each in SIZES if largest / each[0] < 99_999.5), SIZES[-1])
    cash = money_of([month_of(c, o)[0] for o in shown])
    heads = ("option", f"cash {'$' if cash.unit == 'USD' else cash.unit}\n/month", "wrong\n%", f"NPV, {unit}\nP10",
             "\nmean" if c.case["draws"].value else "\ncentral", "\nP90", "beats\nstay", "best\nof all", "\nquality")

    def row(o: OptionResult) -> Row:
        mean, spread = npv_of(c, o)
        low, high = (spread[0], spread[2]) if spread else (None, None)
        npvs = [("-" if x is None or o.id == "stay" else _scaled(x, size)) for x in (low, mean, high)]
        leads = o.id == v.recommended
        label = "stay" if o.id == "stay" else o.label.replace(f"> {option_of(c, 'stay').label}", "> stay")
        return Row((f"{'>' if leads else ' ' if o.tested else '?'} {label}", cash(month_of(c, o)[0]), _rate(c, o), *npvs,
                    share(chance(o, counts)), share(o.probability_best), quality(c, o)),
                   strong=leads, tone="good" if leads else "" if o.tested else "doubt")

    bar = case_number(c.case, "quality.bar")
    untested = bar > 0 and any(not o.tested for o in shown)
    since = f" (stay: from month {compared_from(c) + 1})" if compared_from(c) else ""
    legend = (f"cash: mean month once live{since}, central values. NPV against staying, {counted(c)}; P10: bad case, P90: good."
              " best of all: among what may be recommended."
              + (f" ?: in a draw below the bar of {percent(bar)}, set-up and way back are lost." if untested else ""))
    return [Table(heads, tuple(row(o) for o in shown), align="lrrrrrrrl", cut=True), Paragraph(legend)]


def _scaled(x: float, size: float) -> str:
    text = f"{x / size:,.0f}"
    return "0" if text == "-0" else text


def _rate(c: Comparison, o: OptionResult) -> str:
    """Wrong answers in percent, with a question mark where nobody tested, or of staying where that is assumed."""
    text = percent(o.quality.wrong_rate).removesuffix("%")
    return f"{text}?" if not o.tested or (o.id == "stay" and rate_assumed(c, o)) else text


def _lost(c: Comparison) -> list[str]:
    """Why options with a higher mean NPV are not recommended; and where another view of the hours decides otherwise."""
    v, told = c.verdict, list[str]()
    if v.if_all_hours_are_paid is not None:
        other = option_of(c, v.if_all_hours_are_paid).label if v.if_all_hours_are_paid != "stay" else "staying"
        told.append(f"With a price on the hours of people who are paid anyway, {other} would lead.")
    if v.recommended is not None:
        named = [(p, f"{o.label} ({short_usd(npv_of(c, o)[0])}", told_apart(percent, p.chance or 0.0, p.chance_needed))
                 for p in v.passed_over for o in (option_of(c, p.option),)]
        untested = [f"{name})" for p, name, _ in named if p.reason == "not tested"]
        unlikely = [f"{name}, {', needs '.join(odds)})" for p, name, odds in named if p.reason != "not tested"]
        for word, names in (("not tested", untested), ("beats staying too seldom", unlikely)):
            if names:
                told.append(f"Higher mean NPV but {word}: {first_of(names, NAMED)}.")
    return told


def _last(c: Comparison, warnings: Sequence[str], most: int) -> list[Block]:
    """Why the highest mean NPV does not lead, or that it has no row, and where the rest stands: the screen has few lines."""
    v, shown = c.verdict, {o.id for o in best_rows(c, most)}
    hidden = len(c.options) + len(c.infeasible) - len(shown)
    named = shown | {p.option for p in v.passed_over if v.recommended is not None}
    best = max((o for o in c.options if o.id != v.leader), key=lambda o: npv_of(c, o)[0], default=c.leader)
    left = [] if best.id in named else [f"Highest mean NPV of those not shown: {best.label} ({short_usd(npv_of(c, best)[0])})."]
    told = ((hidden, "more option"), (len(warnings), "warning"))
    rest = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in told if n)
    where = f"{rest or 'Everything'}: --full. Why: --explain {_name(c)}. Share: --format markdown."
    return [Paragraph(" ".join((*_lost(c), *left, where)))]


def _name(c: Comparison) -> str:
    """A short name by which --explain finds the leading option."""
    lead = c.leader
    names = [lead.id, lead.label if " " not in lead.label else lead.id]
    if lead.id == max((o for o in c.options if o.kind == lead.kind), key=lambda o: o.expected_npv_usd).id:
        names.append(lead.kind)
    return min(names, key=len)
