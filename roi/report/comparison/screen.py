"""The one screen of `roi compare`: what to do, what it costs, how sure that is and what is not known, in at most 40 lines."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.feasibility import FAIL
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.recommendation import chance
from roi.economics.decision.verdict import ADDS_TOO_SELDOM
from roi.errors import first_of
from roi.report.comparison.advice import MOST_RIVALS, PART, advice, resale
from roi.report.comparison.findings import break_even, drivers, measurable, returns, winner_changes
from roi.report.comparison.option_figures import (
    called,
    compared_from,
    counted,
    drawn,
    error_path,
    may_stay,
    mean_npv,
    month_of,
    npv_of,
    option_of,
    quality,
    rate_assumed,
)
from roi.report.comparison.options_table import cost_tree, find_option, infeasible, options_table
from roi.report.comparison.remarks.alerts import ALWAYS, alerts, remarks
from roi.report.comparison.remarks.stated import NAMED
from roi.report.comparison.scope import excluded, included
from roi.report.comparison.second_look import OFTEN, held_back, self_hosting_of
from roi.report.comparison.thresholds import flips_along, flips_at
from roi.report.layout.blocks import Block, Bullets, Gap, Heading, Labelled, Paragraph, Row, Table, Title, render, shortened
from roi.report.layout.wording import case_number, figure, money_of, number_of, percent, short_usd, told_apart
from roi.report.layout.wording import chance as share
from roi.units import formatted

MOST_LINES, MOST_ROWS, RIVAL = 40, 6, 3
"""Lines of the screen; rows of its table; and its rows before remarks are told in a word: the nearest rival has one."""
SELDOM = 0.1
"""Share of the draws in which an option without a row saves most, above which it is named, if the leading one's is no less."""
LEAST = ("below the bar", "a bill not checked", "unknown gates", "a gate that drops nothing")
"""What remarks are about that give way to the row of an option that is named."""
FIRST = ("known ends",)
"""What remarks are about that no screen leaves out, and that stand first where not all of them do."""
TITLE = 100
"""Characters of a title that are shown."""
SIZES = ((1.0, "$"), (1e3, "$k"), (1e6, "$M"), (1e9, "$bn"), (1e12, "$tn"))
"""Units of the NPV columns, so that the largest figure has five digits."""


def screen(c: Comparison, warnings: Sequence[str], form: str = "table", *, width: int = 80, colour: bool = False) -> str:
    """The screen; its table has as many of the best options as leave it within its lines, then as many remarks stand above.

    Before an option that the screen names loses its row, what is not to be done yet is told in fewer words, then LEAST in a
    word each; before the nearest rival does, all remarks but ALWAYS. Where even that is too long, fewer rivals are told that
    would undo the advice; at last none of them, nor the best of those without a row, nor from which volume on the advice is
    another, and as many remarks as there is room for, but FIRST; then what stands elsewhere on the screen is not told again.
    """
    above, told, advised = list[Block](), remarks(c), cache(partial(advice, c))
    told_last = sorted(told, key=lambda remark: (remark[0] in LEAST) - (remark[0] in FIRST))
    least = sum(about not in LEAST for about, _ in told)
    kept, every = sum(about in ALWAYS for about, _ in told), range(len(told), -1, -1)
    named = min(len(set(_named(c))), MOST_ROWS)
    few = min(named, RIVAL)
    fewer = [(k, told, len(told), MOST_RIVALS, False) for k in range(MOST_ROWS, named - 1, -1)]
    fewer += [(k, *some, MOST_RIVALS, True)
              for k in range(named, few - 1, -1) for some in ((told, len(told)), (told_last, least))]
    fewer += [(k, told_last, n, MOST_RIVALS, True) for k in range(few, 1, -1) for n in every if kept <= n < least]
    fewer += [(1, told_last, n, rivals, True) for rivals in range(MOST_RIVALS, -1, -1) for n in every if n >= kept]
    for most, found, n, rivals, brief in fewer:
        above = _above(c, _first(found, n), advised(rivals, brief=brief))
        below = _below(c, warnings, most)
        text, more = (render([*blocks, *below], form, width=width, colour=colour) for blocks in (above, moving_along(c, above)))
        if form != "table" or text.count("\n") < MOST_LINES:
            return more if more.count("\n") == text.count("\n") else text
    text, must = "", sum(about in FIRST for about, _ in told)
    fewest = [(-1, n) for n in every if n >= kept] + [(-2, n) for n in every if must <= n <= kept] + [(-3, must)]
    for rivals, n in fewest:
        terse = 2 if rivals == -3 else 1
        below = [*table(c, most, terse=terse), *_last(c, warnings, most, terse=terse)]
        above = _above(c, _first(told_last, n, NAMED), advised(rivals, brief=True))
        if (text := render([*above, *below], form, width=width, colour=colour)).count("\n") < MOST_LINES:
            break
    return text


