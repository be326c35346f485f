"""What else the comparison found: returns, break-even, when the winner changes, what to measure, and what moves the answer."""

from collections.abc import Callable

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.measuring.worth import TIME_API, Experiment
from roi.economics.decision.option_result import InfeasibleOption, OptionResult
from roi.economics.decision.recommendation import value
from roi.economics.decision.turning.break_even import NO_DIFFERENCE, NOT_SEEN, RUNS_ALIKE, BreakEven
from roi.economics.inputs import path_of
from roi.economics.option_kinds import SELF_HOSTED
from roi.economics.outlook import unseen_successor
from roi.economics.worked_out import ErrorRate
from roi.facts.case import FOLLOWS, ITEMS, Case
from roi.facts.fact import Fact
from roi.report.comparison.option_figures import counted, drawn, mean_npv, option_of, quality, rate_assumed
from roi.report.comparison.option_words import why_later
from roi.report.comparison.remarks.latency import looser_slo, slo_of, unvalued_latency
from roi.report.comparison.remarks.model_ends import to_name, too_late
from roi.report.comparison.remarks.quality_bar import blind_gate
from roi.report.comparison.second_look import next_move
from roi.report.comparison.thresholds import flips_along, nothing_fails
from roi.report.layout.blocks import Block, Bullets, Heading, Labelled, Paragraph, Row, Table
from roi.report.layout.wording import (
    BESIDE,
    case_number,
    chance,
    duration,
    fact_name,
    figure,
    money_of,
    months,
    number_of,
    option_label,
    percent,
    range_of,
    requests,
    short_usd,
    told_apart,
    usd,
)
from roi.units import formatted

MEASURES = {
    "evaluate": ("Evaluate {0} on your evaluation set", "evaluate {0}"),
    "load-test": ("Load-test one server of {0}", "load-test {0}"),
    "trial-run": ("Try the training of {0} for some minutes", "try the training of {0}"),
    "count-tokens": ("Count the tokens of a hundred prompts with {0}", "count tokens with {0}"),
    "time-api": ("Time {0} on prompts like yours", "time {0}"),
    "usage-log": ("Read a week of usage log", "a week of usage log"),
    "invoice": ("Split an invoice into requests and prices", "split an invoice"),
    "quote": ("Ask vendors for a quote", "ask for a quote"),
}
"""What each kind of experiment does, in a sentence and in a list; {0} is the option that it is about."""
ALSO_WORTH = 0.25
"""Share of the best test's net worth from which the best one of another option is told beside it."""
LARGEST_RATE = 10.0
"""Returns above 1,000% say no more than that the set-up is small."""
ORDINARY = {"one crossing", "cheaper at every volume"}
"""Reasons that are not told, because the two figures of the row say them already."""


def returns(c: Comparison, id: str) -> list[Block]:
    """What the option returns against staying, and how sure that is."""
    o = next((o for o in c.options if o.id == id), None)
    priced = _another_price(c) if id == c.verdict.leader else []
    if o is None or o.id == "stay":
        return [Bullets(tuple(priced))] if priced else []
    horizon = len(o.monthly_usd)
    rates = "".join(f", {name} {percent(x) if x <= LARGEST_RATE else f'above {LARGEST_RATE:,.0%}'}"
                    for name, x in (("IRR", o.irr), ("ROI", o.roi)) if x is not None)
    untrained = ("and it is itself" if o.npv_vs_best_untrained_usd == 0.0 and not o.trains else
                 f"{usd(o.npv_vs_best_untrained_usd)} against")
    notes = [(f"At the central values, wrong answers counted: NPV {usd(o.npv_usd)} against staying,"
              f" {untrained} the best tested option that trains nothing; payback in months from"
              f" today {months(o.payback_months, horizon)}, discounted {months(o.payback_discounted_months, horizon)},"
              f" on cash alone {months(o.payback_cash_months, horizon)}{rates}.")]
    if o.npv_p10_p50_p90 and o.payback_p10_p50_p90 and o.probability_npv_positive is not None:
        low, middle, high = map(usd, o.npv_p10_p50_p90)
        early, median, late = (months(x, horizon) for x in o.payback_p10_p50_p90)
        notes.append(f"Over the draws, wrong answers counted: NPV {low} in a bad case (P10), {middle} in the middle"
                     f" (P50), {high} in a good one (P90); mean {usd(o.expected_npv_usd)};"
                     f" payback in months {early} (P10), {median} (P50), {late} (P90); cheaper than staying in"
                     f" {chance(o.probability_npv_positive)} of them{good_enough(c, o)}.")
    notes.append(f"One month of delay costs {usd(o.delay_usd)} of NPV." if o.delay_usd >= 0 else
                 f"One month of delay saves {usd(-o.delay_usd)} of NPV{why_later(c, o.id, 1, 'errors')}.")
    if abs(o.npv_usd - o.npv_without_errors_usd) >= 0.5:
        words = "without wrong answers" if o.upfront_no_cash_usd else "on cash alone"
        notes.append(f"At the central values, {words}, the NPV is {usd(o.npv_without_errors_usd)}.")
    if abs(o.npv_usd - o.npv_all_hours_usd) >= 0.5:
        notes.append(f"With a price on the hours that are paid anyway too, the NPV is {usd(o.npv_all_hours_usd)}.")
    if c.reconciled_npv_usd is not None and o.id == c.reconciled_option:
        price, volume = c.reconciled_npv_usd
        notes.append(f"Gap to the real bill, at the central values: NPV {usd(price)} if it is all the incumbent's price,"
                     f" {usd(volume)} if it is all volume.")
    return [Heading(f"What {o.label} returns"), Bullets((*notes, *priced))]


