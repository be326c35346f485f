"""Half widths of serving intervals from errors of runs that a fit has not seen: one model for rare groups and frequent ones.

The log error of a run is the sum of what is particular to its engine, card, model, source and load. What its nearest evidence
has not pinned is left: LEVELS says how near that is, and errors of runs left out to that level show how large it is. The size
of a card's errors with an engine (the geometric mean of its models') is shrunk to the engine's, and that to all engines', each
prior counting for FREEDOM models: a card with one model has the width that cards have, one with ten its own. A mixture's errors
are larger than those of dense models beside it by one factor for all engines (kernels of experts are a card's and an engine's
own, and few of either have run two mixtures). Half the interval is that size times Student's t of the models behind it, times
one factor a level, so that 90% of the runs lie inside whose model (card, set-up) was left out of the fit and of the sizes. A
source that no fit has seen adds what its rows need besides, squares of logarithms added. Rows of one model on one card are one
piece of evidence, however many. An engine that ran on one chip of a family of its own takes what engines have in common and
gives nothing to it (`Cluster.one_chip`). Single streams are no such reason: llama.cpp's TTFT on cards is off by as much as that
of loaded servers.

Tried, and not taken. The (K + 1) / K x 90% quantile over the K groups that are left out (Dunn, Wasserman, Ramdas, JASA 118,
2023; Lee, Barber, Willett, arXiv 2306.06342) bounds what holds on average over sets of groups. Of 15 cards and 15 models 99%
and 97% of rows lie inside by it, at 2.1 and 1.5 times an oracle's width, and below 9 groups, as of TTFT, it is the largest
error of all (5.5 times). Taking what a new source adds out of the errors of cards that lost their source too, cards weighing
alike, moves variance from cards to sources, which a profile of one's own then takes for its server's: loads beside it lie
inside 82% of the time, not 91 (lab/serving_left_in.py).

Nor is a card's variance moderated towards a common one whose degrees of freedom the cards themselves show by the moments of log
s^2 (Smyth, SAGMB 3, 2004): 6 to 11, of TTFT of cards left out 43; a model counts for 3.4 to 4.4. The interval score moves by
-0.3, -0.3 and +2.2% (speed: same, model, elsewhere) and +2.6, -1.5 and +1.5% (TTFT), and 90% of bootstraps over what is left
out together hold 0 each time. Random effects of log sizes, whose moments put FREEDOM between 1.5 and 6.7 (27), move it by -0.1,
+0.1, +1.2, +0.5, -0.1 and -1.7%; engines that weigh pieces / (pieces + FREEDOM) in the mean of them all, as random effects
would have it, by -0.0, -0.2, +0.6, +0.0, +0.1 and -0.4%. A model that counts for as many pieces as it has set-ups, or for the
root of that, moves the score where models are left out by +2.5 and -0.1% (speed) and +6.8 and +3.7% (TTFT), and 6 and 11 of 18
cells hold 85 to 95% of their speeds in place of 12. FREEDOM of 1 or 2 models: +7.0, +2.5% and +6.8, +2.9%, cards left out -2.5,
-1.8% and +2.0, +0.3% (errors of the fit of 29 November). What a new source adds to TTFT is taken from speed, a factor of
1.36: of TTFT itself it is 1.30, but of two sources alone, of 99 rows and one. How much less any rule could score is in `held`.

A half width that is as much wider as a further piece is less known than a mean of m (the root of 1 + 1 / (m + 1), m the pieces
of dense models or of mixtures that the engine has) moves the score by +0.5, +0.5, -1.5% (speed) and -0.2, -4.8, -2.7% (TTFT, 4
models that are left out), with 1 / (m + 0.5) by +0.7, +1.4, -2.2% and -0.4, -8.6, -3.9%; with m of the card +0.1, +1.7, -0.5%
and -0.6, +0.8, -1.0%: what TTFT wins, speeds lose.

Nor is the variance taken that a fit's own coefficients leave to a run, J S J': S = (sum w J J' + P)^-1 of their logs near the
optimum (Laplace's approximation), J how the run's log speed moves with them. Of 4,103 runs, at the root of it or TAIL times
that, squares added, the score moves by -2.2, -4.2, +1.1% and -2.7, -5.8, +1.1%; by J of one step of mean lengths, as a plan
would have it, -2.1, -3.7, -2.1% and +0.3, -3.1, -2.6%. SGLang's single streams on the H20 lie 75 or 94% inside with the card
left out, not 53, TensorRT-LLM's bursts 80 or 92% with the model left out, not 78; but fewer cells hold 85 to 95%: 13, 11 and 6
of 18, 18 and 19, or 12, 7 and 7, where it is 14, 12 and 6, most of the others more. A plan's interval would hang on its load,
and the catalog hold a covariance of 37 coefficients for each engine and card: too much for as little.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
from by_chance import by_chance, likeness, of_all
from efficiency_fit import EFFECTIVE, Work, backlogged, same_shape
from numpy.typing import NDArray

from roi.estimate.accuracy.serving_run import ServingRun
from roi.numerics.conditional import FREEDOM
from roi.numerics.spreads import student

Array = NDArray[np.float64]
T = TypeVar("T")
Key = Callable[[ServingRun], Hashable]

LEVELS: Final = ("same", "model", "elsewhere")
"""What is new to the fit: formats or GPUs of a model on its card; a model on a card; the card."""
QUANTITIES: Final = ("speed", "ttft")
JUDGED_ROWS: Final = 30
"""Rows from which a card with an engine is a cell whose share inside is looked at."""
WITHIN: Final = (0.85, 0.95)
"""Shares of a cell's rows inside that are wanted of 90% intervals."""
TOO_FEW: Final = 0.8
"""Share inside below which a cell is too narrow by any reading."""
FULL_ROWS: Final = 20.0
"""Rows of a model (a set-up) on a card from which it weighs as much as any other: its loads are one piece of evidence."""
LEAST: Final = {"speed": float(np.log(1.08)), "ttft": float(np.log(1.3))}
"""What no model's errors are taken smaller than: one system's runs by several submitters differ by 5 to 8%."""
WIDER: Final = ("4-bit", "concurrency")
"""What makes a run's interval so wide (`assumed`); so does memory that may not hold the load, and a backlog, of TTFT."""
UNKNOWN: Final = float(np.log(3.0))
"""Half width where nothing was left out that could show it."""
PUBLISHERS: Final = {"xjdm": "xjd", "xjdpp": "xjd", "xjdmpp": "xjd", "trtpp": "trtn", "q3t": "q3s"}
"""Tables of one publisher, who are left out together."""


