"""What was paid, as `roi usage` tells it: line items without tokens, and the list price against reports, exports and bills."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from roi.report.layout.blocks import Block, Bullets, Heading, Paragraph, Row, Table
from roi.report.layout.wording import number_of, usd
from roi.usage.measure.payees import models_called
from roi.usage.measure.reconcile import Reconciliation
from roi.usage.summary import Usage

ALIKE = 0.005
"""What the factors of two models differ by at the least where each is told."""
MOST_ITEMS = 10


def names(found: Usage) -> Mapping[tuple[str | None, str | None], str]:
    """What a model is called in the report, by provider and model."""
    return models_called((each.spend.provider, each.spend.model) for each in found.priced)


def without_tokens(found: Usage) -> Iterable[Block]:
    """What is billed without tokens, a line item a row, and where a scenario has it."""
    if not found.items:
        return
    months = [item.usd_per_month for item in found.items if item.usd_per_month is not None]
    rows = [(item.name, item.usd, item.usd_per_month) for item in found.items[:MOST_ITEMS]]
    if rest := found.items[MOST_ITEMS:]:
        rows.append((f"{len(rest)} more", sum(item.usd for item in rest), sum(item.usd_per_month or 0.0 for item in rest)))
    if len(rows) > 1:
        rows.append(("total", sum(item.usd for item in found.items), sum(months)))
    yield Heading("Billed without tokens")
    yield Table(("line item", "USD", "USD\n/month"), tuple(
        Row((name, f"{amount:,.2f}", "-" if a_month is None or not months else f"{a_month:,.2f}"), strong=name == "total")
        for name, amount, a_month in rows))
    yield Paragraph("In no other sum here, and in no bill of --output. A scenario has units that answer its calls under"
                    " incumbent.provisioned_throughput; what else a change ends under costs with option: stay, what it keeps"
                    " with option: all.")


def reconciliation(found: Usage) -> Iterable[Block]:
    """List price against what sources report, cost exports say and the bill is."""
    if not found.reconciliations:
        return
    yield Heading("List price against what was paid")
    yield Bullets(tuple(_compared(each) + _by_model(found, each) for each in found.reconciliations))
    if any(each.may_be_cents for each in found.reconciliations):
        yield Paragraph("Warning: about 100 times apart, as no negotiated price is: correct the costs before they count.",
                        strong=True)
    if any(each.far and not each.may_be_cents for each in found.reconciliations):
        yield Paragraph("Warning: more than 10% apart. Missing tokens and retries are volume and count for every option; a"
                        " negotiated price counts for the incumbent alone.", strong=True)


def _by_model(found: Usage, each: Reconciliation) -> str:
    """The factor of each model where rows report their cost and the models' differ; else empty."""
    called, sums = names(found), defaultdict[str, list[float]](lambda: [0.0, 0.0])
    for row in found.priced if each.basis == "calls" else ():
        if row.spend.costed and row.list_usd and row.spend.provider == each.provider:
            total = sums[called[row.spend.provider, row.spend.model]]
            total[:] = total[0] + row.spend.cost_usd, total[1] + row.list_usd
    factors = {name: paid / listed for name, (paid, listed) in sorted(sums.items(), key=lambda item: -item[1][0])}
    apart = factors and max(factors.values()) - min(factors.values()) >= ALIKE
    return f"; {', '.join(f'{name} x {x:.3f}' for name, x in factors.items())}" if apart else ""


def _compared(each: Reconciliation) -> str:
    words = {"calls": "rows that report their cost", "costs": "the cost export", "bill": "the bill of a month"}[each.basis]
    who = f"{each.provider}, " if each.provider else ""
    if each.factor is None:
        return f"{who}{words}: {usd(each.actual_usd)} where the list price is 0"
    split = ""
    if each.may_be_cents:
        split = "; are these costs cents? A column named cost_cents is read as such, at 100 to a dollar"
    elif each.basis == "calls" and round(each.factor, 3) != 1.0:
        split = "; the same rows give tokens and cost, so the gap is price, or billed a piece (web searches, files)"
    elif each.far:
        split = f"; all price: x {each.factor:.3f} for the incumbent alone; all volume: x {each.factor:.3f} for every option"
    if each.costs_as:
        services = " or ".join(each.costs_as)
        split += f"; x {each.factor:.3f} of list is what {services} costs: do these calls run as {services}?"
    if each.beside_usd:
        split += f"; {usd(each.beside_usd)} of both is no tokens"
    if each.unused_days:
        split += f"; {usd(each.unused_usd)} was billed on {number_of(each.unused_days, 'day')} without any usage here"
    return (f"{who}{words}: {usd(each.actual_usd)} against {usd(each.list_usd)} at list price, x {each.factor:.3f},"
            f" {number_of(each.days, 'day')}{split}")