def _another_price(c: Comparison) -> list[str]:
    """At which price of a wrong answer the advice turns, and that a price without its spread is another question."""
    turns = flips_along(c)
    return [(f"The price of a wrong answer: {turns}. One that is set without a spread (--set quality.usd_per_error=...) may"
            " turn it elsewhere.")] if turns else []


def good_enough(c: Comparison, o: OptionResult) -> str:
    """In how many of the draws it reaches the bar; empty where nothing is held to it."""
    if o.probability_good_enough is None:
        return ""
    return f"; reaches the bar of {percent(case_number(c.case, 'quality.bar'))} in {chance(o.probability_good_enough)}"


BASELINES = (("stay", "staying"), ("best_untrained", "cheapest\nuntrained"), ("recommended", "recom-\nmended"))
"""What a break-even is told against, and its head."""


def break_even(c: Comparison, only: str | None = None) -> list[Block]:
    """From how many requests a day each option wins, or `only` one: over the whole horizon, and by running cost alone."""
    asked = () if c.thresholds is None else c.break_even if only is None else tuple(
        b for name, _ in BASELINES for b in c.thresholds.crossings(only, name))
    found = {(b.option, b.basis, b.baseline): b for b in asked if b.counts == c.verdict.counts}
    baselines = [(name, head) for name, head in BASELINES if any(b.baseline == name for b in found.values())]
    rows, why, now = [], dict[str, list[str]](), figure(case_number(c.case, "workload.requests_per_day"))
    for id in dict.fromkeys(b.option for b in found.values()):
        label, told, gaps = option_label(c.case, id), dict[str, dict[str, None]](), dict[str, list[str]]()
        for basis in ("pv", "run_rate"):
            crossings = [(head.replace("\n", " ").replace("- ", ""), found.get((id, basis, name))) for name, head in baselines]
            cells = [cell for _, b in crossings for cell in (
                ("itself", "") if b is None else (requests(b.first), f"to {requests(b.until)}") if b.until is not None else
                (requests(b.first), "not seen" if b.reason == NOT_SEEN else requests(b.stays)))]
            rows.append(Row((label + (", running cost" if basis == "run_rate" else ""), *cells)))
            for words, b in crossings:
                if b is not None and b.reason not in ORDINARY:
                    told.setdefault(_why(found, b), {})[words] = None
                if b is not None and c.thresholds is not None and c.thresholds.is_gap(b):
                    gaps.setdefault(words, []).append(basis)
        for words, bases in gaps.items():
            by = "" if len(bases) > 1 else " by running cost" if bases == ["run_rate"] else " over the horizon"
            told.setdefault(f"not at today's {now}{by}, though at some fewer and some more", {})[words] = None
        for reason, rivals in told.items():
            why.setdefault(f"than {' and '.join(rivals)}: {reason}", []).append(label)
    if not rows:
        return []
    heads = ("costs less than", *(cell for _, head in baselines for cell in (f"{head}\nfrom", "\nfor good")))
    blocks: list[Block] = [
        Heading(f"Break-even in requests a day (today {now})"),
        Table(heads, tuple(rows)), Bullets(tuple(f"{reason} ({', '.join(names)})" for reason, names in why.items())),
        Paragraph(f"The best option of each kind by {mean_npv(c)}; what it costs, {counted(c)}, at the central values over the"
                  f" whole horizon, set-up included{', where UNLESS goes by means and chances' * drawn(c)}; running cost: the"
                  " mean month after go-live alone. Each fleet is sized at its own peak. Cheapest untrained: the cheapest other"
                  " tested option that trains nothing. A further GPU costs before it is used, so an option may win first and"
                  ' lose again: it wins for good from the second figure on, or no further than "to" says.'
                  f"{' Not seen: it wins at the end of the search.' * any(b.reason == NOT_SEEN for b in found.values())}"),
    ]
    if only is None and (good := c.break_even_requests_per_day) is not None:
        today = case_number(c.case, "workload.requests_per_day")
        ahead = "; it is ahead at fewer too, today's among them" if c.leader.kind in SELF_HOSTED and good > today else ""
        blocks.append(Paragraph("The best self-hosted option stays ahead of the best option without training for good from"
                                f" {requests(good)} requests a day on{ahead}."))
    return blocks