def moving_along(c: Comparison, blocks: Sequence[Block]) -> list[Block]:
    """The blocks, saying beside the price of wrong answers at which the advice turns that its spread moves along."""
    short, whole = flips_at(c), flips_along(c)
    return [replace(block, items=tuple(each.replace(short, whole) for each in block.items))
            if whole and isinstance(block, Labelled) else block for block in blocks]


def screen_blocks(c: Comparison, warnings: Sequence[str], most: int = MOST_ROWS) -> list[Block]:
    """What the screen is made of, with at most so many options in its table."""
    return [*_above(c, alerts(c), advice(c)), *_below(c, warnings, most)]


def _above(c: Comparison, told: Sequence[Block], advised: Sequence[Block]) -> list[Block]:
    return [*head(c), *told, Gap(), *advised, Gap()]


def _first(told: Sequence[tuple[str, Labelled]], n: int, most: int | None = None) -> list[Block]:
    """The first remarks, and what the others are about, at most so many of them by name."""
    left = list(dict.fromkeys(about for about, _ in told[n:]))
    more = Labelled("!", (f"More in --full: {first_of(left, most or len(left))}",), "doubt", 2)
    return [*(remark for _, remark in told[:n]), *([more] if left else [])]


def _below(c: Comparison, warnings: Sequence[str], most: int) -> list[Block]:
    return [*table(c, most), *_last(c, warnings, most)]


def head(c: Comparison) -> list[Block]:
    """What is compared, from which day on, and in which money."""
    stay, title = option_of(c, "stay"), shortened(str(c.case["title"].value), TITLE)
    each_day = case_number(c.case, "workload.requests_per_day")
    volume = f"{figure(each_day)} request{'' if each_day == 1 else 's'} a day on {stay.label}"
    rate = percent(case_number(c.case, "discount_rate_per_year"))
    return [Title(f"{title}: {volume}"),
            Paragraph(f"{c.case['as_of'].value} | {number_of(case_number(c.case, 'horizon_months'), 'month')} | discounted"
                      f" at {rate} a year | USD before tax")]


def best_rows(c: Comparison, most: int) -> list[OptionResult]:
    """The rows: the leader and staying, then what the screen names, then the best by NPV, at most so many; by NPV."""
    v = c.verdict
    ranked = sorted(c.options, key=lambda o: (o.id != v.leader or v.recommended is None, -npv_of(c, o)[0]))
    kept = {o.id for o in ranked if o.id in {"stay", v.leader, v.first_move}}
    for id in (*_named(c), *(p.option for p in v.passed_over), *(o.id for o in ranked)):
        if len(kept) < most:
            kept.add(id)
    return [o for o in ranked if o.id in kept]


def _named(c: Comparison) -> Iterator[str]:
    """The options that the screen names beside its table, as far as they can work, the most important ones first."""
    v, not_yet = c.verdict, self_hosting_of(c)
    measured = v.measure_first or v.then
    nearest = v.challenger if v.leader == "stay" else None
    ids = ("stay", v.leader, v.first_move, v.second, nearest, *(p.option for p in v.passed_over[:NAMED]),
           measured and measured.option, not_yet and not_yet.id)
    works = {o.id for o in c.options}
    yield from (id for id in ids if id in works)


