"""Results of an evaluation as arrays: a mark for each system and item, with the item's weight and cluster."""

import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from roi.errors import InputError, UnknownName, nearest
from roi.quality.formats import FORMATS
from roi.quality.formats.harness_samples import HARNESS
from roi.quality.formats.own_rows import NAMES, OWN
from roi.quality.result_files import find_files, open_source
from roi.quality.result_rows import LETTERS, LONGEST_ID, Asked, Format, Notes, Row, Source, block, number, one_line, share
from roi.scenario.other_files import EVALUATION, USAGE, refuse_other

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_SYSTEMS: Final = 200
NO_ID: Final = f"no id of an item, or one of more than {LONGEST_ID} characters"
NO_SYSTEM: Final = f"no system, or a name of more than {LONGEST_ID} characters"
NO_NAMES: Final = frozenset({list, dict})
"""Values of JSON that are no name."""
HEAVIEST: Final = 1e12
"""The largest weight of an item: sums of them stay far below what a float64 holds."""
NO_WEIGHT: Final = "a weight that is no number above 0, at most 1e12"
OF_USAGE: Final = re.compile(r"(input|output|prompt|completion)tokens?$")
"""A column of usage, without underscores, in a table that no format of results is."""
PREFERENCES: Final = frozenset({"winner", "g1winner", "preference", "preferred", "prefers"})
"""Columns, without underscores, of which of two answers a judge prefers."""
COPY: Final = "a copy of another row: the same system, item, run and score"


@dataclass(frozen=True, kw_only=True)
class EvaluationSet:
    """What systems got on items. Arrays over items have shape (items,), over systems and items (systems, items)."""

    systems: tuple[str, ...]
    items: tuple[str, ...]
    marks: Floats
    """Mean over the runs of an item, in [0, 1]; NaN where a system was not judged on it."""
    weights: Floats
    clusters: Ints
    """An item without a cluster is one by itself."""
    escalated: Floats
    """Share of an item's runs that the system handed on; NaN where nothing says so."""
    runs: int
    """Most runs of one item by one system."""
    clustered: bool
    unscored: tuple[int, ...]
    """Items that a system was asked and has no score for, none of its runs: left out, or wrong where `Asked` says so."""
    unjudged: int
    """Items that were asked, but are none of `items`: no system has a score for them."""
    scoreless: dict[str, int]
    """Systems that are none of `systems`, since no answer of theirs has a score, with the items that they were asked."""
    called: dict[str, str]
    """What each name of a system in the files is called here."""
    notes: Notes

    def place(self, system: str, option: str) -> int:
        """The index of a system; InputError with the nearest where it is not there."""
        if system in self.scoreless:
            count, words = self.scoreless[system], self.notes.told_words()
            raise InputError(f"{option}: {system[:80]!r} has {count:,} item{'s' * (count > 1)} in the files and a score on none"
                             f"; {words or '--unscored wrong counts them as wrong'}")
        if system not in self.systems:
            near = nearest(system, self.systems) or list(self.systems[:5])
            now = self.called.get(system, system)
            told = f"nearest: {', '.join(near)}" if now == system else f"--system calls it {now}"
            raise InputError(f"{option}: no system {system[:80]!r} in the files; {told}")
        return self.systems.index(system)


def read_evaluation(files: Sequence[str], asked: Asked) -> EvaluationSet:
    """The results in FILES; InputError where they are none, or contradict each other."""
    table, notes = _Rows(dict(asked.systems), unscored_wrong=asked.unscored_wrong), Notes(asked)
    columns: dict[str, None] = {}
    for path in find_files(files):
        before = len(table)
        with open_source(path, notes) as source:
            if not source.first and isinstance(source.head.get("eval"), dict):
                asked.system_of_file(source.path)
                notes.empty.append(f"{source.path}: a log of Inspect without a sample"
                                   f" (status {str(source.head.get('status', 'unknown'))[:20]})")
                continue
            form = _format(source, asked)
            columns |= dict.fromkeys(source.first)
            for place, row in form.rows(source, asked, notes):
                if (reason := table.add(row)) is not None:
                    notes.drop(reason, place)
        notes.sources.append((source.path, form.title, len(table) - before))
    notes.metrics = dict.fromkeys(f"{name}{asked.read_as}" for name in notes.metrics)
    _refuse_unread(table, notes, asked, columns)
    _refuse_unused(table, notes, asked, columns)
    found = table.settle(asked, notes)
    if asked.right_from is not None and not np.nanmax(found.marks) > 0:
        raise InputError(f"--right-from: {asked.right_from:g} is not usable; no score of these files reaches it, so that all"
                         " answers were wrong")
    return found


