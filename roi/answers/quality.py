"""Is it good enough, and how sure is that? Results per item and system, told against a bar and the incumbent.

    FILES --read_evaluation--> EvaluationSet --with_cascades, measure--> Measured --judge_systems--> GoodEnough of each system
                                             --part_yaml--> the part of a scenario that it settles
"""

from dataclasses import dataclass, replace
from datetime import date as Date
from pathlib import Path
from typing import Any

from roi.errors import InputError
from roi.quality.cautions import Fixed, cautions
from roi.quality.evaluation_set import EvaluationSet, read_evaluation
from roi.quality.good_enough import GoodEnough, judge_systems
from roi.quality.measured import Measured, measure, with_cascades
from roi.quality.quality_part import part_yaml, read_record
from roi.quality.result_rows import Asked


@dataclass(frozen=True, kw_only=True)
class QualityQuestion:
    """What is asked of results."""

    files: tuple[str, ...]
    asked: Asked
    incumbent: str | None = None
    """The system that is paid today; None: the one of `earlier`, or where the files hold one system nobody's."""
    bar: float | None = None
    bar_on: Date | None = None
    """The day on which the bar was fixed, where the user says so."""
    metric_on: Date | None = None
    margin: float = 0.02
    cascades: tuple[tuple[str, str], ...] = ()
    """(first, second); none: each system with a row that says whether it was escalated, to the incumbent."""
    training: Path | None = None
    strict: bool = False
    earlier: Path | None = None
    """A part that an earlier run wrote, if it is there: what was fixed then is compared."""


@dataclass(frozen=True, kw_only=True)
class QualityAnswer:
    """What results say."""

    found: EvaluationSet
    measured: Measured
    judged: tuple[GoodEnough, ...]
    """Whether each system but the incumbent is good enough, those first that are; empty where the files hold one system."""
    fixed: dict[str, Fixed]
    warnings: list[str]
    results_on: str | None
    """The first day of results, where the files say it."""
    part: str
    """Scores and rates as YAML, to be laid over a scenario."""


def answer_quality(question: QualityQuestion, today: Date) -> QualityAnswer:
    """What the question's files say: of one system its score, of several each against the incumbent on the same items.

    InputError where several have no item in common with the incumbent, or nobody says which that is.
    """
    earlier = read_record(question.earlier) if question.earlier is not None else {}
    found = read_evaluation(question.files, question.asked)
    incumbent = _incumbent(found, question.incumbent, earlier.get("incumbent"))
    pairs = question.cascades or tuple((name, incumbent) for name, flags in zip(found.systems, found.escalated, strict=True)
                                       if incumbent not in {None, name} and (flags == flags).any())  # noqa: PLR0124 -- not NaN
    wider, chains = with_cascades(found, pairs)
    measured = replace(measure(wider, incumbent, question.bar, question.margin), cascades=chains)
    results_on = min(found.notes.dates, default=None)
    fixed = _fixed(question, found, earlier, today)
    if question.strict:
        _refuse_gaps(found, measured)
    warnings = list(cautions(found, measured, fixed, question.training, results_on,
                             unscored_wrong=question.asked.unscored_wrong))
    judged = judge_systems(wider, measured, unscored_wrong=question.asked.unscored_wrong)
    return QualityAnswer(found=wider, measured=measured, judged=judged, fixed=fixed, results_on=results_on,
                         warnings=[each.sentence for each in warnings],
                         part=part_yaml(found, measured, fixed, warnings, results_on))


def _incumbent(found: EvaluationSet, stated: str | None, recorded: str | None) -> str | None:
    """The system that is paid today, as stated or recorded by an earlier run; None where one is alone and nobody says so."""
    if stated is None and len(found.systems) == 1:
        return recorded if recorded in found.systems else None
    if len(found.systems) == 1 and not {stated} & {*found.systems, *found.scoreless, *found.called}:
        raise InputError(f"--incumbent: no system {str(stated)[:80]!r} in the files, which hold {found.systems[0][:60]} alone;"
                         " give results of both on the same items, or leave the option out for that one's score")
    if (incumbent := stated or recorded) is None:
        listed = ", ".join(name[:60] for name in found.systems[:6])
        raise InputError(f"--incumbent: needed and not given; which of {listed} is paid today?")
    found.place(incumbent, "--incumbent")
    return incumbent


def _fixed(question: QualityQuestion, found: EvaluationSet, earlier: dict[str, Any], today: Date) -> dict[str, Fixed]:
    """Metric and bar with the days since when they stand; what an earlier run wrote down holds where it is the same."""
    recorded = earlier.get("fixed") or {}
    rules: dict[str, Fixed] = {}
    now: tuple[tuple[str, str | float | None, Date | None], ...] = (
        ("metric", ", ".join(found.notes.metrics), question.metric_on), ("bar", question.bar, question.bar_on))
    for name, value, said in now:
        if value is None:
            continue
        if said is not None and said > today:
            raise InputError(f"--{name}: {said} is after today, {today}; give the day on which it was fixed")
        old = recorded.get(name) or {}
        same = old.get("value") == value
        rules[name] = Fixed(value=value, since=said.isoformat() if said else old.get("since") if same else None,
                            was=old.get("was" if same else "value"),
                            recorded=old.get("recorded", today.isoformat()) if same else today.isoformat())
    return rules


def _refuse_gaps(found: EvaluationSet, measured: Measured) -> None:
    """InputError where a row is left out, or an item of one system is missing of another (--strict)."""
    gaps = [*found.notes.empty, *([found.notes.told()] if found.notes.left_out else [])]
    items = {score.system: score.items for score in measured.scores}
    gaps += [f"{each.system[:60]}: {each.pairs:,} of {len(found.items):,} items pair" for each in measured.differences
             if each.pairs < max(items[each.system], measured.scores[0].items)]
    if gaps := [*gaps, *measured.apart.values()]:
        raise InputError(f"--strict: {'; '.join(gaps)}")
