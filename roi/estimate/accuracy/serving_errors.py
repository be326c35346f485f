"""Predictions of serving runs with their intervals, and their errors by source, card and engine.

A prediction is the operating point at the engine's speed, its interval those at the ends of the speed's spread.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from roi.estimate.accuracy.error_blocks import ErrorBlock, RowScore, SkippedRow, summarise_errors
from roi.estimate.accuracy.measured_run import Prediction
from roi.estimate.accuracy.serving_run import ServingRun, room_spread, run_figures, stated_tpot
from roi.estimate.replay.replica_plan import ReplicaPlan
from roi.estimate.serving.efficiencies import Efficiencies
from roi.estimate.serving.replica_memory import EngineHabits
from roi.numerics.spreads import joint_deviation

ServingQuantity = Literal["throughput", "tpot", "ttft"]

QUANTITIES: Final[tuple[ServingQuantity, ...]] = ("throughput", "tpot", "ttft")
RATES: Final = ("output_tokens_per_s", "total_tokens_per_s", "requests_per_s")
"""Throughput as rows state it, the first of them that is there."""

RAW_LENGTHS: Final = 1.15
"""Loads of real text: their mean lengths say nothing of their tails, which decide how a run drains and how full steps are."""
WAITING: Final = 3.0
"""TTFT of open and saturated loads, and before servers of prompts alone, follows the queue: a few percent of rate move it by a
factor."""
STREAMED: Final = 1e4
"""Tokens/s of a replica from which the process that sends them, or the one that receives them, may fall behind."""
BACKLOG: Final = 8.0
"""How much later first tokens may then come, behind others that wait to be sent: TTFT grew with tokens/s and with the length of
answers by 2 to 30 for Llama-3.1-8B on H200 (SGLang) and H100 (TensorRT-LLM), and not at all on B200s of 2026."""
STALLED: Final = 4.0
"""TPOT of open loads on engines of 2024, which computed every prompt that waited before they decoded on (vLLM's documentation
of chunked prefill): short answers among arriving prompts wait several steps for a token, and the replay mixes the two."""
SLOWEST: Final = 0.04
"""Share of the published speed below which a row is of one request, or of another unit: of 4,157 published rows that no other
rule sets apart the slowest has 0.083."""
GROUPS: Final = ("source", "gpu", "engine", "group")
"""What blocks are split by; group is card and engine together."""


@dataclass(frozen=True)
class ServingEvidence:
    """What an engine's figures rest on, for one run."""

    efficiencies: Efficiencies
    habits: EngineHabits
    speed_low: float
    """P5 of measured over predicted speed, where what the run has new was left out of the fit."""
    speed_high: float
    ttft_low: float
    """P5 of measured over predicted TTFT of closed loops."""
    ttft_high: float
    adapters: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Throughput with the run's unmerged adapters over that without: middle, low, high."""
    basis: str = ""
    """Which fit, and what was left out for the interval."""


def predict_serving(run: ServingRun, evidence: ServingEvidence) -> dict[ServingQuantity, Prediction]:
    """Throughput (of the kind that the row states), TPOT and TTFT with their ends, all from one operating point.

    The ends are the operating points at the ends of the speed: an open loop below its capacity has a certain throughput and
    an uncertain TPOT. Defaults, adapters and what no fit has seen widen the speed: squares of logarithms add.
    """
    middle, low, high = evidence.adapters
    others = unsure_of(run, run.system.plan(evidence.habits))
    slow = middle * math.exp(-joint_deviation([-math.log(evidence.speed_low), math.log(middle / low), *others]))
    fast = middle * math.exp(joint_deviation([math.log(evidence.speed_high), math.log(high / middle), *others]))
    figures = run_figures(run, evidence.efficiencies, evidence.habits)
    point, slower, faster = (figures(speed) for speed in (middle, slow, fast))
    found: dict[ServingQuantity, Prediction] = {
        "throughput": _within(*(getattr(at, _stated_rate(run)) for at in (point, slower, faster))),
        "tpot": _within(stated_tpot(run, point), stated_tpot(run, faster), stated_tpot(run, slower)),
    }
    if run.load.kind == "open" and not run.recent:
        tpot, most = found["tpot"], math.exp(joint_deviation([math.log(STALLED), *others]))
        waiting = point.ttft_s / max(run.load.output_tokens - 1.0, 1.0)
        found["tpot"] = Prediction(tpot.value, tpot.low, max(tpot.high, (tpot.value + waiting) * most))
    queued = run.load.kind not in ("static", "closed") or run.system.prefill_replicas > 0.0
    wait = [math.log(WAITING)] if queued else []
    early = math.exp(-joint_deviation([-math.log(evidence.ttft_low), *wait, *others]))
    sent = point.output_tokens_per_s / run.system.replicas
    wait += [math.log(BACKLOG)] if run.load.kind == "closed" and sent > STREAMED else []
    late = math.exp(joint_deviation([math.log(evidence.ttft_high), *wait, *others]))
    found["ttft"] = Prediction(point.ttft_s, min(point.ttft_s * early, faster.ttft_s), max(point.ttft_s * late, slower.ttft_s))
    return found


def unsure_of(run: ServingRun, plan: ReplicaPlan) -> list[float]:
    """Logs of what widens the run's interval beyond others' of its engine: defaults, room, lengths, links, attention."""
    others = [math.log(factor) for _, factor in run.assumed] + [room_spread(run, plan), plan.link_spread, plan.attention_spread]
    return others + ([math.log(RAW_LENGTHS)] if run.load.length_cv else [])


