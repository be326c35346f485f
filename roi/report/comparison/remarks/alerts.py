"""What a reader of `roi compare` must know before its advice: what is unchecked, guessed, unanswered or about to end."""

from collections.abc import Callable, Collection
from datetime import date
from textwrap import shorten
from typing import Final

from roi.economics.cached_lengths import CachedLengths
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.draws import LEAST_DRAWS
from roi.economics.decision.feasibility import FAIL, UNKNOWN
from roi.economics.inputs import path_of
from roi.economics.option_kinds import KEEPS_MODEL, PADDED
from roi.economics.outlook import announced_days, bill_at_todays_list
from roi.errors import first_of
from roi.facts.case import template_values
from roi.facts.fact import Basis, guessed
from roi.report.comparison.option_figures import error_path, may_stay, npv_of, option_of, rate_assumed, to_choose
from roi.report.comparison.option_words import sent_on
from roi.report.comparison.remarks.fleets import (
    adapters_at_once,
    beyond_its_profile,
    hours_of_a_fleet,
    leading_plan,
    one_of_several,
)
from roi.report.comparison.remarks.latency import latency_known, prefix_hits, staying_late, unmeasured_apis
from roi.report.comparison.remarks.model_ends import ending, endings, next_prices
from roi.report.comparison.remarks.quality_bar import below_bar, blind_gate, incumbent_misses, may_miss
from roi.report.comparison.remarks.stated import (
    NAMED,
    RESALE,
    evaluated,
    flat_servers,
    for_nothing,
    paid_out,
    reasons_unsaid,
    resale_guessed,
    unlikely,
    unused_names,
    what_is_out,
)
from roi.report.comparison.remarks.todays_units import TODAY, of_todays_units, paid_by_unit
from roi.report.comparison.remarks.volume import hours_moved, late_batch, moved_volume
from roi.report.comparison.thresholds import PRICE_OF_ERRORS, flips_at, nothing_fails
from roi.report.layout.blocks import Block, Labelled
from roi.report.layout.wording import (
    case_number,
    fact_name,
    fact_range,
    figure,
    little_free,
    number_of,
    old_prices,
    quantity,
    served,
    short_usd,
    usd,
)

GROWTH: Final = "workload.growth_per_year"
MAIN = {"workload.requests_per_day": "volume {} a day", GROWTH: "growth {}", PRICE_OF_ERRORS: "{} per wrong answer"}
"""Inputs that carry the whole answer, in the screen's words; the scores come to them."""
TWICE: Final = 2.0
"""A gap to the bill that is said although it is known what it is: records of another workload than the scenario's, perhaps."""
FAR_OFF = 1.25
"""Times the estimate, or part of it, beyond which a bill is told although no figure of the leading option hangs on why."""
DRIVING = 3
"""The first so many drivers are told as uncertain although their value is stated."""
SOURCE = 60
"""Characters of a source that are shown at most, of its first part; cut between words."""
DEAR_LONG = 0.1
"""Share of the leader's monthly cash that the bill of what is too long for it may be, before its line comes first."""
LEGAL = "vendor_allows_training_on_outputs"
"""The gate that does not matter where people label."""


def alerts(c: Comparison) -> list[Block]:
    """What a reader must know before the advice: what is unchecked, guessed, unanswered or about to end."""
    return [remark for _, remark in remarks(c)]


def remarks(c: Comparison, about: Collection[str] | None = None) -> list[tuple[str, Labelled]]:
    """What a reader must know, each with what it is about in a few words, for a screen without room for all; `about`: those."""
    return [(each, Labelled("!", (text,), "doubt", 2)) for each in (REMARKS if about is None else about)
            for text in REMARKS[each](c)]


def _bill(c: Comparison) -> list[str]:
    if paid_by_unit(c) or served(c.case) or any(a.name == "bill" and not a.accepted for a in c.alarms):
        return []
    if "reconciliation.as_with" in c.case:
        return [(f"The bill is what {c.case['reconciliation.as_with'].value} would cost: if that is on already, set"
                 " incumbent.uses_cache and batch_share; its saving is counted twice until then")]
    return [] if c.reconciled_npv_usd is None else _gap(c, *map(short_usd, c.reconciled_npv_usd))