class Miss(NamedTuple):
    """A run that a fit has not seen, over its prediction."""

    work: Work
    engine: str
    """The catalog's row."""
    level: str
    """Of LEVELS; "other" where the engine's own runs were left out."""
    speed: float
    """log of measured over predicted speed (TPOT, else seconds of a request); NaN where a run states none."""
    ttft: float
    """log of measured over predicted TTFT."""
    one_chip: bool = False
    """Of an engine that ran on one chip of a family of its own."""


class Cluster(NamedTuple):
    """One piece of evidence: what its runs' errors are particular to."""

    engine: str
    gpu: str
    unit: Hashable
    """Set-up where that is what was left out, else model."""
    source: str
    mixture: bool
    one_chip: bool = False
    """Of an engine that ran on one chip of a family of its own: it takes what engines have in common, and gives nothing to it.

    What is the chip's and what the engine's is not told apart there, so that its errors show no other engine's on other cards.
    """


Clusters = dict[Cluster, Array]
"""Sizes of the log errors."""

ALIKE: Final[dict[str, Callable[[Cluster], Hashable]]] = {
    "same": lambda one: one, "model": lambda one: one.unit, "elsewhere": lambda one: one.gpu, "source": lambda one: one.source,
    "other": lambda one: one.engine,
}
"""What is left out together when an interval's own record is made."""


def publisher(run: ServingRun) -> str:
    """Who published a run."""
    return PUBLISHERS.get(run.source, run.source)