def table(c: Comparison, most: int, *, terse: int = 0) -> list[Block]:
    """The best options, and how to read them, unless `terse` how wrong answers were counted too; with 2 in one line."""
    best, counts, v = best_rows(c, most), c.verdict.counts, c.verdict
    npvs = [x for o in best for mean, spread in [npv_of(c, o)] for x in (mean, *((spread[0], spread[2]) if spread else ()))]
    largest = max(abs(x) for x in npvs)
    size, unit = next((each for each in SIZES if largest / each[0] < 99_999.5), SIZES[-1])
    cash = money_of([month_of(c, o)[0] for o in best])
    spread = (f"NPV, {unit}\nP10", "\nmean", "\nP90", "beats\nstay", "best\nof all")
    heads = ("option", f"cash {'$' if cash.unit == 'USD' else cash.unit}\n/month", "wrong\n%",
             *(spread if drawn(c) else (f"NPV, {unit}\ncentral",)), "\nquality")

    def row(o: OptionResult) -> Row:
        mean, spread = npv_of(c, o)
        low, high = (spread[0], spread[2]) if spread else (None, None)
        shown = (low, mean, high) if drawn(c) else (mean,)
        npvs = ["-" if x is None or o.id == "stay" else _scaled(x, size) for x in shown]
        chances = (share(chance(o, counts)), share(o.probability_best)) if drawn(c) else ()
        leads = o.id == v.recommended
        name = f"{'>' if leads else ' ' if o.tested else '?'} {_short_label(c, o)}"
        return Row((name, cash(month_of(c, o)[0]), _rate(c, o), *npvs, *chances, quality(c, o)),
                   strong=leads, tone="good" if leads else "" if o.tested else "doubt")

    bar = case_number(c.case, "quality.bar")
    untested = any(not o.tested for o in best)
    lost = "set-up and way back are lost" if may_stay(c) else "the way to another option is paid besides"
    misses = f"{' ?: in' if untested else ' In'} a draw below the bar of {percent(bar)}, {lost}."
    unsure = not terse and any((o.probability_good_enough or 1.0) <= OFTEN for o in best)
    may_miss = bar > 0 and drawn(c) and (untested or unsure)
    start = compared_from(c)
    staying = month_of(c, option_of(c, "stay"))[0]
    apart = not terse and any(abs(o.staying_cash_monthly_usd - staying) > PART * staying for o in best if o.id != "stay")
    since = f" ({'each its own; ' * apart}stay: from month {start + 1})" if start else ""
    ends = "; P10: bad case, P90: good." + " best of all: among what may be recommended." * (not terse)
    ends = ends if drawn(c) else ", central values too."
    sold = ", what bought cards fetch at the end taken off" if any(resale(o) for o in best) else ""
    legend = (f"cash: mean month once live{since}{sold}, central values. NPV against staying, {counted(c)}{ends}"
              + (misses if may_miss else ""))
    if terse > 1 and drawn(c):
        legend = "cash: mean month once live. NPV against staying; P10: bad case, P90: good."
    if not terse and any(error_path(c, o).replace(".error_rate", ".measured_error_rate") in c.case for o in best):
        legend += " wrong: of the items counted, half an item added each way (roi quality adds none)."
    beside = tuple(_short_label(c, o) for o in c.options if o not in best)
    rows = tuple(row(o) for o in best)
    return [Table(heads, rows, align="lrrrrrrrl" if drawn(c) else "lrrrl", cut=True, beside=beside), Paragraph(legend)]


def _short_label(c: Comparison, o: OptionResult) -> str:
    """The option in the table's first column."""
    return "stay" if o.id == "stay" else o.label.replace(f"> {option_of(c, 'stay').label}", "> stay")


def _scaled(x: float, size: float) -> str:
    return formatted(x / size, ",.0f")


def _rate(c: Comparison, o: OptionResult) -> str:
    """Wrong answers in percent, with a question mark where nobody tested, or of staying where that is assumed."""
    text = percent(o.quality.wrong_rate).removesuffix("%")
    return f"{text}?" if not o.tested or (o.id == "stay" and rate_assumed(c, o)) else text


def _lost(c: Comparison, shown: Collection[str], terse: int) -> list[str]:
    """Why options with a higher mean NPV are not recommended; and where another view of the hours decides otherwise.

    Untested ones whose row is shown say it there. With `terse` of 2 one of a reason is named, and none that is told as NOT YET.
    """
    v, told, held = c.verdict, list[str](), held_back(c)
    if v.if_all_hours_are_paid is not None:
        other = called(c, v.if_all_hours_are_paid)
        told.append(f"With a price on the hours of people who are paid anyway, {other} would lead.")
    if v.recommended is not None:
        named = [(p, f"{o.label} ({short_usd(npv_of(c, o)[0])}", told_apart(percent, p.chance or 0.0, p.chance_needed))
                 for p in v.passed_over for o in (option_of(c, p.option),)
                 if terse < 2 or held is None or p.option != held.option]
        untested = [f"{name})" for p, name, _ in named if p.reason == "not tested" and p.option not in shown]
        told_of = [(p.reason, f"{name}, {', needs '.join(odds)})") for p, name, odds in named if p.reason != "not tested"]
        adding = [name for why, name in told_of if why == ADDS_TOO_SELDOM]
        unlikely = [name for why, name in told_of if why != ADDS_TOO_SELDOM]
        adds = f"adds to {c.leader.label} too seldom"
        for word, names in (("not tested", untested), ("beats staying too seldom", unlikely), (adds, adding)):
            if names:
                told.append(f"Higher {mean_npv(c)} but {word}: {first_of(names, NAMED if terse < 2 else 1)}.")
    return told


