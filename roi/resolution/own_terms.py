"""Facts of single options that the scenario states: hours, months, an evaluation of its own; and costs of one's own."""

from roi.economics.inputs import KEEPS_MODEL, SELF_HOSTED, Option, path_of
from roi.errors import UnknownName
from roi.resolution.fact_sheet import FactSheet
from roi.scenario.option_terms import OptionTerms
from roi.scenario.scenario import Scenario

KINDS = ("cache-batch", "flexible-tier", "provisioned", "shorter-prompt", "less-reasoning", "cheaper-api", "hosted-open",
         "cascade", "vendor-tuned", "hosted-adapter", "self-hosted-base", "self-hosted-adapter", "hybrid", "own-hardware")
"""Kinds of options besides staying."""
EVERYBODY = ("all", "all but stay")


def add_option_terms(sheet: FactSheet, s: Scenario) -> None:
    """The facts under `options` and `costs`; the first of them to name a path stays, so they come before the options."""
    for key, terms in s.options.items():
        for name in OptionTerms.model_fields:
            if getattr(terms, name) is not None:
                sheet.field(f"{'kinds' if key in KINDS else 'options'}.{key}.{name}", terms, name, f"options.{key}")
    for number, cost in enumerate(s.costs):
        path = f"costs.{number}"
        sheet.state(f"{path}.name", cost.name, f"scenario {path}")
        sheet.state(f"{path}.option", cost.option, f"scenario {path}")
        for name in ("upfront_usd", "usd_per_month", "usd_per_request", "from_month", "to_month"):
            if name in cost.model_fields_set and getattr(cost, name) is not None:
                sheet.field(f"{path}.{name}", cost, name, path)


def check_options(sheet: FactSheet, s: Scenario) -> None:
    """Every key of `options` and every `costs.option` names an option or a kind; else UnknownName with the nearest.

    What is stated and moves nothing is told.
    """
    kinds = {id: str(sheet.facts[path_of(Option, "kind", option=id)].value) for id in sheet.case().options}
    named = list(dict.fromkeys([*kinds, *kinds.values()]))
    changes = [name for name in named if name != "stay"]
    given = [("options", key, changes) for key in s.options]
    given += [(f"costs.{n}.option", cost.option, [*named, *EVERYBODY]) for n, cost in enumerate(s.costs)]
    for field, key, allowed in given:
        if key not in allowed:
            raise UnknownName(field, key, allowed, "option, or kind of options, of this scenario", all_of_them=allowed)
    for key, terms in s.options.items():
        meant = {kinds.get(key, key)}
        if meant <= KEEPS_MODEL and (terms.evaluation_usd is not None or terms.evaluation_labels is not None):
            sheet.warnings.append(f"options.{key}: an evaluation of its own moves nothing, since the model stays")
        if terms.spares is not None and not meant & (SELF_HOSTED - {"hybrid"}):
            sheet.warnings.append(f"options.{key}.spares moves nothing: no servers with spares stand behind it")
    late = [f"costs.{n}.from_month" for n, cost in enumerate(s.costs) if (cost.from_month or 1) > s.horizon_months]
    late += [f"workload.steps.{n}.from_month" for n, step in enumerate(s.workload.steps) if step.from_month > s.horizon_months]
    sheet.warnings += [f"{field} moves nothing: it lies beyond the horizon of {s.horizon_months} months" for field in late]