def same_cell(run: ServingRun) -> Hashable:
    """Model, card, formats and numbers of GPUs: what runs of one set-up share, whose lengths and loads differ."""
    s = run.system
    return same_shape(run), s.gpu.id, s.weight_dtype, s.kv_dtype, s.tensor_parallel, s.stages, s.replicas


def clusters(misses: Iterable[Miss], quantity: str, unit: Key = same_shape) -> Clusters:
    """The sizes of one quantity's errors, by what they are particular to.

    Of each the part that its run's own defaults, lengths and links widen its interval by is taken out, squares of logarithms
    subtracted: else what is assumed of most rows would be counted twice.
    """
    found: dict[Cluster, list[float]] = defaultdict(list)
    for miss in misses:
        error, run = abs(getattr(miss, quantity)), miss.work.run
        if np.isfinite(error) and not _wider(miss.work, quantity):
            error = max(error**2 - miss.work.unsure**2, 0.0) ** 0.5
            found[Cluster(miss.engine, run.system.gpu.id, unit(run), publisher(run), run.system.shape.mixture,
                          miss.one_chip)].append(error)
    return {one: np.array(errors) for one, errors in found.items()}


def _wider(work: Work, quantity: str) -> bool:
    """True where a run's interval is so wide for other reasons that its error says nothing of other runs."""
    return (any(name.startswith(WIDER) for name, _ in work.run.assumed) or work.room > LEAST["speed"]
            or (quantity == "ttft" and backlogged(work)))


def weight(errors: Array) -> float:
    """Of a cluster: 1 from FULL_ROWS rows on, less below."""
    return min(len(errors) / FULL_ROWS, 1.0)


def sizes(known: Clusters, quantity: str) -> dict[Cluster, tuple[float, float]]:
    """What holds 90% of each one's rows, a log, and its weight."""
    return {one: (float(np.log(max(np.quantile(errors, 0.9), LEAST[quantity]))), weight(errors))
            for one, errors in known.items()}


class Sizes:
    """The size of the errors of each card and engine, a log, and the pieces of evidence behind it."""

    def __init__(self, found: Mapping[Cluster, tuple[float, float]], level: str) -> None:
        """`found`: what `sizes` says of the clusters."""
        self.level = level
        common = _giving(found)
        self.mixture = _of_mixtures(common)
        self.engines: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.cards: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
        for one, (size, of) in found.items():
            dense = size - self.mixture * one.mixture, of
            self.engines[one.engine].append(dense)
            self.cards[one.engine, one.gpu].append(dense)
        means = [_mean(self.engines[engine]) for engine in dict.fromkeys(one.engine for one in common)]
        self.every = float(np.mean(means)) if means else 0.0

    def raw(self, engine: str, gpu: str | None, *, mixture: bool) -> float:
        """Half width before the level's factor; `gpu` None: a card that was not seen."""
        size, pieces = _shrunk(self.engines.get(engine, []), self.every)
        if gpu is not None and self.level != "elsewhere":
            size, pieces = _shrunk(self.cards.get((engine, gpu), []), size)
        return student(FREEDOM + pieces) * float(np.exp(size + self.mixture * mixture))


def _giving(found: Mapping[Cluster, T]) -> dict[Cluster, T]:
    """Those that say something of what engines have in common."""
    return {one: each for one, each in found.items() if not one.one_chip}


def _mean(found: Sequence[tuple[float, float]]) -> float:
    return sum(size * of for size, of in found) / sum(of for _, of in found)


def _shrunk(found: Sequence[tuple[float, float]], prior: float) -> tuple[float, float]:
    pieces = sum(of for _, of in found)
    return (sum(size * of for size, of in found) + FREEDOM * prior) / (pieces + FREEDOM), pieces


def _of_mixtures(found: Mapping[Cluster, tuple[float, float]]) -> float:
    """How much larger a mixture's errors are than a dense model's with its engine on its card, a log.

    Not below 0: a mixture has all that a dense model has, and experts.
    """
    cards: dict[Hashable, tuple[list[tuple[float, float]], list[tuple[float, float]]]] = defaultdict(lambda: ([], []))
    for one, size in found.items():
        cards[one.engine, one.gpu][one.mixture].append(size)
    apart = [(_mean(mixtures) - _mean(dense), 1.0 / (1.0 / sum(of for _, of in mixtures) + 1.0 / sum(of for _, of in dense)))
             for dense, mixtures in cards.values() if dense and mixtures]
    return max(_mean(apart), 0.0) if apart else 0.0


