"""How the engine step fitted on a server is told: its coefficients beside the roofline, and how it predicts an unseen load."""

from dataclasses import asdict
from typing import Any, Final

from roi.estimate.replay.held_out import HoldOut
from roi.estimate.serving.iteration import Iteration
from roi.estimate.serving.step_fit import Coefficient, CoefficientSum
from roi.evidence.server_fit import ServeFit
from roi.report.layout.blocks import Block, Gap, Notes, Paragraph, Row, Table

NAMES: Final = {
    "step_s": ("a", "a step, however small"), "experts_s": ("e", "reading every expert"),
    "sequence_s": ("b", "each decoding sequence"), "kv_token_s": ("c", "each token of KV cache read"),
    "prefill_token_s": ("d", "each prompt token"), "request_s": ("", "a request outside the steps"),
}
"""The letter and the words of each coefficient."""

LEAST_SCATTER: Final = 0.02
"""The scatter of whole points is told from this value on."""

UNITS: Final = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("ps", 1e-12))
"""Units of time, largest first."""


def step_fit_blocks(found: ServeFit) -> list[Block]:
    """The table of coefficients and the remarks on them; where nothing is fitted, the reason."""
    fit = found.fit
    if fit.iteration is None and not fit.coefficients:
        more = len(fit.rejected) - 1
        first = f"nothing is fitted: {fit.rejected[0]}" + (f" (and {more} more points)" if more > 0 else "")
        return [Notes((first, *fit.notes))]
    heads = ("", "value", "90% interval", "roofline" if found.theory else "", "")
    return [
        Paragraph("Engine step = a + b x sequences + c x KV tokens + d x prompt tokens"), Gap(),
        Table(heads, tuple(Row(_cells(c, found.theory)) for c in fit.coefficients)), Gap(),
        Notes(tuple(_remarks(found))),
    ]


def step_fit_body(found: ServeFit) -> dict[str, Any]:  # Any: JSON
    """The same for JSON, in seconds; what could not be fitted is null."""
    fit = found.fit
    best = None if found.theory is None else {c.name: _theory(c, found.theory) for c in fit.coefficients}
    return {
        "coefficients": {c.name: {"value": c.value, "low": c.low, "high": c.high} for c in fit.coefficients},
        "together": [asdict(one) for one in fit.sums], "fitted": fit.iteration is not None,
        "check_missing": fit.check_missing, "rejected": list(fit.rejected), "notes": list(fit.notes), "points": fit.points,
        "windows": fit.windows, "lone_first_tokens": fit.lone, "median_error": fit.median_error,
        "point_scatter": fit.point_scatter, "condition": fit.condition, "step_tokens": fit.step_tokens,
        "sequence_limit": fit.sequence_limit, "roofline": best, "adapters": [asdict(one) for one in found.adapters],
        "held_out": [{**asdict(one), "errors": dict(zip(("tpot", "ttft", "tokens_per_s"), one.errors, strict=True))}
                     for one in found.held_out],
    }


def _cells(c: Coefficient, theory: Iteration | None) -> tuple[str, ...]:
    letter, words = NAMES[c.name]
    unit, scale = _unit(c.value or c.high)
    best = _theory(c, theory) if theory else None
    span = f"{_three(c.low / scale)} to {_three(c.high / scale)}" if c.value > 0.0 else f"below {_three(c.high / scale)}"
    return f"{letter:2s} {words}", _three(c.value / scale), span, "" if best is None else _three(best / scale), unit


def _theory(c: Coefficient, theory: Iteration) -> float | None:
    """The coefficient by the roofline, whose KV coefficient is per token here; a request outside the steps has none."""
    if c.name == "request_s":
        return None
    return float(getattr(theory, "kv_byte_s" if c.name == "kv_token_s" else c.name))


def _remarks(found: ServeFit) -> list[str]:
    fit = found.fit
    texts = [f"not fitted: {why}" for why in fit.rejected]
    texts += [_unseen(one) for one in found.held_out]
    if fit.check_missing and fit.iteration is not None:
        texts.append(f"not checked: the open loop that is kept aside for it was cut short or is missing ({fit.check_missing})")
    texts += [
        f"{one.adapters} unmerged adapter{'s' if one.adapters > 1 else ''}: {one.speed:.2f} of the speed without"
        f" ({one.low:.2f} to {one.high:.2f}, {one.points} points)" for one in found.adapters
    ]
    if fit.median_error is not None:
        texts.append(
            f"fitted on {fit.points} points: {fit.windows} windows of decoding (median error {100.0 * fit.median_error:.1f}%)"
            f" and {fit.lone} first tokens that met an idle server"
        )
    if fit.point_scatter and fit.point_scatter >= LEAST_SCATTER:
        off = f"{100.0 * fit.point_scatter:.1f}%"
        texts.append(f"whole points lie {off} off the line: a step is not quite a straight line in its parts")
    texts += [_sum(one) for one in fit.sums]
    if fit.step_tokens:
        texts.append(f"long prompts come in parts of {fit.step_tokens:,.0f} tokens a step, as lone first tokens show")
    if fit.sequence_limit and fit.sequence_limit > 1:
        texts.append(f"at most {fit.sequence_limit} requests decode together: others waited for them")
    return [*texts, *fit.notes]


def _unseen(one: HoldOut) -> str:
    """How a load that the fit has not seen was predicted."""
    tpot, ttft, rate = (f"{100.0 * error:+.1f}%" for error in one.errors)
    return (
        f"held out, point {one.point} (n = {one.requests}): replayed TPOT {1e3 * one.predicted_tpot_s:.4g} ms against"
        f" {1e3 * one.tpot_s:.4g} measured ({tpot}), TTFT {1e3 * one.predicted_ttft_s:.4g} against {1e3 * one.ttft_s:.4g} ms"
        f" ({ttft}), {one.predicted_tokens_per_s:.4g} against {one.tokens_per_s:.4g} tokens/s ({rate}); medians"
    )


def _sum(one: CoefficientSum) -> str:
    """The words for coefficients of which only a sum is known."""
    parts = [NAMES[name][0] or "request" for name in one.names]
    times = ["" if f"{per:.4g}" == "1" else f"{per:.4g} " for per in one.per]
    formula = " + ".join(f"{count}{part}" for count, part in zip(times, parts, strict=True))
    unit, scale = _unit(one.value or one.high)
    span = f"{_three(one.low / scale)} to {_three(one.high / scale)}"
    return f"known together only: {formula} = {_three(one.value / scale)} {unit} ({span}); add {one.add}"


def _unit(seconds: float) -> tuple[str, float]:
    """The unit in which this time has one to three digits before the point."""
    return next((unit for unit in UNITS if seconds >= unit[1]), UNITS[-1])


def _three(value: float) -> str:
    """Three digits, without an exponent below a million."""
    if value == 0.0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"
