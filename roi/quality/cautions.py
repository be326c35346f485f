"""What makes an evaluation say less than its figures: too few items, items seen in training, rules that moved."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Final, NamedTuple

from roi.disk import lines_of, open_to_read, parse_json
from roi.errors import InputError, nearest_file
from roi.quality.evaluation_set import EvaluationSet
from roi.quality.formats.own_rows import NAMES
from roi.quality.measured import Measured
from roi.resolution.scores.paired_scores import told_unlike

ENOUGH: Final = 200
"""Items below which a set is small: 200 to 500 are usual."""
LONGEST_LINE: Final = 1 << 24
"""Characters of a line of the training file that are read at once, so that none fills the memory."""


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """What was decided on: a metric or a bar, and since when."""

    value: str | float
    since: str | None
    """The day (ISO) on which it was fixed, where somebody said so."""
    recorded: str
    """The day on which `roi quality` first wrote it down."""
    was: str | float | None = None
    """What an earlier run had written down, where that was something else."""


class Caution(NamedTuple):
    """A warning."""

    says: str
    about: str | None = None
    """The system that it is about; None: all."""
    kept: bool = True
    """Whether a comparison tells it too: what it cannot see by items and pairs."""

    @property
    def sentence(self) -> str:
        """The warning with the system that it is about."""
        return self.says if self.about is None else f"{self.about}: {self.says}"


def cautions(
    found: EvaluationSet, measured: Measured, fixed: dict[str, Fixed], training: Path | None, results_on: str | None, *,
    unscored_wrong: bool,
) -> Iterator[Caution]:
    """What to mind, the gravest first."""
    if training is not None:
        ids = training_ids(training)
        seen = sum(item in ids or item.partition("/")[2] in ids for item in found.items)
        if seen:
            yield Caution(f"{seen:,} of {len(found.items):,} items stand in the training file: what they score says"
                          " nothing of new ones; leave them out")
    yield from map(Caution, found.notes.cut_short)
    for sentence in found.notes.empty:
        yield Caution(f"{sentence}, left out", kept=False)
    if words := found.notes.told_words():
        yield Caution(f"words that say neither right nor wrong are left out: {words}")
    yield from map(Caution, _moved_rules(fixed, results_on))
    for sentence in found.notes.tried:
        yield Caution(f"{sentence} tried on the same items: the best of several looks better than it is; keep some items aside"
                      " for it")
    for system, count in found.notes.load_alone.items():
        yield Caution(f"{_count(count, 'test')} failed by assertions on latency, cost or perplexity alone, which count nowhere"
                      " here: its answers are judged by the others", found.called.get(system, system), kept=False)
    items, fewest = min((each.items, each.system) for each in measured.scores)
    if items < ENOUGH:
        of = f" of {fewest}" if any(each.items > items for each in measured.scores) else ""
        yield Caution(f"{_count(items, 'item')}{of}, fewer than {ENOUGH}: luck decides much; one is {100 / items:.1f} points of"
                      " a score", kept=False)
    yield from _without_score(found, measured, wrong=unscored_wrong)
    yield from _gaps(measured)


def _without_score(found: EvaluationSet, measured: Measured, *, wrong: bool) -> Iterator[Caution]:
    """What calls that failed, and answers that nobody judged, would make of a score; each weighs as the mean item does."""
    unscored = dict(zip(found.systems, found.unscored, strict=True))
    words = ", words" if found.notes.words else ""
    for system, count in found.scoreless.items():
        yield Caution(f"none of its {_count(count, 'item')} has a score (failed calls or judges, empty ones{words}), so that it"
                      " is in no figure here; counted as wrong, 0.0% (--unscored wrong)", system)
    for each in measured.scores:
        count, judged = unscored.get(each.system, 0), each.items
        if count and wrong:
            yield Caution(f"calls without a score count as wrong, in {count:,} of {_count(judged, 'item')} (--unscored)",
                          each.system)
        elif count:
            yield Caution(f"{count:,} of {judged + count:,} items have no score (failed calls or judges, empty ones{words}) and"
                          f" are left out: {100 * each.seen.share:.1f}%; counted as wrong,"
                          f" {100 * each.counted_wrong(count):.1f}% (--unscored wrong)",
                          each.system)


def _moved_rules(fixed: dict[str, Fixed], results_on: str | None) -> Iterator[str]:
    """What was decided after results could be seen."""
    why = "what is chosen after the results fits them"
    for name, rule in fixed.items():
        if rule.was is not None:
            stated = f"{rule.since} as stated, first seen on " if rule.since is not None else ""
            day = f"{stated}{rule.recorded}"
            yield f"the {name} was {rule.was} when results were first seen, and is {rule.value} since {day}: {why}"
        elif rule.since is not None and results_on is not None and rule.since > results_on:
            yield f"the {name} ({rule.value}) was fixed on {rule.since}, after results of {results_on}: {why}"


def _gaps(measured: Measured) -> Iterator[Caution]:
    """Items that are missing on one side, of which a comparison has the counts."""
    items = {score.system: score.items for score in measured.scores}
    for sentence in measured.apart.values():
        yield Caution(f"{sentence}; its score stands by itself, without a difference", kept=False)
    for each in measured.differences:
        own, incumbent = items[each.system], measured.scores[0].items
        if each.pairs < max(own, incumbent):
            yield Caution(f"the difference rests on {_count(each.pairs, 'pair')}; it was judged on {_count(own, 'item')},"
                          f" {measured.incumbent} on {incumbent:,}{told_unlike(measured.scores[0].system, each.unlike)}",
                          each.system, kept=False)
    for cascade in measured.cascades:
        if cascade.no_answer:
            one = cascade.no_answer == 1
            yield Caution(f"{_count(cascade.no_answer, 'item')} {'is' if one else 'are'} handed on without a score of"
                          f" {cascade.second}, and left out", f"{cascade.first} > {cascade.second}")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def training_ids(path: Path) -> set[str]:
    """Ids of a file with one a line: plain, or JSON objects with a usual name of the item; InputError where it has none."""
    found: set[str] = set()
    try:
        with TextIOWrapper(open_to_read(path), encoding="utf-8-sig") as text:
            for line in lines_of(text, LONGEST_LINE, f"--training: {path}"):
                if "\0" in line:
                    raise InputError(f"--training: {path}: a zero byte; this is not a text file")
                if line.lstrip().startswith("{"):
                    row = parse_json(line)
                    found.update(str(row[name]) for name in NAMES["item"][:7] if row.get(name) is not None)
                elif line.strip():
                    found.add(line.strip())
    except OSError as error:
        near = nearest_file(path) if isinstance(error, FileNotFoundError) else ""
        raise InputError(f"--training: {path} cannot be read: {error.strerror}{near}") from None
    except (ValueError, RecursionError):
        raise InputError(f"--training: {path}: neither ids, one a line, nor JSON lines with an id") from None
    if not found:
        raise InputError(f"--training: {path} holds no id: one a line, or JSON lines with {', '.join(NAMES['item'][:7])}")
    return found
