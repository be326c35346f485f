"""Which facts differ between two Cases, as causes: facts that only make sense together move together, each cause in a group."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from roi.facts.case import CAUTIONS, IN_USE
from roi.facts.fact import Fact

Facts = Mapping[str, Fact]

PRICES, VOLUME, QUALITY, EVIDENCE, OPTIONS, TERMS = GROUPS = ("prices", "volume", "quality", "evidence", "options", "terms")
"""What a cause can belong to, in the order in which causes are told and moved."""
UNSAID: Final = frozenset({"title", "as_of", "reconciliation.told", "unused", IN_USE, "workload.unsure", "candidates.spot",
                            "prices.unusual", "quality.gate_doubt", "quality.in_vain", "workload.tokens_told"})
"""Facts that name the Case, or say how others came about, and nothing of the decision."""
ROOMS: Final = ("systems.", "vendors.", "apis.", "changes.", "kinds.", "quality.evaluation_noise.", "purchase.",
                "serving.speed.", "serving.adapter_speed.", "options.")
"""How the paths of facts begin that belong to an option, or to what an option names."""
NAMES: Final = {"system": ("systems", "quality.evaluation_noise"), "end_to_end": ("systems", "quality.evaluation_noise"),
                "base": ("systems",), "vendor": ("vendors", "apis"), "group": ("changes",), "kind": ("kinds",)}
"""Fields of an option that name something, and where the facts of that stand."""
OF_OPTIONS = re.compile(r"apis\..+\.escalated_share|training\.hours_factor\..+")
"""Facts of a cascade's first model and of a method: a Case without such an option lacks them, though another pays that API."""
PLAN = re.compile(r"options\.(?P<option>.+)\.plans\.(?P<plan>[^.]+)\.(?P<field>[a-z_0-9]+)")
POINTERS: Final = ("price", "replacement", "speed", "adapter_speed", "rent")
"""Fields of a plan that hold the path of another fact."""
OFFER: Final = ("usd_per_gpu_hour", "vendor", "rent", "price", "replacement", "minimum_months", "cancel_usd",
                "later_gpus_bound", "gpus_owned", "usd_per_new_gpu")
"""Fields of a plan that whoever offers it sets."""
STRUCTURE: Final = ("kind", "label", "system", "group", "vendor", "trains", "infeasible", "platform", "owned", "uses_cache",
                    "end_to_end", "base", "spills_to", "batch_as_today", "cache_as_today")
"""Fields of an option that say what it is."""
LOAD = re.compile(r"workload\.(?:(?:input|output|cached|cache_write|shared_prefix)_tokens|weights|cached_stated|cache_hit_rate|"
                  r".+_p95_s|load_curve)|serving\.prefix_hit_rate")
"""Facts of the workload that the capacity at the SLO follows from."""
RULES: Final = tuple((re.compile(pattern), what, group) for pattern, what, group in (
    (r"workload\.(?:(?:input|output|cached|cache_write)_tokens|weights|cached_stated)", "lengths", VOLUME),
    (r"options\..+\.(?:too_long\w*|longest_\w+|long_to)", "lengths", VOLUME),
    (r"workload\.(?:peak_to_mean|load_curve)", "peak", VOLUME),
    (r"workload\.steps\..+", "steps", VOLUME),
    (r"systems\.(?P<of>.+)\.(?:token_ratio|output_ratio|reasoning_tokens|prefix_tokens)", "tokens", VOLUME),
    (r"workload\..+|serving\.prefix_hit_rate|(?:apis|options)\..+\.(?:cache_hit_rate|batch_share)", "", VOLUME),
    (r"quality\.evaluation_noise\.(?P<of>.+?)(?:\.follows|\.correlation)?", "error rate", QUALITY),
    (r"systems\.(?P<of>.+?)\.(?:(?:error_rate|measured_error_rate|right_where_)\w*(?:\.(?:items|follows|\w*correlation|beside))?|evaluated|items)",
     "error rate", QUALITY),
    (r"options\.(?P<of>.+)\.(?:evaluated|test_note|items)", "tested", QUALITY),
    (r"quality\..+|gates\..+|.+\.(?:\w*escalated\w*|\w*kept_error_rate|(?:first_)?successor_error_ratio)(?:\.items)?", "",
     QUALITY),
    (r"options\.(?P<of>.+)\.price\.(?!discount).+", "list price", PRICES),
    (r"options\.(?P<of>.+)\.provisioned\..+", "units", PRICES),
    (r"options\.(?P<of>.+)\.training\.(?:gpus?|usd_per_gpu_hour|gpu_hours_per_run|memory_bytes)", "training run", EVIDENCE),
    (r"vendors\.(?P<of>.+)\.announced\..+", "list price", PRICES),
    (r"serving\.(?:fleet_share|workloads_on_base)|options\..+\.(?:run|setup)_hours_shared", "shared fleet", OPTIONS),
    (r"training\.(?:adapters|further_adapter_hours)", "adapters", OPTIONS),
    (r"costs\..+", "own costs", PRICES),
    (r".*(?:\.discount|price_ratio.*|\.flexible\..+|usd_per_\w+|\.commitment\..+)", "", PRICES),
    (r"(?:drift|commitment|reconciliation)\..+|evaluation\.usd|people\.wage_growth_per_year", "", PRICES),
    (r"serving\.(?:speed|adapter_speed)\.(?P<of>.+?)(?:_low|_high)?", "speed", EVIDENCE),
    (r"serving\.capacities\..+|training\.hours_factor(?:\..+)?", "", EVIDENCE),
    (r"horizon_months|discount_rate_per_year|draws|seed|(?:verdict|accept)\..+", "", TERMS),
    (r"vendors\.(?P<of>.+)\.(?:first_end_months(?:\.follows|\.correlation)?|life_months|retires_on)", "life", OPTIONS),
    (rf"options\.(?P<of>.+)\.(?:{'|'.join(STRUCTURE)})", "option", OPTIONS),
    (r".+", "", OPTIONS),
))
"""Pattern of a path, the word for what its facts are together ("" = each fact is a cause of its own), and the group."""


