"""The questions that Python asks: a scenario from wherever it is, its Case, and the comparison of its options.

    path | dict | keywords --load_scenario--> Scenario --resolve--> Resolved --compare--> Comparison

`compare` takes any of them and does the steps before it itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import date as Date
from pathlib import Path
from typing import Any, Final

from roi.answers.opening import open_case
from roi.answers.opening import open_runs as open_known_runs
from roi.answers.saved import differences, read_saved, replay
from roi.answers.telling import Tell, keep_quiet
from roi.api.arguments import in_python, reworded
from roi.api.shown import Comparison
from roi.catalog.models.same_weights import one_model
from roi.economics.decision.comparison import compare as compare_case
from roi.errors import InputError, ScenarioError, check_type, path_of, paths_of
from roi.evidence.known_runs import KnownRuns
from roi.facts.case import Case
from roi.report.layout.blocks import shortened
from roi.resolution.resolution import Resolved
from roi.resolution.resolution import resolve as resolve_with
from roi.scenario import file as scenario_file
from roi.scenario.file import stated_data
from roi.scenario.scenario import Scenario
from roi.scenario.yaml import PART_SCHEMA, flow_yaml

Source = Scenario | Path | str | Mapping[str, Any] | None  # Any: a value of YAML
"""Where a scenario comes from: a file's path, what a file would hold, another scenario, or None for the bundled one."""

OF_SOURCE: Final = Scenario | Mapping | Path | str | None
"""The types of a Source."""
SOURCES: Final = "a path, a dict, a Scenario or None"
"""The types of a Source, in words."""
OVERRIDES: Final = Mapping | list | tuple
"""Types that fields by their paths come in."""
SHOWN: Final = 40
"""Characters of a value that an error repeats."""
OF_SCENARIO: Final = {"--set": "overrides", "--usage": "part", "--quality": "quality", "--profiles": "profiles"}
"""Arguments of this file's functions, by the options of commands that say the same."""


@in_python(OF_SCENARIO)
def load_scenario(
    source: Source = None, overrides: Sequence[str] | Mapping[str, Any] = (),
    part: Path | str | Mapping[str, Any] | None = None,
    quality: Path | str | Mapping[str, Any] | None = None, tell: Tell = keep_quiet, **blocks: Any,
) -> Scenario:
    """The scenario in `source`, checked, with everything that is laid over it.

    Args:
        source: path of a YAML file, a dict that holds what a file would, another scenario, or None: the bundled one.
        overrides: fields by their dotted paths, as `--set` takes them: `["draws=512"]`, or a mapping
            `{"workload.requests_per_day": 5000}`. They come last.
        part: what `roi usage --output` wrote, by its path, or what `measure_usage` returned; its workload and incumbent take
            the place of the scenario's. Over the bundled one nothing of `quality` is taken, which is of another task.
        quality: what `roi quality --output` wrote, by its path; a dict, as `measure_quality` returns it, is the scenario's
            block of that name.
        tell: hears where the part names another incumbent than the scenario, and of a bill beside a template's guess.
        **blocks: fields and blocks of the scenario; a block is laid over the block there, field by field. A stated bill is of
            the stated requests and tokens: where these alone are laid over, `incumbent.bill_of` keeps what they were.

    Raises:
        InputError: a field is wrong, and the message names it, the value and what is allowed (ScenarioError is a kind of it);
            or the file cannot be read, or is no scenario.

    Example:
        >>> from roi import load_scenario
        >>> scenario = load_scenario(workload={"requests_per_day": 5000}, draws=512)
        >>> scenario.workload.requests_per_day, scenario.draws
        (5000.0, 512)
        >>> load_scenario(scenario, {"quality.bar": 0.9}).quality.bar
        0.9
    """
    check_type("tell", tell, Callable, "a function of one text")  # type: ignore[arg-type]  # a protocol
    texts = texts_of(overrides)
    check_type("source", source, OF_SOURCE, SOURCES)
    start: Any = source  # Any: one of these
    if isinstance(source, Scenario):
        if not (overrides or part or quality or blocks):
            return source
        start = stated_data(source)
    elif isinstance(source, Mapping):
        start = plain(source, "scenario")
    elif source is not None:
        start = path_of("source", source)
    _check_names(blocks)
    if isinstance(quality, Mapping):
        blocks, quality = {**blocks, "quality": quality}, None
    measured = plain(part, "part") if isinstance(part, Mapping) else None if part is None else path_of("part", part)
    for name, held in measured.items() if isinstance(measured, dict) else ():
        if name != "schema" and (name not in scenario_file.BLOCKS[PART_SCHEMA] or not isinstance(held, dict)):
            raise ScenarioError(f"part.{name}", held, "workload and incumbent are, each a block of keys")
    evaluated = None if quality is None else path_of("quality", quality)
    return scenario_file.load_scenario(start, texts, measured, evaluated, lambda line: tell(reworded(line, OF_SCENARIO)),
                                       plain(blocks, ""), one_model=one_model)


