"""How predictions compare with measurements: errors, their statistics, and the coverage of the stated intervals."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from roi.estimate.accuracy.error_blocks import ErrorBlock, RowScore, SkippedRow, summarise_errors
from roi.estimate.accuracy.measured_run import MeasuredRun, NoPrediction, Predictor

Quantity = Literal["memory", "throughput"]

GROUPS = ("source", "method", "gpu", "kind")
"""What blocks are split by."""


class RowLabel(NamedTuple):
    """What a row of a table is and states, whether or not it became a configuration."""

    id: str
    source: str
    method: str
    gpu: str
    kind: str
    """Memory kind."""
    memory: bool
    """True where it states a peak."""
    throughput: bool
    """True where it states tokens/s, or samples/s with a mean length."""
    second: tuple[str, ...] = ()
    """Kinds of memory that it states beside the headline's."""


Score = RowScore[RowLabel, Quantity]


class FitRow(NamedTuple):
    """A row that states no figure, but whether the run fitted its card."""

    id: str
    fits_measured: bool
    fits_predicted: bool | None
    """None where the row's card is none of the catalog, or memory could not be predicted."""
    predicted_bytes: float | None
    """Peak of the process; None where it could not be predicted."""
    card_bytes: float | None
    reason: str
    """Why nothing is predicted; else empty."""


class Fits(NamedTuple):
    """How often "does it fit" was answered right."""

    failed: int
    """Rows that ran out of memory and could be predicted."""
    failed_right: int
    """How many of `failed` were predicted above the card's memory."""
    ran: int
    """Rows that ran, on a card of the catalog."""
    ran_right: int
    """How many of `ran` were predicted within the card's memory."""


@dataclass(frozen=True)
class Validation:
    """A table's rows against two predictors."""

    rows: int
    memory: ErrorBlock
    """Rows whose memory kind is stated."""
    throughput: ErrorBlock
    by: dict[str, dict[str, tuple[ErrorBlock, ErrorBlock]]]
    """GROUPS -> name -> (memory, throughput). "unstated" memory counts by source and by kind alone."""
    second: dict[str, ErrorBlock]
    """Memory kind -> errors of the figures that rows state beside the headline's; in no other block."""
    second_scores: tuple[tuple[str, Score], ...]
    """(memory kind, score) of each of those figures."""
    scores: tuple[Score, ...]
    fits: Fits
    fit_rows: tuple[FitRow, ...]
    """Rows that state whether they fitted, and neither memory nor speed."""
    skipped: tuple[SkippedRow, ...]
    unpredicted: tuple[tuple[str, Quantity, str], ...]
    """(id, quantity, reason): a configuration, but no figure from the predictor."""
    assumptions: tuple[tuple[str, int], ...]
    """Each default used and for how many rows, most used first."""


def validate_runs(
    runs: Iterable[MeasuredRun], labels: Iterable[RowLabel], skipped: Iterable[SkippedRow],
    memory: Predictor, throughput: Predictor, second: Iterable[MeasuredRun] = (),
) -> Validation:
    """Every run's predictions beside its measurements; `labels` are all rows of the table, skipped ones included.

    `second` are runs again, each with another kind of memory that its row states too.
    """
    every, known = tuple(labels), tuple(runs)
    by_id = {label.id: label for label in every}
    scores: list[Score] = []
    missing: list[tuple[str, Quantity, str]] = []

    def score(run: MeasuredRun, quantity: Quantity, measured: float | None, predictor: Predictor, into: list[Score]) -> None:
        if measured is None:
            return
        found = predictor(run)
        if not isinstance(found, NoPrediction):
            into.append(Score(label=by_id[run.id], quantity=quantity, measured=measured, predicted=found.value, low=found.low,
                              high=found.high))
        elif into is scores:
            missing.append((run.id, quantity, found.reason))

    for run in known:
        score(run, "memory", run.memory_bytes, memory, scores)
        score(run, "throughput", run.tokens_per_s, throughput, scores)
    again: dict[str, list[Score]] = {kind: [] for label in every for kind in label.second}
    for run in second:
        score(run, "memory", run.memory_bytes, memory, again[run.memory_kind])
    verdicts = [_fit_row(run, memory) for run in known]
    figures = {run.id for run in known if run.memory_bytes is not None or run.tokens_per_s is not None}
    stating = [label for label in every if label.memory or label.throughput]
    eligible = Counter(kind for label in every for kind in label.second)
    return Validation(
        rows=len(every), memory=_block(scores, every, "memory", lambda x: x.kind != "unstated"),
        throughput=_block(scores, every, "throughput", lambda x: True),
        by={group: {name: _pair(scores, every, group, name) for name in dict.fromkeys(getattr(x, group) for x in stating)}
            for group in GROUPS},
        second={kind: summarise_errors(again[kind], n) for kind, n in eligible.items()},
        second_scores=tuple((kind, score) for kind, some in again.items() for score in some), scores=tuple(scores),
        fits=_fits(verdicts), fit_rows=tuple(row for row in verdicts if row.id not in figures), skipped=tuple(skipped),
        unpredicted=tuple(missing),
        assumptions=tuple(Counter(label for run in known for label, _ in run.assumed).most_common()),
    )  # fmt: skip


def _pair(scores: list[Score], labels: tuple[RowLabel, ...], group: str, name: str) -> tuple[ErrorBlock, ErrorBlock]:
    def inside(label: RowLabel) -> bool:
        return bool(getattr(label, group) == name)

    def comparable(label: RowLabel) -> bool:
        return inside(label) and (group in ("source", "kind") or label.kind != "unstated")

    return _block(scores, labels, "memory", comparable), _block(scores, labels, "throughput", inside)


def _block(
    scores: list[Score], labels: tuple[RowLabel, ...], quantity: Quantity, wanted: Callable[[RowLabel], bool],
) -> ErrorBlock:
    eligible = sum(1 for label in labels if getattr(label, quantity) and wanted(label))
    return summarise_errors((s for s in scores if s.quantity == quantity and wanted(s.label)), eligible)


def _fit_row(run: MeasuredRun, memory: Predictor) -> FitRow:
    """The process's predicted peak against the card's memory."""
    found = memory(replace(run, memory_kind="process"))
    card = None if run.gpu is None else run.gpu.memory_bytes
    peak, reason = (None, found.reason) if isinstance(found, NoPrediction) else (found.value, "")
    return FitRow(
        id=run.id, fits_measured=not run.out_of_memory, fits_predicted=None if card is None or peak is None else peak <= card,
        predicted_bytes=peak, card_bytes=card, reason=reason or ("" if card else f"gpu: {run.gpu_name!r}; no one card"),
    )  # fmt: skip


def _fits(rows: Iterable[FitRow]) -> Fits:
    """How often the verdicts of runs on a card of the catalog were right."""
    counts = Counter((row.fits_measured, row.fits_predicted) for row in rows if row.fits_predicted is not None)
    return Fits(failed=counts[False, True] + counts[False, False], failed_right=counts[False, False],
                ran=counts[True, True] + counts[True, False], ran_right=counts[True, True])
