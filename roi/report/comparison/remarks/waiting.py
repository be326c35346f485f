"""Remarks on work that can wait: batch tiers that promise no answer in time, hours that are moved, what levers take."""

from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import OptionResult
from roi.economics.lines.api_bill import WAYS
from roi.economics.option_kinds import LEVERS
from roi.economics.reading import PLAIN
from roi.errors import first_of
from roi.report.comparison.option_figures import option_of
from roi.report.layout.wording import case_number, figure, percent
from roi.units import HOURS_PER_DAY

LEVERED = LEVERS | {"flexible-tier"}
"""Kinds that change how today's model is asked or when it answers, and are priced with its cache on."""


def late_batch(c: Comparison) -> list[str]:
    """Batch tiers that are out, since what can wait must be answered before they promise it."""
    waits, ending = case_number(c.case, "workload.waits_hours", HOURS_PER_DAY), ".batch_hours"
    late = {path.removeprefix("apis.").removesuffix(ending): case_number(c.case, path) for path in c.case.facts
            if path.endswith(ending) and case_number(c.case, path) > waits}
    if not late or case_number(c.case, "workload.can_wait_share", 0.0) <= 0.0:
        return []
    hours = " or ".join(figure(each) for each in sorted(set(late.values())))
    tier, today = "tier" if len(late) == 1 else "tiers", case_number(c.case, "options.stay.batch_share", 0.0)
    told = (f"Left out, the batch {tier} of {first_of(list(late), 2)}: promised within {hours} hours, the work has"
            f" {figure(waits)}")
    paid = today > 0.0 and str(c.case["options.stay.vendor"].value) in late
    held = f"; today's bill still holds {percent(today)} at it (incumbent.batch_share)" if paid else ""
    return [f"{told} (workload.waits_hours); sooner is common, not promised{held}"]


def batch_words(c: Comparison, o: OptionResult) -> str:
    """How long the batch tier may take where it is switched on, or that another option's is used, or a lever's cache."""
    if o.kind == "cache-batch" and _pays(o, "batch"):
        hours = case_number(c.case, f"apis.{c.case[f'options.{o.id}.vendor'].value}.batch_hours", HOURS_PER_DAY)
        return f"; what can wait may take the vendor {'a day' if hours == HOURS_PER_DAY else f'{figure(hours)} hours'}"
    cached = f"; with its prompt {word}" if o.kind in LEVERED and (word := _cache_switched(c, o)) else ""
    return cached + ("; what can wait at its batch price" if o.kind in PLAIN and _is_new(c, o, "batch") else "")


def _pays(o: OptionResult, way: str) -> bool:
    """True where requests of the option are billed in this way."""
    return any(line.name == WAYS[way] for line in o.lines)


def _is_new(c: Comparison, o: OptionResult, way: str) -> bool:
    """True where the option's requests are billed in a way in which today's are not."""
    return _pays(o, way) and not _pays(option_of(c, "stay"), way)


def _cache_switched(c: Comparison, o: OptionResult) -> str:
    """What the option does with today's prompt cache: "cache on", "cache off", empty where it leaves it as it is."""
    today = option_of(c, "stay")
    if _is_new(c, o, "cache_read"):
        return "cache on"
    return "cache off" if _pays(today, "cache_read") and not _pays(o, "cache_read") else ""


def hours_moved(c: Comparison) -> list[str]:
    """That the leading option's fleet rests on moving what can wait to other hours of its day."""
    o, waits = c.leader, case_number(c.case, "workload.can_wait_share", 0.0)
    fixed = "serving.lets_wait" in c.case and not c.case["serving.lets_wait"].value
    if o.fleet is None or waits <= 0.0 or fixed or case_number(c.case, "workload.peak_to_mean", 1.0) <= 1.0:
        return []
    within = case_number(c.case, "workload.waits_hours", HOURS_PER_DAY)
    when = "at any hour of the day" if within >= HOURS_PER_DAY else f"within {figure(within)} hours"
    told = f"{percent(waits)} of the requests can wait: {o.label} is sized for them {when}"
    return [f"{told}; serving.lets_wait: false keeps their hours"]
