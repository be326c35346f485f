"""Remarks on latency: what misses the SLO as it was measured, and what the latency of what is advised rests on."""

import math
import re
from collections.abc import Iterable
from typing import Final

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.feasibility import HARDLY_LOADED
from roi.economics.decision.measuring.worth import TIME_API, Experiment
from roi.economics.decision.option_result import OptionResult
from roi.economics.decision.turning.api_timing import ANOTHER_API, open_limits, waits
from roi.economics.inputs import Option, Tokens, path_of
from roi.economics.lines.api_request import seen_tokens
from roi.economics.option_kinds import KEEPS_MODEL
from roi.economics.reading import PLAIN, read_shared
from roi.facts.fact import Basis
from roi.report.comparison.option_figures import mean_npv, npv_of, option_of
from roi.report.layout.wording import case_number, duration, figure, option_label, percent, quantity, short_usd, usd

SLO: Final = {"workload.ttft_p95_s": "TTFT", "workload.tpot_p95_s": "TPOT"}

MOST: Final = 0.95
"""Chance of a miss from which it goes without saying that an API is not moved to, and that timing it first is in vain."""
ROUNDING: Final = 1e-9
"""Percents by which a chance may be off for its rounding."""
MUCH_FOUND: Final = 0.25
"""Share of the prompt tokens from which what a fleet holds turns on their being found: a third more to compute without."""


def staying_late(c: Comparison) -> list[str]:
    """Says that today's model misses the SLO, as was measured, and which option is known to keep it."""
    missed = missed_slo(c, "stay")
    if not missed:
        return []
    told = " and ".join(f"{SLO[path]} {quantity(found, 's')} as measured, at most {figure(case_number(c.case, path))} ({path})"
                        for path, found in missed.items())
    who = f"Staying does not keep the SLO{_nor_what_is_advised(c)}"
    keeping = [o for o in c.options if _known_to_keep(c, o, missed)]
    if not keeping:
        return [f"{who}: {told}; no option is known to (apis.NAME)"]
    best = max(keeping, key=lambda o: (o.tested, npv_of(c, o)[0]))
    untested = "" if best.tested else ", not tested"
    npv = f"{mean_npv(c)} {short_usd(npv_of(c, best)[0])}{untested}"
    if best.id == c.verdict.leader and c.verdict.first_move is not None:
        return [f"{who}: {told}; {best.label} is known to"]
    others = [o for o in c.options if o.kind in PLAIN and o.kind not in KEEPS_MODEL and not missed_slo(c, o.id)]
    cheaper = max((o for o in others if npv_of(c, o)[0] > npv_of(c, best)[0]), key=lambda o: npv_of(c, o)[0], default=None)
    unknown = "" if cheaper is None else f"; nobody measured {cheaper.label}'s, which costs less (apis)"
    return [f"{who}: {told}. Of what is known to, {best.label} does best: {npv}{unknown}"]


def _nor_what_is_advised(c: Comparison) -> str:
    """What of the advice today's model answers too: all of it, or what is handed on to it; empty where it answers none."""
    o = c.leader if c.verdict.first_move is None else option_of(c, c.verdict.first_move)
    if o.kind in KEEPS_MODEL:
        return "" if o.id == "stay" else f", nor does {o.label}, the same model"
    given = [c.case.facts.get(path_of(Option, field, option=o.id)) for field in ("spills_to", "long_to")]
    takes = o.kind == "cascade" or any(fact is not None and fact.value == "stay" for fact in given)
    return f", nor what {o.label} hands on to it" if takes else ""


def _known_to_keep(c: Comparison, o: OptionResult, limits: Iterable[str]) -> bool:
    """True where an option's fleet holds all of its load and was replayed at the SLO, or its API was measured within limits."""
    if o.fleet is not None:
        plans, rate = f"options.{o.id}.plans.", ".capacity_requests_per_s"
        held = [fact for path, fact in c.case.facts.items() if path.startswith(plans) and path.endswith(rate)]
        whole = o.kind != "hybrid" and o.sent_on is None
        return whole and not any(fact.basis is Basis.STATED for fact in held)
    return o.kind in PLAIN and all(0.0 < _measured(c, o.id, path) <= case_number(c.case, path) for path in limits)