@dataclass(frozen=True, order=True)
class Cause:
    """Facts that move together from A to B."""

    group: str
    """One of GROUPS."""
    what: str
    """What the facts are together: list price, units (of throughput, or seats), lengths, peak, steps, tokens, error rate,
    tested, training run, own costs, speed, life, shared fleet, adapters, option, there (the option is in one of the Cases
    alone), rent, offers (plans of a card that only one of them has), capacity, known better (no value differs, only spread or
    basis); empty where it is one fact.
    """
    of: str
    """The option, system, vendor or GPU that it is about; empty where it is about none."""
    paths: tuple[str, ...]
    """The facts, by path. A plan's number may differ in A and B: its place is told by what the plan is."""


def causes_of(a: Facts, b: Facts) -> tuple[Cause, ...]:
    """What differs, in the order of GROUPS, by name within a group; the same for A against B and for B against A."""
    alone = owners(a) ^ owners(b)
    changed: dict[tuple[str, str, str], list[str]] = {}
    better: list[str] = []
    for path in sorted(path for path in {*a, *b} - UNSAID if not path.startswith(CAUTIONS)):
        old, new = a.get(path), b.get(path)
        owner = owner_of(path, alone)
        if owner is not None:
            if owner.startswith("options."):
                changed.setdefault((OPTIONS, "there", owner.removeprefix("options.")), []).append(path)
            continue  # what only one of them knows is there all along: nothing but its option asks for it
        if (path in a) != (path in b) and OF_OPTIONS.fullmatch(path):
            continue
        if old is None or new is None or old.value != new.value:
            group, what, of = _kind(path, a, b)
            changed.setdefault((group, what, of or (path if not what else "")), []).append(path)
        elif (old.low, old.high, old.basis, old.unit) != (new.low, new.high, new.basis, new.unit):
            better.append(path)
    load = any(LOAD.fullmatch(path) for paths in changed.values() for path in paths)
    found = [Cause(_home(group, what, paths, a, b, load=load), what, of if what else "", tuple(paths))
             for (group, what, of), paths in changed.items()]
    found += [Cause(EVIDENCE, "known better", "", tuple(better))] if better else []
    return tuple(sorted(found, key=lambda cause: (GROUPS.index(cause.group), cause.what, cause.of, cause.paths)))


def owners(facts: Facts) -> frozenset[str]:
    """Options, and the systems, vendors, kinds, changes and facts that they name, each as the beginning of its paths."""
    ids = [path[8:-5] for path in facts if path.startswith("options.") and path.endswith(".kind")]
    found = {f"options.{id}" for id in ids}
    for id in ids:
        for field, rooms in NAMES.items():
            fact = facts.get(f"options.{id}.{field}")
            found |= {f"{room}.{fact.value}" for room in rooms} if fact is not None and fact.value is not None else set()
    for path, fact in facts.items():
        plan = PLAN.fullmatch(path)
        if plan is not None and plan["field"] in POINTERS and fact.value is not None:
            found.add(str(fact.value))
    return frozenset(found)


def owner_of(path: str, among: frozenset[str]) -> str | None:
    """The owner in `among` that the fact belongs to; None where there is none. A speed's low and high belong to the speed."""
    if not path.startswith(ROOMS):
        return None
    parts = path.split(".")
    whole = (".".join(parts[:k]) for k in range(len(parts), 1, -1))
    found = next((each for each in whole if each in among), None)
    stem = path.removesuffix("_low").removesuffix("_high")
    return found if found is not None else stem if stem in among else None


def _kind(path: str, a: Facts, b: Facts) -> tuple[str, str, str]:
    """Group, what, and of whom; facts with the same three are one cause."""
    plan = PLAN.fullmatch(path)
    if plan is not None:
        gpu = path.removesuffix(plan["field"]) + "gpu"
        card = next(str(facts[gpu].value) for facts in (a, b) if gpu in facts)
        if (gpu in a) != (gpu in b):
            return PRICES, "offers", card
        if plan["field"] == "gpus_to_train":
            return EVIDENCE, "training run", plan["option"]
        return (PRICES, "rent", card) if plan["field"] in OFFER else (EVIDENCE, "capacity", plan["option"])
    for pattern, what, group in RULES:
        if found := pattern.fullmatch(path):
            of = found.groupdict().get("of") or ""
            return _list_price(of, a, b) if path.startswith("options.") and what == "list price" else (group, what, of)
    raise AssertionError(path)


def _list_price(option: str, a: Facts, b: Facts) -> tuple[str, str, str]:
    """The price list of the option's vendor, which several options may pay; with another vendor it is another option."""
    path = f"options.{option}.vendor"
    vendors = {str(facts[path].value) for facts in (a, b) if path in facts}
    return (PRICES, "list price", vendors.pop()) if len(vendors) == 1 else (OPTIONS, "option", option)


def _home(group: str, what: str, paths: list[str], a: Facts, b: Facts, *, load: bool) -> str:
    """The group of a cause.

    Capacity at the SLO and hours of a training run follow from the lengths of requests: where those changed and the basis did
    not, they go with the volume. A run on another card, or at another rent, is a matter of prices.
    """
    if what not in {"capacity", "training run"}:
        return group
    if any(path.endswith((".training.gpu", ".usd_per_gpu_hour")) for path in paths):
        return PRICES
    same = all(path in a and path in b and a[path].basis == b[path].basis for path in paths)
    return VOLUME if load and same else group
