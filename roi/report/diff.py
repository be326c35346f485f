"""How `roi diff` is told: both answers side by side, what turned the verdict, and each figure cause by cause."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from roi import __version__
from roi.answers.diff import DiffAnswer, Side
from roi.economics.change.attribution import SHAPLEY
from roi.economics.change.causes import GROUPS, Cause
from roi.economics.change.difference import VERSION, Moved
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.recommendation import chance, value
from roi.economics.outlook import announced_days
from roi.errors import first_of
from roi.facts.fact import Fact
from roi.report.comparison.option_figures import drawn, month_of, quality
from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table, Title
from roi.report.layout.wording import chance as share
from roi.report.layout.wording import fact_name, months, number_of, option_label, quantity, told_apart
from roi.report.page.parts import Change, Page, told
from roi.report.redaction import hiding, redacted, secret
from roi.units import formatted

SCHEMA = "roi.diff/1"
MOST_CAUSES, MOST_OTHERS, MOST_NAMED, MOST_RATES = 12, 6, 3, 4
"""Causes of one option that a table lists, other changes that are named, without --full; names, and rates, that a list has."""
WORDS = {
    "lengths": "lengths of requests", "peak": "peak over mean load", "steps": "steps of the volume", "tokens": "tokens of {0}",
    "error rate": "error rate of {0}", "tested": "what was tested of {0}", "list price": "list price of {0}",
    "training run": "training run of {0}", "own costs": "costs of your own", "speed": "serving speed, {0}",
    "shared fleet": "workloads on the fleet", "adapters": "adapters of the workload",
    "life": "end of {0}", "option": "what {0} is", "there": "{0} itself", "rent": "rent of {0}", "offers": "offers of {0}",
    "capacity": "capacity of {0}", "units": "units or seats of {0}",
}
"""What a cause is called; {0} is what it is about."""
LEADS = (".error_rate", ".usd_per_gpu_hour", ".input_usd_per_mtok", ".output_usd_per_mtok", ".gpu_hours_per_run",
         ".token_ratio", ".output_ratio", ".peak_to_mean", ".first_end_months", ".capacity_requests_per_s",
         ".provisioned.units", ".provisioned.usd_per_unit_month")
"""Ends of the paths that tell a cause of several facts, the first that moved."""
APART = 0.1
"""Part of the larger one by which the changes of a mean and of its central value differ where both are told."""
MISSED = "A draw that misses it loses the set-up and the way back, which no central value holds."
RATES = {"input_usd_per_mtok": "input", "output_usd_per_mtok": "output", "cache_read_usd_per_mtok": "cache reads",
         "cache_write_usd_per_mtok": "cache writes", "batch_": "batch", "cache_minimum_tokens": "least that is cached",
         "edges_tokens": "lengths at which it steps"}
"""What a list price is made of: how the fields begin, and what they are called."""
CACHE = ".uses_cache"
WHICH = (".vendor", ".label", CACHE, ".kind")
"""Ends of the fields that tell an option which became another one."""


def diff_blocks(answer: DiffAnswer, *, full: bool = False, redact: bool = False) -> Iterable[Block]:
    """The parts of the report; with `redact` it tells no rate, no wage and no name."""
    blocks = tuple(_blocks(answer, full=full, redact=redact))
    return redacted(blocks, *_comparisons(answer)) if redact else blocks


def diff_page(answer: DiffAnswer, *, redact: bool = False) -> Page:
    """The report as a page."""
    foot = " Rates, wages and names are left out." if redact else ""
    page = told(_blocks(answer, full=True, redact=redact), {}, "What changed", foot)
    return redacted(page, *_comparisons(answer)) if redact else page


def diff_json(answer: DiffAnswer, *, redact: bool = False) -> str:
    """The whole answer as JSON, schema roi.diff/1; with `redact` without facts, rates and names."""
    e, t = answer.explained, answer.turned
    numbered = (*e.causes, *answer.others)
    body: dict[str, Any] = {
        "schema": SCHEMA, "roi_version": __version__, "changed": answer.changed,
        "a": _side_json(answer.a, "before" if redact else answer.a.name),
        "b": _side_json(answer.b, "after" if redact else answer.b.name),
        "verdict": {"changed": not answer.verdict_stays, "sentence": _verdict(answer),
                    "by": _turned_by(answer), "alone": None if t is None else dict(t.alone)},
        "method": e.method,
        "causes": [{"group": c.group, "what": c.what or None, "of": c.of or None, "name": _name(answer, c),
                    "moved": _values(answer, c, redact=redact) or None, **({} if redact else {"paths": list(c.paths)}),
                    "taken_apart": k < len(e.causes)} for k, c in enumerate(numbered)],
        "figures": [{**asdict(m), "label": _label(answer, m.option), "parts_usd": list(m.parts_usd),
                     "groups_usd": {**_groups(answer, m), VERSION: m.version_usd}} for m in e.moved],
        "warnings": [] if redact else [*filter(None, [answer.two_tasks]), *answer.warnings],
    }
    return json.dumps(_renamed(body, hiding(*_comparisons(answer))) if redact else body, indent=1, allow_nan=False)


def _side_json(side: Side, name: str) -> dict[str, Any]:
    c = side.comparison
    return {
        "name": name, "as_of": c.case["as_of"].value, "roi_version": None if side.saved is None else side.saved.roi_version,
        "recommended": side.advice.recommended, "recommended_by_its_facts": c.verdict.recommended, "counts": c.verdict.counts,
        "expected_npv_usd": value(c.leader, c.verdict.counts), "cash_monthly_usd": month_of(c, c.leader)[0],
        "chance_to_beat_staying": chance(c.leader, c.verdict.counts), "chance_to_reach_bar": c.leader.probability_good_enough,
    }


def _comparisons(answer: DiffAnswer) -> tuple[Comparison, Comparison]:
    return answer.a.comparison, answer.b.comparison


def _renamed(body: Any, change: Change) -> Any:  # Any: plain JSON values
    """The JSON with names replaced, those that are keys too."""
    if isinstance(body, dict):
        return {change(key) if ":" in key else key: _renamed(each, change) for key, each in body.items()}
    if isinstance(body, list):
        return [_renamed(each, change) for each in body]
    return change(body) if isinstance(body, str) else body


def _blocks(answer: DiffAnswer, *, full: bool, redact: bool) -> Iterable[Block]:
    a, b, e = answer.a, answer.b, answer.explained
    names = ("before", "after") if redact else (a.name, b.name)
    yield Title(str(b.comparison.case["title"].value))
    yield Paragraph(" -> ".join(_headed(side, name) for side, name in zip((a, b), names, strict=True)))
    if answer.two_tasks:
        yield Paragraph(f"{answer.two_tasks.partition(':')[0]}." if redact else answer.two_tasks)
    if not answer.changed:
        yield Paragraph("Nothing changed: the same facts, the same figures, the same verdict.", strong=True)
        return
    yield Paragraph(_verdict(answer), strong=True)
    yield _answers(answer)
    counts = [side.comparison.verdict.counts for side in (a, b)]
    if counts[0] != counts[1]:
        words = {"cash": "wrong answers not counted", "errors": "wrong answers counted too"}
        yield Paragraph(f"Before, {words[counts[0]]}; after, {words[counts[1]]}.")
    options = dict.fromkeys(m.option for m in e.moved)
    for option in options:
        yield from _option(answer, option, full=full, redact=redact)
    shown_figures = [m for option in options for m in _columns(answer, option)]
    idle = [c for k, c in enumerate(e.causes) if not any(m.parts_usd[k] for m in shown_figures)]
    besides = [*idle, *answer.others]
    if besides:
        shown = besides if full else besides[:MOST_OTHERS]
        more = f"; and {len(besides) - len(shown)} more (--full)" if len(shown) < len(besides) else ""
        listed = "; ".join(_told(answer, c, redact=redact) for c in shown)
        yield Heading("Changed besides, without effect on these central values")
        yield Paragraph(listed + more + ".")
    how = ("the mean over all orders in which groups can change (Shapley)" if e.method == SHAPLEY else
           "the mean of one order (as listed) and its reverse, because there are many")
    yield Heading("How it adds up")
    yield Paragraph(f"At the central values, all facts of a cause moved at once. Each part is {how}; parts add up to the cent."
                    " An option that is not there, or cannot work, counts as staying.")
    if answer.warnings and full and not redact:
        yield from (Heading("Warnings"), Bullets(answer.warnings))


def _headed(side: Side, name: str) -> str:
    version = "" if side.saved is None else f", saved by roi {side.saved.roi_version}"
    day = str(side.comparison.case["as_of"].value)
    return f"{name}{version}" if day in name else f"{name} ({day}{version})"


def _verdict(answer: DiffAnswer) -> str:
    """Whether the verdict changed, and what did it."""
    told = [_recommendation(side) for side in (answer.a, answer.b)]
    if answer.verdict_stays:
        led = [_label(answer, str(side.advice.recommended)) for side in (answer.a, answer.b)]
        told[1] += f" (figures below: {led[0]} at once before, {led[1]} after)" if led[0] != led[1] else ""
        return f"The verdict stays: {told[1]}.{_tested(answer)}{_first(answer)}"
    by = _turned_by(answer)
    alone = "" if len(by) > 1 or len(GROUPS) == 1 else " alone"
    causes = " and ".join(by) if by else "several changes"
    return f"The verdict turns from {told[0]} to {told[1]}: {causes}{alone}.{_tested(answer)}{_first(answer)}"


def _tested(answer: DiffAnswer) -> str:
    """What either answer recommends that was evaluated on enough items for one of them alone, in words."""
    said = ""
    for id in dict.fromkeys(side.advice.recommended for side in (answer.a, answer.b) if side.advice.recommended):
        before, after = (None if o is None else o.tested for o in _results(answer, id))
        if before is not None and after is not None and before != after:
            said += f" {_label(answer, id)} is {'tested now' if after else 'no longer tested'}."
    a, b, evaluated = answer.a.comparison, answer.b.comparison, "systems.{}.evaluated".format
    for had, has, exact, assumed in (
            (a, b, "as exact now: on how many items is no longer said", "as assumed now: nothing measured is said (--quality)"),
            (b, a, "as uncertain now, by the items that are said", "as measured now, and was assumed")):
        moved = [name for name in sorted(_counted(had) - _counted(has)) if all(evaluated(name) in c.case for c in (a, b))]
        for words, known in ((exact, True), (assumed, False)):
            named = [name for name in moved if bool(has.case[evaluated(name)].value) == known]
            score = "score" if len(named) == 1 else "score of each"
            said += f" The {score} of {first_of(named, MOST_NAMED)} counts {words}." * bool(named)
    return said


def _counted(c: Comparison) -> set[str]:
    """Systems of whose score somebody says on how many items it rests."""
    start, end = "systems.", ".items"
    return {path[len(start) : -len(end)] for path in c.case.facts if path.startswith(start) and path.endswith(end)}


def _results(answer: DiffAnswer, id: str) -> list[OptionResult | None]:
    """What both answers say of an option; None where it is not there, or cannot work."""
    return [next((o for o in side.comparison.options if o.id == id), None) for side in (answer.a, answer.b)]


def _first(answer: DiffAnswer) -> str:
    """Whether the answers would have something measured before they are followed."""
    before, after = (side.comparison.verdict.measure_first is not None for side in (answer.a, answer.b))
    if after:
        return " Both say to measure first: roi next." if before else " Measuring comes first now: roi next."
    return " Nothing is to be measured first any more." if before else ""


def _turned_by(answer: DiffAnswer) -> list[str]:
    by = [] if answer.turned is None else list(answer.turned.by)
    return [*by, VERSION] if answer.by_version else by


def _recommendation(side: Side) -> str:
    if side.advice.recommended is None:
        return "no verdict"
    steps = [option_label(side.comparison.case, id) for id in side.advice.steps or (side.advice.recommended,)]
    return f"staying with {steps[0]}" if side.advice.recommended == "stay" else f"changing to {', then to '.join(steps)}"


def _answers(answer: DiffAnswer) -> Table:
    """What both answers say of the option that each of them recommends."""
    def row(side: Side) -> tuple[str, ...]:
        c = side.comparison
        o, counts = c.leader, c.verdict.counts
        spread = o.cash_npv_p10_p50_p90 if counts == "cash" else o.npv_p10_p50_p90
        stay = o.id == "stay"
        return (o.label, _cents(month_of(c, o)[0]), "-" if stay else _cents(value(o, counts)),
                "-" if stay or spread is None else _cents(spread[0]), share(chance(o, counts)),
                "-" if stay else months(o.payback_cash_months, len(o.monthly_usd)))

    of = "mean" if any(drawn(side.comparison) for side in (answer.a, answer.b)) else "central"
    npv = (f"{of}\nNPV, $", "bad case\nP10, $")
    heads = ("recommended", "cash $\n/month", *npv, "beats\nstaying", "payback\non cash,\nmonths")
    first, second = row(answer.a), row(answer.b)
    return Table(heads, (Row(("before: " + first[0], *first[1:])), Row(("after: " + second[0], *second[1:]), strong=True)))


def _option(answer: DiffAnswer, option: str, *, full: bool, redact: bool) -> Iterable[Block]:
    """The change of one option's NPV and cash, by group and cause."""
    columns = _columns(answer, option)
    yield Heading(_label(answer, option) + ("" if option != "stay" else ", staying (mean of all months)"))
    if all(m.was_usd == m.now_usd and not any(m.parts_usd) for m in columns):
        told = _drawn(answer, option, means=True)
        yield Paragraph(f"At the central values unchanged. {told}" if told else "Unchanged.")
        return
    told = _drawn(answer, option, means=False)
    heads = {"cash_monthly_usd": "cash, $ a month", "npv_usd": "central\nNPV, $",
             "npv_without_errors_usd": "central NPV without\nwrong answers, $"}
    rows = [Row(("before", *(_cents(m.was_usd) for m in columns)))]
    listed = sorted((k for k in range(len(answer.explained.causes)) if any(m.parts_usd[k] for m in columns)),
                    key=lambda k: -max(abs(m.parts_usd[k]) for m in columns))
    shown = set(listed if full else listed[:MOST_CAUSES])
    for group, sums in _sums(answer, columns).items():
        if not any(sums) and not (group == VERSION and any(m.version_usd for m in columns)):
            continue
        rows.append(Row((group, *map(_signed, sums)), strong=True))
        for k, cause in enumerate(answer.explained.causes):
            if cause.group == group and k in shown:
                rows.append(Row((f"  {_told(answer, cause, redact=redact)}", *(_signed(m.parts_usd[k]) for m in columns))))
        left = [k for k in listed if k not in shown and answer.explained.causes[k].group == group]
        if left:
            rows.append(Row((f"  {len(left)} smaller ones (--full)", *(_signed(_sum(m.parts_usd[k] for k in left))
                                                                         for m in columns))))
    rows.append(Row(("after", *(_cents(m.now_usd) for m in columns)), strong=True))
    yield Table(("cause", *(heads[m.figure] for m in columns)), tuple(rows))
    if told:
        yield Paragraph(told)


