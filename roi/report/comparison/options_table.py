"""The table of options, and the cost tree of one of them.

The table says what each option costs, when it pays back, how good the odds are, and what the figures rest on; the tree shows
every cost line with its arithmetic.
"""

import re
from collections import defaultdict

import numpy as np

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import InfeasibleOption, LineResult, OptionResult
from roi.economics.decision.recommendation import value
from roi.economics.inputs import places
from roi.economics.lines.calendar import EXACT
from roi.economics.lines.line_kind import MIGRATIONS, LineKind
from roi.economics.option_kinds import exactly_named
from roi.economics.price_list import Api
from roi.errors import InputError, UnknownName, nearest
from roi.facts.fact import OWN_VENDOR, Basis, guessed
from roi.report.comparison.option_figures import (
    alone_from,
    compared_from,
    compared_with,
    counted,
    drawn,
    gpu_count,
    mean_from,
    month_of,
    option_of,
    own_path,
    quality,
)
from roi.report.comparison.option_words import sent_on, terms
from roi.report.comparison.remarks.fleets import slots_of, surer_plan, unmeasured_load
from roi.report.comparison.remarks.model_ends import announced, as_announced, dearer
from roi.report.layout.blocks import CUT, Block, Heading, Paragraph, Row, Table, stands_for
from roi.report.layout.wording import (
    MARKS,
    Money,
    case_number,
    chance,
    figure,
    kind_name,
    kind_names,
    money_of,
    months,
    number_of,
    off_list,
    peak_words,
    percent,
    usd,
)

NOT_EVALUATED = "?"
CENTS = 2
"""Decimals of USD within which figures are the same."""
WORTH_A_MARK = 0.05
"""A basis that carries less than this part of an option's cost has no mark."""
MONTH = re.compile(r"month (\d+): ")
"""How the arithmetic of a cost line begins where it is that of one month."""


def rank(c: Comparison) -> list[OptionResult]:
    """The feasible options, staying first, the others by what the verdict ranks by.

    Those within a cent are alike: of them the recommended one is first, then those that were tested.
    """
    counts, best = c.verdict.counts, c.verdict.recommended
    return sorted(c.options, key=lambda o: (o.id != "stay", -round(value(o, counts), CENTS), o.id != best, not o.tested))


def options_table(c: Comparison) -> list[Block]:
    """The table of the feasible options, and how to read it."""
    shown = rank(c)
    money = money_of([x for o in shown for x in (*month_of(c, o), o.upfront_usd, value(o, c.verdict.counts))])
    rows = tuple(_row(c, o, money) for o in shown)
    heads = ("option", f"cash\n{money.unit}\n/month", f"wrong\n{money.unit}\n/month", f"set-up\n{money.unit}", "pay-\nback",
             f"NPV\n{money.unit}", "best\nof all", "USD\n/Mtok", "ba-\nsis")
    return [Heading("Options"), Table(heads, rows), Paragraph(_legend(c, shown)), Paragraph(_staying(c)), *_skewed(shown),
            *([Paragraph(f"{few}.")] if (few := slots_of(c, shown)) else [])]


def _row(c: Comparison, o: OptionResult, money: Money) -> Row:
    stay, strong = o.id == "stay", o.id == c.verdict.recommended
    return Row((
        ("> " if strong else "  ") + ("stay: " + o.label if stay else o.label), money(month_of(c, o)[0]),
        money(month_of(c, o)[1]), money(o.upfront_usd),
        "-" if stay else months(o.payback_cash_months, len(o.monthly_usd)).replace("at once", "0.0"),
        "-" if stay else money(value(o, c.verdict.counts)), chance(o.probability_best), figure(o.usd_per_mtok), marks(o),
    ), strong=strong)


def marks(o: OptionResult) -> str:
    """The marks of the bases that an option's cost lines rest on, the one that carries most money first.

    A question mark follows where nobody has evaluated the option's quality.
    """
    weight: dict[str, float] = defaultdict(float)
    for line in o.lines:
        weight[MARKS[Basis(line.basis)]] += abs(line.upfront_usd) + sum(abs(x) for x in line.monthly_usd)
    total = sum(weight.values()) or 1.0
    kept = [mark for mark, w in sorted(weight.items(), key=lambda item: -item[1]) if w / total >= WORTH_A_MARK]
    return "".join(kept) + ("" if o.evaluated or o.id == "stay" else NOT_EVALUATED)


