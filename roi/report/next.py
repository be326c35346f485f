"""How `roi next` is told: what comes first, every experiment, and for the best one how much of it and when to stop."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

from roi import __version__
from roi.answers.next import NextAnswer
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.drivers import LEAST_USD
from roi.economics.decision.measuring.worth import TIME_API, Experiment, Point
from roi.economics.decision.verdict import ADDS_TOO_SELDOM
from roi.report.comparison.findings import experiment_name, nothing_pays, with_labels
from roi.report.comparison.remarks.alerts import ALWAYS, remarks
from roi.report.comparison.remarks.latency import looser_slo, where_it_pays
from roi.report.comparison.remarks.model_ends import instead_of_staying, to_name, too_late
from roi.report.comparison.thresholds import holds_while, nothing_fails
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title
from roi.report.layout.wording import case_number, duration, money_of, option_label, percent, short_usd, told_apart, usd
from roi.units import formatted

SCHEMA = "roi.next/1"
SHORT = {"day": "d", "days": "d", "weeks": "w", "months": "mo"}
MOST = 10
"""Experiments that are listed without --full."""
POINTS = 7
"""Sizes of the curve that are listed without --full."""
GATES = (" At most, of a cascade whose gate nobody measured, is what the best gate would bring over the recommendation at the"
         " central values; its worth and net count the gate as blind.")
TIMED = (" Nobody knows how likely an API is to miss the SLO: timing it is counted at even odds, before the change; once moved"
         " to, its users show it.")
HEADS = ("experiment", "size", "cost", "time", "at\nmost", "worth", "+-", "net if\nfirst", "net if\nafter")


def next_json(answer: NextAnswer) -> str:
    """What to measure next as JSON: the step, every experiment with its curve, and what compare says of the verdict."""
    c, e = answer.comparison, answer.experiment
    return json.dumps({
        "schema": SCHEMA, "roi_version": __version__, "title": c.case["title"].value, "step": answer.step,
        "sentence": step_sentence(answer), "recommended": c.verdict.recommended, "leader": c.verdict.leader,
        "steps": c.verdict.steps, "counts": c.verdict.counts, "draws": c.case["draws"].value, "seed": c.case["seed"].value,
        "experiment": None if e is None else asdict(e), "experiments": [asdict(each) for each in c.experiments],
        "best_gates": dict(answer.best_gates), "settling": [asdict(each) for each in answer.settling],
        "successor": _successor_json(answer), "warnings": list(answer.warnings),
    }, indent=1, allow_nan=False)


def _successor_json(answer: NextAnswer) -> dict[str, object] | None:
    """The successor that nobody named, how to name it, and the step then; null where there is none."""
    if (s := answer.successor) is None:
        return None
    then = s.answer
    return {"model": s.model, "set": s.override, "step": then and then.step, "sentence": then and step_sentence(then),
            "experiment": None if then is None or then.experiment is None else asdict(then.experiment), "refused": s.refused}


def _with_successor(answer: NextAnswer) -> Iterable[Block]:
    """What to do first were the vendor's suggestion for today's model, which ends, a candidate."""
    if (s := answer.successor) is None:
        return
    told = f"not valued, for that is refused: {s.refused}" if s.answer is None else step_sentence(s.answer)
    yield Paragraph(f"{s.model.partition('/')[2]}, which the vendor suggests after today's model, is no candidate and in no"
                    f" figure below. Named, --set '{s.override}': {told}")


def step_sentence(answer: NextAnswer) -> str:
    """What to do first, in one sentence, and in another what a gate that nobody measured could bring at most."""
    return _step(answer) + _at_best(answer)


def _at_best(answer: NextAnswer) -> str:
    """Says what measuring the gate of a cascade could bring at most, which no experiment counts; empty where none is open.

    Of several the one that could bring most.
    """
    if answer.step == "CORRECT FIRST" or not (gates := answer.best_gates):
        return ""
    id = max(gates, key=lambda each: gates[each])
    return (f" Measuring the gate of {option_label(answer.comparison.case, id)}, which nobody did, is worth at most"
            f" {short_usd(gates[id])}: what the best gate would bring at the central values.")


def _step(answer: NextAnswer) -> str:
    """What to do first."""
    c, e = answer.comparison, answer.experiment
    v = c.verdict
    if answer.step == "CORRECT FIRST":
        return f"CORRECT FIRST: {v.sentence} What follows is of the input as it stands."
    steps = ", then to ".join(option_label(c.case, id) for id in v.steps)
    do = f"stay{' until it ends' * bool(instead_of_staying(c))}" if v.leader == "stay" else f"change to {steps}{holds_while(c)}"
    first = "" if answer.successor is not None else to_name(c)
    free = f"{first[0].lower()}{first[1:]} " if first else ""
    after = f"{free}After that: " if free else ""
    late = f"; it takes {told}" if e is not None and (told := too_late(c, e)) else ""
    if v.measure_first is not None and e is not None:
        timed = e.kind == TIME_API
        odds, pays = "at even odds" if timed else "on average", f" (worth it where the chance of a miss is {where_it_pays(e)})"
        return (f"MEASURE FIRST: {after}{_what(c, e, e.items)}, worth {usd(e.first_net_usd)} {odds}, its cost and the"
                f" delay taken off{pays * timed}{late}; else {do}.")
    if e is None and (lost := nothing_fails(c) or looser_slo(c)):
        return f"DO NOW: {do}. THEN: {free}{lost}"
    if e is None and answer.best_gates:
        blind = f"{'W' if free else 'w'}ith its gate counted as blind no test is worth more than it costs"
        return f"DO NOW: {do}. THEN: {free}{blind}."
    if e is None:
        return f"DO NOW: {do}. THEN: {free}{'Nothing else' if free else 'nothing'} is worth measuring, {nothing_pays(c)}."
    return f"DO NOW: {do}. THEN: {after}{_what(c, e, e.items)}, worth {usd(e.worth_usd)} for {usd(e.cost_usd)}{late}."


def _what(c: Comparison, e: Experiment, size: int | None) -> str:
    """What the experiment does, on how much."""
    told = experiment_name(c.case, e.kind, e.option, e.fact, paired=e.paired)
    if e.kind == "evaluate" and any(o.id == e.option and o.trains and not o.evaluated for o in c.options):
        told = f"train and {told}"
    if size is None:
        return told
    return f"{told}, {size:,} runs" if e.kind == "load-test" else f"{told} on {size:,} items{with_labels(c, e)}"


def next_blocks(answer: NextAnswer, *, full: bool) -> Iterable[Block]:
    """The parts of the report; what stands on every screen of `roi compare` as a doubt stands here too."""
    c, e = answer.comparison, answer.experiment
    yield Title(str(c.case["title"].value))
    yield Paragraph(step_sentence(answer), strong=True)
    yield from (remark for _, remark in remarks(c, ALWAYS))
    yield from _with_successor(answer)
    most = [_most(answer, each) for each in c.experiments]
    listed = [each for each, usd in zip(c.experiments, most, strict=True) if full or usd >= LEAST_USD]
    listed = listed if full else listed[:MOST]
    if listed:
        yield Heading("What could be measured, USD")
        yield Table(HEADS, tuple(_row(c, each, e, _most(answer, each)) for each in listed))
        yield Paragraph("At most: what knowing it exactly is worth. Worth: of the size with the highest net value. Both once"
                        " the recommendation is carried out; +-: Monte Carlo error. Net: worth less cost and delay, if it"
                        " comes first, before anything is changed, or after the recommendation is carried out; its cost"
                        " alone, below 0, where nobody would wait for it. Each is valued alone; systems that are judged on the"
                        " same items pay their labels once."
                        + GATES * bool(answer.best_gates) + TIMED * any(e.kind == TIME_API for e in listed))
    if c.verdict.counts == "cash":
        yield Paragraph("Wrong answers are not counted: what one costs is a template's guess, which decides nothing; state"
                        " quality.usd_per_error to count them.")
    left = Counter(each.kind.replace("-", " ") for each in c.experiments if each not in listed)
    if left:
        words = ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in left.items())
        yield Paragraph(f"{'Worth nothing here' if len(listed) < MOST else 'Worth less'}: {words}. --full lists them.")
    yield from _settling(answer, full=full)
    best = e or next((each for each in c.experiments if each.curve and each.evppi_usd >= LEAST_USD), None)
    if best is not None and best.curve:
        yield from _curve(c, best, full=full)
    if full and answer.warnings:
        yield from (Heading("Warnings"), Bullets(answer.warnings))


HOW = "beats staying", "adds to the recommendation, once that is in use,"
"""What an option does too seldom, as its chance says; the latter of what is held back."""


def _settling(answer: NextAnswer, *, full: bool) -> Iterable[Block]:
    """Which test would make likely what saves more on average than the recommendation, and is not recommended.

    Without `full` of the best one that is tested, whose test THEN need not name.
    """
    c = answer.comparison
    over = c.verdict.passed_over if full else [p for p in c.verdict.passed_over if p.reason != "not tested"][:1]
    settled = {each.option: each for each in answer.settling}
    told = list[str]()
    for p in over:
        label, odds = option_label(c.case, p.option), told_apart(percent, p.chance or 0.0, p.chance_needed)
        lacks = "is not tested" if p.reason == "not tested" else (
                f"{HOW[p.reason == ADDS_TOO_SELDOM]} in {odds[0]} of the draws, {odds[1]} is asked")
        if (x := settled.get(p.option)) is None:
            none = "no test alone that is worth its cost would change that"
            told.append(f"{label} {lacks}: {'by which test is not worked out' if p.reason == ADDS_TOO_SELDOM else none}.")
            continue
        what = experiment_name(c.case, x.kind, x.about, x.fact, paired=x.paired)
        size = "" if x.items is None else f", {x.items:,} runs" if x.kind == "load-test" else f" on {x.items:,} items"
        told.append(f"{label} {lacks}: {what}{size} ({usd(x.cost_usd)}, {duration(x.months)}). After"
                    f" {percent(x.likely_after)} of the results it would be recommended: {short_usd(x.net_usd)} on average over"
                    " all, the test paid.")
    if told:
        yield Heading("What would make likely what is better on average")
        yield Bullets(tuple(told))
        if settled:
            yield Paragraph("The table above values tests as if the option of the highest mean were chosen whatever its chance;"
                            " this counts what would be advised after each result. Where the two name other tests, that of the"
                            " higher net value here changes more of what you would do.")


def _most(answer: NextAnswer, e: Experiment) -> float:
    """The most that the experiment could be worth, USD: of a cascade whose gate nobody measured, what the best would bring."""
    case = answer.comparison.case
    if e.kind != "evaluate" or e.option not in answer.best_gates:
        return max(e.evppi_usd, e.first_net_usd + e.cost_usd) if e.kind == TIME_API else e.evppi_usd
    return max(e.evppi_usd, *(usd for id, usd in answer.best_gates.items()
                              if case[f"options.{id}.system"].value == case[f"options.{e.option}.system"].value))


def _row(c: Comparison, e: Experiment, best: Experiment | None, at_most: float) -> Row:
    whole = (e.cost_usd, at_most, e.worth_usd, e.error_usd, e.first_net_usd, e.net_usd)
    cost, most, worth, error, before, after = (formatted(x, ",.0f") for x in whole)
    size = "" if e.items is None else f"{e.items:,}"
    return Row((_what(c, e, None), size, cost, _time(e.months), most, worth, error, before, after), strong=e is best)


def _time(months: float) -> str:
    """A duration in days, weeks or months."""
    count, _, unit = duration(months).partition(" ")
    return f"{count} {SHORT[unit]}" if unit else count


def _curve(c: Comparison, e: Experiment, *, full: bool) -> Iterable[Block]:
    """Net value by size where the best experiment stands, first or after the recommendation, and the stopping rule."""
    points, first = e.curve if full else _some(e), c.verdict.measure_first is not None
    money = money_of([x for p in points for x in (p.worth_usd, p.net_usd, p.first_net_usd)])
    unit = "runs" if e.kind == "load-test" else "items"
    yield Heading(f"How much of it: {_what(c, e, None)}")
    yield Table((unit, f"cost,\n{money.unit}", f"net if first,\n{money.unit}", f"net if after,\n{money.unit}", ""), tuple(
        Row((f"{p.items:,}", money(p.worth_usd - p.net_usd), money(p.first_net_usd), money(p.net_usd),
             f"<- best {'first' if first else 'after'}" if p.items == e.items and e.stop else ""), strong=p.items == e.items)
        for p in points), align="rrrrl")
    enough = case_number(c.case, "verdict.min_items", 0.0)
    few = any(p.items is not None and p.items < enough and p.worth_usd == 0.0 for p in points)
    if few and e.kind == "evaluate" and any(o.id == e.option and not o.tested for o in c.options):
        yield Paragraph(f"Fewer than {enough:,.0f} items in all are no test (verdict.min_items): they recommend nothing.")
    if e.stop is None:
        yield Paragraph(f"No size is worth what it costs, up to {e.curve[-1].items:,} {unit}.")
        return
    low, high = e.stop
    rule = f"Stop at {low:,} {unit}" if low == high else f"Stop between {low:,} and {high:,} {unit}"
    edge = ", the largest size tried" if high == e.curve[-1].items else ""
    yield Paragraph(f"{rule}{edge}: within that the net value is as good as these draws can tell (+- {usd(e.error_usd)}).")


def _some(e: Experiment) -> list[Point]:
    """A few points of the curve, the best and the ends of the stopping range among them."""
    kept = {e.items, *(e.stop or ())}
    others = [p.items for p in e.curve if p.items not in kept]
    step = max(-(-len(others) // max(POINTS - len(kept), 1)), 1)
    kept |= set(others[::step])
    return [p for p in e.curve if p.items in kept]