def _columns(answer: DiffAnswer, option: str) -> tuple[Moved, ...]:
    """The figures of an option that are told: cash, and its NPV as the verdict counts it."""
    figures = {m.figure: m for m in answer.explained.moved if m.option == option}
    npv = "npv_without_errors_usd" if answer.b.comparison.verdict.counts == "cash" else "npv_usd"
    return (figures["cash_monthly_usd"],) if option == "stay" else (figures[npv], figures["cash_monthly_usd"])


def _drawn(answer: DiffAnswer, option: str, *, means: bool) -> str:
    """What moved of an option beside its central values, and makes its mean go another way; with `means` the mean anyhow.

    What is known of its answers, its chance to reach the bar, and where mean and central value move apart spreads that moved.
    """
    before, after = _results(answer, option)
    if option == "stay" or before is None or after is None:
        return ""
    npvs = [value(o, answer.b.comparison.verdict.counts) for o in (before, after)]
    known = [quality(side.comparison, o) for side, o in ((answer.a, before), (answer.b, after))]
    reached = ["no bar" if o.probability_good_enough is None else share(o.probability_good_enough) for o in (before, after)]
    central, mean = sum(m.now_usd - m.was_usd for m in _columns(answer, option)[:1]), npvs[1] - npvs[0]
    apart = abs(mean - central) > APART * max(abs(mean), abs(central))
    others = known[0] != known[1] or reached[0] != reached[1]
    spreads = [fact_name(path) for path in _spreads(answer)] if apart and not others else []
    moved = {"Mean NPV of the draws, $:": [_cents(x) for x in npvs]} if means or apart or others else {}
    moved |= {"Answers:": known, "Chance to reach the bar:": reached}
    told = [f"{what} {was} -> {now}." for what, (was, now) in moved.items() if was != now]
    told += [MISSED] * (reached[0] != reached[1]) + [f"Spread that moved: {first_of(spreads, MOST_NAMED)}."] * bool(spreads)
    return " ".join(told)


