"""`roi compare --html`: the one screen, then what it rests on, in pictures and tables that unfold to every fact."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from roi import __version__
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.recommendation import chance as beats
from roi.economics.outlook import Outlook, facts_behind
from roi.facts.case import Case
from roi.facts.fact import Fact
from roi.report import charts
from roi.report.charts.savings import banded, outlook_of, payback_of
from roi.report.charts.spending import costs_of
from roi.report.charts.style import names_of, options_of
from roi.report.charts.volume_curve import crossings_told
from roi.report.comparison.advice import advice
from roi.report.comparison.findings import break_even, drivers, measurable, returns, winner_changes
from roi.report.comparison.option_figures import called, counted, drawn, npv_of
from roi.report.comparison.options_table import cost_tree, options_table, rank, reasons_once
from roi.report.comparison.remarks.alerts import alerts
from roi.report.comparison.scope import excluded, included
from roi.report.comparison.screen import MOST_ROWS, head, table
from roi.report.layout.blocks import Block, Bullets, Gap, Heading, Labelled, Paragraph, Row, Table
from roi.report.layout.wording import (
    case_number,
    chance,
    fact_name,
    fact_range,
    from_to,
    kind_name,
    months,
    number_of,
    quantity,
    range_of,
    usd,
)
from roi.report.page.parts import Copied, Page, Part, Picture, Section, Unfolded
from roi.report.redaction import HIDDEN, open_range, redacted, secret
from roi.scenario.yaml import dump_yaml

TREES = 12
"""Options whose cost lines unfold, the best by what the verdict ranks by."""
SHARED = {
    "workload", "quality", "reconciliation", "commitment", "people", "migration", "evaluation", "drift", "platform",
    "discount_rate_per_year", "horizon_months", "serving", "own_hardware", "training", "verdict",
}
"""How the paths of facts begin that belong to no option."""
YEAR = 12
TOLD = 4
"""Figures of one fact that are told one by one, such as a price by length of the prompt."""
LIST = ".price.input_usd_per_mtok"
"""End of the path of the price that stands for its whole list."""
NO_DRAWS = "There are no draws: --draws 4096 shows how far the figures may lie off."


def comparison_page(c: Comparison, warnings: Sequence[str], *, scenario: dict[str, Any] | None, redact: bool = False) -> Page:
    """The report as a page. With `redact` it tells no rate, no wage and no name, and holds no scenario."""
    title, facts = (block.text for block in head(c))  # type: ignore[union-attr]  # a title and a paragraph
    outlook, shared = outlook_of(c), [path for path in c.case if path.partition(".")[0] in SHARED]
    sections = (
        Section("The answer", (*_alerts(c), *advice(c), *_options(c)), lead=True),
        Section("Savings by month", tuple(_cash(c, outlook))),
        Section("What each option costs", tuple(_costs(c, redact))),
        Section("From which volume on", tuple(_volumes(c))),
        Section("How sure", tuple(_sure(c, outlook))),
        Section("What moves the answer", tuple(_moves(c, redact))),
        *(() if redact else (Section("What measuring is worth", tuple(_worth(c))),)),  # an hour's experiment costs a wage
        Section("Can the task be trained at all?", tuple(_gates(c))),
        Section("Facts that all options share", (Unfolded(f"{len(shared)} facts", (_facts(c.case, shared, redact),)),)),
        Section("Included", (Bullets(tuple(included(c))),)),
        Section("Excluded", (Bullets(tuple(excluded(c))),)),
        *((Section("Warnings", (Bullets(tuple(warnings)),)),) if warnings and not redact else ()),
        *((Section("The scenario", _scenario(scenario)),) if scenario is not None and not redact else ()),
    )
    seed, n = c.case["seed"].value, case_number(c.case, "draws")
    foot = (f"roi {__version__}. Prices and facts of {c.case['as_of'].value}; {n:,.0f} draws, seed {seed}. One file, which"
            " fetches nothing.")
    foot += " Rates, wages and names are left out." if redact else ""
    page = Page(title=title, facts=tuple(facts.split(" | ")), sections=sections, foot=foot)
    return redacted(page, c) if redact else page


def _alerts(c: Comparison) -> Iterator[Block]:
    items = tuple(item for block in alerts(c) if isinstance(block, Labelled) for item in block.items)
    if items:
        yield Labelled("KNOW BEFORE YOU DECIDE", items, "doubt")


def _options(c: Comparison) -> Iterator[Block]:
    """The table of the first screen under heads that need no second line, and how to read it."""
    shown, *below = table(c, MOST_ROWS)
    assert isinstance(shown, Table)
    npv = shown.heads[3].split("\n")[0]
    spread = (f"{npv},\nP10 (bad case)", f"{npv},\nmean", f"{npv},\nP90 (good case)", "beats\nstaying", "best\nof all")
    heads = ("option", shown.heads[1], "wrong answers,\n%", *(spread if drawn(c) else (f"{npv},\ncentral",)), "quality")
    rows = tuple(map(_marked, shown.rows))
    yield replace(shown, heads=heads, rows=rows)
    for block in below:
        if isinstance(block, Paragraph):
            yield replace(block, text=block.text.replace(" ?: in a draw", " Not tested: in a draw"))
    hidden = len(c.options) + len(c.infeasible) - len(rows)
    if hidden:
        yield Paragraph(f"{number_of(hidden, 'more option')} below, under What each option costs.")


def _marked(row: Row) -> Row:
    """The row with the mark before its name told in words behind it."""
    mark, name = row.cells[0][:2], row.cells[0][2:]
    words = {"> ": " (recommended)", "? ": " (not tested)", "  ": ""}
    return replace(row, cells=(name + words[mark], *row.cells[1:])) if mark in words else row


def _cash(c: Comparison, outlook: Outlook) -> Iterator[Part]:
    names, horizon = names_of(c), len(c.options[0].monthly_usd)
    found = [o for o in options_of(c) if o.id != "stay"]
    if not found:
        yield Paragraph("There is no option besides staying.")
        return
    years = [*range(YEAR, horizon, YEAR), horizon]
    rows = tuple(Row((names[o.id], *(usd(outlook.central[o.id][month]) for month in years),
                      *([_spread(outlook, o.id)] if outlook.bands else []), months(payback_of(c, o), horizon))) for o in found)
    heads = ("option", *(f"saved after\n{number_of(month, 'month')}" for month in years),
             *(["P10 to P90\nat the end"] if outlook.bands else []), f"payback, months,\n{counted(c, cash=True)}")
    bands = " and ".join(names[id] for id in banded(c))
    note = (f"What has been saved in all against staying, {counted(c, cash=True)}, not discounted. Lines: central values. Dots:"
            " payback from today, counted alike."
            + (f" Shaded: P10 to P90 of the draws, month by month, of {bands}." if outlook.bands else f" {NO_DRAWS}"))
    yield Picture(charts.cash(c, outlook), note)
    yield Table(heads, rows)
    by_month = Table(("month", *(names[o.id] for o in found)),
                     tuple(Row((str(m), *(usd(outlook.central[o.id][m]) for o in found))) for m in range(horizon + 1)))
    yield Unfolded("Savings month by month", (by_month,))


def _spread(outlook: Outlook, id: str) -> str:
    low, _, high = outlook.bands[id][:, -1]
    return from_to(usd(low), usd(high))


def _costs(c: Comparison, redact: bool) -> Iterator[Part]:
    names, found = names_of(c), options_of(c)
    parts = {o.id: costs_of(o) for o in found}
    kinds = [kind for kind in parts["stay"] if any(abs(parts[o.id][kind]) >= 0.5 for o in found)]
    rows = tuple(Row((names[o.id], *(usd(parts[o.id][kind]) for kind in kinds), usd(o.tco_usd))) for o in found)
    below = any(amount < -0.5 for o in found for amount in parts[o.id].values())
    note = f"Over the whole horizon, set-up included, not discounted.{' Left of zero: credits among your own costs.' * below}"
    yield Picture(charts.cost_by_line(c), note, Table(("option, USD", *kinds, "in all"), rows))
    yield Heading("All options")
    for each in _below(options_table(c)):
        if isinstance(each, Table):
            marked = replace(each, rows=tuple(map(_marked, each.rows)))
            yield _without_column(marked, "USD/Mtok") if redact else marked
        else:
            yield each
    ranked = rank(c)
    yield Heading("Cost lines")
    most = f" The best {TREES} of {len(ranked):,} options; --explain OPTION shows another one." if len(ranked) > TREES else ""
    yield Paragraph(f"Each option unfolds to its lines, each line to its arithmetic, the facts below to source and date.{most}")
    behind = {id: _with_lists(c.case, paths) for id, paths in facts_behind(c.case, [o.id for o in ranked[:TREES]]).items()}
    for o in ranked[:TREES]:
        _, *tree = (replace(each, heads=tuple(head or "basis" for head in each.heads)) if isinstance(each, Table) else each
                    for each in cost_tree(c, o.id))
        told = returns(c, o.id)[1:] if o.id != "stay" else []
        if redact:
            tree = [replace(each, rows=tuple(replace(row, detail="") for row in each.rows)) if isinstance(each, Table) else each
                    for each in tree]
        term = number_of(len(o.monthly_usd), "month")
        yield Unfolded(f"{o.label}, {kind_name(o.kind)}: {usd(o.tco_usd)} over {term}", (
            *tree, *told, Unfolded("The facts behind these lines", (_facts(c.case, behind[o.id], redact),))))
    if c.infeasible:
        yield Heading("Not possible")
        yield Table(("option", "kind", "why"), tuple(
            Row((o.label, kind_name(o.kind), why)) for o, why in reasons_once(c)), align="lll")


def _without_column(shown: Table, head: str) -> Table:
    at = [k for k, each in enumerate(shown.heads) if each.replace("\n", "").replace(" ", "") != head]
    rows = (replace(row, cells=tuple(row.cells[k] for k in at if k < len(row.cells))) for row in shown.rows)
    return replace(shown, heads=tuple(shown.heads[k] for k in at), rows=tuple(rows))


def _with_lists(case: Case, paths: Sequence[str]) -> list[str]:
    """The paths with every price of the lists of which the first price is among them; of a batch where something waits."""
    found, waits = list[str](), case_number(case, "workload.can_wait_share", 0.0) > 0
    for path in paths:
        prices = path.removesuffix(LIST.rpartition(".")[2]) if path.endswith(LIST) else None
        found += [path] if prices is None else [
            each for each in case if each.startswith(prices) and (waits or ".batch_" not in each)]
    return list(dict.fromkeys(found))


def _facts(case: Case, paths: Sequence[str], redact: bool) -> Table:
    """Facts with value, spread, basis and date; each unfolds to its source and its path."""
    rows = []
    for path in paths:
        fact = case[path]
        hide = redact and secret(path, fact)
        spread = fact_range(fact) if fact.uncertain else ""
        source = "" if redact else f"{fact.source} ({path})"
        shown = (HIDDEN, HIDDEN if spread else "") if hide else (_value(fact), spread)
        rows.append(Row((fact_name(path), *shown, fact.basis.value, str(fact.date or "")), detail=source))
    return Table(("fact", "value", "5% to 95%", "basis", "date"), tuple(rows), align="lrrll")


def _value(fact: Fact) -> str:
    if isinstance(fact.value, tuple):
        few = len(fact.value) <= TOLD
        return ", ".join(quantity(float(x), fact.unit) for x in fact.value) if few else f"{len(fact.value)} figures"
    return quantity(fact.value, fact.unit)


def _volumes(c: Comparison) -> Iterator[Part]:
    note = (f"Present value of all costs over that of all requests, {counted(c)}; every fleet is sized at its own peak along"
            " the curve, so that a further GPU makes it jump. Dots: from there on cheaper than staying, for good.")
    if c.verdict.leader != "stay" and c.verdict.leader in crossings_told(c):
        note += f" Diamond: from there on the option on GPUs that the answer names beats {called(c, c.verdict.leader)}."
    yield Picture(charts.break_even(c), note)
    yield Unfolded("Break-even of the best option of each kind, in requests a day", tuple(_below(break_even(c))))


def _sure(c: Comparison, outlook: Outlook) -> Iterator[Part]:
    if not outlook.draws:
        yield Paragraph(NO_DRAWS)
        return
    names, found = names_of(c), options_of(c)
    rows = tuple(Row((names[o.id], *(usd(x) for x in (*(spread or (mean,) * 3), mean))))
                 for o in found if o.id != "stay" for mean, spread in [npv_of(c, o)])
    note = (f"{outlook.draws:,} draws, the same for all options; bars: how many of them, each row to its own highest. In"
            " brackets and as a line: P10 to P90. Dot: mean. Dashed: nothing saved.")
    yield Picture(charts.npv(c, outlook), note, Table(("option, NPV in USD", "P10", "P50", "P90", "mean"), rows))
    odds = tuple(Row((names[o.id], chance(o.probability_best), chance(beats(o, c.verdict.counts)))) for o in found)
    yield Picture(charts.probability_best(c), "Dark: share of the draws in which the option saves most, of those that may be"
                  " recommended. Light: in which it beats staying.", Table(("option", "best of all", "beats staying"), odds))
    yield from winner_changes(c)


def _moves(c: Comparison, redact: bool) -> Iterator[Part]:
    if not c.drivers:
        yield Paragraph("Nothing uncertain moves the answer." if c.case.uncertain else NO_DRAWS)
        return
    ends = open_range if redact else range_of
    yield Picture(charts.drivers(c, ends), "NPV with one fact at its 5th and at its 95th percentile, all others central.")
    yield from _below(drivers(c, ends))


def _worth(c: Comparison) -> Iterator[Part]:
    if not c.experiments:
        yield Paragraph(NO_DRAWS)
        return
    yield Picture(charts.worth(c), "What an experiment costs, and by how much its result raises the best mean NPV, before the"
                  " recommendation or after it, whichever is more. Worth less than it costs: leave it.")
    yield Unfolded("All experiments", tuple(_below(measurable(c))))


def _gates(c: Comparison) -> Iterator[Part]:
    yield Table(("question", "answer", "rules training out"), tuple(
        Row((g.question, g.status, "yes" if g.blocks else "no")) for g in c.gates), align="lll")
    yield Paragraph("An answer no rules out whatever trains; unknown blocks nothing.")


def _below(blocks: Sequence[Block]) -> list[Block]:
    """The blocks without their heading and without empty lines."""
    return [each for each in blocks if not isinstance(each, (Heading, Gap))]


def _scenario(scenario: dict[str, Any]) -> tuple[Part, ...]:
    return (Paragraph("Saved as scenario.yaml, roi compare scenario.yaml gives this answer again, at the prices of its day."),
            Unfolded("The scenario as YAML", (Copied(dump_yaml(scenario)),)))
