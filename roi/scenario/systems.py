"""Names of what can answer (systems), of kinds of change (groups), and which are known to a scenario."""

from roi.errors import UnknownName
from roi.scenario.schema import Scenario

GROUPS = ("cache_batch", "api", "cascade", "vendor_tuned", "self_hosted", "self_hosted_adapter", "own_hardware")
"""Kinds of change that share hours and months."""


def model_part(name: str) -> str:
    """The model of provider/model; a plain name is itself."""
    return name.partition("/")[2] or name


def tuned(model: str, method: str) -> str:
    """The system that results from tuning a model."""
    return f"{model}+{method}"


def known_systems(s: Scenario) -> list[str]:
    """Every system that the scenario's candidates can produce, the incumbent first."""
    c = s.candidates
    plain = [model_part(n) for n in (*c.api_models, *c.hosted_models, *c.cascade_first)] + [m.lower() for m in c.self_hosted]
    tunable = [*c.vendor_tuned, *c.hosted_adapters]
    adapters = [tuned(m.lower(), method) for m in c.self_hosted for method in c.methods]
    adapters += [tuned(model_part(n), "tuned") for n in tunable]
    return list(dict.fromkeys([s.incumbent.model, *plain, *adapters]))


def check_system_names(s: Scenario) -> None:
    """Every key under quality and tokens names a system of this scenario; else UnknownName with the nearest."""
    known = known_systems(s)
    for field, names in (
        ("quality.scores", s.quality.scores),
        ("quality.escalated", s.quality.escalated),
        ("tokens", s.tokens),
    ):
        for name in names:
            if name not in known:
                raise UnknownName(field, name, known, "system (neither the incumbent nor a candidate)")