def missed_slo(c: Comparison, id: str) -> dict[str, float]:
    """The limits that an option's API misses as measured, and what was measured; none where everything can wait."""
    held = case_number(c.case, "workload.can_wait_share", 0.0) < 1.0
    return {path: found for path in SLO if held and (found := _measured(c, id, path)) > case_number(c.case, path, math.inf)}


def looser_slo(c: Comparison) -> str:
    """At which SLO other options come in, where the stated one alone rules out all of them; empty where it does not.

    An API at what was measured of it; one on GPUs at what its nearest plan reaches under hardly any load, a kind of model once.
    """
    others = [o for o in c.infeasible if o.kind not in KEEPS_MODEL]
    let_in = dict[str, str]()
    for o in others:
        missed = " and ".join(f"{path} {figure(found)} s" for path, found in missed_slo(c, o.id).items())
        at = missed or re.sub(r" \(asked [^)]*\)", "", o.reason.partition(HARDLY_LOADED)[2].partition("; ")[0])
        let_in.setdefault(at, o.label)
    if not others or "" in let_in or any(o.kind not in {"stay", *KEEPS_MODEL} for o in c.options):
        return ""
    told = ", ".join(f"{label} from {at} on" for at, label in let_in.items())
    return f"No test helps while the SLO rules all others out. A looser one lets them in: {told}."


def _measured(c: Comparison, id: str, path: str) -> float:
    """What was measured of an option's API against the limit at the path, s; 0 where nobody did."""
    vendor = c.case[f"options.{id}.vendor"].value if f"options.{id}.vendor" in c.case else ""
    return case_number(c.case, path.replace("workload.", f"apis.{vendor}."), 0.0)


def unmeasured_apis(c: Comparison) -> list[str]:
    """Says that an API that is advised, first or then, or that a floor hands on to, was not measured against a stated SLO.

    And what timing it first costs, and at which chance of a miss that pays; not where that is to measure first, which says so.
    Today's model answers as users know it.
    """
    first, timed = c.verdict.measure_first, {e.option: e for e in c.experiments if e.kind == TIME_API}
    missing = {id: asked for id, asked in _open_apis(c).items() if first is None or timed.get(id) is not first}
    if not missing:
        return []
    limits = dict.fromkeys(path for asked in missing.values() for path in asked)
    whose = " and ".join(f"{option_label(c.case, id)}'s" for id in missing)
    fields = "; ".join(f"apis.{c.case[f'options.{id}.vendor'].value}.{', '.join(path.rpartition('.')[2] for path in asked)}"
                       for id, asked in missing.items())
    tests = [e for id in missing if (e := timed.get(id)) and e.pays_between_chances]
    pays = [(f": about {usd(e.cost_usd)} and {duration(e.months)}, worth it first where the chance that it misses is"
             f" {where_it_pays(e)}") for e in tests[:1]]
    return [f"{_slo(c, limits)}: nobody measured {whose} latency ({fields}; roi profile serve URL){''.join(pays)}"]


def where_it_pays(e: Experiment) -> str:
    """At which chance that an API misses the SLO timing it first pays; whole percents, rounded so that it does at each."""
    low, high = e.pays_between_chances or (1.0, 0.0)
    low, high = math.ceil(100.0 * low - ROUNDING) / 100.0, math.floor(100.0 * high + ROUNDING) / 100.0
    most = "" if high >= MOST else f" and at most {percent(high)}"
    return f"at least {percent(low)}{most}"


def timing_first(c: Comparison, e: Experiment) -> str:
    """Why an API is timed before it is moved to: at which chance of a miss that pays, what is lost then, and how it is done."""
    field = f"apis.{c.case[f'options.{e.option}.vendor'].value}"
    limits = ", ".join(path.rpartition(".")[2] for path in open_limits(c.case, e.option))
    return (f"Worth it where the chance of a miss, which costs {usd(e.lost_if_missed_usd or 0.0)} (set-up, way back), is"
            f" {where_it_pays(e)} ({field}.{limits}; roi profile serve URL).")