def _refuse_unread(table: "_Rows", notes: Notes, asked: Asked, columns: Iterable[str]) -> None:
    """Raise InputError where no row counts, where grades are letters that nobody explained, and for a filter of nothing."""
    words = notes.told_words()
    letters = LETTERS & {word.lower() for word in notes.words}
    if words and len(letters) > 1 and not asked.words:
        raise InputError(f"FILES: grades by letter: {words}")
    if not len(table):
        unnamed = f"; --map item=COLUMN names the item: {', '.join(columns)[:200]}" if NO_ID in notes.left_out else ""
        told = "; ".join([*notes.empty, *filter(None, [notes.told()])])
        why = f": {told}{unnamed}{'; ' + words if words else ''}" if told else ""
        raise InputError(f"FILES: no row that counts{why}")
    if asked.filter is not None and not any(title == HARNESS.title for _, title, _ in notes.sources):
        raise InputError(f"--filter: {asked.filter[:40]!r} is without effect; {HARNESS.title} alone have filters")


def _refuse_unused(table: "_Rows", notes: Notes, asked: Asked, columns: Iterable[str]) -> None:
    """Raise InputError for a name of --system, --word or --map that nothing in the files bears."""
    for old, _ in asked.systems:
        if old in table.called or old in asked.met:
            continue
        if any(old in {path, path.rpartition("/")[2]} for path, _, _ in notes.sources):
            raise InputError(f"--system: {old[:80]} names the system of each row; --system OLD=NEW renames one of"
                             f" {', '.join(list(table.called)[:6])}")
        raise UnknownName("--system", old, table.called, "system of the files:")
    if unmet := next((word for word, _ in asked.words if word not in asked.met), None):
        raise UnknownName("--word", unmet, notes.words, "word of a score in the files:")
    for what, column in asked.columns:
        if not table.tells(what):
            raise UnknownName("--map", column, columns, f"column (or one that tells no row's {what})")


def _format(source: Source, asked: Asked) -> Format:
    """The format that the first row shows; InputError with the nearest and what it lacks. No name of the file's is shown."""
    found = next((form for form in FORMATS if form.recognises(source.head, source.first)), None)
    if found is not None or asked.columns or asked.metric in source.first:
        return found or OWN
    own = {name.lower().replace("_", "") for name in source.first}
    within = {name.lower().replace("_", "") for part in (source.first, *map(block, source.first.values()))
              for name in block(part.get("usage"))}
    if any(OF_USAGE.search(name) for name in own | within) and not own & {name.replace("_", "") for name in NAMES["score"]}:
        raise InputError(f"{source.path}: counts of tokens and no score: records of usage, not results of an evaluation; what"
                         f" was spent: roi usage {source.path}")
    if own & PREFERENCES:
        raise InputError(f"{source.path}: preferences, which say whose answer is better and not how good either is; grade each"
                         " answer by itself (--scale 1..10 reads such grades)")
    refuse_other("", Path(source.path), "results of an evaluation", EVALUATION, USAGE)
    near = max(FORMATS[:-1], key=lambda form: len(own & set(form.columns)))
    lacking = [names for names in list(NAMES.values())[:3] if not {name.lower() for name in source.first} & set(names)]
    if len(own & set(near.columns)) > max(len(OWN.columns) - len(lacking), 1):
        lost = [name for name in near.columns if name not in own]
        raise InputError(f"{source.path}: no known format by its columns; nearest: {near.title}, without {', '.join(lost)};"
                         " --map item=COLUMN, score=COLUMN and system=COLUMN read it as a table of your own")
    missing = " and ".join(f"{names[0]} (or {', '.join(names[1:5])} ...)" for names in lacking)
    of_systems = ("; a score of each system as a whole is written into the scenario, quality.scores.NAME: {value: 0.9, items:"
                  " 500}" if lacking == [NAMES["item"]] else "")
    raise InputError(f"{source.path}: no known format by its columns; nearest: {OWN.title}, without {missing};"
                     " --map item=COLUMN, score=COLUMN or system=COLUMN names others. Rows are one for each item and system;"
                     f" of a table with a column for each system: --map score=COLUMN for each of these{of_systems}")


