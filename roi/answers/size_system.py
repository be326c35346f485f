"""Which system `roi size` sizes: the one that is asked for, else of those that were tested the one that costs least."""

from collections.abc import Mapping
from typing import Final

from roi.economics.decision.evaluation import evaluate
from roi.economics.decision.feasibility import ADAPTER_SLOTS, binding_field, tested
from roi.economics.decision.weighing import settle
from roi.economics.inputs import Option, Shared
from roi.economics.option_kinds import OWN_HARDWARE
from roi.errors import InputError, UnknownName
from roi.facts.case import Case

KINDS: Final = ("self-hosted-adapter", "self-hosted-base")
"""Options that run a fleet of their own, the tuned one first."""


def sized_option(
    case: Case, shared: Shared, options: Mapping[str, Option], model: str | None, owned: Mapping[str, object],
) -> tuple[Option, str | None]:
    """The option that is asked for, by its own name or else by its model's; and the system in whose place it stands.

    Where none is asked for, that of the tested system that costs least, in place of the first that some plan holds. `owned` are
    the options with plans on cards that are owned, by id. InputError where the scenario has none, UnknownName for another.
    """
    hosted = [option for kind in KINDS for option in options.values() if option.kind == kind]
    if not hosted:
        raise InputError("candidates.self_hosted: names no model; `roi size` sizes a model that you serve yourself")
    found = hosted
    if model is not None:
        exact = [o for o in hosted if o.system.lower() == model.lower()]
        found = exact or [o for o in hosted if o.system.lower().partition("+")[0] == model.lower()]
        if not found:
            names = [o.system for o in hosted]
            raise UnknownName("--model", model, names, "self-hosted system of the scenario", names)
    held = [o for o in found if o.infeasible is None or f"{OWN_HARDWARE}:{o.system}" in owned]
    first = held[0] if held else found[0]
    why = None if model is not None else why_untrained(options, first)
    if why is not None and binding_field(why) == ADAPTER_SLOTS:
        raise InputError(f"{first.system}, tuned: {why}; --model {first.system} sizes it untrained")
    option = _cheapest_tested(case, shared, options, {o.system: o for o in held}) if model is None else None
    return (first, None) if option is None or option is first else (option, first.system)


def _cheapest_tested(case: Case, shared: Shared, options: Mapping[str, Option], held: Mapping[str, Option]) -> Option | None:
    """The option, of those that some plan holds (by system), whose system was tested, may be served and costs least.

    By `roi compare` at the central values, on whatever GPUs, with a floor or without. None where there is none.
    """
    if len(held) < 2:
        return None
    _, settled, _ = settle(case, [o.id for o in options.values() if o.self_hosted and o.system in held])
    costs = {o.id: float(evaluate(shared, o, settled).counted(shared.counts)) for o in settled.values()
             if o.self_hosted and o.infeasible is None and o.system in held and tested(shared, o)}
    return held[settled[min(costs, key=costs.__getitem__)].system] if costs else None


def why_untrained(options: Mapping[str, Option], option: Option) -> str | None:
    """Why no option that tunes the untrained model of `option` is possible; None where one is, or there is none."""
    if option.kind != KINDS[1]:
        return None
    tuned = [o for o in options.values() if o.kind == KINDS[0] and o.system.partition("+")[0] == option.system]
    return next((o.infeasible for o in tuned), None) if all(o.infeasible for o in tuned) else None