@in_python(OF_SCENARIO)
def open_runs(profiles: Sequence[Path | str] = (), tell: Tell = keep_quiet, *, cache: bool = True) -> KnownRuns:
    """What was run dry or measured: the profiles and calibrations in `profiles` and in the folders that are searched always.

    `tell` hears of each file that cannot be used. A plan is replayed once with these runs, so that a second scenario with the
    same lengths, SLO and models is resolved in a tenth of a second. With `cache` replays of earlier runs with the very same
    inputs are read from the user's cache folder, and new ones are kept there; no number depends on it.
    """
    return open_known_runs(paths_of("profiles", profiles), tell, cache=cache)


@in_python(OF_SCENARIO)
def resolve(
    scenario: Source, runs: KnownRuns | None = None, *, profiles: Sequence[Path | str] = (), tell: Tell = keep_quiet,
) -> Resolved:
    """The scenario with its Case: every fact that the answer rests on, with its source and spread.

    Args:
        scenario: a Scenario, or whatever `load_scenario` takes.
        runs: what was measured or run dry (`open_runs`); None reads the folders of profiles, as the command does.
        profiles: more folders of profiles; for `runs` None.
        tell: hears of each profile that cannot be used.

    Raises:
        UnknownName: a model, card or provider that the catalog does not hold; the message names the nearest.

    Example:
        >>> from roi import resolve
        >>> case = resolve(None).case
        >>> fact = case["workload.growth_per_year"]
        >>> fact.value, fact.low, fact.high, fact.unit
        (0.1, -0.2, 0.6, '1/year')
    """
    check_type("scenario", scenario, OF_SOURCE, SOURCES)
    asked = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    check_type("runs", runs, KnownRuns | None, "what open_runs returned, or None")
    if runs is not None:
        return resolve_with(asked, runs)
    return open_case(asked, paths_of("profiles", profiles), tell)


@in_python(OF_SCENARIO)
def compare(
    asked: Source | Resolved | Case = None, *, overrides: Sequence[str] | Mapping[str, Any] = (),
    part: Path | str | Mapping[str, Any] | None = None, quality: Path | str | Mapping[str, Any] | None = None,
    runs: KnownRuns | None = None, profiles: Sequence[Path | str] = (), thresholds: bool = True, **blocks: Any,
) -> Comparison:
    """The comparison of all options: what to do, how sure that is, and what would change it.

    Args:
        asked: a path (a scenario, or a comparison that was saved as JSON), a dict, a Scenario, what `resolve` returned, its
            Case, or None for the bundled scenario.
        overrides: fields by their dotted paths, `{"workload.requests_per_day": 5000}`; not with a Case.
        part: what usage logs settle, as `load_scenario` takes it; not with a Case.
        quality: what an evaluation settles, as `load_scenario` takes it; not with a Case.
        runs: what was measured or run dry (`open_runs`), kept between calls: another volume or rent is then compared in
            half the time.
        profiles: more folders of profiles; for `runs` None.
        thresholds: False leaves out break-evens and signposts, also where they would be shown, which looks for them.
        **blocks: fields laid over the scenario, as `load_scenario` takes them; not with a Case. A stated bill moves with
            requests and tokens, unless it is given with them; `warnings` says so.

    Raises:
        InputError: something given is wrong; ScenarioError and UnknownName are kinds of it.

    Example:
        >>> from roi import compare
        >>> comparison = compare(draws=256)
        >>> comparison.verdict.recommended
        'cheaper-api:openai/gpt-6-luna'
        >>> compare(draws=256, workload={"requests_per_day": 20}).verdict.decision
        'stay'
        >>> compare(overrides={"workload.requests_per_day": 20, "draws": 256}).verdict.decision
        'stay'
    """
    check_type("thresholds", thresholds, bool, "True or False")
    check_type("overrides", overrides, OVERRIDES, "a mapping, or a list of texts such as draws=512")
    check_type("asked", asked, OF_SOURCE | Resolved | Case,
               "a path, a dict, a Scenario, what resolve returned, its Case, or None")
    given = {"overrides": overrides or None, "part": part, "quality": quality}
    blocks = {**{name: each for name, each in given.items() if each is not None}, **blocks}
    if isinstance(asked, (Case, Resolved)):
        if blocks:
            raise InputError(f"{next(iter(blocks))}: a Case is what a scenario was resolved to; change the scenario")
        resolved = asked if isinstance(asked, Resolved) else None
        case = asked.case if isinstance(asked, Resolved) else asked
        return _shown(case, resolved, (), thresholds)
    saved = read_saved(path_of("asked", asked)) if isinstance(asked, (str, Path)) else None
    if saved is not None:
        if set(blocks) - {"draws", "seed"}:
            raise InputError(f"{next(iter(blocks))}: {asked} is a saved comparison, whose facts stand; change the scenario")
        found = replay(saved, **blocks)
        moved = differences(saved, found, same_draws=not blocks)
        return Comparison(**held(found), warnings=(*((moved,) if moved else ()), *saved.warnings), scenario=saved.scenario)
    told: list[str] = []
    scenario = load_scenario(asked, **{"tell": told.append, **blocks})
    opened = resolve(scenario, runs, profiles=profiles, tell=told.append)
    return _shown(opened.case, opened, [line for line in told if line not in opened.warnings], thresholds)


