"""How predictions compare with measurements: errors, their statistics, and the coverage of the stated intervals."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol

import numpy as np

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


class SkippedRow(NamedTuple):
    """A row of a table that became no run."""

    line: int
    """Line of the file."""
    id: str
    column: str
    """The first column whose cell is not canonical, or that no configuration expresses."""
    value: str
    """Its cell."""
    why: str
    """What is allowed."""

    @property
    def reason(self) -> str:
        """Column, value and what is allowed."""
        return f"{self.column}: {self.value!r}; {self.why}"


class Score(NamedTuple):
    """One figure predicted and measured, in SI units (bytes, tokens/s)."""

    label: RowLabel
    quantity: Quantity
    measured: float
    predicted: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """Percent: 100 (predicted / measured - 1)."""
        return 100.0 * (self.predicted / self.measured - 1.0)


class Scored(Protocol):
    """What the statistics of errors need of a score."""

    @property
    def measured(self) -> float:
        """The measured figure."""

    @property
    def low(self) -> float:
        """5th percentile of the prediction."""

    @property
    def high(self) -> float:
        """95th percentile."""

    @property
    def error(self) -> float:
        """Percent."""


@dataclass(frozen=True)
class ErrorBlock:
    """Errors of one quantity over some rows, percent; None where no row was predicted."""

    n: int
    """Rows predicted."""
    eligible: int
    """Rows that state a figure: skipping lowers n, not this."""
    mape: float | None = None
    """Mean of the absolute errors."""
    median_ape: float | None = None
    """Median of the absolute errors."""
    bias: float | None = None
    """Mean of the errors with their signs."""
    p90: float | None = None
    """90th percentile of the absolute errors."""
    coverage90: float | None = None
    """Percent of measurements inside the 5-95% interval."""


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
    """Of those, predicted above the card's memory."""
    ran: int
    """Rows that ran, on a card of the catalog."""
    ran_right: int
    """Of those, predicted within the card's memory."""


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


def summarise_errors(scores: Iterable[Scored], eligible: int) -> ErrorBlock:
    """The statistics of some scores; nulls where there are none."""
    found = list(scores)
    if not found:
        return ErrorBlock(0, eligible)
    errors = np.array([score.error for score in found])
    inside = [score.low <= score.measured <= score.high for score in found]
    size = np.abs(errors)
    return ErrorBlock(
        len(found), eligible, float(size.mean()), float(np.median(size)), float(errors.mean()),
        float(np.percentile(size, 90.0)), 100.0 * float(np.mean(inside)),
    )  # fmt: skip


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
    for run in known:
        for quantity, measured, predictor in (
            ("memory", run.memory_bytes, memory), ("throughput", run.tokens_per_s, throughput),
        ):
            if measured is None:
                continue
            found = predictor(run)
            kind: Quantity = "memory" if quantity == "memory" else "throughput"
            if isinstance(found, NoPrediction):
                missing.append((run.id, kind, found.reason))
            else:
                scores.append(Score(by_id[run.id], kind, measured, found.value, found.low, found.high))
    again: dict[str, list[Score]] = {}
    for run in second:
        found = memory(run)
        if run.memory_bytes is not None and not isinstance(found, NoPrediction):
            line = Score(by_id[run.id], "memory", run.memory_bytes, found.value, found.low, found.high)
            again.setdefault(run.memory_kind, []).append(line)
    used = Counter(label for run in known for label, _ in run.assumed)
    return Validation(
        len(every), _block(scores, every, "memory", lambda x: x.kind != "unstated"),
        _block(scores, every, "throughput", lambda x: True), _groups(scores, every),
        {kind: summarise_errors(again.get(kind, []), n) for kind, n in Counter(k for x in every for k in x.second).items()},
        tuple((kind, score) for kind, some in again.items() for score in some), tuple(scores),
        _fits(known, memory),
        tuple(_fit_row(run, memory) for run in known if run.memory_bytes is None and run.tokens_per_s is None),
        tuple(skipped), tuple(missing), tuple(used.most_common()),
    )  # fmt: skip


def _groups(scores: list[Score], labels: tuple[RowLabel, ...]) -> dict[str, dict[str, tuple[ErrorBlock, ErrorBlock]]]:
    out: dict[str, dict[str, tuple[ErrorBlock, ErrorBlock]]] = {}
    for group in GROUPS:
        names = dict.fromkeys(getattr(x, group) for x in labels if x.memory or x.throughput)
        out[group] = {name: _pair(scores, labels, group, name) for name in names}
    return out


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
    found = memory(replace(run, memory_kind="process"))
    card = None if run.gpu is None else run.gpu.memory_bytes
    if isinstance(found, NoPrediction):
        return FitRow(run.id, not run.out_of_memory, None, None, card, found.reason)
    fits = None if card is None else found.value <= card
    return FitRow(run.id, not run.out_of_memory, fits, found.value, card, "" if card else f"gpu: {run.gpu_name!r}; no one card")


def _fits(runs: tuple[MeasuredRun, ...], memory: Predictor) -> Fits:
    """The process's predicted peak against the card's memory, for every run on a card of the catalog."""
    counts: Counter[tuple[bool, bool]] = Counter()
    for run in runs:
        if run.gpu is None:
            continue
        found = memory(replace(run, memory_kind="process"))
        if not isinstance(found, NoPrediction):
            counts[run.out_of_memory, found.value <= run.gpu.memory_bytes] += 1
    failed, ran = counts[True, True] + counts[True, False], counts[False, True] + counts[False, False]
    return Fits(failed, counts[True, False], ran, counts[False, True])
