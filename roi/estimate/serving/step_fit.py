"""Coefficients of an engine's step from a profile of the server: values, 90% intervals, and what the profile cannot say.

Each row of time that a client sees (serving/windows) is a sum over the engine steps in it, linear in what a step costs:

    seconds = a x steps + b x decoding sequences + c x KV tokens read + d x prompt tokens + request + e x experts touched

so non-negative least squares over the rows of all closed loops gives the coefficients. Where two columns look alike (every
point has the same prompt length, say) only their sum is known, and the fit says which further point would tell them apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from roi.estimate.serving.iteration import Iteration, kv_bytes_per_gpu
from roi.estimate.serving.measured_range import MeasuredRange, measured_range
from roi.estimate.serving.plausibility import HALVES, beats_least, impossible, least_coefficients
from roi.estimate.serving.routing import expert_share
from roi.estimate.serving.windows import StepRows, decoding_limit, in_chunks, join_rows, point_rows
from roi.facts.gpu import Gpu
from roi.facts.model import ModelShape
from roi.facts.serve_profile import ServePoint, ServeProfile
from roi.numerics.arrays import Array, Flags
from roi.numerics.least_squares import SAME, LinearFit, linear_fit

LEAST_SUCCESSES: Final = 8
"""Requests that must have succeeded: fewer say little about six coefficients."""
LEAST_WINDOWS: Final = 8
"""Windows of decoding that a profile must have to be fitted."""
LEAST_LOOPS: Final = 4
"""Closed loops that a run that was cut short must hold: as many as a step has coefficients."""
NAMES: Final = {
    "step_s": ("a", "a step, however small"), "experts_s": ("e", "reading every expert"),
    "sequence_s": ("b", "each decoding sequence"), "kv_token_s": ("c", "each token of KV cache read"),
    "prefill_token_s": ("d", "each prompt token"), "request_s": ("", "a request outside the steps"),
}
"""The letter and the words of each coefficient."""
NEEDED: Final = ("sequence_s", "kv_token_s", "prefill_token_s")
"""Coefficients without which no load can be predicted; a step itself is in every row."""
COARSE: Final = 0.5
"""Half width over value from which columns that look alike are reported as not known apart."""
CHUNKS: Final = tuple(float(2**i) for i in range(14, 6, -1))
"""Prompt tokens of a step that are tried, 16,384 to 128: engines' defaults are powers of two."""
BETTER: Final = 6.0
"""Log-likelihood by which a chunk size must be better than none, 0.05% of a chi-squared of one: a wrong one cuts every
prompt of a replay."""
CUT_PROMPTS: Final = 3
"""Lone prompts that must be longer than a chunk for its size to be tried: one slow first token is as late as one more step."""
MORE: Final = {
    "step_s": "a point with another number of requests in flight (for example 1 beside 16)",
    "experts_s": "points with 1, 4 and 32 requests in flight",
    "sequence_s": "a point with another number of requests in flight (for example 1 beside 16)",
    "kv_token_s": "a point with as many requests in flight and much longer prompts",
    "prefill_token_s": "a point with one request at a time and long prompts",
    "request_s": "points with one request at a time, short prompts and long ones",
}
"""The point that tells a coefficient from the others."""


@dataclass(frozen=True)
class Coefficient:
    """One coefficient of the step, seconds, with its 90% interval."""

    name: str
    """step_s, experts_s, sequence_s, kv_token_s, prefill_token_s, request_s."""
    value: float
    low: float
    """5th percentile; 0 where the value is 0, and the interval is then one-sided."""
    high: float
    """95th percentile of the coefficient."""


@dataclass(frozen=True)
class CoefficientSum:
    """Coefficients that the profile knows only as a sum, at the mean work of its rows; seconds."""

    names: tuple[str, ...]
    per: tuple[float, ...]
    """What each is multiplied with: units of it for one unit of the first."""
    value: float
    low: float
    """5th percentile of the sum."""
    high: float
    """95th percentile of the sum."""
    add: str
    """The point that would tell them apart."""


