"""The other questions that Python asks: how large a fleet, on which GPU a training fits, what to measure next, what changed.

Each is a door to the function of roi/answers that the command of its name calls, and returns the record of that function, which
shows itself: in a notebook as the command's report, with `print` as text, with `to_json` as `--format json`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date as Date
from pathlib import Path
from typing import Any, Final

from roi import clock
from roi.answers.diff import DiffAnswer, Side, diff_files, diff_sides
from roi.answers.fit import FitReport, TrainingSet, fit_model
from roi.answers.next import NextAnswer, check_draws
from roi.answers.opening import open_trace
from roi.answers.size import Sizing, on_trace, size_service
from roi.api.arguments import day_of, in_python
from roi.api.asking import OF_SCENARIO, OF_SOURCE, SOURCES, Source, compare, held, load_scenario, resolve, texts_of
from roi.api.shown import SHOWN, Comparison
from roi.catalog.efficiencies.stack_defaults import as_stack_does
from roi.errors import InputError, UnknownName, check_type, path_of, paths_of
from roi.estimate.training.optimizers import named_optimizer
from roi.estimate.training.peft_methods import named_method
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.stacks import trainer_habits
from roi.evidence.known_runs import KnownRuns
from roi.facts.case import Case
from roi.report.diff import diff_blocks, diff_json
from roi.report.layout.blocks import Block, Paragraph, render, shortened
from roi.report.layout.html_blocks import render_html
from roi.report.next import next_blocks, next_json
from roi.report.serving.size import size_blocks, size_json
from roi.report.training.fit import fit_blocks, fit_json
from roi.resolution.resolution import Resolved

OF_SIZE: Final = {**OF_SCENARIO, "--trace": "trace", "--times": "times", "--model": "model"}
"""Arguments of `size`, by the options of the command that say the same."""
OF_FIT: Final = {"--gpu": "gpu", "--examples": "examples", "--epochs": "epochs", "--profiles": "profiles", "--as-of": "as_of",
                 "--tokens-per-example": "tokens_per_example"}
"""Arguments of `fit`, by the options of the command that say the same; those of the plan are named as its fields."""
NUMBER: Final = "a number"
OF_DIFF: Final = {**OF_SCENARIO, "--as-of": "as_of"}
"""Arguments of `diff`, by the options of the command that say the same."""


class Told:
    """An answer that shows itself as the report of its command."""

    _blocks: Callable[..., Iterable[Block]]
    _json: Callable[..., str]

    def to_json(self) -> str:
        """What the command prints with `--format json`."""
        return self._json()

    def to_markdown(self, *, full: bool = False) -> str:
        """The report as Markdown; with `full` all that is known."""
        return render(list(self._blocks(full=full)), "markdown")

    def __str__(self) -> str:
        return render(list(self._blocks(full=False)))

    def __repr__(self) -> str:
        said = [block for block in self._blocks(full=False) if isinstance(block, Paragraph)]
        first = next((each for each in said if each.strong), said[0])
        return f"{type(self).__name__}({shortened(first.text, SHOWN)!r})"

    def _repr_html_(self) -> str:
        return render_html(list(self._blocks(full=False)))


@dataclass(frozen=True, kw_only=True, repr=False)
class Size(Told, Sizing):
    """The answer of `size`: `plans`, cheapest first, the `ways` to run the first one, its `day` (roi/answers/size.py)."""

    _blocks, _json = size_blocks, size_json


@dataclass(frozen=True, kw_only=True, repr=False)
class Fit(Told, FitReport):
    """The answer of `fit`: `lines`, a GPU each, those that fit first, and the `recommended` one (roi/answers/fit.py)."""

    _blocks, _json = fit_blocks, fit_json


@dataclass(frozen=True, kw_only=True, repr=False)
class NextStep(Told, NextAnswer):
    """The answer of `next_step`: the `step`, its `experiment`, and the `comparison` it is of (roi/answers/next.py)."""

    _blocks, _json = next_blocks, next_json


@dataclass(frozen=True, kw_only=True, repr=False)
class Diff(Told, DiffAnswer):
    """The answer of `diff`: its sides `a` and `b`, `explained`, `turned`, `verdict_stays` (roi/answers/diff.py)."""

    _blocks, _json = diff_blocks, diff_json


@in_python(OF_SIZE)
def size(
    asked: Source | Resolved = None, *, model: str | None = None, trace: Path | str | None = None, times: float = 1.0,
    runs: KnownRuns | None = None, profiles: Sequence[Path | str] = (), frontier: bool = True, **blocks: Any,
) -> Size:
    """The fewest replicas that keep the SLO at the peak, on each GPU, and what they cost: the answer of `roi size`.

    Args:
        asked: a path, a dict, a Scenario, what `resolve` returned, or None for the bundled scenario.
        model: which self-hosted model of the scenario; None: the first that some plan holds.
        trace: a CSV or Parquet file of arrivals and lengths, which are replayed in the place of the scenario's.
        times: the trace this many times as fast.
        runs: what was measured or run dry (`open_runs`); None reads the folders of profiles.
        profiles: more folders of profiles; for `runs` None.
        frontier: False replays of each plan only the fleets that the answer names, which takes less time.
        **blocks: fields laid over the scenario, and `overrides` and `part`, as `load_scenario` takes them.

    Raises:
        InputError: something given is wrong, or no plan holds the SLO.

    Example:
        >>> from roi import size
        >>> found = size(frontier=False)
        >>> found.plans[0].gpu, found.plans[0].replicas
        ('RTX-4090', 3)
    """
    check_type("asked", asked, OF_SOURCE | Resolved, f"{SOURCES}, or what resolve returned")
    check_type("model", model, str | None, "the name of a model, or None")
    check_type("frontier", frontier, bool, "True or False")
    check_type("times", times, int | float, NUMBER)
    arrivals = None if trace is None else open_trace(path_of("trace", trace), "trace")
    if times != 1.0 and arrivals is None:
        raise InputError("times: speeds up a trace, and none is given")
    if isinstance(asked, Resolved):
        if blocks or arrivals is not None:
            raise InputError(f"{next(iter(blocks), 'trace')}: of a scenario; it was resolved already")
        resolved = asked
    else:
        scenario = load_scenario(asked, **blocks)
        resolved = resolve(scenario if arrivals is None else on_trace(scenario, arrivals, times), runs, profiles=profiles)
    return Size(**held(size_service(resolved, model, arrivals, times, frontier=frontier)))


@in_python(OF_FIT)
def fit(
    model: str, *, gpu: str = "all", examples: float | None = None, tokens_per_example: float | None = None,
    epochs: float = 1.0, as_of: Date | str | None = None, profiles: Sequence[Path | str] = (), **plan: Any,
) -> Fit:
    """Whether a training fits, on which GPU it is cheapest, its hours and USD: the answer of `roi fit`.

    Args:
        model: a name of the catalog, the path of a config.json, or hub:owner/name.
        gpu: all, or names with commas.
        examples: examples of one epoch; with it come hours and USD.
        tokens_per_example: mean tokens of an example; None: the plan's `seq`.
        epochs: passes over the examples.
        as_of: the day of the prices, a date or a text such as 2026-11-24; None: today.
        profiles: more folders of profiles.
        **plan: fields of the training plan, as the options of `roi fit` are called: method, rank, seq, micro_batch,
            checkpointing, optimizer, gpus, sharding ...; the trainer is hf if nothing is said.

    Raises:
        InputError: a field of the plan is wrong; UnknownName: a model or a GPU that the catalog does not hold.

    Example:
        >>> from roi import fit
        >>> found = fit("llama-3.1-8b", method="qlora", examples=5000, tokens_per_example=400, as_of="2026-11-24")
        >>> found.recommended.fit.gpu.id
        '...'
    """
    check_type("model", model, str, "the name of a model")
    check_type("gpu", gpu, str, "all, or names with commas")
    for name, value in (("examples", examples), ("tokens_per_example", tokens_per_example), ("epochs", epochs)):
        if value is not None or name == "epochs":
            check_type(name, value, int | float, NUMBER)
    known = [each.name for each in fields(TrainingPlan)]
    if unknown := next((name for name in plan if name not in known), None):
        raise UnknownName("plan", unknown, known, "field")
    stated = set(plan)
    for name, named in (("method", named_method), ("optimizer", named_optimizer)):
        if isinstance(plan.get(name), str):
            plan[name] = named(plan[name])
    plan = {"trainer": "hf", "dtype": "bf16", **plan}
    habits = trainer_habits(plan["trainer"], plan["dtype"])
    asked = as_stack_does(TrainingPlan(**{"logits_kept": habits.logits_kept, "autocast": habits.autocast, **plan}), stated)
    mean = asked.seq if tokens_per_example is None else tokens_per_example
    data = None if examples is None else TrainingSet(float(examples), float(mean), float(epochs))
    day = day_of("as_of", as_of) or clock.today()
    found = fit_model(model, asked, gpus=gpu, data=data, day=day, profiles=paths_of("profiles", profiles),
                      cut="seq" not in stated)
    return Fit(**held(found))


@in_python(OF_SCENARIO)
def next_step(asked: Comparison | Source | Resolved | Case = None, **given: Any) -> NextStep:
    """What to measure next, how much of it, and when to stop: the answer of `roi next`.

    Args:
        asked: a Comparison, or whatever `compare` takes.
        **given: what else `compare` takes; not with a Comparison.

    Raises:
        InputError: something given is wrong, or the draws are too few to say what a measurement is worth.

    Example:
        >>> from roi import next_step
        >>> next_step(draws=512).step
        'DO NOW'
    """
    found = _compared(asked, given)
    check_draws(found)
    return NextStep(comparison=found, warnings=found.warnings, note="")


@in_python(OF_DIFF)
def diff(
    first: Comparison | Source | Resolved | Case, second: Comparison | Source | Resolved | Case = None, *,
    as_of: Date | str | None = None, overrides: Sequence[str] | Mapping[str, Any] = (),
    profiles: Sequence[Path | str] = (), every: bool = False,
) -> Diff:
    """What changed from one answer to another, and what each change did: the answer of `roi diff`.

    Args:
        first: the answer before: a Comparison, or whatever `compare` takes.
        second: the answer after; None: the first one's file at the prices of another day.
        as_of: the day of the prices of the second; for two files or one, whose scenarios are compared anew.
        overrides: fields by their dotted paths, laid over both.
        profiles: more folders of profiles.
        every: True takes the figures of all options apart, not only of staying and of what is recommended.

    Raises:
        InputError: something given is wrong, or the two are about different things.

    Example:
        >>> from roi import compare, diff
        >>> found = diff(compare(draws=64), compare(draws=64, workload={"requests_per_day": 20}))
        >>> found.verdict_stays
        False
    """
    given = {"overrides": overrides, "profiles": profiles} if overrides or profiles else {}
    paths = [each for each in (first, second) if isinstance(each, (Path, str))]
    if second is None or len(paths) > 1:
        if len(paths) != 1 + (second is not None):
            raise InputError("second: needed and not given; with one file as_of says which day it is compared with")
        day = day_of("as_of", as_of)
        found = diff_files(*(path_of("first", each) for each in paths), days=() if day is None else (day.isoformat(),),
                           overrides=texts_of(overrides), profiles=paths_of("profiles", profiles), every=every)
        return Diff(**held(found))
    if as_of is not None:
        raise InputError("as_of: is of files; give the other answer the day itself: compare(..., as_of=DAY)")
    sides = [_compared(each, {} if isinstance(each, Comparison) else given) for each in (first, second)]
    names = (str(each) if isinstance(each, (Path, str)) else name for each, name in zip((first, second), NAMES, strict=True))
    a, b = (Side(name=name, comparison=found, saved=None) for name, found in zip(names, sides, strict=True))
    return Diff(**held(diff_sides(a, b, tuple(dict.fromkeys((*sides[0].warnings, *sides[1].warnings))), every=every)))


NAMES: Final = ("before", "after")
"""What two answers are called that come from no file."""


def _compared(asked: Comparison | Source | Resolved | Case, given: Mapping[str, Any]) -> Comparison:
    if not isinstance(asked, Comparison):
        return compare(asked, **given)
    if given:
        raise InputError(f"{next(iter(given))}: a Comparison is answered already; change what it is asked of")
    return asked