def _unchecked(c: Comparison) -> list[str]:
    """Says that nobody stated a bill to hold the estimate against."""
    known = c.reconciled_npv_usd is not None or any(a.name == "bill" and not a.accepted for a in c.alarms)
    if known or paid_by_unit(c) or served(c.case) or "reconciliation.as_with" in c.case:
        return []
    if (path := "reconciliation.factor") in c.case and not guessed(c.case[path]):
        return []
    billed = usd(bill_at_todays_list(c.case))
    at_list = " at today's list" if ending(c, "stay")[0] in announced_days(c.case) else ""
    return [f"Bill not checked: computed {billed} in month 1{at_list} (incumbent.bill_usd_per_month)"]


def _told(path: str) -> Callable[[Comparison], list[str]]:
    """What a text of the case says, where it has one."""
    return lambda c: [str(c.case[path].value)] if path in c.case else []


def _gap(c: Comparison, price: str, volume: str) -> list[str]:
    """The unsplit gap to the bill, and the leading option's NPV if all of it is price, and volume; nothing of a small one."""
    gap, share = case_number(c.case, "reconciliation.factor", 1.0), c.case["reconciliation.volume_share"]
    told = f"The bill is {figure(gap)} x what these requests cost at the scenario's prices"
    if not share.uncertain:
        taken = {0.0: "the price of today's model", 1.0: "other requests"}.get(share.number(), "price and other requests")
        return [f"{told}: taken as {taken} (incumbent.bill_is_volume_share)"] if max(gap, 1.0 / gap) >= TWICE else []
    near = max(gap, 1.0 / gap) < FAR_OFF if price == volume else round(gap, 2) == 1.0
    if near or c.reconciled_option is None:
        return []
    if price == volume:
        return [f"{told}: is it of this volume?"]
    label = option_of(c, c.reconciled_option).label
    return [(f"{told}. Unsplit: at the central values NPV of {label} {price} if all of the gap is price, {volume} if all is"
             " volume")]


def _template(c: Comparison) -> list[str]:
    """The template's guesses, those that move the answer most first, but before them one that turns it."""
    paths = template_values(c.case)
    if not paths:
        return []
    pull = {d.path: d.swing_usd for d in c.drivers}
    ranked = sorted(paths, key=lambda path: -pull.get(path, 0.0))
    turns = next(((path, told) for path in ranked if (told := _turns(c, path))), None)
    ranked = ranked if turns is None else [turns[0], *(path for path in ranked if path != turns[0])]
    names = [f"{fact_name(path)} {quantity(c.case[path].value, c.case[path].unit)}" for path in ranked]
    if pull.get(ranked[0], 0.0) > 0:
        names[0] += f" (moves the NPV by {short_usd(pull[ranked[0]])}{'' if turns is None else f'; {turns[1]}'})"
    return [f"The template's guesses: {first_of(names, NAMED)}"]


def _turns(c: Comparison, path: str) -> str:
    """What is advised at the end of the guess's range that speaks against today's advice; empty where that is the same.

    Looked at where the guess moves the NPV by as much as there is. The price of a wrong answer is told in its own line.
    """
    d = next((d for d in c.drivers if d.path == path), None)
    if d is None or c.driver_option is None or c.verdict.recommended is None or path == PRICE_OF_ERRORS:
        return ""
    o, leads = option_of(c, c.driver_option), c.driver_option == c.verdict.leader
    mean = npv_of(c, o)[0]
    if d.swing_usd < mean if leads else mean + d.swing_usd <= 0 or not o.tested:
        return ""
    low, high = c.case[path].spread()
    end = low if (d.npv_at_low_usd < d.npv_at_high_usd) is leads else high
    then = c.leader_at({path: end})
    if then == c.verdict.leader:
        return ""
    return f"at {quantity(end, c.case[path].unit)} the advice is {to_choose(c, then)}"