def percentile90(values: Array, weights: Array) -> float:
    """The smallest value with nine tenths of the weight at or below it."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), 0.9 * weights.sum() * (1.0 - 1e-12))])


def factor(known: Clusters, raw: dict[Cluster, float]) -> float | None:
    """By which `raw` half widths are multiplied for 90% of the weight inside; None where there are none."""
    known = _giving(known)
    if not known:
        return None
    ratios = np.concatenate([errors / raw[one] for one, errors in known.items()])
    return percentile90(ratios, np.concatenate([np.full(len(e), weight(e) / len(e)) for e in known.values()]))


def _without(known: Mapping[Cluster, T], one: Cluster, level: str) -> dict[Cluster, T]:
    alike = ALIKE[level]
    return {other: errors for other, errors in known.items() if alike(other) != alike(one)}


def _raw_left_out(known: Clusters, level: str, quantity: str) -> dict[Cluster, float]:
    """Half width of each cluster before the factor, without what is left out with it."""
    found, alike = sizes(known, quantity), ALIKE[level]
    each = {key: Sizes(rest, level) for key, one in {alike(one): one for one in known}.items()
            if (rest := _without(found, one, level))}
    return {one: each[alike(one)].raw(one.engine, one.gpu, mixture=one.mixture) for one in known if alike(one) in each}


class LevelSpread:
    """Half widths where so much is new."""

    def __init__(self, misses: Iterable[Miss], level: str, quantity: str) -> None:
        self.level, self.quantity = level, quantity
        unit = same_cell if level == "same" else same_shape
        self.known = clusters((miss for miss in misses if miss.level == level), quantity, unit)
        raw = _raw_left_out(self.known, level, quantity)
        judged = {one: self.known[one] for one in raw}
        self.sizes = Sizes(sizes(self.known, quantity), level)
        self.factor = factor(judged, raw)
        self.left_out = {}
        """Half width of each cluster, of which nothing entered it."""
        alike = ALIKE[level]
        factors = {key: factor(_without(judged, one, level), raw) for key, one in {alike(one): one for one in judged}.items()}
        for one in judged:
            self.left_out[one] = raw[one] * (factors[alike(one)] or self.factor or 0.0)

    def half(self, engine: str, gpu: str | None = None, *, mixture: bool) -> float:
        """Half of the 90% interval, a log."""
        return UNKNOWN if self.factor is None else self.factor * self.sizes.raw(engine, gpu, mixture=mixture)


class Spreads:
    """Half widths of every level, and of what is new besides."""

    def __init__(
        self, misses: Sequence[Miss], of_other_engines: Sequence[Miss], of_other_sources: Sequence[Miss],
        seen: Sequence[Miss] = (),
    ) -> None:
        self.levels = {(level, quantity): LevelSpread(misses, level, quantity) for level in LEVELS for quantity in QUANTITIES}
        of_engines = {quantity: clusters(of_other_engines, quantity) for quantity in QUANTITIES}
        self.other = {(quantity, mixture): _of_engines(known, mixture=mixture)
                      for quantity, known in of_engines.items() for mixture in (False, True)}
        known = of_engines["speed"]
        held = [errors <= _of_engines(_without(known, one, "other"), mixture=one.mixture) for one, errors in known.items()]
        self.inside_other = float(f"{np.concatenate(held).mean():.2g}") if held else 0.0
        self.needs = needs_of_sources(misses, of_other_sources)
        self.source = _new_source(self.needs)
        self.least = {quantity: _within(seen, quantity) for quantity in QUANTITIES}

    def half(self, level: str, quantity: str, engine: str, gpu: str | None = None, *, mixture: bool) -> float:
        """Half of the 90% interval: of what is further from any evidence no less is unknown.

        Set-ups of a model on a card of which none was left out are taken like another model there. No interval is narrower than
        what the runs need that the fit has seen.
        """
        found = {name: self.levels[name, quantity].half(engine, gpu, mixture=mixture) for name in LEVELS}
        if (engine, gpu) not in self.levels["same", quantity].sizes.cards:
            found["same"] = min(found["same"], found["model"])
        found["same"] = max(found["same"], self.least[quantity].get((engine, gpu), 0.0))
        return max(found[name] for name in LEVELS[: LEVELS.index(level) + 1])

    def left_out(self, level: str, quantity: str) -> dict[Cluster, float]:
        """Half width of each cluster, of which nothing entered that of its level; no less than that of nearer evidence."""
        own = self.levels[level, quantity].left_out
        if level == "same":
            return own
        nearer, here = self.levels["same" if level == "model" else "model", quantity], level == "model"
        cards = {one: [gpu for engine, gpu in nearer.sizes.cards if engine == one.engine and (gpu == one.gpu) == here]
                 for one in own}
        return {one: max([half, *(nearer.half(one.engine, gpu, mixture=one.mixture) for gpu in cards[one])])
                for one, half in own.items()}

    def inside(self, level: str, engine: str) -> float | None:
        """Share of an engine's speeds that lay inside these; None where there were none."""
        known = self.levels[level, "speed"].known
        found = [known[one] <= half for one, half in self.left_out(level, "speed").items() if one.engine == engine]
        return float(f"{np.concatenate(found).mean():.2g}") if found else None

    def unseen(self, quantity: str, engine: str, cards: Iterable[str], *, mixture: bool) -> float:
        """The same of a card that was not seen: those of the engine that were, `cards`, none of which is known less.

        What a card's models need that were left out, another card may need too, and its own coefficients are unknown besides.
        """
        seen = [self.half("model", quantity, engine, gpu, mixture=mixture) for gpu in cards]
        return max([self.half("elsewhere", quantity, engine, mixture=mixture), *seen])