def _spreads(answer: DiffAnswer) -> list[str]:
    """Facts, by path, that are drawn further from their value, or nearer to it, than before."""
    e = answer.explained
    pairs = {path: (e.a.get(path), e.b.get(path)) for cause in e.causes for path in cause.paths}
    ends = {path: [[f"{end / (f.value or 1.0):.6g}" for end in (f.low, f.high) if end is not None]
                   for f in pair if f is not None and isinstance(f.value, int | float)] for path, pair in pairs.items()}
    return [path for path, both in ends.items() if len(both) == len(pairs[path]) and both[0] != both[1]]


def _sums(answer: DiffAnswer, columns: Sequence[Moved]) -> dict[str, list[float]]:
    """By group, and the version of roi at the end: the sum of its parts in each column."""
    found = {group: [_groups(answer, m)[group] for m in columns] for group in GROUPS}
    return {**found, VERSION: [m.version_usd for m in columns]}


def _groups(answer: DiffAnswer, m: Moved) -> dict[str, float]:
    causes = answer.explained.causes
    return {group: _sum(x for x, c in zip(m.parts_usd, causes, strict=True) if c.group == group) for group in GROUPS}


def _sum(amounts: Iterable[float]) -> float:
    """A sum in whole cents."""
    return sum(round(100 * x) for x in amounts) / 100


