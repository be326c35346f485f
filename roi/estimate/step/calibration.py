"""How far measured training steps lie from the roofline, and what that says of steps that nobody measured.

A group is the runs of one source (a profile, or a table's source) on one GPU in one layout: the same software and habits.
Its scale, the overall efficiency, is the median of roofline time over measured time. Within a group one scale carries over;
between groups, and between GPUs, it scatters: more on the cards of desktops and workstations than on those of data centres.
Jobs of several cards lie lower than those of one: each collective waits for the slowest card, and its kernels take
multiprocessors from the products. The 90% interval of a run of a group that nobody measured is, in logarithms,

    centre +- WIDTH x 1.645 x sqrt(variance between groups + variance within one)

Each variance is that of the groups on this very card in this layout, with that of cards of its kind counted for a few more.
WIDTH is conformal: published rows were left out by source, by card and by model, and it is what 90% of them needed, each
source, card or model that is left out weighing alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median  # numpy's loads masked arrays
from typing import Final, Literal

import numpy as np

from roi.errors import InputError
from roi.estimate.step.step_time import StepEfficiency, StepTime, StepWork, step_time
from roi.estimate.training.plan import TrainingPlan
from roi.estimate.training.sharding import HOST_SPREAD
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.numerics.arrays import Array
from roi.numerics.spreads import TAIL, student

Level = Literal["profile", "device", "gpu", "layout", "all", "tuner", "mixture"]
"""What a scale rests on: runs of one's own on this GPU over published ones (own_runs); its measured rates and a dry run; other
sources on it; other GPUs in the same layout; everything; LoRA's at the pace of another tuner; dense
models' with a mixture's own scatter beside it (both evidence/training_speed.py)."""
ONE_GPU: Final = "one GPU"
"""Layout of a job on a single card; others are named by what they share."""
REPLICAS: Final = "replicas"
"""Layout of a job whose cards share nothing but gradients."""
PRIOR_RUNS: Final = 4.0
"""Runs that the typical scatter counts for where a group is small: three values know their scatter to a factor of two only."""
PRIOR_GROUPS: Final = 16.0
"""Groups that the median of the groups of one card, or of several, counts for beside those of a card in a layout: software
moves a source's scale as much as the card does, so one source on a card says little of the next on it. Of 307 published rows,
each with its source left out, the median error is 6.2% at 2 groups, 5.7% at 8, 5.8% at 16 and where the card is not looked at;
with one median for jobs of one card and of several, 7.8%."""
PRIOR_SPREADS: Final = 2.0
"""Groups that the scatter of cards of its kind counts for beside a card's own groups, and LONE_BETWEEN and LONE_SCATTER beside
those of a kind: two groups know their scatter to a factor of three."""
WIDTH: Final = 0.72
"""Factor on the half width: the 90th percentile of how many half widths 307 published rows lie from a scale that has not seen
their source, their card or their model, the largest of the three ways (0.59 of 10 sources, 0.714 of 9 cards, 0.59 of 24 models;
lab/fit_training_intervals.py). What is left out weighs alike, however many rows it has: the next card is one more card, not one
more row of a known one (Dunn, Wasserman, Ramdas, JASA 118, 2023; Lee, Barber, Willett, arXiv 2306.06342). Their quantile of
(K + 1) / K x 90% over K groups is not taken: of 9 cards it is the largest distance of any row, 2.3, which is 4.4 times an
oracle's width; this is 1.4 times."""
RECORDS: Final[dict[Level, tuple[int, float]]] = {
    "profile": (1367, 92.0), "gpu": (489, 95.0), "layout": (406, 90.0), "all": (26, 100.0), "tuner": (160, 99.0)}
"""Rows so left out (a row once for each way, or for each profile of its group), and the percent of them inside the interval."""
LONE_SCATTER: Final = 0.15
"""Within-group scatter of log(roofline / measured) that stands in for many groups: between one code's batches and methods."""
LONE_BETWEEN: Final = 0.35
"""Scatter between groups that stands in for many: compiled against eager loops differ by a factor of two."""


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
    """What tells its model from others: its name, of one's own runs with its parameters behind it."""
    measured_s: float
    """Seconds of one micro-step, its share of the optimizer step included."""
    theory_s: float
    """The roofline's, at an overall efficiency of 1."""
    pcie: bool = False
    """True where PCIe alone joins its cards."""
    size: tuple[float, ...] = ()
    """Sequences of a micro-step, tokens of each and GPUs: with the roofline's seconds they tell one plan from another."""

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
    """Root mean square of log(roofline / measured) around that of `overall`."""
    left_out: float | None = None
    """Median error of each run from the scale of the others, percent; None for a single run."""
    from_three: float | None = None
    """Median error of the rest from the scale of three runs, averaged over the choices of three, percent."""
    from_first_three: float | None = None
    """Median error of the rest, percent, from the scale of the three runs that come first in the table."""

    @property
    def name(self) -> str:
        """The group as reports quote it."""
        return f"{self.source} on {self.gpu}" + ("" if self.layout == ONE_GPU else f", {self.layout}")


@dataclass(frozen=True)
class Piece:
    """What the runs of one source did to an interval, those named before it included."""

    source: str
    n: int
    """How many measurements of that source there are: runs, or loads or points of its server."""
    low: float
    """5th percentile of `overall` with it."""
    high: float
    """95th percentile of `overall` with it."""
    contradicts: bool
    """True where they lie outside the interval before, or leave it wider."""