def _of_engines(known: Clusters, *, mixture: bool) -> float:
    """Half width of engines that were not fitted: those fitted weigh alike; of mixtures no less than of dense models."""
    least = _of_engines(known, mixture=False) if mixture else 0.0
    known = {one: errors for one, errors in known.items() if one.mixture == mixture}
    if not known:
        return least or UNKNOWN
    each: Counter[str] = Counter()
    for one, errors in known.items():
        each[one.engine] += weight(errors)
    return max(least, percentile90(np.concatenate(list(known.values())), np.concatenate(
        [np.full(len(errors), weight(errors) / len(errors) / each[one.engine]) for one, errors in known.items()])))


def _within(seen: Sequence[Miss], quantity: str) -> dict[tuple[str, str | None], float]:
    """Half widths that hold 90% of a card's runs which the fit has seen, where they are FULL_ROWS."""
    errors: dict[tuple[str, str | None], list[Array]] = defaultdict(list)
    for one, each in clusters(seen, quantity).items():
        errors[one.engine, one.gpu].append(each)
    every = {card: np.concatenate(each) for card, each in errors.items()}
    return {card: float(np.quantile(each, 0.9)) for card, each in every.items() if len(each) >= FULL_ROWS}


def needs_of_sources(misses: Sequence[Miss], left_out: Sequence[Miss]) -> list[tuple[str, Array, float]]:
    """(source, sizes of errors, half width without what is particular to a source), of cards and engines with another source.

    The half width is that of the level which is left, from the other sources alone.
    """
    found, levels = [], {}
    for level in LEVELS:
        for one, errors in clusters((miss for miss in left_out if miss.level == level), "speed").items():
            if (level, one.source) not in levels:
                levels[level, one.source] = LevelSpread(
                    [miss for miss in misses if publisher(miss.work.run) != one.source], level, "speed")
            found.append((one.source, errors, levels[level, one.source].half(one.engine, one.gpu, mixture=one.mixture)))
    return found


