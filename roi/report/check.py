"""How `roi check` is told: which rules broke and by how much, then those that hold."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from math import inf, isinf

from roi import __version__
from roi.answers.check import FOLLOWING, IN_PLACE, IN_USE, PRICED, RENTS, VOLUME, CheckAnswer, Rule
from roi.economics.decision.comparison import Comparison
from roi.facts.case import SHARE
from roi.report.comparison.findings import MEASURES
from roi.report.comparison.option_figures import option_of, rate_assumed
from roi.report.comparison.remarks.latency import staying_late
from roi.report.layout.blocks import Block, Paragraph, Row, Table, Title
from roi.report.layout.wording import fact_name, figure, number_of, option_label, percent, quantity, told_apart, usd
from roi.report.redaction import redacted, secret

SCHEMA = "roi.check/1"
WORDS = {
    "verdict": "there is a verdict", "verdict_unchanged": "verdict unchanged",
    "recommended_is_tested": "what is recommended is tested", "saved_as_written": "saved comparison unedited",
    "scores_measured": "scores measured, as saved",
    "file_as_written": "FILE unedited",
    "monthly_cash_usd": "cash a month", "upfront_usd": "set-up", "expected_npv_usd": "mean NPV",
    "payback_months": "payback on cash",
    "chance_to_beat_staying": "chance to beat staying", "wrong_answers": "wrong answers",
    "evidence_age_days": "age of evidence",
}
"""What the fields of a policy are called."""
WRITTEN = ("saved_as_written", "file_as_written")
"""Rules on the saved comparisons themselves."""
QUANTITIES = {"requests_per_day": "requests a day", "usd_per_gpu_hour": "rent of a GPU hour, all alike",
              "usd_per_gpu": "price of a GPU, all alike",
              "successor_price_ratio": "price of what follows today's model, times its own",
              "api_price_ratio": "API price, times the saved one", "error_rate": "wrong answers",
              "run_hours_per_month": "engineer hours a month"}
"""What the quantities of signposts are called."""
SHARES = {"chance_to_beat_staying", "wrong_answers", "error_rate"}
UNITS = {"payback_months": " months", "evidence_age_days": " days"}


def check_blocks(answer: CheckAnswer, *, redact: bool = False) -> Iterable[Block]:
    """The parts of the report; with `redact` without names and rates."""
    blocks = tuple(_blocks(answer, redact=redact))
    return redacted(blocks, *filter(None, (answer.comparison, answer.kept))) if redact else blocks


def check_json(answer: CheckAnswer) -> str:
    """Every rule as JSON, schema roi.check/1; a payback that never comes is null."""
    c = answer.comparison
    rules = [{**asdict(rule), "found": None if rule.found == inf else rule.found,
              "over": None if rule.over == inf else rule.over, "sentence": _sentence(answer, rule)} for rule in answer.rules]
    return json.dumps({
        "schema": SCHEMA, "roi_version": __version__, "holds": not answer.broken, "as_of": c.case["as_of"].value,
        "day": answer.day.isoformat(), "recommended": c.verdict.recommended, "leader": c.verdict.leader, "rules": rules,
        "remarks": _not_asked(c),
        "warnings": [*filter(None, [answer.two_tasks]), *answer.warnings],
    }, indent=1, allow_nan=False)


def _blocks(answer: CheckAnswer, *, redact: bool) -> Iterable[Block]:
    """The parts of the report; with `redact` the figures of rates are not among them."""
    broken, count = answer.broken, len(answer.rules)
    hidden = [rule for rule in answer.rules if redact and (_is_rate(answer, rule) or rule.name in WRITTEN)]
    yield Title(str(answer.comparison.case["title"].value))
    if answer.two_tasks:
        yield Paragraph(f"{answer.two_tasks.partition(':')[0]}." if redact else answer.two_tasks)
    if not broken:
        yield Paragraph(f"All {count} rules hold.", strong=True)
    else:
        told = "; ".join(_name(answer, rule) if rule in hidden else _sentence(answer, rule) for rule in broken)
        do = "does" if len(broken) == 1 else "do"
        yield Paragraph(f"{len(broken)} of {number_of(count, 'rule')} {do} not hold: {told}.", strong=True)
    if answer.day > answer.today:
        yield Paragraph(f"{answer.day} lies ahead: prices, rents and ends of models are those known on {answer.today}.")
    ordered = sorted(answer.rules, key=lambda rule: rule.holds)
    yield Table(("rule", "asked", "found", "off by", ""), tuple(
        Row((_name(answer, rule), *(("hidden",) * 2 if rule in hidden else _asked_and_found(answer, rule)),
             "" if rule in hidden else _over(rule), "holds" if rule.holds else "BROKEN"), strong=not rule.holds)
        for rule in ordered), align="llrrl")
    yield from (Paragraph(f"{_sentence(answer, rule)}.") for rule in answer.rules
                if rule.name in WRITTEN and rule.holds and not redact)
    if unasked := _not_asked(answer.comparison):
        yield Paragraph(f"No rule asks this (roi compare): {'; '.join(unasked)}.")


def _not_asked(c: Comparison) -> list[str]:
    """What `roi compare` says is to be done or known first, and no rule asks: a test, how today's model does, its latency."""
    e, stay = c.verdict.measure_first, option_of(c, "stay")
    first = [] if e is None or c.leader is stay else [
        f"MEASURE FIRST, {MEASURES[e.kind][1].format(option_of(c, e.option).label)}"]
    guess = [f"nobody scored {stay.label}, how often it answers wrong is assumed (quality.scores)"] * rate_assumed(c, stay)
    return [*first, *guess, *(f"{told[0].lower()}{told[1:]}" for told in staying_late(c))]