def _within(value: float, *ends: float) -> Prediction:
    """The figure between its ends. Under an SLO a slower server holds fewer sequences, whose tokens may then come faster."""
    return Prediction(value, min(value, *ends), max(value, *ends))


def _stated_rate(run: ServingRun) -> str:
    """The name of the rate that the row states: output tokens (also where it states none), else all tokens, else requests."""
    return next((name for name in RATES if getattr(run, name) is not None), RATES[0])


def measured_figures(run: ServingRun) -> dict[ServingQuantity, float]:
    """What the row states, in SI units; throughput is output tokens a second, else all tokens, else requests."""
    rate = getattr(run, _stated_rate(run))
    found: dict[ServingQuantity, float | None] = {"throughput": rate, "tpot": run.tpot_s, "ttft": run.ttft_s}
    return {name: value for name, value in found.items() if value is not None}


def speeds_over(run: ServingRun, found: Mapping[ServingQuantity, Prediction]) -> tuple[float, ...]:
    """Measured over predicted speed by TPOT and by throughput, in this order, of those that the row states."""
    stated = measured_figures(run)
    by_tokens = (found["tpot"].value / stated["tpot"],) if "tpot" in stated else ()
    return (*by_tokens, *((stated["throughput"] / found["throughput"].value,) if "throughput" in stated else ()))


def too_slow(speeds: Iterable[float]) -> str:
    """Why a row of such `speeds_over` stands apart; empty where it does not."""
    least = min(speeds, default=1.0)
    return f"at {least:.2g} of the published speed: is it of one request, or of another unit?" if least < SLOWEST else ""


def derived_throughput(run: ServingRun) -> float | None:
    """Output tokens a second by Little's law, for a closed loop that states TTFT and TPOT and no rate; None for others."""
    stated = run.output_tokens_per_s or run.total_tokens_per_s or run.requests_per_s
    if run.load.kind != "closed" or stated is not None or run.ttft_s is None or run.tpot_s is None:
        return None
    o = run.load.output_tokens
    if run.tpot_kind == "end-to-end":
        return (run.load.concurrency or 1.0) / run.tpot_s
    steps = o if run.tpot_kind == "over-all-tokens" else o - 1.0
    return (run.load.concurrency or 1.0) * o / (run.ttft_s + steps * run.tpot_s)


class ServingLabel(NamedTuple):
    """What a row of a table is and states, whether or not it became a configuration."""

    id: str
    source: str
    gpu: str
    engine: str
    """Engine family."""
    model: str
    quantities: frozenset[str]
    """Which of throughput, tpot and ttft the row states."""
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
    """Rows that are marked so, are `impossible`, or `too_slow`; in no other block."""
    why_implausible: tuple[tuple[str, str], ...]
    """(id, reason) of each of these rows that is a configuration."""
    scores: tuple[ServingScore, ...]
    """What `blocks` and `by` count, in the table's order."""
    apart: tuple[ServingScore, ...]
    """What `blocks` and `by` leave out: derived figures, and those of implausible rows."""
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
    bases, whys = Counter[str](), list[tuple[str, str]]()
    for run in runs:
        known = evidence(run)
        if known is None:
            unpredicted.append((run.id, f"engine: {run.engine!r}; too few runs of other models to fit"))
            continue
        bases[known.basis] += 1
        found = predict_serving(run, known)
        why = run.implausible or too_slow(speeds_over(run, found))
        if why:
            whys.append((run.id, why))
            by_id[run.id] = by_id[run.id]._replace(implausible=True)
        stated: list[tuple[ServingQuantity, float, bool]] = [(name, x, False) for name, x in measured_figures(run).items()]
        rate = None if why else derived_throughput(run)
        stated += [] if rate is None else [("throughput", rate, True)]
        for name, value, from_law in stated:
            kept = derived if from_law else doubtful if why else scores
            figure = found[name]
            kept.append(ServingScore(
                label=by_id[run.id], quantity=name, measured=value, predicted=figure.value, low=figure.low, high=figure.high,
                basis=known.basis, derived=from_law))
    labels = tuple(by_id.values())
    plain = [label for label in labels if not label.implausible]
    return ServingValidation(
        rows=len(labels), blocks=_blocks(scores, plain),
        by={group: {name: _blocks(scores, [label for label in plain if getattr(label, group) == name])
                    for name in dict.fromkeys(str(getattr(label, group)) for label in plain)} for group in GROUPS},
        derived=summarise_errors(derived, len(derived)),
        implausible=_blocks(doubtful, [label for label in labels if label.implausible]), why_implausible=tuple(whys),
        scores=tuple(scores), apart=(*derived, *doubtful), skipped=tuple(skipped), unpredicted=tuple(unpredicted),
        assumptions=tuple(Counter(name for run in runs for name, _ in run.assumed).most_common()), bases=dict(bases),
    )  # fmt: skip


def _blocks(scores: Iterable[ServingScore], labels: Sequence[ServingLabel]) -> Blocks:
    wanted, every = {label.id for label in labels}, list(scores)
    return {
        name: summarise_errors((s for s in every if s.quantity == name and s.label.id in wanted),
                               sum(1 for label in labels if name in label.quantities))
        for name in QUANTITIES
    }