def _why(found: dict[tuple[str, str, str], BreakEven], b: BreakEven) -> str:
    """The reason of a break-even; where the two cost the same to run, and not over the horizon, that, of both measures."""
    whole = found.get((b.option, "pv", b.baseline))
    return RUNS_ALIKE if b.reason == NO_DIFFERENCE and whole is not None and whole.reason == RUNS_ALIKE else b.reason


def winner_changes(c: Comparison) -> list[Block]:
    """The error rates up to which the winner and the challenger cost no more than the next, chances and means left aside."""
    v, notes = c.verdict, []
    if v.leader != "stay" and v.error_rate_of is not None:
        notes.append(_limit(c, v.error_rate_of, v.winner_changes_at_error_rate, "the next best"))
    if v.challenger is not None:
        notes.append(_limit(c, v.challenger, v.challenger_wins_at_error_rate, option_of(c, v.leader).label))
    head = "Error rate up to which an option costs no more, at the central values"
    return [Heading(head), Bullets(tuple(notes))] if notes else []


def _limit(c: Comparison, id: str, at: float | None, rival: str) -> str:
    o = option_of(c, id)
    most, here = told_apart(percent, o.quality.error_rate if at is None else at, o.quality.error_rate)
    assumed = o.evaluated and (rate_assumed(c, o) or quality(c, o) == "assumed")  # a score that nobody measured
    used = f"(used here: {here}, {'assumed' if assumed else o.quality.status})"
    if at is None:
        return f"{o.label} {used}: more than {rival} at any error rate."
    if at >= 1.0:
        return f"{o.label} {used}: no more than {rival} at any error rate."
    bar = 1.0 - case_number(c.case, "quality.bar")
    return f"{o.label} {used}: no more than {rival} up to {most}{', the quality bar' if abs(at - bar) < 1e-9 else ''}."


def experiment_name(case: Case, kind: str, option: str, fact: str | None = None, *, paired: bool = False) -> str:
    """What an experiment does with which option, and the fact that it tells, for a list."""
    told = MEASURES[kind][1].format(option_label(case, option)) + BESIDE * paired
    return f"{told}: {fact_name(fact)}" if fact else told


def next_step(c: Comparison) -> str:
    """What to measure next, in a sentence; empty where nothing is worth measuring."""
    e = c.verdict.measure_first or c.verdict.then
    return "" if e is None else f"{to_measure(c, e)}.{wins_at(c, e)}"


def then(c: Comparison, *, brief: bool = False, free: bool = True) -> list[Block]:
    """What is worth measuring after the advice, with `brief` the best test alone; nothing where a test of it comes first.

    `free`: with what tells some of it for nothing.

    The timing of an API, which takes a day, leaves that as it is.
    """
    e, named = c.verdict.then, [first] if free and (first := to_name(c)) else []
    if c.verdict.measure_first is not None and c.verdict.measure_first.kind != TIME_API:
        return []
    if e is None:
        why = looser_slo(c) or ("Nothing is worth measuring until a test can fail." if nothing_fails(c) else
               "Nothing to measure: no option here waits for a test." if not c.experiments and c.case["draws"].value else
               f"Nothing{' else' * bool(named)} is worth measuring: {nothing_pays(c)}." if c.case["draws"].value else
               "Without draws nothing says what a test is worth: --draws 4096.")
        return [Labelled("THEN", (*named, why))]
    beside = ", beside NEXT" if next_move(c) is not None else ""
    moved = "DO NOW" if c.verdict.measure_first is None else "the change"
    after = "" if c.verdict.leader == "stay" else f" after {moved}{beside}"
    told = [f"{to_measure(c, e)}; worth {short_usd(e.worth_usd)} on average{after}.{wins_at(c, e)}{pair_first(c, e) * free}"]
    other = next((x for x in c.experiments if x.option != e.option and x.net_usd > max(ALSO_WORTH * e.net_usd, x.error_usd)
                  and not (e.paired and e.kind == x.kind == "evaluate" and x.option == "stay")), None)  # is held by e
    if other is not None and not brief:
        what = to_measure(c, other)
        told.append(f"Also, valued alone: {what[0].lower()}{what[1:]}; worth {short_usd(other.worth_usd)} (roi next).")
        spared = case_number(c.case, "evaluation.usd_per_label") * min((x.items or 0) - x.labelled for x in (e, other))
        if e.kind == other.kind == "evaluate" and spared > 0.0:
            told.append(f"On the same items, whose labels are paid once, it adds about {usd(other.cost_usd - spared)}.")
    return [Labelled("THEN", (*named, *told))]