@dataclass(frozen=True)
class StepFit:
    """What a profile says of the engine's step."""

    iteration: Iteration | None
    """The engine's step, whose `kv_byte_s` is here per KV TOKEN; None where `rejected` says why."""
    request_s: float | None = None
    """Seconds of a request outside the engine's steps (network, HTTP, tokenizer): in TTFT only; None where no request met an
    idle server."""
    coefficients: tuple[Coefficient, ...] = ()
    sums: tuple[CoefficientSum, ...] = ()
    """Coefficients that are known as a sum only; empty where each is known well enough by itself."""
    windows: int = 0
    """Windows of decoding that were fitted."""
    lone: int = 0
    """First tokens, of requests that met an idle server, that were fitted."""
    points: int = 0
    """Points that these rows come from."""
    median_error: float | None = None
    """Median of |fitted / measured - 1| over the windows that were fitted."""
    point_scatter: float | None = None
    """Standard deviation of points around the fit, relative, the noise inside a point left out."""
    condition: float | None = None
    """Condition index of the columns."""
    measured: MeasuredRange | None = None
    """The loads that it was fitted on; None where nothing was."""
    step_tokens: float | None = None
    """Prompt tokens that a step computes at most, where lone prompts show that they are cut; None where they do not."""
    sequence_limit: int | None = None
    """Requests that the server decodes at a time at most, where others waited for a slot; None where none had to."""
    prompts_alone: bool = False
    """True where its steps were counted as those of an engine that computes prompts in steps of their own."""
    check_missing: str | None = None
    """Why the profile holds no complete open loop to check the fit by, where it was cut short and fitted all the same."""
    rejected: tuple[str, ...] = ()
    """Reasons for which nothing was fitted; empty where something was."""
    notes: tuple[str, ...] = ()
    """Points that were left out, coefficients that no point shows."""


def fit_profile(
    profile: ServeProfile, shape: ModelShape | None = None, gpu: Gpu | None = None, *, prompts_alone: bool = False,
) -> StepFit:
    """The step's coefficients from the profile's closed loops (all its points, where it has nothing else).

    Open loops are held out. With `shape`, KV tokens are counted as the model's attention reads them (windows cap it, in units
    of a token that every layer keeps) and experts get a column; with `gpu` too, a profile that beats the card's roofline is
    rejected, and coefficients that it leaves open are no less than the roofline's. Points of unmerged adapters are not mixed
    with others. `prompts_alone`: how the engine schedules.
    """
    bad = _unusable(profile) or impossible(profile, shape, gpu)
    if bad:
        return StepFit(None, rejected=tuple(bad))
    chosen = fitted_points(profile)
    share = expert_share(shape) if shape else 0.0
    found, notes = [], []
    for number, point in chosen:
        rows, why = point_rows(point, number, kv_reader(shape, profile.gpus), share, ends_only=profile.ends_only,
                               prompts_alone=prompts_alone)
        if rows is None:
            notes.append(f"point {number + 1} left out: {why}")
        else:
            found.append(rows)
    windows = sum(int(np.count_nonzero(rows.request == 0)) for rows in found)
    if windows < LEAST_WINDOWS:
        why = f"{windows} windows of decoding, at least {LEAST_WINDOWS} are needed: ask for more output tokens or requests"
        return StepFit(None, rejected=(why,), notes=tuple(notes))
    if profile.cut is not None and not profile.cut.closed_loops:
        notes.append(f"the run was cut short: fitted on the {len(chosen)} closed loops that are whole")
    limit, why = decoding_limit(point for _, point in chosen)
    rows = join_rows(found)
    least = least_coefficients(profile, shape, gpu)
    fit = _fitted(rows, share, [*notes, *([why] if why else [])], least, alone=limit == 1)
    span = None
    if fit.iteration is not None:
        cut = rows if fit.step_tokens is None else in_chunks(rows, fit.step_tokens)
        of = [point for number, point in chosen if np.any((rows.point == number) & (rows.request == 0.0))]
        span = measured_range(cut, fit.iteration, fit.request_s or 0.0, of)
    return replace(fit, sequence_limit=limit, prompts_alone=prompts_alone, measured=span, check_missing=check_missing(profile))


def fitted_points(profile: ServeProfile) -> list[tuple[int, ServePoint]]:
    """Pairs (number from 0, point) that a fit uses: complete, of one adapter state, closed loops where there are two."""
    complete = [(i, p) for i, p in enumerate(profile.points) if p.complete]
    usable = [(i, p) for i, p in complete if p.adapter != "unmerged"] or complete
    closed = [(i, p) for i, p in usable if p.arrivals == "closed"]
    return closed if len(closed) > 1 else usable


