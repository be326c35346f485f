"""What adapters that are applied at run time leave of the engine's speed.

    speed = seconds that the step fitted without them takes for the work of a point / seconds that were measured

over the windows of each point with unmerged adapters; several points with as many adapters are averaged in logarithms.
"""

from dataclasses import dataclass

import numpy as np

from roi.estimate.serving.iteration import expert_share
from roi.estimate.serving.step_fit import StepFit, fitted_points, kv_reader
from roi.estimate.serving.windows import StepRows, in_chunks, point_rows
from roi.estimate.step.calibration import half_width
from roi.facts.model import ModelShape
from roi.facts.serve_profile import ServeProfile


@dataclass(frozen=True)
class AdapterSpeed:
    """Speed with unmerged adapters over the speed without, for the same work."""

    adapters: int
    """Different ones among the requests."""
    speed: float
    low: float
    """5th percentile of the speed under another load."""
    high: float
    """95th percentile."""
    points: int


def adapter_speeds(profile: ServeProfile, fit: StepFit, shape: ModelShape | None = None) -> tuple[AdapterSpeed, ...]:
    """The speed with each number of unmerged adapters, fewest first; none where the fit is of such points itself.

    Points that were cut short are left out.
    """
    used = {number for number, _ in fitted_points(profile)}
    slower = [(i, p) for i, p in enumerate(profile.points) if p.adapter == "unmerged" and p.complete and i not in used]
    logs: dict[int, list[float]] = {}
    for number, point in slower:
        reader, share = kv_reader(shape, profile.gpus), expert_share(shape) if shape else 0.0
        rows, _ = point_rows(point, number, reader, share, ends_only=profile.ends_only)
        if rows is None or fit.iteration is None:
            continue
        windows = rows.request == 0.0
        ratio = fitted_seconds(fit, rows)[windows].sum() / rows.seconds[windows].sum() if windows.any() else 0.0
        if ratio > 0.0:
            logs.setdefault(point.adapters, []).append(float(np.log(ratio)))
    return tuple(_speed(count, np.array(logs[count]), fit) for count in sorted(logs))


def fitted_seconds(fit: StepFit, rows: StepRows) -> np.ndarray:
    """Seconds that the fitted step takes for each row's work."""
    assert fit.iteration is not None
    rows = in_chunks(rows, fit.step_tokens) if fit.step_tokens else rows
    step = fit.iteration
    return np.asarray(
        step.step_s * rows.steps + step.experts_s * rows.touched + step.sequence_s * rows.sequences
        + step.kv_byte_s * rows.kv + step.prefill_token_s * rows.prefill + (fit.request_s or 0.0) * rows.request
    )


def _speed(adapters: int, logs: np.ndarray, fit: StepFit) -> AdapterSpeed:
    centre = float(np.mean(logs))
    typical = max(fit.point_scatter or 0.0, fit.median_error or 0.0)
    half = half_width(logs.size, float(np.sum(np.square(logs - centre))), typical)
    speed = float(np.exp(centre))
    low, high = speed * float(np.exp(-half)), speed * float(np.exp(half))
    return AdapterSpeed(adapters=adapters, speed=speed, low=low, high=high, points=logs.size)