def _last(c: Comparison, warnings: Sequence[str], most: int, *, terse: int = 0) -> list[Block]:
    """Why the highest mean NPV does not lead, or, unless `terse`, that it has no row, what is often best, and the rest."""
    v, shown = c.verdict, {o.id for o in best_rows(c, most)}
    hidden = len(c.options) + len(c.infeasible) - len(shown)
    named = shown | {p.option for p in v.passed_over if v.recommended is not None}
    best = max((o for o in c.options if o.id != v.leader), key=lambda o: npv_of(c, o)[0], default=c.leader)
    left = [] if terse or best.id in named else [
        f"Highest {mean_npv(c)} of those not shown: {best.label} ({short_usd(npv_of(c, best)[0])})."]
    often = max((o for o in c.options if o.id not in shown), key=lambda o: o.probability_best or 0.0, default=c.leader)
    if often.id not in shown and (often.probability_best or 0.0) > min(c.leader.probability_best or 0.0, SELDOM):
        left.append(f"Best in {share(often.probability_best)} of the draws, not shown: {often.label}.")
    told = ((hidden, "more option"), (len(warnings), "warning"))
    rest = ", ".join(number_of(n, word) for n, word in told if n)
    where = f"{rest or 'Everything'}: --full. Why: --explain {_name(c)}. Share: --format markdown."
    return [Paragraph(" ".join((*_lost(c, shown, terse), *left, where)))]


def _name(c: Comparison) -> str:
    """A short name by which --explain finds the leading option."""
    lead = c.leader
    names = [lead.id, lead.label if " " not in lead.label else lead.id]
    if find_option(c, lead.kind) == lead.id:
        names.append(lead.kind)
    return min(names, key=len)


def comparison_text(c: Comparison, warnings: Sequence[str], explain: str | None = None, form: str = "table", *,
                    full: bool = False, colour: bool = False, width: int = 80) -> str:
    """The screen; with `explain`, an option's id, its cost tree and what it returns; with `full` every option and fact."""
    if full:
        blocks = [*head(c), *moving_along(c, alerts(c)), *_everything(c, warnings, explain or c.verdict.leader)]
    elif explain is not None:
        blocks = [*head(c), *explained(c, explain)]
    else:
        return screen(c, warnings, form, width=width, colour=colour)
    return render(blocks, form, width=width, colour=colour)


def explained(c: Comparison, id: str) -> list[Block]:
    """How an option's figures come about, what it returns and from which volume on it wins."""
    return [*(advice(c) if c.verdict.recommended is None else ()), *cost_tree(c, id), *returns(c, id), *break_even(c, only=id)]


def _everything(c: Comparison, warnings: Sequence[str], shown: str) -> list[Block]:
    """The verdict first, then how it comes about, then what it rests on."""
    gates = tuple(Row((g.status, g.question + ("; rules training out" if g.blocks else "")), strong=g.status == FAIL)
                  for g in c.gates)
    return [
        Heading("Verdict"), *moving_along(c, advice(c)),
        Heading("Gates: can the task be trained at all?"), Table(("answer", "question"), gates, align="ll"),
        *options_table(c), *infeasible(c), *cost_tree(c, shown), *returns(c, shown), *break_even(c), *measurable(c),
        *drivers(c), *winner_changes(c), *((Heading("Warnings"), Bullets(tuple(warnings))) if warnings else ()),
        Heading("Included"), Bullets(tuple(included(c))), Heading("Excluded"), Bullets(tuple(excluded(c))),
        Heading("More"), Bullets((
            "--explain OPTION: the cost tree of another option, by its id, its kind or the start of its name",
            "--format json: every figure and every fact with its source; roi compare reads it again",
        )),
    ]