def held_out_points(profile: ServeProfile) -> list[tuple[int, ServePoint]]:
    """Pairs (number from 0, point) of the complete open loops that the fit has not seen; a cut one holds only quick answers."""
    used = {i for i, _ in fitted_points(profile)}
    return [(i, p) for i, p in enumerate(profile.points) if i not in used and p.adapter != "unmerged" and p.complete]


def usable_though_cut(profile: ServeProfile) -> bool:
    """True for a profile that was cut short and may be fitted all the same: the one rule, for all who read such a profile.

    Where time or a signal cut it, the closed loops that are complete are as good as those of a complete run, and a fit sees
    nothing else; LEAST_LOOPS of them are needed, and whether they tell the coefficients apart is the fit's to say. Where
    requests failed, nothing is fitted.
    """
    if profile.cut is None or profile.cut.failed:
        return False
    used = fitted_points(profile)
    return len(used) >= LEAST_LOOPS and all(p.arrivals == "closed" for _, p in used)


def check_missing(profile: ServeProfile) -> str | None:
    """Why no complete open loop checks the fit of a profile that was cut short; None where one does, or it was not cut."""
    cut = profile.cut
    return cut.why if cut and usable_though_cut(profile) and not held_out_points(profile) else None


def kv_reader(shape: ModelShape | None, gpus: int) -> Callable[[Array], Array]:
    """A function from tokens of context to what a step reads for it, in tokens that every layer keeps.

    Without a shape, or where nothing grows with the context, it is the context itself.
    """
    token = 0.0
    if shape is not None:
        token = float(kv_bytes_per_gpu(shape, 2.0, gpus)) - float(kv_bytes_per_gpu(shape, 1.0, gpus))
    if shape is None or token <= 0.0:
        return np.asarray
    return lambda tokens: np.asarray(kv_bytes_per_gpu(shape, tokens, gpus)) / token


def _unusable(profile: ServeProfile) -> list[str]:
    """Why nothing may be fitted; empty where it may."""
    cut_short = not profile.complete or any(not p.complete for p in profile.points)
    if cut_short and not usable_though_cut(profile):
        known = "requests failed" if profile.cut and profile.cut.failed else f"fewer than {LEAST_LOOPS} closed loops are whole"
        return [f"the profile is incomplete{f': {known}' if profile.cut else ''}"]
    requests = [r for p in profile.points for r in p.requests]
    good = sum(r.error is None for r in requests)
    if good < LEAST_SUCCESSES:
        return [f"{good} of {len(requests)} requests succeeded, at least {LEAST_SUCCESSES} are needed"]
    return []


def _fitted(rows: StepRows, share: float, notes: Sequence[str], least: Mapping[str, float], *, alone: bool) -> StepFit:
    """The fit of these rows; `least`: what coefficients are no less than, seconds.

    `alone`: the server runs one request at a time, so a step and its sequence are one.
    """
    columns = _columns(rows, share)
    unseen = [name for name, column in columns.items() if not column.any()]
    names = [name for name in columns if name not in unseen and not (alone and name == "sequence_s")]
    fit, step_tokens, rows = _best_chunks(rows, names, share)
    columns = _columns(rows, share)
    low = {name: i for i, name in enumerate(names) if fit.values[i] < least.get(name, 0.0)}
    most = {name: fit.values[i] + HALVES * fit.half_width(np.eye(fit.values.size)[i]) for name, i in low.items()}
    beaten = [f"{told}: add {MORE[name]}" for name in low if (told := beats_least(name, most[name], least[name]))]
    if low and not beaten:
        fit = _linear(rows, columns, names, np.array([least.get(name, 0.0) for name in names]))
    single = ["the server decodes one request at a time: a holds what a sequence takes"] if alone else []
    said = [*notes, *single, *(_unshown(name) for name in unseen)]
    sums = _sums(names, columns, rows.request > 0.0, fit)
    coefficients = tuple(_coefficient(name, i, fit, sums, least.get(name, 0.0)) for i, name in enumerate(names))
    value = {c.name: c.value for c in coefficients}
    coarse = any(c.high - c.value > COARSE * c.value for i, c in enumerate(coefficients) if i in fit.alike)
    reported = sums if coarse else ()
    rejected = [*(_unshown(name) for name in NEEDED if name in unseen), *beaten]
    if fit.condition > SAME and reported:
        parts = " and ".join(map(_called, reported[0].names))
        rejected.append(f"the points cannot tell {parts} apart: add {reported[0].add}")
    iteration = None if rejected else Iteration(
        step_s=value["step_s"], sequence_s=value.get("sequence_s", 0.0), kv_byte_s=value["kv_token_s"],
        prefill_token_s=value["prefill_token_s"], experts_s=value.get("experts_s", 0.0), expert_share=share,
    )
    lone = rows.request > 0
    return StepFit(
        iteration, request_s=value.get("request_s"), coefficients=coefficients, sums=reported,
        windows=int(np.count_nonzero(~lone)), lone=int(np.count_nonzero(lone)), points=int(np.unique(rows.point).size),
        median_error=float(np.median(np.abs(fit.residuals[~lone]))), point_scatter=fit.point_scatter,
        condition=fit.condition, step_tokens=step_tokens, rejected=tuple(rejected), notes=tuple(said),
    )


