"""The loads that a step was fitted on, how well they tell the time of another load, and what the step can be beyond them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np

from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.windows import StepRows
from roi.facts.serve_profile import ServePoint
from roi.numerics.arrays import Array

LEVELS: Final = 3
"""Numbers of sequences, from the fewest to the most measured in equal ratios, over which leverage is a mean."""


class Mix(NamedTuple):
    """What requests ask of a step for each sequence that it decodes; each broadcasts."""

    context: Array
    """KV tokens read for each of them."""
    prompts: Array
    """Prompt tokens computed for each output token."""


@dataclass(frozen=True)
class MeasuredRange:
    """The loads behind a fitted step."""

    told: Array
    """Covariance of the coefficients, each over its value, where whole loads scatter by 1 around the line, shape (k, k)."""
    sequences: tuple[float, float]
    """Fewest and most sequences that were decoded at a time, means of loads."""
    mixes: Mix
    """Requests of each load."""
    in_flight: float
    """Most requests that were in flight at a time in a load."""
    context_tokens: float
    """Longest mean prompt with its answer of a load."""

    def leverage(self, step: Iteration, mixes: Mix | None = None) -> float:
        """Variance that the fitted loads leave in the time of another one, over the scatter of loads around the line.

        With z the shares of that load's time and Z those of the fitted ones it is z' (Z'Z)^-1 z (any text on regression; where
        a load has windows and lone first tokens both are off alike), so that the next load has 1 + that of the scatter's
        variance. The mean over these requests, or those measured, each at LEVELS numbers of sequences in the
        range measured. It grows with the square of the distance. `step` is the fitted one, KV in tokens. Ignored: loads of
        more rows count for more in the fit.
        """
        context, prompts = self.mixes if mixes is None else mixes
        n = np.geomspace(*self.sequences, LEVELS)[:, None]
        terms = np.broadcast_arrays(
            step.step_s, step.experts_s * step.touched(n), step.sequence_s * n, step.kv_byte_s * n * context,
            step.prefill_token_s * n * prompts, 0.0)
        asked = _shares(np.stack(terms, axis=-1).reshape(-1, len(terms)))
        return float(np.mean(np.einsum("ij,jk,ik->i", asked, self.told, asked)))


def measured_range(rows: StepRows, step: Iteration, request_s: float, points: Sequence[ServePoint]) -> MeasuredRange:
    """The range that these rows and the points behind them span, of which one at least has windows; `step` was fitted on them.

    `request_s` are the seconds of a request outside the steps.
    """
    columns = np.stack([rows.steps * step.step_s, rows.touched * step.experts_s, rows.sequences * step.sequence_s,
                        rows.kv * step.kv_byte_s, rows.prefill * step.prefill_token_s, rows.request * request_s], axis=-1)
    parts = [[(rows.point == each) & (rows.request == kind) for kind in (0.0, 1.0)] for each in np.unique(rows.point)]
    loads = [[_shares(columns[part].sum(axis=0)) for part in both if part.any()] for both in parts]
    known, whole = np.array([shares for load in loads for shares in load]), np.array([np.sum(load, axis=0) for load in loads])
    inverse = np.linalg.pinv(known.T @ known)
    decoding = [(rows.request == 0.0) & (rows.point == each) for each in np.unique(rows.point[rows.request == 0.0])]
    steps, sequences, kv = (np.array([float(column[each].sum()) for each in decoding])
                            for column in (rows.steps, rows.sequences, rows.kv))
    good = [[r for r in point.requests if r.error is None] for point in points]
    answers = np.array([float(sum(r.output_tokens for r in each)) for each in good])
    prompts = np.array([float(sum(max(r.prompt_tokens - r.cached_tokens, 1) for r in each)) for each in good])
    stated = max((min(point.concurrency or 0, len(point.requests)) for point in points), default=0)
    return MeasuredRange(
        told=np.asarray(inverse @ (whole.T @ whole) @ inverse, dtype=np.float64),
        sequences=(float(np.min(sequences / steps)), float(np.max(sequences / steps))),
        mixes=Mix(kv / sequences, prompts / answers), in_flight=max(float(np.max(sequences / steps)), float(stated)),
        context_tokens=max(float(np.mean([r.prompt_tokens + r.output_tokens for r in each])) for each in good))


def beyond(step: Iteration, in_flight: float) -> tuple[Iteration, Iteration]:
    """The step at its slowest and at its fastest where it decodes more than `in_flight` sequences, the most measured.

    Slowest: a step of n times as many takes n such steps one after the other, or a server would do better to take those. Each
    further sequence then takes its part of what all share (a, and reading experts) besides its own b: products bound by
    compute, none of whose reading is shared. Fastest: products bound by reading, whose time no further row moves; a sequence
    then takes its KV alone. Up to `in_flight` both are as fitted. What is between is as the fit draws it out, a straight line.
    Taken as 5th and 95th percentile, with the fit's own spread, 92 to 93% of 2,417 published loads lie inside, at whatever
    distance (lab/serving_lines.py). With 2 FLOPs a parameter, at half the card's peak, for each further one at the slowest, 65%
    would.
    """
    shared = (step.step_s + step.experts_s * step.touched(in_flight)) / in_flight
    return replace(step, full_rows=in_flight, saved_row_s=-shared), replace(step, full_rows=in_flight,
                                                                         saved_row_s=step.sequence_s)


def _shares(seconds: Array) -> Array:
    """Each coefficient's share of the time, shape (loads, coefficients)."""
    return np.asarray(seconds / seconds.sum(axis=-1, keepdims=True))
