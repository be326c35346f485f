"""The cost tree of one option, every line with its arithmetic; and which option a reader means by a name."""

import math
import re

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import FleetResult, LineResult
from roi.errors import InputError, UnknownName, nearest
from roi.facts.fact import Basis
from roi.report.comparison.options_table import rank
from roi.report.layout.blocks import Block, Heading, Paragraph, Row, Table
from roi.report.layout.wording import KINDS, MARKS, Money, case_number, figure, money_of, percent, usd

MONTH = re.compile(r"month (\d+): ")


def cost_tree(c: Comparison, id: str) -> list[Block]:
    """The tree of a feasible option; for another one, why it cannot work."""
    for barred in c.infeasible:
        if barred.id == id:
            kind = KINDS.get(barred.kind, barred.kind)
            return [Heading(f"{barred.label} ({id}), {kind}: not possible"), Paragraph(barred.reason)]
    o = next(o for o in c.options if o.id == id)
    horizon = len(o.monthly_usd)
    group = c.case[f"options.{o.id}.group"].value
    parallel = case_number(c.case, f"changes.{group}.months_in_parallel")
    start = min(math.ceil(o.months_to_live + parallel), horizon - 1)  # the first month in which it serves alone
    money = money_of([o.tco_usd, *(sum(line.monthly_usd) for line in o.lines)])
    rows = [_branch(line, start, money) for line in o.lines if line.upfront_usd or any(line.monthly_usd)]
    total = Row(("total", "", money(o.mean_monthly_usd), money(o.upfront_usd), money(o.tco_usd)), strong=True)
    handed = f", hands on {percent(o.quality.share_escalated)}" if o.quality.share_escalated else ""
    heads = ("cost line", "", f"{money.unit}\n/month", f"set-up\n{money.unit}", f"{horizon} months\n{money.unit}")
    return [
        Heading(f"Cost of {o.label} ({o.id})"), Table(heads, (*rows, total), align="ll", tree=True),
        Paragraph(f"/month: mean of months {start + 1} to {horizon}{'' if o.id == 'stay' else ', when it serves alone'}."
                  f" Discounted cost {usd(o.pv_cost_usd)}.{_fleet(o.fleet)} Quality: {o.quality.status},"
                  f" {percent(o.quality.error_rate)} wrong{handed}."),
    ]


def _branch(line: LineResult, start: int, money: Money) -> Row:
    """A cost line; its detail is the arithmetic, and what that gives in its month or for the set-up."""
    months, total = line.monthly_usd[start:], line.upfront_usd + sum(line.monthly_usd)
    found = MONTH.match(line.arithmetic)
    result = line.upfront_usd or max(line.monthly_usd) if found is None else line.monthly_usd[int(found[1]) - 1]
    cells = (line.name, MARKS[Basis(line.basis)], money(sum(months) / len(months)), money(line.upfront_usd), money(total))
    return Row(cells, detail=f"{line.arithmetic} = {usd(result)}")


def _fleet(f: FleetResult | None) -> str:
    if f is None:
        return ""
    most = f", {f.gpus_most:,.0f} at most over the horizon" if f.gpus_most != f.gpus else ""
    all_of_them = "" if f.replicas <= 1 else f"all of them {figure(f.fleet_requests_per_s)} behind one router, "
    terms = f"rented at {f.vendor}, {usd(f.usd_per_gpu_hour)} per GPU and hour" if f.usd_per_gpu_hour else "bought"
    return (f" Fleet: {f.replicas:,.0f} replica{'' if f.replicas == 1 else 's'} on {f.gpus:,.0f} x {f.gpu},"
            f" {f.weight_dtype} weights{most},"
            f" {terms}; one alone holds {figure(f.capacity_requests_per_s)} requests a second at the SLO, {all_of_them}busy"
            f" {percent(f.utilisation_mean)} on average and {percent(f.utilisation_peak)} at the peak.")


def find_option(c: Comparison, name: str) -> str:
    """The id of the option called `name`: its id, its kind (the best of it), or the start of one id or label."""
    ids = {**{o.id: o.label for o in c.options}, **{o.id: o.label for o in c.infeasible}}
    if name in ids:
        return name
    of_kind = [o.id for o in rank(c) if o.kind == name] or [o.id for o in c.infeasible if o.kind == name]
    if of_kind:
        return of_kind[0]
    found = [id for id, label in ids.items() if name and (id.startswith(name) or label.startswith(name))]
    if len(found) > 1:
        raise InputError(f"--explain: {name[:80]!r} could be {', '.join(found[:5])}")
    if not found:
        kinds = {o.kind for o in c.options} | {o.kind for o in c.infeasible}
        if nearest(name, [*ids, *kinds]):
            raise UnknownName("--explain", name, [*ids, *sorted(kinds)], "option")
        raise InputError(f"--explain: unknown option {name[:80]!r}; kinds: {', '.join(k for k in KINDS if k in kinds)}")
    return found[0]