def _uncounted(c: Comparison) -> list[str]:
    """Says that wrong answers are not counted, why, and from which price on the advice is another; that no test could fail."""
    told, lost, guess = list[str](), nothing_fails(c), c.verdict.counts == "cash"
    if guess or (case_number(c.case, PRICE_OF_ERRORS) <= 0 and not c.case[PRICE_OF_ERRORS].uncertain):
        why = "is a guess" if guess else "is not stated" if guessed(c.case[PRICE_OF_ERRORS]) else "is $0"
        flips = flips_at(c) if c.verdict.leader == "stay" else ""  # else beside what is advised
        told.append(f"Wrong answers are not counted: their price ({PRICE_OF_ERRORS}) {why}{f'; {flips}' if flips else ''}")
    return [*told, lost] if lost else told


def _assumed(c: Comparison) -> list[str]:
    """Main inputs that are assumed, and stated ones that are uncertain and among the facts that move the answer most."""
    driving = [d.path for d in c.drivers[:DRIVING]]
    idle = {PRICE_OF_ERRORS} if case_number(c.case, PRICE_OF_ERRORS, 0.0) <= 0 else set()
    idle |= {GROWTH} if case_number(c.case, "horizon_months") <= 1 else set()
    assumed = [_ranged(c, path, name) for path, name in MAIN.items()
               if path in c.case and guessed(c.case[path]) and path not in idle]
    waits = c.case.facts.get(path := "workload.can_wait_share")
    if waits is not None and guessed(waits) and waits.number() > 0:  # what a template guesses is told apart
        assumed.append(f"{fact_range(waits)} can wait, as goes through batch today ({path})")
    if rate_assumed(c, stay := option_of(c, "stay")):
        assumed.append(f"{fact_range(c.case[error_path(c, stay)])} of {stay.label}'s answers wrong (quality.scores)")
    if any(rate_assumed(c, o) for o in c.options if o.evaluated and o.id != "stay"):
        assumed.append("scores")
    unsure = [_ranged(c, path, name) for path, name in MAIN.items()
              if path in driving and not guessed(c.case[path]) and c.case[path].basis is not Basis.TEMPLATE]
    return [f"{word}: {', '.join(names)}" for word, names in (("Assumed", assumed), ("Uncertain", unsure)) if names]


def _full(c: Comparison) -> list[str]:
    """Says that the leading option's fleet has hardly anything free at the peak, as `roi size` says it."""
    fleet = c.leader.fleet
    return [little_free(c.leader.label, fleet.utilisation_peak)] if fleet is not None and fleet.little_free else []


def _old(c: Comparison) -> list[str]:
    """The age of the oldest price of staying and of what leads, where it is too old."""
    ages: dict[str, int] = {}
    today = date.fromisoformat(str(c.case["as_of"].value))
    for o in (option_of(c, "stay"), c.leader):
        rent = None if o.fleet is None else (o.fleet.gpu, o.fleet.vendor, o.fleet.usd_per_gpu_hour)
        for path, fact in c.case.facts.items():
            if path.startswith(f"options.{o.id}.") and fact.unit.startswith("USD") and fact.date is not None:
                plan = path.rpartition(".")[0]
                if ".plans." in path and rent != (c.case[f"{plan}.gpu"].value, c.case[f"{plan}.vendor"].value, fact.value):
                    continue
                ages[o.label] = max(ages.get(o.label, 0), (today - fact.date).days)
    return old_prices(ages)


def _over(c: Comparison) -> list[str]:
    """Commitments that ended before the comparison begins, and are in no figure."""
    paid = [path.removesuffix("usd_per_month") for path in c.case.facts if path.endswith("commitment.usd_per_month")]
    over = [c.case[f"{path}months"].source.removeprefix("scenario ") for path in paid
            if case_number(c.case, f"{path}usd_per_month") > 0 and case_number(c.case, f"{path}months") == 0]
    units = f"{TODAY}committed_months"
    if units in c.case and case_number(c.case, units) == 0 and "left out" not in c.case[units].source:
        over.append(c.case[units].source.removeprefix("scenario "))
    return [f"A commitment is over by as_of and costs nothing: {', '.join(over)}"] if over else []


def _few_draws(c: Comparison) -> list[str]:
    """Draws that are too few for a chance or a percentile."""
    n = case_number(c.case, "draws")
    told = f"Too few draws for a chance or a percentile: {n:,.0f}; at least {LEAST_DRAWS}, better 4096 (--draws)"
    return [told] if 0 < n < LEAST_DRAWS else []