def nothing_pays(c: Comparison) -> str:
    """Why nothing is worth measuring after the advice."""
    noise = ", by more than these draws can tell" if any(e.net_usd > 0.0 for e in c.experiments) else ""
    beside = [*["the cascade's gate"] * bool(blind_gate(c)), *["the latency that nobody measured"] * unvalued_latency(c)]
    unvalued = f"; measuring {' and '.join(beside)} is not valued among them" if beside else ""
    none = "no test of what is named is worth its cost" if unseen_successor(c.case) else "no test is worth more than it costs"
    return f"{none}{noise}{unvalued}"


def to_measure(c: Comparison, e: Experiment) -> str:
    """What an experiment does, what it costs and how long it takes."""
    o = _about(c, e)
    trains = "Train and evaluate {0}" if e.kind == "evaluate" and o.trains and not _judged(o) else MEASURES[e.kind][0]
    told = trains.format(o.label) + BESIDE * e.paired + (f" ({fact_name(e.fact)})" if e.fact is not None else "")
    if e.kind == "evaluate" and e.items is not None:
        told += f", {number_of(e.items, 'item')}{with_labels(c, e)}"
    told += f", {slo_of(c, e.option)}" * (e.kind == TIME_API)
    return ", ".join(filter(None, (f"{told}: about {usd(e.cost_usd)} and {duration(e.months)}", too_late(c, e))))


def with_labels(c: Comparison, e: Experiment) -> str:
    """Which items of an evaluation need no labels, in brackets; empty where all do."""
    some = "" if e.labelled == e.items else f"{e.labelled:,} of these "
    return f" ({some}{option_label(c.case, 'stay')}'s, labelled already)" if e.labelled else ""


def _about(c: Comparison, e: Experiment) -> OptionResult | InfeasibleOption:
    """The option that an experiment is about: also one that missed the bar where it was evaluated."""
    options: tuple[OptionResult | InfeasibleOption, ...] = (*c.options, *c.infeasible)
    return next(o for o in options if o.id == e.option)


def _judged(o: OptionResult | InfeasibleOption) -> bool:
    return o.quality.status == "evaluated"


def _answers_in(c: Comparison, id: str) -> tuple[object, bool]:
    """What answers in an option: a system, alone or as the first of a cascade."""
    return c.case[f"options.{id}.system"].value, c.case[f"options.{id}.kind"].value == "cascade"


def wins_at(c: Comparison, e: Experiment) -> str:
    """The worst result with which an evaluation makes its option the advice, or leaves it that; of another, its lead or lack.

    In items, which decide as the rule does: a share of three digits may admit one more, 9.3% of 3,700 one above 343.
    Beside today's model it is how many more answers may be wrong than of today's.
    """
    o, v = _about(c, e), c.verdict
    items, leads = v.wins_on_items or 0, _answers_in(c, e.option) == _answers_in(c, v.leader)
    if e.kind == "evaluate" and items and v.wins_at_error_rate is None:
        later = f", at once; when it is there a move saves {short_usd(e.later_saves_usd)} more, which the worth counts"
        return "" if leads else f" No result of it alone would make it the advice{later if e.later_saves_usd >= 1.0 else ''}."
    if e.kind == "evaluate" and items and v.wins_at_error_rate is not None and v.wins_at_error_rate < 1.0:
        pooled = items != e.items
        of = f"of its answers to {'all ' * pooled}{items:,} items{' then judged' * pooled}"
        if e.paired:
            today = option_of(c, "stay").quality.error_rate
            return _beside_todays(round((v.wins_at_error_rate - today) * items), of, o.quality.error_rate - today, leads=leads)
        most, (at, found) = round(v.wins_at_error_rate * items), told_apart(percent, v.wins_at_error_rate, o.quality.error_rate)
        told = f"It stops winning if more than {most:,}" if leads else f"It wins if at most {most:,}"
        return f" {told} {of} are wrong, {at} ({'so far' if _judged(o) else 'assumed'}: {found})."
    if isinstance(o, InfeasibleOption):
        return ""
    gap = value(o, v.counts) - value(c.leader, v.counts)
    if v.leader in {e.option, "stay"} or e.option == "stay" or (c.second_move is not None and c.second_move.likely):
        return ""
    return f" Today its mean NPV is {short_usd(abs(gap))} {'above' if gap > 0 else 'below'} the recommendation's."