def _new_source(found: Sequence[tuple[str, Array, float]]) -> float:
    """What a source that no fit has seen adds to a half width, by the square, so that 90% lie inside: sources weigh alike."""
    if not found:
        return 0.0
    rows: Counter[str] = Counter()
    for source, errors, _ in found:
        rows[source] += len(errors)
    return percentile90(
        np.concatenate([np.sqrt(np.maximum(errors**2 - half**2, 0.0)) for _, errors, half in found]),
        np.concatenate([np.full(len(errors), min(1.0 / FULL_ROWS, 1.0 / rows[source])) for source, errors, _ in found]))


def left_of_sources(runs: Iterable[ServingRun], tables: Iterable[str]) -> dict[str, float]:
    """What is left of the variance that a new source adds, for each of the tables whose publisher has runs in a fit.

    A fit lies where its sources do on average, by their shares w of it, rows of a model on a card counted as in the fit. A run
    of source s is off by 1 - w of what is particular to s, and by the w of each other source: (1 - 2 w + q) / (1 + q), where q
    is the sum of all w^2 and 1 + q is what a source is off by that is not in the fit.
    """
    weights: dict[str, float] = defaultdict(float)
    for (name, *_), rows in Counter((publisher(run), same_shape(run), run.system.gpu.id) for run in runs).items():
        weights[name] += min(rows, EFFECTIVE)
    whole = sum(weights.values())
    every = sum((one / whole) ** 2 for one in weights.values())
    return {table: round((1.0 - 2.0 * weights[name] / whole + every) / (1.0 + every), 3)
            for table in sorted(tables) if (name := PUBLISHERS.get(table, table)) in weights}


def source_lines(found: Sequence[tuple[str, Array, float]]) -> list[str]:
    """How the intervals held on each source without what a new one adds, and with what the others say of it."""
    out = ["| source left out | rows | in 90% without | with |", "|:--|--:|--:|--:|"]
    for source in dict.fromkeys(name for name, _, _ in found):
        more, mine = _new_source([one for one in found if one[0] != source]), [one for one in found if one[0] == source]
        inside = [100.0 * np.mean(np.concatenate([errors <= np.hypot(half, add) for _, errors, half in mine]))
                  for add in (0.0, more)]
        out.append(f"| {source} | {sum(len(errors) for _, errors, _ in mine)} | {inside[0]:.0f} | {inside[1]:.0f} |")
    return out


class Held(NamedTuple):
    """How the intervals of one level and quantity held, which had seen nothing of what they predict."""

    level: str
    quantity: str
    rows: int
    inside: float
    """Share of the rows."""
    score: float
    """Mean interval score, of logs: the width, and 20 times what lies beyond an end (Gneiting, Raftery, JASA 102, 2007)."""
    oracle: float
    """The same of the half width of each cell that holds 90% of its rows, which has seen them."""
    cells: int
    """Cards with an engine of JUDGED_ROWS rows or more."""
    within: int
    """Of these, those of which WITHIN of the rows lie inside."""
    within_by_chance: float
    """How many would, were 90% true of every cell: rows of a model lie inside or outside together (lab/by_chance.py)."""
    below: int
    """Of these, those of which less than TOO_FEW of the rows lie inside."""
    below_by_chance: float
    beyond: tuple[str, ...]
    """Cells with a share inside that 5 of 100 such samples show at most, in words."""


def held(spreads: Spreads) -> list[Held]:
    """How the intervals held, by level and quantity, beside what chance and an oracle make of the same rows."""
    every = [(level, quantity, found.known, spreads.left_out(level, quantity))
             for (level, quantity), found in spreads.levels.items()]
    return [_held(level, quantity, {one: (known[one], half) for one, half in tried.items()})
            for level, quantity, known, tried in every if tried]


