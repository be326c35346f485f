"""How predictions of serving runs compare with measurements, by source, card and engine."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from roi.estimate.accuracy.error_blocks import ErrorBlock, RowScore, SkippedRow, summarise_errors
from roi.estimate.accuracy.serving_interval import (
    QUANTITIES,
    ServingEvidence,
    ServingQuantity,
    derived_throughput,
    measured_figures,
    predict_serving,
)
from roi.estimate.accuracy.serving_run import ServingRun

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


ServingScore = RowScore[ServingLabel, ServingQuantity]

Blocks = dict[ServingQuantity, ErrorBlock]


@dataclass(frozen=True)
class ServingValidation:
    """A table's rows against a predictor."""

    rows: int
    blocks: Blocks
    """Over all rows but the implausible ones."""
    by: dict[str, dict[str, Blocks]]
    """GROUPS -> name -> blocks."""
    derived: ErrorBlock
    """Throughput of closed loops that state none, from TTFT and TPOT by Little's law; in no other block."""
    implausible: Blocks
    """Rows marked as, or found to be, beyond their hardware or against Little's law; in no other block."""
    scores: tuple[ServingScore, ...]
    """What `blocks` and `by` count, in the table's order."""
    apart: tuple[ServingScore, ...]
    """What they do not: derived figures, and those of implausible rows."""
    skipped: tuple[SkippedRow, ...]
    unpredicted: tuple[tuple[str, str], ...]
    """(id, reason) of rows that are a configuration, but that the evidence does not reach."""
    assumptions: tuple[tuple[str, int], ...]
    """Each value that stands in and for how many rows, most used first."""
    bases: dict[str, int]
    """Which fit and what was new to it -> rows."""


def validate_serving(
    runs: Sequence[ServingRun], labels: Sequence[ServingLabel], skipped: Iterable[SkippedRow],
    evidence: Callable[[ServingRun], ServingEvidence | None],
) -> ServingValidation:
    """Every run's predictions beside its measurements; `labels` are all rows of the table, skipped ones included.

    `evidence` answers None where nothing speaks for a run.
    """
    by_id = {label.id: label for label in labels}
    scores: list[ServingScore] = []
    doubtful: list[ServingScore] = []
    derived: list[ServingScore] = []
    unpredicted: list[tuple[str, str]] = []
    bases: Counter[str] = Counter()
    for run in runs:
        known = evidence(run)
        if known is None:
            unpredicted.append((run.id, f"engine: {run.engine!r}; too few runs of other models to fit"))
            continue
        bases[known.basis] += 1
        found = predict_serving(run, known)
        stated: list[tuple[ServingQuantity, float, bool]] = [(name, x, False) for name, x in measured_figures(run).items()]
        rate = None if run.implausible else derived_throughput(run)
        stated += [] if rate is None else [("throughput", rate, True)]
        for name, value, from_law in stated:
            kept = derived if from_law else doubtful if run.implausible else scores
            figure = found[name]
            kept.append(ServingScore(
                label=by_id[run.id], quantity=name, measured=value, predicted=figure.value, low=figure.low, high=figure.high,
                basis=known.basis, derived=from_law))
    plain = [label for label in labels if not label.implausible]
    return ServingValidation(
        rows=len(labels), blocks=_blocks(scores, plain), by={group: _split(scores, plain, group) for group in GROUPS},
        derived=summarise_errors(derived, len(derived)),
        implausible=_blocks(doubtful, [label for label in labels if label.implausible]),
        scores=tuple(scores), apart=(*derived, *doubtful), skipped=tuple(skipped), unpredicted=tuple(unpredicted),
        assumptions=tuple(Counter(name for run in runs for name, _ in run.assumed).most_common()), bases=dict(bases),
    )  # fmt: skip


def _split(scores: Sequence[ServingScore], labels: Sequence[ServingLabel], group: str) -> dict[str, Blocks]:
    names = dict.fromkeys(str(getattr(label, group)) for label in labels)
    return {name: _blocks(scores, [label for label in labels if getattr(label, group) == name]) for name in names}


def _blocks(scores: Iterable[ServingScore], labels: Sequence[ServingLabel]) -> Blocks:
    wanted, every = {label.id for label in labels}, list(scores)
    return {
        name: summarise_errors((s for s in every if s.quantity == name and s.label.id in wanted),
                               sum(1 for label in labels if name in label.quantities))
        for name in QUANTITIES
    }