def _ranged(c: Comparison, path: str, name: str) -> str:
    """A main input with its range; without one, with its value."""
    return name.format(fact_range(c.case[path]))


def _gates(c: Comparison) -> list[str]:
    """What a gate's no drops, and why what trains leads in spite of it."""
    dropped = [o.label for o in c.infeasible if o.trains and o.fails_gate]
    return [f"Gate {gate.name.replace('_', ' ')} is no: it drops {first_of(dropped, NAMED)}"
            + ("; not where people label (training.labels_from)" if gate.name == LEGAL else "")
            for gate in c.gates if gate.blocks and dropped] + _stands_if(c, leads=True)


def _stands_if(c: Comparison, *, leads: bool) -> list[str]:
    """Why what trains stands in spite of a gate's no, where nobody stated that people label: what `leads`, else the others."""
    if c.leader.trains is not leads:
        return []
    stated = c.case["training.labels_from"].source.endswith(".labels_from")
    if stated or not any(gate.status == FAIL and not gate.blocks for gate in c.gates) or not any(o.trains for o in c.options):
        return []
    return ["Legal gate is no: training stands only if people label (training.labels_from)"]


def _unknown_gates(c: Comparison) -> list[str]:
    """Questions without an answer, where an option that trains would save anything."""
    open_ones = [gate.name.replace("_", " ") for gate in c.gates if gate.status == UNKNOWN]
    if not open_ones or not any(o.trains and npv_of(c, o)[0] > 0 for o in c.options):
        return []
    return [f"{number_of(len(open_ones), 'gate')} unknown: {', '.join(open_ones)}"]


def _may_not_stay(c: Comparison) -> list[str]:
    """Says that staying, which all is compared with, is not to be chosen."""
    return [] if may_stay(c) else ["Staying is not allowed (incumbent.may_stay): what is told against it is for comparison"]


def _cache_in_vain(c: Comparison) -> list[str]:
    """Says that today's requests use a prompt cache and pay in full: for want of a price, or of a prefix that it holds."""
    prefix, hits = (case_number(c.case, f"workload.{name}") for name in ("shared_prefix_tokens", "cache_hit_rate"))
    stay, read = "options.stay.", "price.cache_read_usd_per_mtok"
    used, listed = (c.case.facts.get(f"{stay}{name}") for name in ("uses_cache", "price.input_usd_per_mtok"))
    by_length = path_of(CachedLengths, "stated") in c.case
    if used is None or listed is None or not used.value or (prefix * hits <= 0 and not by_length):
        return []
    if f"{stay}{read}" in c.case:
        least = case_number(c.case, f"{stay}price.cache_minimum_tokens")
        padded = next((o.staying_cash_monthly_usd - o.cash_monthly_usd for o in c.options if o.id == PADDED), 0.0)
        padded -= next((o.staying_cash_monthly_usd - o.cash_monthly_usd for o in c.options if o.id == "cache-batch"), 0.0)
        saves = f"; padding it to that saves {usd(padded)} a month" if padded > 0 else ""
        told = (f"The prompt cache that is on holds nothing: the shared prefix of {prefix:,.0f} tokens is below the"
                f" {least:,.0f} that its vendor caches{saves} (do records show reads? incumbent.cache_minimum_tokens)")
        return [told] if prefix < least and not by_length else []
    vendor, source = ending(c, "stay")[0], shorten(listed.source.partition("; ")[0], SOURCE, placeholder=" ...")
    return [(f"The prompt cache that is on has no price: all input of {vendor} is counted in full, by the rates of {source}."
             " State what a cache read costs: roi prices add api, or apis.PROVIDER/MODEL.cache_read_usd_per_mtok")]


def _no_output(c: Comparison) -> list[str]:
    """Says that nothing is written, as of embeddings, where another model stands beside today's."""
    made = c.case["workload.output_tokens"].value
    if any(made if isinstance(made, (tuple, list)) else (made,)) or all(o.kind in KEEPS_MODEL for o in c.options):
        return []
    return [("No request has output, as of embeddings (workload.output_tokens: 0): only a model that embeds takes their place,"
             " alone, since vectors of two do not mix; a change embeds anew all that is stored (costs, upfront_usd)")]


