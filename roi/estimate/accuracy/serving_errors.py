"""How predictions of serving runs compare with measurements, by source, card and engine."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from roi.estimate.accuracy.measured_run import Prediction
from roi.estimate.accuracy.serving_interval import (
    QUANTITIES,
    ServingEvidence,
    ServingQuantity,
    derived_throughput,
    measured_figures,
    predict_serving,
)
from roi.estimate.accuracy.serving_left_out import same_model
from roi.estimate.accuracy.serving_run import ServingRun
from roi.estimate.accuracy.training_errors import ErrorBlock, summarise_errors

JUDGED_MODELS: Final = 3
"""Models of a (card, engine) group from which leaving one out is a test: with fewer, the group says little of the rest."""

GROUPS: Final = ("source", "gpu", "engine", "group")
"""What blocks are split by; group is card and engine together."""


class ServingLabel(NamedTuple):
    """What a row of a table is and states, whether or not it became a configuration."""

    id: str
    source: str
    gpu: str
    engine: str
    """Engine family."""
    model: str
    quantities: frozenset[str]
    """Of throughput, tpot, ttft: those that the row states."""
    implausible: bool

    @property
    def group(self) -> str:
        """Card and engine."""
        return f"{self.gpu} {self.engine}"


class ServingScore(NamedTuple):
    """One figure predicted and measured, in SI units (seconds, tokens/s or requests/s)."""

    label: ServingLabel
    quantity: ServingQuantity
    measured: float
    predicted: float
    low: float
    high: float
    basis: str
    """Which fit, and what its interval left out."""
    derived: bool = False
    """True for throughput that follows from the row's TTFT and TPOT."""

    @property
    def error(self) -> float:
        """Percent: 100 (predicted / measured - 1)."""
        return 100.0 * (self.predicted / self.measured - 1.0)


Blocks = dict[ServingQuantity, ErrorBlock]


@dataclass(frozen=True)
class ServingValidation:
    """A table's rows against a predictor."""

    rows: int
    blocks: Blocks
    """Over all rows but the implausible ones; with a model left out, over the judged groups alone."""
    by: dict[str, dict[str, Blocks]]
    """GROUPS -> name -> blocks; with a model left out, "group" lists all groups and the others count the judged ones."""
    derived: ErrorBlock
    """Throughput of closed loops that state none, from TTFT and TPOT by Little's law; in no other block."""
    implausible: Blocks
    """Rows marked as, or found to be, beyond their hardware or against Little's law; in no other block."""
    judged: frozenset[str]
    """Groups of at least JUDGED_MODELS models."""
    left_out: str
    """"model" where each row was predicted without its model; else empty."""
    scores: tuple[ServingScore, ...]
    """What `blocks` and `by` count, in the table's order."""
    apart: tuple[ServingScore, ...]
    """What they do not: derived figures, and those of implausible rows."""
    skipped: tuple[tuple[str, str], ...]
    unpredicted: tuple[tuple[str, str], ...]
    """(id, reason) of rows that are a configuration, but that the evidence does not reach."""
    assumptions: tuple[tuple[str, int], ...]
    """Each default used and for how many rows, most used first."""
    bases: dict[str, int] = field(default_factory=dict)
    """Which fit and what was new to it -> rows."""
    unread: tuple[tuple[str, str], ...] = ()
    """(id, reason) of figures of used rows that are none that is predicted."""

    def counted(self, label: ServingLabel) -> bool:
        """True where a row is in the figures over all rows: with a model left out, its group is judged."""
        return not self.left_out or label.group in self.judged


def validate_serving(
    runs: Sequence[ServingRun], labels: Sequence[ServingLabel], skipped: Iterable[tuple[str, str]],
    evidence: Callable[[ServingRun], ServingEvidence | None], left_out: str = "", unread: Iterable[tuple[str, str]] = (),
) -> ServingValidation:
    """Every run's predictions beside its measurements; `labels` are all rows of the table, skipped ones included.

    `evidence` answers None where nothing speaks for a run (a family too small to leave a model out).
    """
    by_id = {label.id: label for label in labels}
    judged = judged_groups(runs, by_id)
    scores: list[ServingScore] = []
    doubtful: list[ServingScore] = []
    derived: list[ServingScore] = []
    unpredicted: list[tuple[str, str]] = []
    bases: Counter[str] = Counter()
    for run in runs:
        label, known = by_id[run.id], evidence(run)
        if known is None:
            unpredicted.append((run.id, f"engine: {run.engine!r}; too few runs of other models to fit"))
            continue
        bases[known.basis] += 1
        found = predict_serving(run, known)
        own = [_score(label, name, value, found.figures[name], known.basis) for name, value in measured_figures(run).items()]
        (doubtful if run.implausible else scores).extend(own)
        rate = derived_throughput(run)
        if rate is not None and not run.implausible:
            derived.append(_score(label, "throughput", rate, found.figures["throughput"], known.basis)._replace(derived=True))
    plain = [label for label in labels if not label.implausible]
    counted = [label for label in plain if not left_out or label.group in judged]
    by_law = [score for score in derived if score.label in set(counted)]
    return ServingValidation(
        rows=len(labels), blocks=_blocks(scores, counted),
        by={group: _split(scores, plain if group == "group" else counted, group) for group in GROUPS},
        derived=summarise_errors(by_law, len(by_law)),
        implausible=_blocks(doubtful, [label for label in labels if label.implausible]), judged=judged, left_out=left_out,
        scores=tuple(scores), apart=(*derived, *doubtful), skipped=tuple(skipped), unpredicted=tuple(unpredicted),
        assumptions=tuple(Counter(name for run in runs for name, _ in run.assumed).most_common()), bases=dict(bases),
        unread=tuple(unread),
    )  # fmt: skip


def _split(scores: Sequence[ServingScore], labels: Sequence[ServingLabel], group: str) -> dict[str, Blocks]:
    names = dict.fromkeys(str(getattr(label, group)) for label in labels)
    return {name: _blocks(scores, [label for label in labels if getattr(label, group) == name]) for name in names}


def judged_groups(runs: Iterable[ServingRun], labels: dict[str, ServingLabel]) -> frozenset[str]:
    """The groups with runs of at least JUDGED_MODELS models."""
    models: dict[str, set[Hashable]] = defaultdict(set)
    for run in runs:
        if not run.implausible:
            models[labels[run.id].group].add(same_model(run))
    return frozenset(group for group, found in models.items() if len(found) >= JUDGED_MODELS)


def _score(
    label: ServingLabel, quantity: ServingQuantity, measured: float, found: Prediction, basis: str,
) -> ServingScore:
    return ServingScore(label, quantity, measured, found.value, found.low, found.high, basis)


def _blocks(scores: Iterable[ServingScore], labels: Sequence[ServingLabel]) -> Blocks:
    wanted, every = {label.id for label in labels}, list(scores)
    return {
        name: summarise_errors((s for s in every if s.quantity == name and s.label.id in wanted),
                               sum(1 for label in labels if name in label.quantities))
        for name in QUANTITIES
    }