def _told(answer: DiffAnswer, cause: Cause, *, redact: bool) -> str:
    moved = _values(answer, cause, redact=redact)
    return _name(answer, cause) + (f": {moved}" if moved else "")


def _name(answer: DiffAnswer, cause: Cause) -> str:
    if cause.what == "known better":
        return f"spread or basis of {number_of(len(cause.paths), 'fact')}"
    if not cause.what:
        return fact_name(cause.paths[0])
    name = WORDS[cause.what].format(_label(answer, cause.of))
    if cause.what == "list price":
        if all(".announced." in path for path in cause.paths):
            name = f"announced price of {_label(answer, cause.of)}{_from(answer, cause)}"
        moved = [words for field, words in RATES.items() if any(_field(path).startswith(field) for path in cause.paths)]
        moved = ["all rates"] if len(moved) > MOST_RATES else moved
        name += f", {' and '.join(filter(None, [', '.join(moved[:-1]), moved[-1]]))}" if moved else ""
    return name


def _field(path: str) -> str:
    return path.rpartition(".")[2]


def _from(answer: DiffAnswer, cause: Cause) -> str:
    """From which day on, or from which before and which after, the first of the announced lists holds that moved."""
    which = min(int(path.partition(".announced.")[2].partition(".")[0]) for path in cause.paths)
    days = (announced_days(side.comparison.case).get(cause.of, ())[which : which + 1] for side in (answer.a, answer.b))
    told = dict.fromkeys(str(day.value) for some in days for day in some)
    return f" from {' -> '.join(told)} on"