def _shown(case: Case, resolved: Resolved | None, told: Sequence[str], thresholds: bool) -> Comparison:
    found = held(compare_case(case, thresholds=thresholds))
    if resolved is None:
        return Comparison(**found)
    return Comparison(**found, warnings=(*resolved.warnings, *told), scenario=stated_data(resolved.scenario))


def texts_of(overrides: Sequence[str] | Mapping[str, Any]) -> tuple[str, ...]:
    """Fields by their dotted paths as `--set` takes them; InputError where they are neither a mapping nor texts."""
    check_type("overrides", overrides, OVERRIDES, "a mapping, or a list of texts such as draws=512")
    if isinstance(overrides, Mapping):
        return tuple(_override(*each) for each in plain(overrides, "overrides").items())
    for text in overrides:
        check_type("overrides", text, str, "texts such as draws=512")
    return tuple(overrides)


def _check_names(blocks: Mapping[str, Any]) -> None:
    """InputError where a keyword is a path of fields: a keyword is one field at the top, or a block of them."""
    for path, value in blocks.items():
        block, _, name = path.partition(".")
        if name and block in Scenario.model_fields:
            shown = shortened(repr(value), SHOWN)
            raise InputError(f'{path}: a path is no keyword; overrides={{"{path}": {shown}}}'
                             + ("" if "." in name else f', or {block}={{"{name}": {shown}}}'))


def _override(path: str, value: Any) -> str:  # Any: a value of YAML
    try:
        return f"{path}={flow_yaml(value)}"
    except ValueError as error:
        raise ScenarioError(path, value, str(error)) from None


def plain(value: Any, path: str) -> Any:
    """The value as `_plain` makes it; ScenarioError where it is nested without end."""
    try:
        return _plain(value, path)
    except RecursionError:
        raise InputError(f"{path or 'blocks'}: nested too deeply") from None


def _plain(value: Any, path: str) -> Any:
    """The value as a YAML file would hold it: dates as text, numbers of numpy as numbers, tuples as lists."""
    if isinstance(value, Mapping):
        return {_name(key, path): _plain(each, f"{path}.{key}".lstrip(".")) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each, f"{path}.{k}") for k, each in enumerate(value)]
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    if isinstance(value, Date):
        return value.isoformat()[:10]
    if callable(getattr(value, "item", None)) and getattr(value, "ndim", 0) == 0:  # a number of numpy
        return _plain(value.item(), path)
    raise ScenarioError(path, value, "a number, a text, true or false, a date, a list or a block of keys")


def _name(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise ScenarioError(f"{path}.{key}".lstrip("."), key, "keys are text")
    return key


def held(record: Any) -> dict[str, Any]:  # Any: a dataclass, and whatever its fields hold
    """The fields of a record, without what it has worked out since and kept."""
    return {each.name: getattr(record, each.name) for each in fields(record)}
