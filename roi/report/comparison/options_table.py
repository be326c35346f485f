"""The table of options: what each costs, when it pays back, how good the odds are, and what the figures rest on."""

from collections import defaultdict

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.facts.fact import Basis
from roi.report.layout.blocks import Block, Heading, Paragraph, Row, Table
from roi.report.layout.wording import KINDS, MARKS, Money, chance, figure, money_of, months, usd

NOT_EVALUATED = "?"
WORTH_A_MARK = 0.05
"""A basis that carries less than this part of an option's cost has no mark."""


def rank(c: Comparison) -> list[OptionResult]:
    """Feasible options: staying first, then by expected NPV."""
    return sorted(c.options, key=lambda o: (o.id != "stay", -o.expected_npv_usd))


def options_table(c: Comparison, *, all_options: bool) -> list[Block]:
    """The feasible options, the best of each kind or all of them."""
    shown, kinds = [], set()
    for o in rank(c):
        if all_options or o.kind not in kinds or o.id == c.verdict.recommended:
            shown.append(o)
        kinds.add(o.kind)
    money = money_of([x for o in shown for x in (o.mean_monthly_usd, o.upfront_usd, o.expected_npv_usd)])
    rows = tuple(_row(o, money, strong=o.id == c.verdict.recommended) for o in shown)
    heads = ("option", f"{money.unit}\n/month", f"set-up\n{money.unit}", "pay-\nback", f"NPV\n{money.unit}", "best\nin",
             "USD\n/Mtok", "GPUs", "ba-\nsis")
    hidden = len(c.options) - len(shown)
    more = f"; {hidden} more with --all" if hidden else ""
    return [Heading(f"Options, {'all' if all_options else 'the best of each kind'}{more}"), Table(heads, rows),
            Paragraph(_legend(c, shown)), Paragraph(_staying(c)), *_skewed(shown)]


def _row(o: OptionResult, money: Money, *, strong: bool) -> Row:
    stay = o.id == "stay"
    name = ("> " if strong else "  ") + ("stay: " + o.label if stay else o.label)
    return Row(
        (name, money(o.mean_monthly_usd), money(o.upfront_usd),
         "-" if stay else months(o.payback_months, len(o.monthly_usd)).replace("at once", "0.0"),
         "-" if stay else money(o.expected_npv_usd),
         chance(o.probability_best), figure(o.usd_per_mtok), f"{o.fleet.gpus:,.0f}" if o.fleet else "-", marks(o)),
        strong=strong,
    )


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
    draws = bool(c.case["draws"].value) and any(o.probability_best is not None for o in c.options)
    npv = "the mean over the draws" if draws else "at the central values"
    best = " best in: share of draws in which the option costs least." if draws else ""
    return (f"/month: mean after go-live, retraining and wrong answers included. NPV: savings against staying, discounted,"
            f" wrong answers included, {npv}. Payback in months, at the central values.{best} USD/Mtok: discounted cost over"
            f" discounted tokens, counted as the incumbent counts. Basis of each cost line's weakest fact: {', '.join(names)}.")


def _staying(c: Comparison) -> str:
    """What a month of staying is made of."""
    stay = next(o for o in c.options if o.id == "stay")
    parts: dict[str, float] = defaultdict(float)
    for line in stay.lines:
        name = "API" if line.name.startswith("API ") else line.name
        parts["forced migrations" if name.endswith(": migration") else name] += sum(line.monthly_usd) / len(line.monthly_usd)
    words = " + ".join(f"{usd(x)} {name}" for name, x in parts.items() if x >= 0.005)
    return f"Staying costs {usd(stay.mean_monthly_usd)} a month: {words}."


def _skewed(shown: list[OptionResult]) -> list[Block]:
    """Options whose payback and NPV seem to disagree, and why they do."""
    names = [o.label for o in shown if o.npv_usd > 0 > o.expected_npv_usd]
    if not names:
        return []
    verb = "pays" if len(names) == 1 else "pay"
    return [Paragraph(f"{', '.join(names)} {verb} back at the central values, but on average over the draws the bad cases"
                      " (errors, prices, speed) weigh more than the good ones: hence a payback beside a negative NPV.")]


def infeasible(c: Comparison) -> list[Block]:
    """Options that cannot work, each with the limit that binds."""
    if not c.infeasible:
        return []
    rows = tuple(Row((o.label, KINDS.get(o.kind, o.kind)), detail=o.reason) for o in c.infeasible)
    return [Heading("Not possible"), Table(("option", "kind"), rows, align="ll")]