def _legend(c: Comparison, shown: list[OptionResult]) -> str:
    used = "".join(marks(o) for o in shown)
    names = [f"{mark} {basis.value}" for basis, mark in MARKS.items() if mark in used]
    if NOT_EVALUATED in used:
        names.append(f"{NOT_EVALUATED} quality not evaluated")
    draws = drawn(c)
    npv = "the mean over the draws" if draws else "at the central values"
    best = " best of all: share of the draws in which it saves most, of those that may be recommended." if draws else ""
    each = usd(case_number(c.case, "quality.usd_per_error"))
    return (f"/month: mean after go-live, retraining included; wrong: what wrong answers"
            f" cost at {each} each, no cash. Payback in months from today, on cash, at the central values."
            f" NPV: savings against staying, discounted, {counted(c)}, {npv}.{best}"
            f" USD/Mtok: discounted cost over discounted tokens, counted as the incumbent counts. Basis of each cost line's"
            f" weakest fact: {', '.join(names)}.")


def _staying(c: Comparison) -> str:
    """What a month of staying costs, and what that is made of."""
    stay, start = option_of(c, "stay"), compared_from(c)
    parts: dict[tuple[str, bool], float] = defaultdict(float)
    for line in stay.lines:
        name = "API" if line.kind is LineKind.API else "forced migrations" if line.kind in MIGRATIONS else line.name
        parts[name, line.kind is LineKind.OWN] += mean_from(line, start)
    words = " + ".join(f"{usd(x)} {name}" for (name, _), x in parts.items() if x >= 0.005)
    return f"Staying costs {usd(sum(parts.values()))} in a mean month from month {start + 1} on: {words}."


def _skewed(shown: list[OptionResult]) -> list[Block]:
    """Why the payback and the NPV of some options seem to disagree, where they do."""
    names = [o.label for o in shown if o.npv_usd > 0 > o.expected_npv_usd]
    if not names:
        return []
    return [Paragraph(f"{', '.join(names)} {'pays' if len(names) == 1 else 'pay'} back at the central values, but on average"
                      " over the draws the bad cases (errors, prices, speed) weigh more than the good ones: hence a payback"
                      " beside a negative NPV.")]


def reasons_once(c: Comparison) -> list[tuple[InfeasibleOption, str]]:
    """Each option that is not possible with its reason, which is written out for the first that has it."""
    first: dict[str, str] = {}
    return [(o, o.reason if first.setdefault(o.reason, o.label) == o.label else f"as {first[o.reason]}") for o in c.infeasible]


def infeasible(c: Comparison) -> list[Block]:
    """The options that cannot work, each with the limit that binds."""
    if not c.infeasible:
        return []
    rows = tuple(Row((o.label, kind_name(o.kind)), detail=why) for o, why in reasons_once(c))
    return [Heading("Not possible"), Table(("option", "kind"), rows, align="ll")]


ADD_UP_USD = 1e9
"""Below that a tree of costs is in USD: its small lines, rounded to thousands, would not add up for the eye."""