def steps_told(what: str, before: tuple[float, float], pieces: Iterable[Piece]) -> str:
    """The ends of the interval of `what` without measurements of one's own, then with those of one more source at each step."""
    steps = [f"{what} {before[0]:.2f} to {before[1]:.2f} without"]
    for piece in pieces:
        against = ", which contradicts what was known" if piece.contradicts else ""
        steps.append(f"{piece.low:.2f} to {piece.high:.2f} with {piece.source} (n {piece.n}){against}")
    return ", ".join(steps)


@dataclass(frozen=True)
class Evidence:
    """The scale that holds for a GPU and a layout, and how well it is known."""

    efficiency: StepEfficiency
    """Efficiencies of the step, of which `overall` is the scale."""
    low: float
    """5th percentile of `overall`."""
    high: float
    """95th percentile."""
    level: Level
    n: int
    """Runs behind the scale."""
    sources: tuple[str, ...]
    """Groups of runs behind the scale."""
    before: tuple[float, float] | None = None
    """Percentiles of `overall` without runs of one's own; None where there are none."""
    pieces: tuple[Piece, ...] = ()
    """What each source of one's own did to the percentiles of `overall`."""

    @property
    def record(self) -> tuple[int, float] | None:
        """How intervals of this level held on rows left out: (rows, percent inside); None where none was left out."""
        return RECORDS.get(self.level)


def step_at_ends(
    model: ModelShape, plan: TrainingPlan, gpu: Gpu, evidence: Evidence, work: StepWork | None = None,
) -> StepTime:
    """The step at the evidence's speed, and at its 5th and 95th percentile: three values in each field that they move.

    The host's rates, assumed ones, are slow and fast with the card's (HOST_SPREAD); the cards' links are the same in all three.
    """
    known = evidence.efficiency
    ends = replace(known, overall=np.array([known.overall, evidence.low, evidence.high], dtype=float))
    return step_time(model, plan, gpu, ends, work, host_rates=np.array([1.0, 1.0 / HOST_SPREAD, HOST_SPREAD]))


def layout_of(plan: TrainingPlan) -> str:
    """The name of the plan's layout: one GPU, or what several share: replicas (nothing), or the plan's sharding."""
    if plan.gpus == 1:
        return ONE_GPU
    return REPLICAS if plan.sharding == "none" else plan.sharding


def size_of(plan: TrainingPlan) -> tuple[float, ...]:
    """Sequences of a micro-step, tokens of each and GPUs of a plan, as `TimedRun.size`."""
    return float(plan.micro_batch), float(plan.seq), float(plan.gpus)


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
    gpu: str, layout: str, groups: Sequence[GroupFit], efficiency: StepEfficiency, *, pcie: bool = False,
) -> Evidence | None:
    """The best evidence for a GPU and a layout from groups of others; None without any.

    In this order: groups on this GPU in this layout; groups of this layout on other GPUs; all. Each counts once, since many
    rows of one source say nothing of the next, and all groups of one card, or of several, count for PRIOR_GROUPS more. With
    `pcie`, PCIe alone joins its cards: what they gather from each other is then as unsure as on cards of desktops.
    """
    if not groups:
        return None
    here = [g for g in groups if g.gpu == gpu and g.layout == layout]
    like = [g for g in groups if g.layout == layout]
    kind = [g for g in groups if (g.layout == ONE_GPU) == (layout == ONE_GPU)]
    everywhere = float(median(_scales(kind or groups)))
    centre = everywhere
    if here:
        centre = (len(here) * float(median(_scales(here))) + PRIOR_GROUPS * everywhere) / (len(here) + PRIOR_GROUPS)
    between, within = LONE_BETWEEN**2, LONE_SCATTER**2
    desktop = on_desktop(gpu) or (pcie and layout not in (ONE_GPU, REPLICAS))
    for found, middle in (([g for g in groups if on_desktop(g.gpu) == desktop], everywhere), (here, centre)):
        between = _pooled(np.square(_scales(found) - middle), between)
        within = _pooled(np.square([g.log_scatter for g in found if g.n >= 3]), within)
    half = WIDTH * TAIL * float(np.sqrt(between + within))
    level, behind = next(each for each in (("gpu", here), ("layout", like), ("all", groups)) if each[1])
    return Evidence(
        efficiency=replace(efficiency, overall=float(np.exp(centre))), low=float(np.exp(centre - half)),
        high=float(np.exp(centre + half)), level=level, n=sum(g.n for g in behind),  # type: ignore[arg-type]  # one of Level
        sources=tuple(g.name for g in behind),
    )


def on_desktop(gpu: str) -> bool:
    """True for cards of desktops and workstations, by their names: they share PCIe lanes with the host and throttle."""
    return gpu.startswith("RTX")


def _scales(groups: Sequence[GroupFit]) -> Array:
    return np.log([g.overall for g in groups])


def _pooled(squares: Array, typical: float) -> float:
    """The mean square with a typical one counted for PRIOR_SPREADS more."""
    return float((squares.sum() + PRIOR_SPREADS * typical) / (squares.size + PRIOR_SPREADS))


def half_width(n: int, squares: float, typical: float) -> float:
    """Half of the 90% interval of one more value, in logarithms, from the sum of squared distances of n values.

    The typical variance counts for PRIOR_RUNS more; 1 + 1 / n is for the centre's own error.
    """
    freedom = n - 1.0 + PRIOR_RUNS
    variance = (squares + PRIOR_RUNS * typical**2) / freedom
    return float(student(freedom) * np.sqrt(variance * (1.0 + 1.0 / n)))


def log_ratios(runs: Sequence[TimedRun]) -> Array:
    """log(roofline / measured) of each run."""
    return np.asarray([run.log_ratio for run in runs])
