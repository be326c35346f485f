"""How far measured training steps lie from the roofline, and what that says of steps that nobody measured.

A group is the runs of one source (a profile, or a table's source) on one GPU in one layout: the same software and habits.
Its scale, the overall efficiency, is the median of roofline time over measured time. Within a group one scale carries over;
between groups, and between GPUs, it scatters. The 90% interval of the next run's scale is taken in logarithms:

    centre +- width x t x sqrt(variance x (1 + 1 / n))

with the variance of the n scales that are known, the typical variance counted for a few more values, and t the factor of
Student's distribution for that many degrees of freedom. `width` is conformal: published rows were left out by source, by card
and by model, and it is what 90% of them needed (WIDTHS).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median  # numpy's loads masked arrays
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from roi.errors import InputError
from roi.estimate.step.step_time import StepEfficiency
from roi.estimate.training.plan import TrainingPlan
from roi.numerics.spreads import TAIL, student

Level = Literal["profile", "device", "gpu", "layout", "all"]
"""What a scale rests on: runs of one's own on this GPU over published ones (own_runs); its measured rates and a dry run; other
sources on it; other GPUs in the same layout; everything."""
ONE_GPU: Final = "one GPU"
"""Layout of a job on a single card; others are named by what they share."""
PRIOR_RUNS: Final = 4.0
"""Runs that the typical scatter counts for where a group is small: three values know their scatter to a factor of two only."""
PRIOR_GROUPS: Final = 16.0
"""Groups that the median of all groups counts for beside those of a card or a layout: software moves a source's scale as much
as the card does, so one source on a card says little of the next on it. Of 236 published rows, each with its source left out,
the median error is 13.2% at 2 groups, 8.5% at 8, 8.2% at 16 and 7.9% where the card is not looked at."""
WIDTHS: Final[dict[Level, float]] = {"gpu": 0.55, "layout": 1.05, "all": 0.8}
"""Factor on the half width of Student's interval, by what the scale rests on: the 90th percentile of how many half widths 262
published rows lie from a scale that has not seen their source, their card or their model, sources weighted by the root of
their rows, and the three ways averaged (lab/fit_training_intervals.py prints them). For everything together 22 rows
are too few to go as low as they say (0.34). That of own runs is in own_runs."""
RECORDS: Final[dict[Level, tuple[int, float]]] = {
    "profile": (1097, 92.0), "gpu": (359, 95.0), "layout": (401, 94.0), "all": (22, 100.0)}
"""Rows so left out (a row once for each way, or for each profile of its group), and the percent of them inside the interval."""
LONE_SCATTER: Final = 0.15
"""Within-group scatter of log(roofline / measured) where no group has three runs: between one code's batches and methods."""
LONE_BETWEEN: Final = 0.35
"""Scatter between groups where there is a single one: compiled against eager loops differ by a factor of two."""


@dataclass(frozen=True)
class TimedRun:
    """A measured run beside the roofline's time for it."""

    id: str
    source: str
    """The profile's file, or the table's source."""
    gpu: str
    """Name in the catalog."""
    layout: str
    """one GPU, or what several share: replicas, zero2, zero3, fsdp."""
    method: str
    model: str
    """Name in the catalog."""
    measured_s: float
    """Seconds of one micro-step, its share of the optimizer step included."""
    theory_s: float
    """The roofline's, at an overall efficiency of 1."""

    @property
    def log_ratio(self) -> float:
        """log(roofline / measured): the overall efficiency of this run."""
        return float(np.log(self.theory_s / self.measured_s))


@dataclass(frozen=True)
class GroupFit:
    """The scale of one source on one GPU in one layout, and how its runs scatter around it."""

    source: str
    gpu: str
    layout: str
    n: int
    overall: float
    """Roofline time over measured time, median of the runs."""
    log_scatter: float
    """Root mean square of log(roofline / measured) around it."""
    left_out: float | None = None
    """Median error of each run from the scale of the others, percent; None for a single run."""
    from_three: float | None = None
    """Median error of the rest from the scale of three runs, averaged over the choices of three, percent."""
    from_first_three: float | None = None
    """The same with the first three in the table's order."""

    @property
    def name(self) -> str:
        """The group as reports quote it."""
        return f"{self.source} on {self.gpu}" + ("" if self.layout == ONE_GPU else f", {self.layout}")


@dataclass(frozen=True)
class Piece:
    """What the runs of one source did to an interval, those named before it included."""

    source: str
    n: int
    """Its runs."""
    low: float
    """5th percentile of `overall` with it."""
    high: float
    """95th percentile."""
    contradicts: bool
    """True where they lie outside the interval before: the next may then be wider."""