def unvalued_latency(c: Comparison) -> bool:
    """True where an API above an own floor was not measured: no experiment values that."""
    return bool(_open_apis(c).keys() - {e.option for e in c.experiments if e.kind == TIME_API})


def slo_of(c: Comparison, id: str) -> str:
    """The limits that are stated and against which nobody measured the option's API, in words."""
    return _slo(c, open_limits(c.case, id))


def _open_apis(c: Comparison) -> dict[str, tuple[str, ...]]:
    """The limits of the SLO against which nobody measured an API that is advised, by the option whose API it is."""
    first = None if c.verdict.first_move is None else option_of(c, c.verdict.first_move)
    apis = dict.fromkeys(id for o in (first, c.leader) if o is not None and (id := _another_api(c, o)))
    return {} if waits(c.case) else {id: asked for id in apis if (asked := open_limits(c.case, id))}


def _another_api(c: Comparison, o: OptionResult) -> str | None:
    """The option whose API answers users where this one is advised: itself, or what it spills to; None of today's model."""
    above = c.case.facts.get(path_of(Option, "spills_to", option=o.id)) if o.kind == "hybrid" else None
    id = o.id if above is None else str(above.value)
    return id if c.case[path_of(Option, "kind", option=id)].value in ANOTHER_API else None


def _slo(c: Comparison, limits: Iterable[str]) -> str:
    told = [f"{SLO[path]} {quantity(c.case[path].value, 's')}" for path in limits]
    return f"SLO ({', '.join(told)})"


def latency_known(c: Comparison) -> list[str]:
    """What the latency of the leading option rests on, where an SLO is stated and another model, or a slower tier, answers.

    Of an API that `unmeasured_apis` names that says it.
    """
    lead, asked = c.leader, open_limits(c.case, c.leader.id)
    own_capacity = "options.stay.provisioned.units" in c.case  # which others than its units do not have
    as_today = lead.kind in ({"stay", "provisioned"} if own_capacity else KEEPS_MODEL - {"flexible-tier"})
    if not asked or as_today or waits(c.case):
        return []
    told, above = f"{_slo(c, asked)}: the latency of {lead.label} is ", _another_api(c, lead)
    if lead.fleet is None:
        return [] if above is not None else [f"{told}not known"]
    basis = c.case[f"{lead.fleet.plan}.capacity_requests_per_s"].basis
    rests = "as stated, not checked" if basis is Basis.STATED else f"replayed, its speed {basis}"
    if lead.kind != "hybrid" or (above is not None and open_limits(c.case, above)):
        return [told + rests]
    above = str(c.case[f"options.{lead.id}.spills_to"].value)
    known = "within it as measured" if all(_measured(c, above, path) > 0.0 for path in asked) else "not known"
    return [f"{told}{rests}; of the API above it {'above the SLO as measured' if missed_slo(c, above) else known}"]


def prefix_hits(c: Comparison) -> list[str]:
    """Says that the leading option's fleet is sized for prompts that it finds in its cache as often as an API's cache does.

    Where that is stated of own servers, or what a replica holds is, there is nothing to tell.
    """
    o, hits = c.leader, case_number(c.case, "workload.cache_hit_rate", 0.0)
    held = None if o.fleet is None else c.case.facts.get(f"{o.fleet.plan}.capacity_requests_per_s")
    if hits <= 0.0 or held is None or held.basis is Basis.STATED or "serving.prefix_hit_rate" in c.case:
        return []
    shared = read_shared(c.case.values())
    rate = hits if shared.cached is None else shared.cached.hit_rate(hits, hits)
    prefix = seen_tokens(shared, Tokens()).prefix
    prompt, found = float(shared.weights @ shared.input_tokens), float(shared.weights @ (prefix * rate))
    if found < MUCH_FOUND * prompt:
        return []
    return [(f"{o.label} is sized to find {figure(found)} of {figure(prompt)} prompt tokens in its cache, at"
             " workload.cache_hit_rate; it computes what it does not find: serving.prefix_hit_rate")]