def cost_tree(c: Comparison, id: str) -> list[Block]:
    """The tree of a feasible option; for another one, why it cannot work."""
    for barred in c.infeasible:
        if barred.id == id:
            kind = kind_name(barred.kind)
            return [Heading(f"{barred.label} ({id}), {kind}: not possible"), Paragraph(barred.reason)]
    o = option_of(c, id)
    horizon = len(o.monthly_usd)
    beside, start = (compared_with(c), compared_from(c)) if o.id == "stay" else (o, alone_from(o))
    money = money_of([o.tco_usd, *(sum(line.monthly_usd) for line in o.lines)], below=ADD_UP_USD)
    rows = [_branch(line, start, money) for line in o.lines if line.upfront_usd or any(line.monthly_usd)]
    no_cash = [line.upfront_usd + sum(line.monthly_usd) for line in o.lines if not line.cash]
    month = month_of(c, o)
    cash = f"of it cash: {usd(month[0])} a month, {usd(o.tco_usd - sum(no_cash))} in all" if any(no_cash) else ""
    mean = sum(month) if o.id == "stay" else o.mean_monthly_usd  # of another option what is no cash too
    total = Row(("total", "", money(mean), money(o.upfront_usd), money(o.tco_usd)), strong=True, detail=cash)
    handed = f", hands on {percent(o.quality.share_escalated)}" if o.quality.share_escalated else ""
    long = sent_on(c, o)
    later = as_announced(c, o.id)
    later += "".join(f" {dearer(c, ahead)}, announced: counted in /month and in all." for ahead in announced(c, o.id))
    when = "" if beside is None else f", when {'it' if beside is o else beside.label} serves alone"
    if beside is o and o.months_to_live:
        both = o.months_in_parallel
        ends = ", until today's model ends" * (both < case_number(c.case, own_path(c, o, "months_in_parallel")) - EXACT)
        months = f"{figure(o.months_to_live)} month{'s' * (o.months_to_live != 1)}"
        when += f" (live after {months}{f', {figure(both)} in parallel' if both or ends else ''}{ends})"
    bases = dict.fromkeys(Basis(line.basis) for line in o.lines if line.upfront_usd or any(line.monthly_usd))
    legend = ", ".join(f"{MARKS[basis]} {basis.value}" for basis in bases)
    heads = ("cost line", "", f"{money.unit}\n/month", f"set-up\n{money.unit}", f"{number_of(horizon, 'month')}\n{money.unit}")
    return [
        Heading(f"Cost of {o.label} ({o.id})"), Table(heads, (*rows, total), align="ll", tree=True),
        Paragraph(f"/month: mean of months {start + 1} to {horizon}{when}. Basis of each line's weakest fact: {legend}."
                  f" Discounted cost {usd(o.pv_cost_usd)}.{_discounted(c, o)}{_fleet(c, o)}{_trained(c, o)}"
                  f" Quality: {quality(c, o)}, {percent(o.quality.error_rate)} wrong{handed}.{long and f' {long}.'}{later}"),
    ]


def arithmetic_month(line: LineResult) -> int:
    """The month that a line's arithmetic is shown for; 0 is set-up."""
    if found := MONTH.match(line.arithmetic):
        return int(found[1])
    return 0 if line.upfront_usd else 1 + line.monthly_usd.index(max(line.monthly_usd))


def _branch(line: LineResult, start: int, money: Money) -> Row:
    """A cost line; its detail is the arithmetic, and what that gives in its month or in month 0."""
    total, shown = line.upfront_usd + sum(line.monthly_usd), arithmetic_month(line)
    cells = (line.name, MARKS[Basis(line.basis)], money(mean_from(line, start)), money(line.upfront_usd), money(total))
    first = "" if line.arithmetic_upfront is None else f"{line.arithmetic_upfront} = {usd(line.upfront_usd)}; "
    return Row(cells, detail=f"{first}{line.arithmetic} = {usd((line.upfront_usd, *line.monthly_usd)[shown])}")


def _discounted(c: Comparison, o: OptionResult) -> str:
    """The discount or surcharge in the rates of the option's own API; empty where it has none."""
    known = {"option": o.id, "vendor": c.case[f"options.{o.id}.vendor"].value if f"options.{o.id}.vendor" in c.case else ""}
    paths = (each.format_map(known) for each in places(Api)["discount"].paths)
    off = next((case_number(c.case, path) for path in paths if path in c.case), 0.0)
    bills = o.id == "stay" or any(line.kind is LineKind.API for line in o.lines)
    return f" Its API is counted at {off_list(off)}." if off and bills else ""


def _fleet(c: Comparison, o: OptionResult) -> str:
    if (f := o.fleet) is None:
        return ""
    whole = f.replicas == round(f.replicas)
    mean = f"{figure(f.replicas)} replicas, a day's mean in month {f.month},"
    replicas = number_of(round(f.replicas), "replica") if whole else mean
    most = f", {gpu_count(f.gpus_most)} at most over the horizon" if f.gpus_most != f.gpus else ""
    all_of_them = "" if f.replicas <= 1 or not whole else f"all of them {figure(f.fleet_requests_per_s)} behind one router, "
    curve, factor = c.case["workload.load_curve"], c.case["workload.peak_to_mean"]
    busiest = None if guessed(curve) else float(np.max(np.asarray(curve.value, dtype=float)))
    peak = peak_words(factor.number(), busiest, stated=not guessed(factor))
    own = "owned" if f.vendor == OWN_VENDOR else "bought"
    rent = f"rented at {f.vendor}{terms(f)}, {usd(f.usd_per_gpu_hour)} per GPU and hour" if f.usd_per_gpu_hour else own
    return (f" Fleet: {replicas} on {gpu_count(f.gpus)} x {f.gpu},"
            f" {f.weight_dtype} weights{most},"
            f" {rent}; one alone holds {figure(f.capacity_requests_per_s)} requests a second at the SLO, {all_of_them}of"
            f" which the load takes {percent(f.utilisation_mean)} on average and {percent(f.utilisation_peak)}"
            f" {'at the peak' if whole else 'when fullest'}"
            f"{f' ({peak})' if peak else ''}.{f' That is {surer}.' if (surer := surer_plan(c, o)) else ''}"
            f"{f' {beyond}.' if (beyond := unmeasured_load(c, o)) else ''}")