def _label(answer: DiffAnswer, id: str) -> str:
    """The label of an option by its id in either Case; any other name is itself."""
    return option_label(answer.b.comparison.case, id, answer.a.comparison.case)


def _values(answer: DiffAnswer, cause: Cause, *, redact: bool) -> str:
    """From which value to which, of the fact that tells the cause; empty where none does, or where it is nobody's business."""
    a, b = (side.comparison.case.facts for side in (answer.a, answer.b))
    if cause.what == "there":
        return "new" if f"options.{cause.of}.kind" in b else "gone"
    e = answer.explained
    ends = WHICH if cause.what == "option" else LEADS
    told = [path for end in ends for path in cause.paths if path.endswith(end)] if cause.what else list(cause.paths)
    said, rates = dict[str, str](), cause.what == "list price"
    told = told or [path for field in RATES for path in cause.paths if rates and _field(path).startswith(field)]
    for path in told:
        old, new = e.a.get(path, a.get(path)), e.b.get(path, b.get(path))
        if any(redact and fact is not None and secret(path, fact) for fact in (old, new)):
            return ""
        first, second = _pair(old, new)
        if path.endswith(CACHE):
            first, second = (f"cache {'on' if text == 'yes' else 'off'}" for text in (first, second))
        if first and second and first != second:
            said.setdefault(_field(path), f"{first} -> {second}")
        if said and not rates:
            break
    return ", ".join(said.values())


def _pair(*facts: Fact | None) -> Sequence[str]:
    """Two short values, told apart; of a list with one price a tier the first; "none" where there is no such fact."""
    unit = next((f.unit for f in facts if f is not None), "")
    a, b = (None if f is None else f.value[0] if isinstance(f.value, tuple) and f.value else f.value for f in facts)
    if bool in {type(a), type(b)}:  # a flag is there where it is not as goes without saying: beside it none is the other
        return ["yes" if (x if x is not None else not (a or b)) else "no" for x in (a, b)]
    told: Sequence[str] = ["none" if x is None else quantity(x, unit) for x in (a, b)]
    if isinstance(a, int | float) and isinstance(b, int | float):
        told = told_apart(lambda x, more: quantity(x, unit, more), a, b)
    return [text if len(text) <= 24 else "" for text in told]


def _cents(x: float) -> str:
    return formatted(x, ",.2f")


def _signed(x: float) -> str:
    return "" if abs(x) < 0.005 else f"{x:+,.2f}"