def _held(level: str, quantity: str, tried: Mapping[Cluster, tuple[Array, float]]) -> Held:
    cells: dict[str, list[tuple[Array, float]]] = defaultdict(list)
    for one, each in tried.items():
        cells[f"{one.gpu} {one.engine}"].append(each)
    best = {name: float(np.quantile(np.concatenate([errors for errors, _ in each]), 0.9)) for name, each in cells.items()}
    alike = likeness((len(errors), int(np.sum(errors <= half))) for errors, half in tried.values())
    shares, within, below, beyond = [], 0.0, 0.0, []
    for name, each in cells.items():
        pieces = [len(errors) for errors, _ in each]
        rows = sum(pieces)
        if rows >= JUDGED_ROWS:
            shares.append(sum(int(np.sum(errors <= half)) for errors, half in each) / rows)
            axis, chance, (low, high) = np.arange(rows + 1.0) / rows, of_all(pieces, alike), by_chance(pieces, alike)
            within += float(chance[(axis >= WITHIN[0]) & (axis <= WITHIN[1])].sum())
            below += float(chance[axis < TOO_FEW].sum())
            if not low <= 100.0 * shares[-1] <= high:
                beyond.append(f"{name}: {100.0 * shares[-1]:.0f}% of {rows} rows, {len(pieces)} pieces")
    errors = np.concatenate([errors for errors, _ in tried.values()])
    sizes_of = [len(errors) for errors, _ in tried.values()]
    ours = np.repeat([half for _, half in tried.values()], sizes_of)
    ideal = np.repeat([best[f"{one.gpu} {one.engine}"] for one in tried], sizes_of)
    return Held(level, quantity, errors.size, float(np.mean(errors <= ours)), _score(errors, ours), _score(errors, ideal),
                len(shares), sum(WITHIN[0] <= share <= WITHIN[1] for share in shares), within,
                sum(share < TOO_FEW for share in shares), below, tuple(beyond))


def _score(errors: Array, halves: Array) -> float:
    return float(np.mean(2.0 * halves + 20.0 * np.maximum(errors - halves, 0.0)))


def record_lines(spreads: Spreads) -> list[str]:
    """How the intervals held that had not seen what they predict, by level, quantity, card and engine.

    pieces: set-ups or models. range: percent inside that 95 of 100 groups of such pieces show where 90% is true.
    """
    out = [(f"a new source: {np.exp(spreads.source):.2f}, another engine: {np.exp(spreads.other['speed', False]):.2f}, a"
            f" mixture {np.exp(spreads.other['speed', True]):.2f} ({100 * spreads.inside_other:.0f}% inside), TTFT"
            f" {np.exp(spreads.other['ttft', False]):.2f}"),
           *source_lines(spreads.needs), "",
           "| left out | quantity | card and engine | pieces | rows | in 90% | range | half | oracle | width |",
           "|:--|:--|:--|--:|--:|--:|:--|--:|--:|--:|"]
    for (level, quantity), found in spreads.levels.items():
        groups: dict[tuple[str, str], list[Cluster]] = defaultdict(list)
        tried = spreads.left_out(level, quantity)
        alike = likeness((len(found.known[one]), int(np.sum(found.known[one] <= half))) for one, half in tried.items())
        for one in tried:
            groups[one.gpu, one.engine].append(one)
        kinds = [((name, ""), each) for name, each in (
            ("all", list(tried)), ("dense", [one for one in tried if not one.mixture]),
            ("mixtures", [one for one in tried if one.mixture])) if each or name == "all"]
        for group, members in [*kinds, *sorted(groups.items())]:
            errors = np.concatenate([found.known[one] for one in members])
            halves = np.concatenate([np.full(len(found.known[one]), tried[one]) for one in members])
            oracle, half = max(float(np.quantile(errors, 0.9)), 1e-3), float(halves.mean())
            low, high = by_chance((len(found.known[one]) for one in members), alike)
            inside = 100.0 * float(np.mean(errors <= halves))
            out.append(f"| {level} | {quantity} | {' '.join(group)} | {len(members)} | {len(errors)} | {inside:.0f} |"
                       f" {low:.0f}-{high:.0f}{'' if low <= inside <= high else ' *'} | {half:.2f} | {oracle:.2f} |"
                       f" {half / oracle:.1f} |")
    return out


def median(logs: Array) -> float | None:
    """Median absolute error, as a share; None where there is none."""
    known = logs[np.isfinite(logs)]
    return float(f"{np.median(np.abs(np.expm1(known))):.3g}") if known.size else None