def _trained(c: Comparison, o: OptionResult) -> str:
    """On which card the option trains, or on how many, who rents it on which terms, why none that is owned or why several.

    Empty where it trains on none.
    """
    card, rent = f"options.{o.id}.training.gpu", f"options.{o.id}.training.usd_per_gpu_hour"
    if card not in c.case or rent not in c.case:
        return ""
    why, gpus = c.case[card].source.partition("; ")[2], case_number(c.case, f"{card}s", 1.0)
    many, asked = (f"{gpus:.0f} x ", f" --gpus {gpus:.0f} --sharding fsdp") if gpus > 1.0 else ("", "")
    whose = c.case[rent].source.partition(":")[0]
    return (f" Trains on {many}{c.case[card].value}, {'yours' if whose.startswith(f'{OWN_VENDOR} ') else whose}"
            f" ({f'{why}; ' if why else ''}roi fit{asked}: on-demand rents alone).{_from_serving(c, o, gpus)}")


def _from_serving(c: Comparison, o: OptionResult, gpus: float) -> str:
    """Says that a retraining takes owned cards from those that serve, or others kept for it; empty where neither is so."""
    if o.fleet is None or o.training is None or o.training.retrain_every_months is None:
        return ""
    owned = {c.case[path.removesuffix("s_owned")].value: fact.number() for path, fact in c.case.facts.items()
             if path.startswith(f"options.{o.id}.plans.") and path.endswith(".gpus_owned")}
    left = owned.get(o.fleet.gpu, np.inf) - o.fleet.gpus_most
    if c.case[f"options.{o.id}.training.gpu"].value != o.fleet.gpu:
        return ""
    kept = f" {number_of(round(gpus), 'card')} {'is' if gpus == 1 else 'are'} kept for it." if gpus > o.fleet.gpus_most else ""
    return kept + " A retraining takes cards that serve, whose requests meanwhile are not counted." * (left < gpus)


def find_option(c: Comparison, name: str, field: str = "--explain") -> str:
    """The id of the option called `name`: its id, its label, its kind (the best of it), its provider/model or model, or a part.

    `field` is where the name was given.
    """
    ids = {**{o.id: o.label for o in c.options}, **{o.id: o.label for o in c.infeasible}}
    if name in ids:
        return name
    name = re.sub("> stay$", f"> {ids['stay']}", name)  # as the screen's table has it
    if name == f"stay: {ids['stay']}":
        return "stay"
    of_kind = [o.id for o in rank(c) if o.kind == name] or [o.id for o in c.infeasible if o.kind == name]
    if of_kind:
        return of_kind[0]
    as_cut = [o.id for o in c.options if CUT in name and stands_for(name, o.label)]
    found = exactly_named(ids, name) or as_cut or [
        id for id, label in ids.items() if name and (id.startswith(name) or label.startswith(name))] or [
        id for id, label in ids.items() if name and (name in id or name in label)]
    if len(found) > 1:
        raise InputError(f"{field}: {name[:80]!r} could be {', '.join(found[:5])}")
    if not found:
        kinds = {o.kind for o in c.options} | {o.kind for o in c.infeasible}
        for known in ([*ids.values(), *sorted(kinds)], ids):
            if nearest(name, known):
                raise UnknownName(field, name, known, "option")
        listed = sorted(kinds, key=[*kind_names(), *sorted(kinds)].index)
        raise InputError(f"{field}: unknown option {name[:80]!r}; kinds: {', '.join(listed)}")
    return found[0]