def _called(name: str) -> str:
    letter, words = NAMES[name]
    return f"{letter} ({words})" if letter else words


def _unshown(name: str) -> str:
    return f"no row shows {_called(name)}: add {MORE[name]}"


def _columns(rows: StepRows, share: float) -> dict[str, Array]:
    """The column of each coefficient; that of the experts only where there are some."""
    experts = {"experts_s": rows.touched} if share > 0.0 else {}
    return {
        "step_s": rows.steps, **experts, "sequence_s": rows.sequences, "kv_token_s": rows.kv,
        "prefill_token_s": rows.prefill, "request_s": rows.request,
    }


def _best_chunks(rows: StepRows, names: Sequence[str], share: float) -> tuple[LinearFit, float | None, StepRows]:
    """The fit, the prompt tokens of a step (None: a lone prompt takes one step), and the rows with the steps of that size.

    Of the sizes tried the one that fits best, the larger among equals, if it fits better than none by BETTER.
    """
    prompts = rows.prefill[rows.request > 0.0]
    best: tuple[LinearFit, float | None, StepRows] | None = None
    for tokens in (None, *(size for size in CHUNKS if np.count_nonzero(prompts > size) >= CUT_PROMPTS)):
        cut = rows if tokens is None else in_chunks(rows, tokens)
        fit = _linear(cut, _columns(cut, share), names)
        if best is None or fit.misfit < best[0].misfit - (BETTER if best[1] is None else 0.0):
            best = fit, tokens, cut
    assert best is not None
    return best


def _linear(rows: StepRows, columns: Mapping[str, Array], names: Sequence[str], least: Array | None = None) -> LinearFit:
    """The fit of the rows by these of the columns, no coefficient below `least`."""
    return linear_fit(np.stack([columns[name] for name in names], axis=1), rows.seconds, rows.request, rows.block, rows.point,
                      least)


def _coefficient(name: str, i: int, fit: LinearFit, sums: Sequence[CoefficientSum], least: float) -> Coefficient:
    """The coefficient, no less than `least`; where its column equals others it is part of their sum: none of it up to all."""
    value, half = float(fit.values[i]), fit.half_width(np.eye(fit.values.size)[i])
    low, high = max(value - half, min(least, value)), value + half
    most = [one.high / one.per[one.names.index(name)] for one in sums if name in one.names]
    if fit.condition > SAME and i in fit.alike:
        low, high = 0.0, min(most, default=high)
    return Coefficient(name, value, low, max(min([high, *most]), value))


def _sums(
    names: Sequence[str], columns: dict[str, Array], lone: Flags, fit: LinearFit,
) -> tuple[CoefficientSum, ...]:
    """The sums of the columns that look alike, as windows and lone first tokens show them, at their mean work.

    What a row is fitted as is known however alike its columns are, and so is its part in the columns that are alike.
    """
    found = []
    for rows in (~lone, lone):
        work = {i: float(np.mean(columns[names[i]][rows])) for i in fit.alike} if rows.any() else {}
        held = [i for i, mean in work.items() if mean > 0.0]
        if len(held) < 2:
            continue
        per = np.array([work[i] / work[held[0]] for i in held])
        combination = np.zeros(fit.values.size)
        combination[held] = per
        value, half = float(combination @ fit.values), fit.half_width(combination)
        worst = max(held, key=lambda i: fit.half_width(np.eye(fit.values.size)[i]) / max(float(fit.values[i]), 1e-30))
        found.append(CoefficientSum(
            names=tuple(names[i] for i in held), per=tuple(float(x) for x in per), value=value, low=max(value - half, 0.0),
            high=value + half, add=MORE[names[worst]],
        ))
    return tuple(found)