def _beside_todays(most: int, of: str, so_far: float, *, leads: bool) -> str:
    """How many more answers than of today's model may be wrong, or how many fewer must be; `so_far`: rates, apart."""
    if most > 0:
        bound = f"if {'more than' if leads else 'at most'} {most:,} more"
    elif most == 0:
        bound = "if any more" if leads else "if no more"
    else:
        bound = f"{'unless' if leads else 'if'} at least {-most:,} fewer"
    apart = figure(float(f"{100.0 * abs(so_far):.1f}"))
    now = "as many" if apart == "0" else f"{apart} of 100 {'more' if so_far > 0.0 else 'fewer'}"
    return f" It {'stops winning' if leads else 'wins'} {bound} {of} are wrong than of today's model (so far {now})."


def pair_first(c: Comparison, e: Experiment) -> str:
    """Says that scores which were stated apart may be paired for nothing, before new items are judged beside today's model."""
    systems = [c.case[f"options.{id}.system"].value for id in (e.option, "stay")]
    rates = [path_of(ErrorRate, "central", system=str(system)) for system in systems]
    apart = all(rate + ITEMS in c.case for rate in rates) and rates[0] + FOLLOWS not in c.case
    if not e.paired or not apart or _about(c, e).kind == "cascade":
        return ""
    return " First, free: pair the results at hand, if they are of the same items (roi quality)."


def measurable(c: Comparison) -> list[Block]:
    """What could be measured, its cost and what its result is worth."""
    if not c.experiments:
        return []
    rows = tuple(
        Row((MEASURES[e.kind][0].format(option_label(c.case, e.option)) + BESIDE * e.paired
             + (f": {fact_name(e.fact)}" if e.fact else ""),
             usd(e.cost_usd), figure(e.months), usd(e.worth_usd), usd(e.net_usd), usd(e.first_net_usd))) for e in c.experiments)
    beside = ""
    if c.second_move is not None and c.second_move.likely:
        both = "The recommendation with NEXT" if next_move(c) is not None else "The first move with what follows"
        beside = f" {both} is one thing that may be chosen."
    return [
        Heading("What could be measured"),
        Table(("experiment", "cost", "months", "worth\nafter", "net\nafter", "net\nbefore"), rows),
        Paragraph("After: once the recommendation is carried out, a second move paying its own set-up. Before: instead of"
                  " moving at once, its cost and the delay taken off, or its cost alone where nobody would wait for it. Worth:"
                  f" the gain in the best mean NPV over all that the result could let be chosen.{beside}"),
    ]


def drivers(c: Comparison, ends: Callable[[str, Fact], str] = range_of) -> list[Block]:
    """The uncertain facts that move the answer most; `ends` tells the range of one, where not every reader may know all."""
    if not c.drivers or c.driver_option is None:
        return []
    money = money_of([x for d in c.drivers for x in (d.npv_at_low_usd, d.npv_at_high_usd)])
    counted = ", wrong answers counted" if c.verdict.counts == "cash" else ""
    heads = ("fact", "5% to 95%", "NPV\nat 5%", "NPV\nat 95%", "rank\ncorr.", "worth\nknowing")
    return [
        Heading(f"What moves the NPV of {option_label(c.case, c.driver_option)}, {money.unit}"),
        Table(heads, tuple(
            Row((fact_name(d.path), ends(d.path, c.case[d.path]), money(d.npv_at_low_usd), money(d.npv_at_high_usd),
                 formatted(d.rank_correlation, "+.2f"), money(d.worth_knowing_usd)))
            for d in c.drivers), align="ll"),
        Paragraph(f"One fact at its 5% and 95% end, the others central{counted}. Rank corr.: Spearman, over the draws. Worth"
                  " knowing: were this one fact known today, before any move; roi next counts the time that a study takes."),
    ]