def _accepted(c: Comparison) -> list[str]:
    names = [f"{a.name} ({a.field})" for a in c.alarms if a.accepted]
    return [f"Accepted although unlikely: {', '.join(names)}"] if names else []


def _exact(c: Comparison) -> list[str]:
    """Scores of one's own without ends and without the number of items behind them, where one could fail an option."""
    if not (c.can_fail and c.case["draws"].value):
        return []
    judged = dict.fromkeys(error_path(c, o) for o in c.options if o.evaluated and (o.id == "stay" or o.kind not in KEEPS_MODEL))
    bare = [path for path in judged if path in c.case and c.case[path].basis is Basis.STATED and not c.case[path].uncertain
            and not {f"{path}_low", f"{path}_as"} & c.case.facts.keys() and path.replace(".error_rate", ".items") not in c.case]
    if len(bare) < 2:  # today's model alone may be the measure that others are held against
        return []
    told = "scores count as exact: say on how many items they rest, quality.scores.NAME: {value: 0.9, items: 300}"
    return [f"{len(bare)} {told}"]


def _long(c: Comparison, *, dear: bool) -> list[str]:
    """What is too long for the leader: where it is sent, and at what bill; or that it is counted as if it were answered.

    `dear`: where that bill is more than DEAR_LONG of the leader's cash, or nothing is billed at all; else the others.
    """
    o, path = c.leader, f"options.{c.leader.id}.too_long_counted"
    if path in c.case:
        return [f"{o.label}: {c.case[path].value} (candidates.by_length)"] if dear else []
    large = o.sent_on is not None and o.sent_on.usd_per_month > DEAR_LONG * o.cash_monthly_usd
    return [told] if (told := sent_on(c, o)) and large is dear else []


STANDING: Final[dict[str, Callable[[Comparison], list[str]]]] = {
    "staying, which is not allowed": _may_not_stay, "the bar that may be missed": may_miss, "unusual figures": unlikely,
    "a gate that is no": _gates, "known ends": endings, "what is too long": lambda c: _long(c, dear=True),
    "what is out": what_is_out, "the evaluation": evaluated, "today's latency": staying_late,
    "an API's latency": unmeasured_apis,
    "a cache in vain": _cache_in_vain, "announced prices": lambda c: next_prices(c, much=True),
    "stated for nothing": for_nothing, "a credit beyond its bill": paid_out,
    "no output": _no_output, "the deadline of what can wait": late_batch, "the plan": leading_plan,
    "adapters at once": adapters_at_once, "workloads on the fleet": one_of_several,
    "some that is too long": lambda c: _long(c, dear=False),
    "what is unsure": _told("workload.unsure"), "a volume that moves": moved_volume,
    "the bill's requests": _told("reconciliation.told"),
}
"""What remarks are about that stand first on every screen, and what finds them."""
REMARKS: Final = {
    **STANDING, RESALE: resale_guessed, "the bill": _bill, "a bill not checked": _unchecked,
    "today's model": incumbent_misses, "below the bar": below_bar,
    "a gate in doubt": _told("quality.gate_doubt"),
    "tokens of today's model": _told("workload.tokens_told"),
    "reasoning": reasons_unsaid, "today's units": of_todays_units, "today's servers": flat_servers,
    "names that move nothing": unused_names,
    "the template's guesses": _template, "wrong answers": _uncounted, "exact scores": _exact, "assumed inputs": _assumed,
    "a gate that drops nothing": lambda c: _stands_if(c, leads=False),
    "unknown gates": _unknown_gates, "latency": latency_known, "a blind gate": blind_gate,
    "prefix hits": prefix_hits,
    "a load that was not measured": beyond_its_profile, "hours of a large fleet": hours_of_a_fleet,
    "hours of what can wait": hours_moved, "little kept free": _full,
    "old prices": _old, "a commitment that is over": _over,
    "prices announced": lambda c: next_prices(c, much=False), "few draws": _few_draws,
    "accepted alarms": _accepted,
}  # fmt: skip
"""What remarks are about, and what finds them, in the order in which they stand."""
ALWAYS: Final = (*STANDING, "a gate in doubt", "tokens of today's model", "today's units", "today's servers")
"""Remarks that stand on every screen."""