@dataclass(frozen=True)
class Evidence:
    """The scale that holds for a GPU and a layout, and how well it is known."""

    efficiency: StepEfficiency
    """Its `overall` is the scale."""
    low: float
    """5th percentile of `overall`."""
    high: float
    """95th percentile."""
    level: Level
    n: int
    """Runs behind the scale."""
    sources: tuple[str, ...]
    """Groups behind it."""
    before: tuple[float, float] | None = None
    """Percentiles of `overall` without runs of one's own; None where there are none."""
    pieces: tuple[Piece, ...] = ()
    """What each source of one's own did to them."""

    @property
    def record(self) -> tuple[int, float] | None:
        """(rows left out, percent of them inside): how such intervals have held; None where nothing was left out."""
        return RECORDS.get(self.level)


def layout_of(plan: TrainingPlan) -> str:
    """The name of the plan's layout: one GPU, or what several share: replicas (nothing), zero2, zero3, fsdp."""
    if plan.gpus == 1:
        return ONE_GPU
    return "replicas" if plan.sharding == "none" else plan.sharding


def grouped(runs: Iterable[TimedRun]) -> tuple[tuple[TimedRun, ...], ...]:
    """The runs by GPU, source and layout, groups and runs in their order."""
    found: dict[tuple[str, str, str], list[TimedRun]] = {}
    for run in runs:
        found.setdefault((run.gpu, run.source, run.layout), []).append(run)
    return tuple(tuple(group) for group in found.values())


def scale_group(runs: Sequence[TimedRun]) -> GroupFit:
    """The scale of one group: the median of the logarithms, which a run that paged or spilled does not move."""
    if not runs:
        raise InputError("calibration: no runs to fit")
    logs = log_ratios(runs)
    centre = float(median(logs))
    return GroupFit(
        source=runs[0].source, gpu=runs[0].gpu, layout=runs[0].layout, n=len(runs), overall=float(np.exp(centre)),
        log_scatter=float(np.sqrt(np.mean((logs - centre) ** 2))),
    )


def evidence_for(
    gpu: str, layout: str, groups: Sequence[GroupFit], efficiency: StepEfficiency,
) -> Evidence | None:
    """The best evidence for a GPU and a layout from groups of others; None without any.

    In this order: groups on this GPU in this layout; groups of this layout on other GPUs; all. Each counts once, since many
    rows of one source say nothing of the next, and all groups count for PRIOR_GROUPS more. The interval is that of a run of a
    group nobody measured. Within a group scales scatter as in the median group of three runs or more; between groups by
    the root mean square around the median.
    """
    scatters, scales = [g.log_scatter for g in groups if g.n >= 3], np.log([g.overall for g in groups])
    within = float(median(scatters)) if scatters else LONE_SCATTER
    across = float(np.sqrt(np.mean((scales - median(scales)) ** 2))) if len(scales) > 2 else LONE_BETWEEN
    here = [g for g in groups if g.gpu == gpu and g.layout == layout]
    like = [g for g in groups if g.layout == layout]
    everywhere = float(median(scales)) if groups else 0.0

    def spread(found: Sequence[GroupFit]) -> tuple[float, float]:
        """Centre and half width, in logarithms, of a group that nobody measured, from those found."""
        those, k = np.log([g.overall for g in found]), len(found)
        centre = (k * float(median(those)) + PRIOR_GROUPS * everywhere) / (k + PRIOR_GROUPS)
        return centre, float(np.hypot(half_width(k, float(np.sum((those - centre) ** 2)), across), TAIL * within))

    for level, found in (("gpu", here), ("layout", like), ("all", groups)):
        if found:
            centre, half = spread(found)
            # to know the card as well cannot make less certain than not to know it
            half = min(half, spread(groups)[1])
            return _evidence(efficiency, centre, half, level, found)  # type: ignore[arg-type]  # one of Level
    return None


def half_width(n: int, squares: float, typical: float) -> float:
    """Half of the 90% interval of one more value, in logarithms, from the sum of squared distances of n values.

    The typical variance counts for PRIOR_RUNS more; 1 + 1 / n is for the centre's own error.
    """
    freedom = n - 1.0 + PRIOR_RUNS
    variance = (squares + PRIOR_RUNS * typical**2) / freedom
    return float(student(freedom) * np.sqrt(variance * (1.0 + 1.0 / n)))


def log_ratios(runs: Sequence[TimedRun]) -> NDArray[np.float64]:
    """log(roofline / measured) of each run."""
    return np.asarray([run.log_ratio for run in runs])


def _evidence(efficiency: StepEfficiency, centre: float, half: float, level: Level, groups: Sequence[GroupFit]) -> Evidence:
    half = half * WIDTHS[level]
    return Evidence(
        efficiency=replace(efficiency, overall=float(np.exp(centre))), low=float(np.exp(centre - half)),
        high=float(np.exp(centre + half)), level=level, n=sum(g.n for g in groups), sources=tuple(g.name for g in groups),
    )
