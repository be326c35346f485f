"""What an option is, in words: what carrying it out means, and its GPUs."""

from datetime import date, timedelta

from roi.economics.decision.alarms import limit_words
from roi.economics.decision.comparison import Comparison
from roi.economics.decision.option_result import FleetResult, OptionResult
from roi.economics.inputs import path_of
from roi.economics.lines.api_bill import WAYS
from roi.economics.lines.line_kind import LineKind
from roi.economics.option_kinds import LEVERS, PADDED
from roi.economics.price_list import Api
from roi.economics.reading import PLAIN
from roi.facts.fact import OWN_VENDOR
from roi.report.comparison.option_figures import gpu_count, of_todays_model, option_of
from roi.report.layout.wording import case_number, figure, kind_meaning, number_of, percent, usd
from roi.units import DAYS_PER_MONTH, HOURS_PER_DAY

SERVE_ON_OWN = "serve on the GPUs that you own"
LEVERED = LEVERS | {"flexible-tier"}
"""Kinds that change how today's model is asked or when it answers, and are priced with its cache on."""
MOSTLY = 0.5
"""A floor that takes less than this share of the requests is mostly the API, and says so."""
ALL = 0.999
"""One that takes more than this share leaves the API nothing but what fails."""
SPARED = {
    LineKind.SET_UP: "people who are paid anyway then do more of the set-up",
    LineKind.HARDWARE: "what is bought is then sold younger",
    LineKind.RETRAINING: "less is then paid for retraining",
    LineKind.MIGRATION: "less is then paid for forced migrations",
    LineKind.INCUMBENT: "today's model costs less until then",
}
"""What a later start spares most of, in words."""


def what_it_is(c: Comparison, o: OptionResult) -> str:
    """What carrying the option out means, with its GPUs, and where its adapter is trained."""
    words = kind_meaning(o.kind)
    if o.upfront_no_cash_usd or (o.fleet is not None and o.fleet.vendor == OWN_VENDOR):
        words = "the GPUs that you own carry the steady load, an API the peaks" if o.kind == "hybrid" else SERVE_ON_OWN
    if o.kind == "hybrid" and o.fleet is not None and o.fleet.share_of_requests > ALL:
        words = words.replace("the steady load, an API the peaks", "the load, an API stands by")
    if f"options.{o.id}.provisioned.gives_back" in c.case:
        spills = c.case[f"options.{o.id}.provisioned.spills_over"].value
        words = f"the same model on as many units as {'cost least with what spills over' if spills else 'its peak takes'}"
    if o.kind == "cheaper-api" and of_todays_model(c, o):
        words = "the same model at another vendor"
    if o.kind == "cache-batch" and "options.stay.cache_as_today" in c.case and not c.case[f"options.{o.id}.uses_cache"].value:
        hits = percent(case_number(c.case, "workload.cache_hit_rate"))
        words = f"the same model without its prompt cache, which costs more to write than reading saves at a hit rate of {hits}"
    if o.id == PADDED:
        least = case_number(c.case, path_of(Api, "cache_minimum", option=o.id))
        words = f"the same model, its prefix padded to {least:,.0f} tokens"
    words += batch_words(c, o)
    card, gpus = f"options.{o.id}.training.gpu", case_number(c.case, f"options.{o.id}.training.gpus", 0.0)
    over = f", trained over {gpus:.0f} x {c.case[card].value}" if gpus else ""
    return f"{words} ({fleet_of(c, o, grown=True)}{over})" if o.fleet is not None else words


def why_later(c: Comparison, id: str, months: int, counts: str) -> str:
    """Why the option had better go live so many months later, after what that brings; empty where it is not known."""
    spared = c.spared_by_waiting(id, months, counts)
    words = f"commitment{owed_until(c, option_of(c, id))}" if spared is LineKind.COMMITMENT else spared and SPARED[spared]
    return f"; {words}" if words else ""


def owed_until(c: Comparison, o: OptionResult) -> str:
    """The last day of a commitment with today's vendor that is owed beyond its bill; empty where none is."""
    if not any(line.kind is LineKind.COMMITMENT and any(line.monthly_usd) for line in o.lines):
        return ""
    of_units = case_number(c.case, "options.stay.provisioned.committed_months", 0.0)
    months = max(of_units, case_number(c.case, "commitment.months"))
    left = timedelta(days=round(months * DAYS_PER_MONTH) - 1)
    return f" until {date.fromisoformat(str(c.case['as_of'].value)) + left}"


def batch_words(c: Comparison, o: OptionResult) -> str:
    """How long the batch tier may take where it is switched on, or that another option's is used, or a lever's cache."""
    if o.kind == "cache-batch" and _pays(o, "batch"):
        hours = case_number(c.case, f"apis.{c.case[f'options.{o.id}.vendor'].value}.batch_hours", HOURS_PER_DAY)
        if hours > case_number(c.case, "workload.waits_hours", HOURS_PER_DAY):
            return "; its batch as it is today"
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


def fleet_of(c: Comparison, o: OptionResult, *, grown: bool = False) -> str:
    """How many GPUs of which card, on which terms, with `grown` how many later, and if most is the API's; empty for none."""
    if o.fleet is None:
        return ""
    part = o.fleet.share_of_requests
    later = f", later up to {gpu_count(o.fleet.gpus_most)}" if grown and o.fleet.gpus_most > o.fleet.gpus else ""
    takes = f" {'takes' if o.fleet.gpus == 1 else 'take'} {percent(part)} of requests" if part < MOSTLY else ""
    mean = f" on average in month {o.fleet.month}" if o.fleet.gpus != round(o.fleet.gpus) else ""
    several = case_number(c.case, "serving.workloads_on_base", 1.0)
    shared = f" for all {several:,.0f} workloads" if several > 1.0 else ""
    number = f"{gpu_count(o.fleet.gpus)} x {o.fleet.gpu}{terms(o.fleet)}{mean}{later}{shared}"
    return f"{number}{takes}{', the API for the rest' if o.kind == 'hybrid' else ''}"


def sent_on(c: Comparison, o: OptionResult) -> str:
    """Which requests are too long for the option, and what the API bills that takes them; empty where it takes all."""
    found = o.sent_on
    if found is None:
        return ""
    limit = limit_words(found.longest_tokens, of_context=found.of_context)
    return (f"{percent(found.share_of_requests)} of the requests, {percent(found.share_of_tokens)} of the tokens, are too long"
            f" for {o.label} (longer than {limit}): to {option_of(c, found.to).label},"
            f" {usd(found.usd_per_month)} a month (candidates.by_length)")


def terms(f: FleetResult) -> str:
    """On which terms GPUs are rented, where that is not by the hour at the price on demand."""
    months = f.minimum_months
    return " spot" if f.rental == "spot" else f" for {number_of(months, 'month')} at least" if months > 1.0 else ""
