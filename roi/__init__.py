"""Should we keep paying for an API, pay less for it, or train an adapter and serve our own model?

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
    errors | units       the ground

The path of data, one direction:

    scenario.yaml --load_scenario--> Scenario --resolve--> Case --compare--> Comparison --report--> text, JSON

`compare(case)` is the spine: it reads no file, no clock and no environment. The names in `__all__` are loaded at first
use, so `import roi` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roi.economics.decision.comparison import compare
    from roi.facts.case import Case
    from roi.facts.fact import Fact
    from roi.resolution.resolution import resolve
    from roi.scenario.file import load_scenario

__version__ = "0.1.0"

__all__ = ["Case", "Fact", "__version__", "compare", "load_scenario", "resolve"]

_HOME = {
    "Case": "roi.facts.case",
    "Fact": "roi.facts.fact",
    "compare": "roi.economics.decision.comparison",
    "load_scenario": "roi.scenario.file",
    "resolve": "roi.resolution.resolution",
}


def __getattr__(name: str) -> object:
    """The public object `name`, imported from its room at first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'roi' has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every public name, loaded or not."""
    return sorted({*globals(), *__all__})
