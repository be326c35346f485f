"""What came in each month held against its band; errors against what an evaluation found."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from roi.economics.inputs import Array, Option
from roi.economics.tracking.predictive_bands import (
    CACHED,
    CALLS,
    CASH,
    HOURS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    PRICES,
    QUANTITIES,
    WRONG,
    Forecast,
)
from roi.economics.tracking.seen_facts import Tracked
from roi.errors import InputError, UnknownName, not_usable
from roi.numerics.beta import beta_quantile
from roi.scenario.file import read_part
from roi.scenario.sections.scores import Score


def judge(
    expected: Forecast, tracked: Tracked, wrong: tuple[float, float, float] | None
) -> tuple[dict[str, Array], NDArray[np.bool_], NDArray[np.bool_]]:
    """What came by quantity, where something did, and where it lies in its band."""
    came, count = tracked.came, len(tracked.came)
    billed = [each.api_usd is not None or each.listed for each in came]
    fleet = expected.bands[HOURS].high > 0  # without any, hours are held against nothing, and cost what gpu_usd says
    hours = [None if not there else each.gpu_hours for each, there in zip(came, fleet, strict=True)]
    rent = [each.gpu_usd is not None or x is not None for each, x in zip(came, hours, strict=True)]
    told: dict[str, Sequence[float | None] | Array] = {
        CASH: tracked.months.cash_usd, CALLS: [each.calls for each in came],
        INPUT_TOKENS: [each.input_tokens for each in came], OUTPUT_TOKENS: [each.output_tokens for each in came],
        PRICES: tracked.price, CACHED: [each.cached_share for each in came], HOURS: hours,
        WRONG: [None if wrong is None or k < count - 1 else wrong[0] for k in range(count)],
    }
    known = {name: [x is not None for x in values] for name, values in told.items()} | {  # these two are always worked out
        CASH: [a or b for a, b in zip(billed, rent, strict=True)],
        PRICES: [each.calls_usd is not None and each.calls is not None for each in came]}  # without calls it may be a volume
    seen, judged, inside = {}, [], []
    for name in QUANTITIES:
        values, band, there = told[name], expected.bands[name], np.array(known[name], dtype=bool)
        seen[name] = np.array([0.0 if x is None else float(x) for x in values])
        there &= (band.high > 0) | (seen[name] > 0)  # nothing was expected and nothing came: nothing to judge
        held = band.holds(seen[name])
        if name == WRONG and wrong is not None:  # an evaluation has an interval of its own: the two must meet
            held = (wrong[2] >= band.low) & (wrong[1] <= band.high)
        judged.append(there)
        inside.append(held & there)
    return seen, np.stack(judged), np.stack(inside)


def wrong_share(path: Path, option: Option, notes: list[str]) -> tuple[float, float, float] | None:
    """Share of wrong answers of the option's system in an evaluation, with its 90% interval."""
    scores = read_part(path, "--quality").get("quality", {}).get("scores", {})
    known = scores if isinstance(scores, dict) else {}
    if option.system not in known:
        raise UnknownName(f"--quality: {path}", option.system, list(known), "system in this evaluation:", list(known))
    try:
        told = known[option.system]
        score = Score.model_validate({"value": told} if isinstance(told, (int, float)) else told)
    except ValidationError as error:
        why = error.errors()[0]
        place = ".".join(("quality.scores", option.system, *map(str, why["loc"])))
        raise InputError(f"--quality: {path}: {place}: {not_usable(why)}") from None
    counts_as = score.items if score.effective_items is None else score.effective_items
    if score.low is not None and score.high is not None and score.effective_items is None:
        return 1.0 - score.value, 1.0 - score.high, 1.0 - score.low
    if counts_as is None:
        notes.append(f"--quality: {path} does not say on how many items {option.system} was judged; its score is taken as"
                     " exact")
        return 1.0 - score.value, 1.0 - score.value, 1.0 - score.value
    wrong, right = (part * counts_as + 0.5 for part in (1.0 - score.value, score.value))
    low, high = beta_quantile(np.array([0.05, 0.95]), wrong, right)
    return 1.0 - score.value, float(low), float(high)
