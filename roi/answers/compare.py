"""Should we keep paying, pay less, or train and serve? The scenario in a file, or a saved comparison, compared.

    FILE --load_scenario--> Scenario --open_case--> Case --compare--> Comparison
    FILE --read_saved--> the Case of a saved comparison --replay--> Comparison
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from roi.answers.saved import Saved, differences, read_saved, replay
from roi.answers.telling import Tell, keep_quiet
from roi.catalog.user_data import cache_folder
from roi.economics.decision.comparison import Comparison, compare
from roi.errors import InputError
from roi.store.cases import KeptCase, case_name, find_case, keep_case

if TYPE_CHECKING:
    from roi.evidence.known_runs import KnownRuns


class CompareOptions(TypedDict, total=False):
    """What is laid over a scenario, and how it is resolved: of every question that compares first."""

    overrides: tuple[str, ...]
    """Fields of the scenario to overwrite, each as a.b=value."""
    part: Path | None
    """File with what usage records settle; None: none."""
    quality: Path | None
    """File with what an evaluation settles; None: none."""
    draws: int | None
    seed: int | None
    """Seed of the draws in place of the scenario's."""
    profiles: Sequence[Path]
    """Folders of profiles to search first."""
    tell: Tell
    cache: bool
    """True where Cases and replays of earlier runs are used again."""


@dataclass(frozen=True, kw_only=True)
class ComparisonAnswer:
    """The comparison, and what to say beside it."""

    comparison: Comparison
    scenario: dict[str, Any] | None  # Any: plain JSON values
    """What the user set; None where a saved comparison does not say."""
    warnings: tuple[str, ...]
    note: str
    """Where the facts come from, where that needs saying."""


def compare_file(
    file: Path | None = None, *, overrides: tuple[str, ...] = (), part: Path | None = None, quality: Path | None = None,
    draws: int | None = None, seed: int | None = None, profiles: Sequence[Path] = (), tell: Tell = keep_quiet,
    cache: bool = True, runs: "KnownRuns | None" = None, saved: Saved | None = None, as_of: str | None = None,
) -> ComparisonAnswer:
    """The comparison of the scenario in `file` (None: the bundled one), or of a saved comparison, replayed.

    `overrides` are fields (a.b=value), `part` what usage records settle, `quality` what an evaluation does; `draws` and
    `seed` replace the scenario's. With `cache` Cases and replays of earlier runs are used again. `runs` are those of
    `profiles` where they are open already, for many files, whose Cases are not kept: a thousand would push each other out.
    `saved` is what the file holds, where it was read before; `as_of` another day for prices than the scenario's own.
    """
    saved = read_saved(file) if saved is None and file is not None else saved
    if saved is not None:
        if overrides or part or quality:
            option = "--set" if overrides else "--usage" if part else "--quality"
            raise InputError(f"{option} changes a scenario; {file} is a saved comparison")
        note = f"replaying {saved.path}, saved by roi {saved.roi_version}: prices and facts of that file"
        found = replay(saved, draws=draws, seed=seed)
        moved = differences(saved, found, same_draws=draws is None and seed is None)
        return ComparisonAnswer(comparison=found, scenario=saved.scenario, note=f"{note}; {moved}" if moved else note,
                                warnings=(*((moved,) if moved else ()), *saved.warnings))
    asked = (*overrides, *(f"{name}={value}" for name, value in (("draws", draws), ("seed", seed)) if value is not None))
    folder, given = cache_folder() / "cases", (file, part, quality)
    named = asked if as_of is None else (*asked, f"--as-of={as_of}")  # may lie ahead, --set as_of= may not
    name = case_name(given, named, profiles) if cache and runs is None else None
    kept = None if name is None else find_case(folder, name)
    if kept is None:
        said: list[str] = []

        def heard(line: str) -> None:
            said.append(line)
            tell(line)

        kept = _resolved(file, asked, part, quality, profiles, heard, cache=cache, runs=runs, as_of=as_of)
        if name is not None and not said and case_name(given, named, profiles) == name:  # nothing moved meanwhile
            keep_case(folder, name, kept)
    return ComparisonAnswer(comparison=compare(kept.case), scenario=kept.scenario, warnings=kept.warnings, note=kept.note)


def _resolved(
    file: Path | None, asked: tuple[str, ...], part: Path | None, quality: Path | None, profiles: Sequence[Path], tell: Tell,
    *, cache: bool, runs: "KnownRuns | None", as_of: str | None,
) -> KeptCase:
    """The Case of a scenario, with what to say beside it."""
    from roi.answers.opening import open_case  # most of what roi is: not loaded where the Case was kept
    from roi.catalog.models.same_weights import one_model
    from roi.scenario.file import load_scenario, scenario_data

    notes: list[str] = []
    scenario = load_scenario(file, asked, part, quality, notes.append, as_of=as_of, one_model=one_model)
    resolved = open_case(scenario, profiles, tell, cache=cache, runs=runs)
    notes = [told for told in notes if told not in resolved.warnings]
    notes += [f"no FILE given: the bundled scenario, {scenario.title!r}"] if file is None else []
    if file is None and part is not None and quality is None:
        notes.append("without its growth, peak, scores, bar and price of wrong answers, which are of another task: say yours in"
                     " a FILE (quality), or with --quality, what roi quality --output wrote, and --set quality.bar=SHARE")
    if part is not None:
        notes.append(f"workload and incumbent as {part} states them")
    if quality is not None:
        bar = scenario.quality.bar
        notes.append(f"scores as {quality} states them, {f'the bar {100.0 * bar:.4g}%' if bar else 'no bar (quality.bar)'}")
        notes += [told for told in resolved.warnings if told.startswith("quality.") and "not used" in told]
    return KeptCase(case=resolved.case, scenario=scenario_data(scenario), warnings=resolved.warnings, note="; ".join(notes))