def _is_rate(answer: CheckAnswer, rule: Rule) -> bool:
    """True where the rule is on a rate, a wage, hours from which one follows, or the price of a GPU."""
    path = rule.name.removeprefix("facts.")
    if path in answer.comparison.case:
        return secret(path, answer.comparison.case[path])
    priced = {"usd_per_gpu_hour", "usd_per_gpu", "usd_per_error", "run_hours_per_month"}
    return rule.name.startswith("signposts.") and rule.name.rpartition(".")[2] in priced


def _name(answer: CheckAnswer, rule: Rule) -> str:
    if rule.name.startswith("facts."):
        return fact_name(rule.name.removeprefix("facts."))
    if rule.name in {PRICED, VOLUME, RENTS, FOLLOWING}:
        of = rule.name.rpartition(".")[2]
        return f"advice: {'what a wrong answer costs' if rule.name == PRICED else QUANTITIES[of]}"
    if rule.name.startswith("signposts."):
        option, _, quantity_ = rule.name.removeprefix("signposts.").rpartition(".")
        placed = next((words for words in (IN_PLACE, IN_USE) if rule.about.endswith(words)), "")
        rival = rule.about.removeprefix("against ").removesuffix(placed)
        names = [_label(answer, id) for id in (option, rival)]
        return f"signpost: {QUANTITIES.get(quantity_, quantity_)}, {names[0]} against {names[1]}{placed}"
    return f"{WORDS[rule.name]} {rule.about}".rstrip() if rule.name == "expected_npv_usd" else WORDS[rule.name]


def _label(answer: CheckAnswer, id: str) -> str:
    """The label of an option, as the answer or as the saved one has it."""
    return option_label(answer.comparison.case, id, *(() if answer.kept is None else (answer.kept.case,)))


def _asked_and_found(answer: CheckAnswer, rule: Rule) -> tuple[str, str]:
    side, limit, found = "" if rule.side == "is" else f"{rule.side} ", rule.limit, rule.found
    if rule.name == "verdict_unchanged" and rule.note:
        steps = ", then ".join(_label(answer, id) for id in answer.comparison.verdict.steps)
        return steps, steps
    if limit is None:
        return "yes" if rule.name != "verdict_unchanged" else "no verdict", _shown(answer, rule, found)
    if isinstance(limit, (int, float)) and isinstance(found, (int, float)) and not isinf(found):
        asked, got = told_apart(lambda x, more: _number(rule, x, more), limit, found)
        return side + asked, got
    return side + _shown(answer, rule, limit), _shown(answer, rule, found)


def _shown(answer: CheckAnswer, rule: Rule, x: float | str | None) -> str:
    """A figure in its unit; an option by its label."""
    if isinstance(x, str):
        return _label(answer, x)
    if x is None:
        return "no verdict" if rule.name.startswith("verdict") else "not known"
    return "never" if isinf(x) else _number(rule, x)


def _number(rule: Rule, x: float, more: int = 0) -> str:
    end = rule.name.rpartition(".")[2]
    if rule.name.startswith("facts."):
        return quantity(x, rule.about, more)
    if end in SHARES:
        return percent(x, more)
    return usd(x, more) if "usd" in end else f"{figure(x, more)}{UNITS.get(end, '')}"


def _over(rule: Rule) -> str:
    """By how much a limit is missed, in the words of its unit; points of 100 for shares."""
    if rule.over is None or isinf(rule.over):
        return ""
    end = rule.name.rpartition(".")[2]
    if end in SHARES or (rule.name.startswith("facts.") and rule.about == SHARE):
        points = figure(100 * rule.over)
        return f"{points} point{'' if points == '1' else 's'}"
    return _number(rule, rule.over)


def _sentence(answer: CheckAnswer, rule: Rule) -> str:
    """The rule in words, with what it is about."""
    off = _over(rule)
    about = ""
    if rule.name == "evidence_age_days" and rule.about in answer.comparison.case:
        option, priced, _ = rule.about.removeprefix("options.").partition(".price.")
        about = f" (list price of {_label(answer, option)})" if priced else f" ({fact_name(rule.about)})"
    if rule.name in {"verdict", "scores_measured", *WRITTEN} and rule.about:
        about = f" ({rule.about.rstrip('.')})"
    asked, found = _asked_and_found(answer, rule)
    told = f"{_name(answer, rule)}: asked {asked}, found {found}{about}"
    return told + (f", off by {off}" if off else "") + (f" ({rule.note})" if rule.note else "")
