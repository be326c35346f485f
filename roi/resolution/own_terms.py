"""Facts of single options that the scenario states: hours, months, an evaluation of its own; and costs of one's own."""

from roi.economics.inputs import Option, path_of
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
    """Every key of `options` and every `costs.option` names an option or a kind; else UnknownName with the nearest."""
    ids = sheet.case().options
    kinds = list(dict.fromkeys(str(sheet.facts[path_of(Option, "kind", option=id)].value) for id in ids))
    allowed = list(dict.fromkeys([*ids, *kinds]))
    given = [("options", key) for key in s.options] + [(f"costs.{n}.option", cost.option) for n, cost in enumerate(s.costs)]
    for field, key in given:
        if key not in allowed and not (field != "options" and key in EVERYBODY):
            more = [] if field == "options" else EVERYBODY
            raise UnknownName(field, key, [*allowed, *more], "option, or kind of options, of this scenario",
                              all_of_them=[*allowed, *more])
