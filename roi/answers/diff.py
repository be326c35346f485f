"""What changed between two answers, and why: scenarios, saved comparisons, or one of them on two days.

    A, B --> Case, Comparison each --explain--> NPV and cash of the options that matter, cause by cause
                                   --turned---> what turned the verdict
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roi.answers.opening import open_runs
from roi.answers.saved import Advice, Saved, differences, read_saved, replay, two_tasks
from roi.answers.telling import Tell, keep_quiet
from roi.economics.change.causes import Cause
from roi.economics.change.difference import Explained, Turned, explain, turned
from roi.economics.change.mixture import Mixture
from roi.economics.decision.comparison import Comparison, compare
from roi.economics.option_kinds import KEEPS_MODEL, LEVERS
from roi.errors import InputError, nearest
from roi.resolution.resolution import resolve
from roi.scenario.file import load_scenario

MOST_DAYS = 2


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two answers."""

    name: str
    """The file, and the day where it was asked for."""
    comparison: Comparison
    saved: Saved | None
    unlike: str = ""
    """A sentence where a saved answer is not what its facts give, or its facts were edited."""

    @property
    def advice(self) -> Advice:
        """What the answer recommends: a saved one what it says itself."""
        return Advice.of(self.comparison.verdict) if self.saved is None else self.saved.advice


@dataclass(frozen=True, kw_only=True)
class DiffAnswer:
    """Two answers, and what lies between them."""

    a: Side
    b: Side
    explained: Explained
    others: tuple[Cause, ...]
    """What changed besides, and is of options whose figures are not taken apart."""
    turned: Turned | None
    """What turned the verdict of A's facts into that of B's; None where they recommend the same."""
    warnings: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """True where anything differs: a fact, a figure, or the verdict."""
        moved = any(m.was_usd != m.now_usd for m in self.explained.moved)
        return bool(self.explained.causes or self.others or moved or not self.verdict_stays)

    @property
    def verdict_stays(self) -> bool:
        """True where both recommend the same option, or the same steps."""
        return self.a.advice.same_as(self.b.advice)

    @property
    def two_tasks(self) -> str:
        """A sentence where causes lie between two tasks; empty where they do not."""
        return two_tasks(self.a.comparison, self.b.comparison)

    @property
    def by_version(self) -> bool:
        """True where a saved answer's own verdict is not what its facts give now."""
        return any(s.advice.recommended != s.comparison.verdict.recommended for s in (self.a, self.b))


def diff_files(
    first: Path, second: Path | None = None, *, days: Sequence[str] = (), overrides: tuple[str, ...] = (),
    part: Path | None = None, quality: Path | None = None, profiles: Sequence[Path] = (), every: bool = False,
    tell: Tell = keep_quiet, cache: bool = True,
) -> DiffAnswer:
    """What changed from `first` to `second`; with one file, from one of `days` to another, or from the file's own day to one.

    A scenario is compared as of its own day, or of a day in `days`, with `overrides`, and what usage records (`part`) and an
    evaluation (`quality`) settle, laid over it; a saved comparison is replayed from its facts, and with a day its scenario is
    compared anew as of that. `every` takes all options' figures apart, not just those of staying and what A and B recommend.
    With `cache` replays of earlier runs are used again.
    """
    if len(days) > MOST_DAYS:
        raise InputError(f"--as-of: given {len(days)} times; once for the second answer, or twice for both")
    if second is None and not days:
        raise InputError("A second file, or --as-of DAY, says what to compare with")
    first_day, second_day = (None, None, *days)[-2:] if second is None else (*days, *days)[:2] or (None, None)
    runs = open_runs(profiles, tell, cache=cache)
    warnings: list[str] = []

    def opened(path: Path, day: str | None, *, again: bool) -> Side:
        saved = read_saved(path)
        name = f"{path}{'' if day is None else f' as of {day}'}"
        if saved is not None and (day is None or not again):
            comparison = replay(saved)
            unlike = differences(saved, comparison)
            warnings.extend([unlike] if unlike else [])
            return Side(name=str(path), comparison=comparison, saved=saved, unlike=unlike)
        given: Any = path if saved is None else saved.scenario  # Any: a file or its plain content
        if given is None:
            raise InputError(f"--as-of: {path} does not hold its scenario; name the scenario's file")
        try:
            resolved = resolve(load_scenario(given, overrides, part, quality, tell, as_of=day), runs)
        except InputError as error:
            raise error if str(error).startswith(str(path)) else InputError(f"{path}: {error}") from None
        warnings.extend(resolved.warnings)
        return Side(name=name, comparison=compare(resolved.case), saved=None)

    a = opened(first, first_day, again=second is None and first_day is not None)
    b = opened(second or first, second_day, again=second is None)
    if a.saved is not None and b.saved is not None:
        if days:
            raise InputError("--as-of: without effect: both are saved comparisons, whose facts have their own day")
        if laid := "--set" if overrides else "--usage" if part else "--quality" if quality else None:
            raise InputError(f"{laid}: without effect: both are saved comparisons, and it changes a scenario")
    return diff_sides(a, b, tuple(dict.fromkeys(warnings)), every=every)


def diff_sides(a: Side, b: Side, warnings: tuple[str, ...] = (), *, every: bool = False) -> DiffAnswer:
    """What lies between two answers that are there already; InputError where they are about different things."""
    _check_related(a, b)
    cases = a.comparison.case, b.comparison.case
    ids = dict.fromkeys(["stay", *(side.comparison.verdict.leader for side in (a, b))])
    if len(ids) == 1:
        ids |= dict.fromkeys(side.comparison.verdict.challenger for side in (a, b) if side.comparison.verdict.challenger)
    if every:
        ids |= dict.fromkeys(id for case in cases for id in case.options)
    ends = a.comparison.verdict.recommended, b.comparison.verdict.recommended
    was, now = ({} if side.saved is None else side.saved.figures for side in (a, b))
    explained = explain(*cases, ids, was=was, now=now)
    held = {_name_of(cause) for cause in explained.causes}
    return DiffAnswer(
        a=a, b=b, explained=explained, warnings=warnings, turned=None if a.advice.same_as(b.advice) else turned(*cases, ends),
        others=tuple(cause for cause in Mixture(*cases).causes if _name_of(cause) not in held),
    )


def _name_of(cause: Cause) -> tuple[object, ...]:
    """What tells the cause from others, whichever options are looked at."""
    return (cause.what, cause.of) if cause.what else cause.paths


def _check_related(a: Side, b: Side) -> None:
    """InputError where the two answers are about different things: another incumbent, and no other model in common."""
    cases = [side.comparison.case for side in (a, b)]
    sold = [case["options.stay.vendor"].value for case in cases]
    same_model = KEEPS_MODEL | LEVERS
    mine, theirs = ([id for id in case.options if case[f"options.{id}.kind"].value not in same_model] for case in cases)
    if sold[0] == sold[1] or set(mine) & set(theirs):
        return
    near = next((f"{id} and {close[0]}" for id in mine if (close := nearest(id, theirs, 1))), "none alike")
    raise InputError(f"{a.name} and {b.name} have nothing in common: one is about {sold[0]}, the other about {sold[1]}, and no"
                     f" option is in both; nearest: {near}")
