"""Should we keep paying for an API, pay less for it, or train an adapter and serve our own model?

    from roi import compare

    comparison = compare("my.yaml")                   # the same answer as `roi compare my.yaml`; compare(): the bundled one
    print(comparison)                                 # the one screen, which a notebook shows by itself
    comparison.verdict.recommended                    # the option's id; comparison.options has all, each with its figures
    print(comparison.option("self-hosted-adapter"))   # the cost tree of the best option of a kind
    compare("my.yaml", workload={"requests_per_day": 5000})   # fields laid over the scenario

help(roi.compare), help(roi.load_scenario) and docs/api.md have the rest.

The rooms, floor by floor; a room imports only what is below it (pyproject.toml states it, import-linter checks it):

    cli | api            doors: one file a command, no arithmetic; what Python users import
    report               how it is told: layout, and one sub-room a question; terminal, Markdown, JSON
    answers              one file a question: the stages of each, in order
    usage | quality | profiling  what was spent, how good it is, what really happens: logs, results, runs and servers
    resolution           Scenario -> Case: the facts of the scenario's date
    evidence             what a speed or a memory rests on: the best at hand, and its spread
    store                what was kept: profiles, traces, tables of measured runs, other tools' files
    catalog              what is known: model shapes, GPUs, dated prices, fitted efficiencies
    scenario             what is asked: one YAML file, its schema, its templates
    economics            what it costs and returns: cost lines, decision                                pure numpy
    estimate             what it takes: training, allocator, step, serving, replay, accuracy            pure numpy
    facts                the vocabulary: Fact, ModelShape, Gpu, prices, profiles, Case
    numerics             sequences, least squares, spreads: mathematics without a domain
    disk                 files, read within a size, written whole
    clock | errors | units  the ground

The path of data, one direction:

    scenario.yaml --load_scenario--> Scenario --resolve--> Case --compare--> Comparison --report--> text, JSON

The engine's compare(case) is the spine: it reads no file, no clock and no environment. The names in `__all__` are what
Python users import (docs/api.md); they are loaded at first use, so `import roi` costs nothing.
"""

import time
from importlib import import_module

TYPE_CHECKING = False  # as checkers read it; to import typing takes 12 ms, in which Ctrl-C is a traceback
if TYPE_CHECKING:
    from roi.api.asking import compare, load_scenario, open_runs, resolve
    from roi.api.measured_parts import measure_quality, measure_usage
    from roi.api.plots import Chart, Plots
    from roi.api.questions import Diff, Fit, NextStep, Size, diff, fit, next_step, size
    from roi.api.shown import Comparison, Option
    from roi.economics.decision.option_result import InfeasibleOption
    from roi.economics.decision.verdict import Verdict
    from roi.errors import InputError, RoiError, ScenarioError, UnknownName
    from roi.facts.case import Case
    from roi.facts.fact import Fact
    from roi.scenario.scenario import Scenario

__version__ = "0.1.0"
IMPORTED_AT = time.time()
"""Seconds since 1970: a file of roi that is younger may not be what runs here (roi/store/cache_files.py)."""

__all__ = [
    "Case", "Chart", "Comparison", "Diff", "Fact", "Fit", "InfeasibleOption", "InputError", "NextStep", "Option", "Plots",
    "RoiError", "Scenario", "ScenarioError", "Size", "UnknownName", "Verdict", "__version__", "compare", "diff", "fit",
    "load_scenario", "measure_quality", "measure_usage", "next_step", "open_runs", "resolve", "size",
]  # fmt: skip

_HOME = {
    "Case": "roi.facts.case",
    "Chart": "roi.api.plots",
    "Comparison": "roi.api.shown",
    "Diff": "roi.api.questions",
    "Fact": "roi.facts.fact",
    "Fit": "roi.api.questions",
    "InfeasibleOption": "roi.economics.decision.option_result",
    "InputError": "roi.errors",
    "NextStep": "roi.api.questions",
    "Option": "roi.api.shown",
    "Plots": "roi.api.plots",
    "RoiError": "roi.errors",
    "Scenario": "roi.scenario.scenario",
    "ScenarioError": "roi.errors",
    "Size": "roi.api.questions",
    "UnknownName": "roi.errors",
    "Verdict": "roi.economics.decision.verdict",
    "compare": "roi.api.asking",
    "diff": "roi.api.questions",
    "fit": "roi.api.questions",
    "load_scenario": "roi.api.asking",
    "measure_quality": "roi.api.measured_parts",
    "measure_usage": "roi.api.measured_parts",
    "next_step": "roi.api.questions",
    "open_runs": "roi.api.asking",
    "resolve": "roi.api.asking",
    "size": "roi.api.questions",
}


def __getattr__(name: str) -> object:
    """The public object `name`, imported from its room at first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'roi' has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every public name, loaded or not, and no other."""
    return sorted(__all__)