class _Rows:
    """Rows as they come in: names become numbers, so that a row takes few bytes."""

    def __init__(self, renamed: dict[str, str], *, unscored_wrong: bool) -> None:
        self.renamed, self.unscored_wrong = renamed, unscored_wrong
        self.called: dict[str, str] = {}
        """What each name of a system in the files is called."""
        self.items: dict[str, int] = {}
        self.systems: dict[str, int] = {}
        self.numbers: dict[str, int] = {}
        """The number of each system by its name in the files."""
        self.clusters: dict[str, int] = {}
        self.runs: dict[object, int] = {None: 0}
        self.names, self.marks = array("q"), array("d")
        """Item, system, cluster and run of each row, as numbers; its score, weight and whether it was escalated."""
        self.unscored: dict[str, set[str]] = {}
        """Items without a score, by system."""

    def __len__(self) -> int:
        return len(self.marks) // 3

    def add(self, row: Row) -> str | None:
        """Take a row in; the reason where it cannot count."""
        item, system, score, cluster, weight, run, escalated, lacks = row
        name, by = str(item).strip(), str(system)
        if item is None or not 0 < len(name) <= LONGEST_ID or item.__class__ in NO_NAMES:
            return NO_ID if score is not None else lacks
        if system is None or not 0 < len(by) <= LONGEST_ID or system.__class__ in NO_NAMES:
            return NO_SYSTEM if score is not None else lacks
        if score is None:
            self.unscored.setdefault(self._called(by), set()).add(name)
            if not self.unscored_wrong:
                return lacks
        heavy = np.nan
        if weight is not None:
            read = number(str(weight))
            if read is None or not 0.0 < read <= HEAVIEST:
                return NO_WEIGHT
            heavy = read
        mine = self.numbers.get(by)
        self.names.extend((
            self.items.setdefault(name, len(self.items)), self._number(by) if mine is None else mine,
            -1 if cluster is None else self.clusters.setdefault(str(cluster)[:LONGEST_ID], len(self.clusters)),
            0 if run is None else self.runs.setdefault(str(run), len(self.runs))))
        handed = None if escalated is None else share(escalated, "escalated")
        self.marks.extend((score or 0.0, heavy, np.nan if handed is None else handed))
        return None

    def tells(self, what: str) -> bool:
        """True where some row tells its cluster, weight, run, or whether it was escalated; each tells the rest."""
        if what in {"weight", "escalated"}:
            return not np.isnan(np.array(self.marks[1 if what == "weight" else 2::3])).all()
        return {"cluster": len(self.clusters) > 0, "run": len(self.runs) > 1}.get(what, True)

    def _number(self, system: str) -> int:
        """The number of a system of the files that no row had before; InputError where they are too many."""
        found = self.numbers[system] = self.systems.setdefault(self._called(system), len(self.systems))
        if len(self.systems) > MOST_SYSTEMS:
            raise InputError(f"FILES: more than {MOST_SYSTEMS} systems; is the column of the system right? --map system=COLUMN")
        return found

    def _called(self, system: str) -> str:
        """What a system of the files is called in the answer."""
        return self.called.get(system) or self.called.setdefault(system, self.renamed.get(system) or one_line(system))

    def settle(self, asked: Asked, notes: Notes) -> EvaluationSet:
        """The set, repeated runs averaged; InputError where a row contradicts another."""
        item, system, cluster, run = np.frombuffer(self.names, dtype=np.int64).reshape(-1, 4).T
        scores, weights, escalated = np.frombuffer(self.marks).reshape(-1, 3).T
        names, by = tuple(self.items), tuple(self.systems)
        cell = system * len(names) + item
        keep = np.ones(len(cell), dtype=bool)
        if not asked.repeats:
            keep = self._first_of_copies(cell * len(self.runs) + run, scores, cell, notes)
        cell, shape, size = cell[keep], (len(by), len(names)), len(by) * len(names)
        counts = np.bincount(cell, minlength=size)
        with np.errstate(invalid="ignore"):
            marks = (np.bincount(cell, weights=scores[keep], minlength=size) / counts).reshape(shape)
            flags = (np.bincount(cell, weights=escalated[keep], minlength=size) / counts).reshape(shape)
            told = ~np.isnan(weights)
            heavy = np.bincount(item[told], weights[told], len(names)) / np.bincount(item[told], minlength=len(names))
        heavy = np.where(np.isnan(heavy), 1.0, heavy)
        heavy /= heavy.max()  # only their ratios count
        clusters = self._item_clusters(item, cluster, names)
        return EvaluationSet(systems=by, items=names, marks=marks, weights=heavy, clusters=clusters, escalated=flags,
                             runs=int(counts.max()), clustered=bool(self.clusters), notes=notes,
                             scoreless={name: len(asked) for name, asked in self.unscored.items() if name not in by},
                             called=self.called,
                             unjudged=len(set().union(*self.unscored.values()) - self.items.keys()),
                             unscored=tuple(self._unscored(name, mark) for name, mark in zip(by, marks, strict=True)))

    def _unscored(self, system: str, marks: Floats) -> int:
        """Items of a system without any score."""
        items = self.unscored.get(system, set())
        if self.unscored_wrong:
            return len(items)
        return sum(item not in self.items or bool(np.isnan(marks[self.items[item]])) for item in items)

    def _first_of_copies(self, key: Ints, scores: Floats, cell: Ints, notes: Notes) -> NDArray[np.bool_]:
        """True for the first row of each system, item and run; InputError where another one has another score."""
        order = np.argsort(key, kind="stable")
        again = np.concatenate(([False], key[order][1:] == key[order][:-1]))
        other = again & (scores[order] != np.concatenate(([0.0], scores[order][:-1])))
        if other.any():
            at = int(other.argmax())
            system, item = divmod(int(cell[order[at]]), len(self.items))
            raise InputError(
                f"FILES: item {tuple(self.items)[item][:40]!r} of {tuple(self.systems)[system][:80]} occurs with scores"
                f" {scores[order[at - 1]]:g} and {scores[order[at]]:g} ({int(other.sum()):,} such rows); repeated runs, and"
                " several judges, need a column run (--map run=judge), or --repeats; of several metrics keep the rows of one,"
                " of several dates those of the last: a model may have changed behind its name")
        keep = np.ones(len(key), dtype=bool)
        keep[order[again]] = False
        notes.drop(COPY, "FILES", int(again.sum()))
        ends = accumulate((rows for _, _, rows in notes.sources), initial=0)
        notes.sources[:] = [(name, title, int(keep[begin:end].sum()))
                            for (name, title, _), (begin, end) in zip(notes.sources, pairwise(ends), strict=True)]
        return keep

    def _item_clusters(self, item: Ints, cluster: Ints, names: tuple[str, ...]) -> Ints:
        """The cluster of each item, its own where no row names one; InputError where rows name two."""
        found = np.full(len(names), -1, dtype=np.int64)
        named = cluster >= 0
        found[item[named]] = cluster[named]
        wrong = named & (found[item] != cluster)
        if wrong.any():
            raise InputError(f"FILES: item {names[int(item[wrong.argmax()])][:40]!r} is in two clusters")
        return np.where(found < 0, len(self.clusters) + np.arange(len(names)), found)
