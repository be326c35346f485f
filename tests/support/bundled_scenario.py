"""The bundled scenario with overrides, resolved and compared once a process: both are frozen, whichever file asks."""

from functools import cache

from roi.economics.decision.comparison import Comparison, compare
from roi.resolution.resolution import Resolved, resolve
from roi.scenario.file import load_scenario


@cache
def resolved(*overrides: str) -> Resolved:
    return resolve(load_scenario(None, overrides))


@cache
def compared(*overrides: str) -> Comparison:
    return compare(resolved(*overrides).case)
