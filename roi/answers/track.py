"""Did it come true? The months after a decision against what the comparison said of them.

FILE --compare_file--> Comparison --forecast--> each month with its 90% band
exports, invoices, a cluster, a folder --> months as they came --track--> the facts that make them so
                                       --effects--> which fact was off, and by how much
                                       --course--> when it pays back now, and whether to decide anew
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from datetime import timedelta
from math import comb, isfinite
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from roi.answers.compare import compare_file
from roi.answers.opening import Tell, keep_quiet
from roi.answers.track_hours import QUERY, GpuMonth, opencost_months, prometheus_months
from roi.answers.track_months import Models, MonthSums, after, bill_months, check_span, days_in, month_of, told_by, usage_months
from roi.answers.track_record import Decision, TrackedMonth, keep_months, read_months
from roi.economics.decision.comparison import Comparison, settle
from roi.economics.decision.signposts import Signpost
from roi.economics.inputs import Array, Option, Shared
from roi.economics.tracking.month_figures import PRICE, figures
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
    Held,
    count_held,
    forecast,
    in_days,
)
from roi.economics.tracking.seen_facts import Came, Effect, Tracked, effects, track
from roi.economics.tracking.way_ahead import Ahead, Course, course
from roi.errors import InputError, UnknownName
from roi.numerics.beta import beta_quantile
from roi.scenario.demand import Score
from roi.scenario.file import read_part
from roi.usage.read.record import FileOptions

LIMITS: Final[Mapping[str, str]] = {
    "cash_usd_per_month": "cash of the last month, USD, at most",
    "cash_over": "cash so far over the forecast's, as a share above it, at most",
    "payback_months": "months until the cash is earned back, as it looks now, at most",
    "price_factor": "what the last month paid over the forecast's prices, at most",
    "held_share": "share of the figures that lie in their 90% bands, at least",
    "wrong_share": "share of wrong answers that an evaluation found, at most",
    "anew_usd": "what deciding anew would save from today, USD, at most",
}
"""What `--limit` may hold, and what it means."""
TOLD: Final = frozenset(
    {
        "calls",
        "own_calls",
        "input_tokens",
        "cache_read_tokens",
        "output_tokens",
        "api_usd",
        "api_usd_from",
        "gpu_hours",
        "gpu_usd",
    }
)
"""Figures of a month that one source tells and another does not."""
LEAST: Final = frozenset({"held_share"})
"""Limits that must be reached; the others must not be passed."""


@dataclass(frozen=True, kw_only=True)
class TrackQuestion:
    """What came, and where it is told."""

    actual: tuple[str, ...] = ()
    """Usage exports, as `roi usage` reads them."""
    options: FileOptions = field(default_factory=FileOptions)
    named: str | None = None
    bill: Path | None = None
    opencost: Path | None = None
    prometheus: str | None = None
    query: str = QUERY
    setup_usd: float | None = None
    """What month 0 cost; None: as forecast."""
    quality: Path | None = None
    """What an evaluation settles (roi quality --output)."""
    since: str | None = None
    """Month 1 of the comparison; None: the first whole month after its as-of date."""
    option: str | None = None
    """Id of the option that was chosen; None: the one that the comparison recommends."""
    folder: Path | None = None
    revise: bool = False
    limits: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Limit:
    """One limit, and what it was held against."""

    name: str
    limit: float
    came: float | None
    """None where nothing tells it."""

    @property
    def holds(self) -> bool:
        """True where it does; what nothing tells holds no limit."""
        if self.came is None:
            return False
        return self.came >= self.limit if self.name in LEAST else self.came <= self.limit


@dataclass(frozen=True, kw_only=True)
class TrackAnswer:
    """The months after a decision, and what they make of it."""

    comparison: Comparison
    option: str
    months: tuple[TrackedMonth, ...]
    forecast: Forecast
    tracked: Tracked
    effects: tuple[Effect, ...]
    """The largest first."""
    method: str
    """How the gap was shared out among them: shapley or ordered."""
    course: Course
    came: Mapping[str, Array]
    """What came, by quantity, one number a month."""
    judged: NDArray[np.bool_]
    """Where something came, shape (quantities, months)."""
    inside: NDArray[np.bool_]
    """Where it lies in its band."""
    held: Held
    """How many figures lie in their bands."""
    held_by_quantity: Mapping[str, Held]
    wrong: tuple[float, float, float] | None
    """Share of wrong answers that an evaluation found, with its 90% interval."""
    passed: tuple[Signpost, ...]
    """Signposts of the decision that lie behind us."""
    limits: tuple[Limit, ...]
    written: tuple[str, ...]
    """Files that were added to the folder."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def start(self) -> Date:
        """The first day of month 1."""
        return self.months[0].first_day

    @property
    def binomial(self) -> float:
        """Chance that no more figures lie in their bands, were each of them by itself."""
        total = self.held.judged
        return float(sum(comb(total, k) * 0.9**k * 0.1 ** (total - k) for k in range(self.held.held + 1)))

    def cash(self) -> tuple[float, float]:
        """Cash of these months as it came, and as it was forecast, USD."""
        return float(self.tracked.months.cash_usd.sum()), float(self.forecast.bands[CASH].central.sum())

    def day_of(self, months: float) -> Date | None:
        """The day so many months after the first day of month 1; None for never."""
        if not isfinite(months):
            return None
        month = after(month_of(self.start), int(months))
        return Date.fromisoformat(f"{month}-01") + timedelta(days=int((months % 1.0) * days_in(month)))


def track_file(
    file: Path | None,
    question: TrackQuestion,
    *,
    overrides: tuple[str, ...] = (),
    draws: int | None = None,
    seed: int | None = None,
    profiles: Sequence[Path] = (),
    tell: Tell = keep_quiet,
) -> TrackAnswer:
    """The months of the question against the comparison of the scenario, or the saved comparison, in `file`.

    InputError for months that are missing, twice, before the decision or beyond its horizon, for months of another decision in
    the folder, and for months that the folder holds with other figures.
    """
    asked = compare_file(file, overrides=overrides, draws=draws, seed=seed, profiles=profiles, tell=tell)
    comparison, case = asked.comparison, asked.comparison.case
    id = _option(comparison, question.option)
    shared, options, choices = settle(case)
    decision = Decision(
        title=str(case["title"].value)[:300],
        as_of=str(case["as_of"].value),
        option=id,
        first_month=_first_month(case["as_of"].value, question.since),
    )
    notes: list[str] = [asked.note] if asked.note else []
    months = _months(question, decision, shared, options, notes)
    days = np.array([float(days_in(after(decision.first_month, k))) for k in range(shared.horizon)])
    expected = forecast(case, choices, id, days, len(months))
    came = _came(months, shared, options, id, days[: len(months)])
    tracked = track(shared, options, id, came)
    wrong = None if question.quality is None else _wrong(question.quality, options[id], notes)
    seen, judged, inside = _judge(expected, tracked, wrong)
    found = course(
        case, choices, id, tracked, days, comparison.verdict.candidates, comparison.verdict.counts, question.setup_usd
    )
    held, by_quantity = count_held(inside, judged, expected)
    found_effects, method = effects(shared, options, id, tracked)
    months = tuple(_with_forecast(month, expected, k) for k, month in enumerate(months))
    answer = TrackAnswer(
        comparison=comparison,
        option=id,
        months=months,
        forecast=expected,
        tracked=tracked,
        effects=found_effects,
        method=method,
        course=found,
        came=seen,
        judged=judged,
        inside=inside,
        wrong=wrong,
        held=held,
        held_by_quantity=by_quantity,
        passed=tuple(s for s in comparison.signposts if s.option == id and _behind(s, found)),
        limits=(),
        written=(),
        notes=tuple(notes),
        warnings=asked.warnings,
    )
    limits = tuple(Limit(name, limit, _against(answer, name)) for name, limit in (question.limits or {}).items())
    written = () if question.folder is None else tuple(keep_months(question.folder, months, revise=question.revise))
    return TrackAnswer(**{**vars(answer), "limits": limits, "written": written})


def _option(comparison: Comparison, named: str | None) -> str:
    """The option that was chosen; UnknownName with the nearest."""
    known = {o.id: o.label for o in comparison.options}
    if named is None:
        return comparison.verdict.leader
    fitting = [id for id, label in known.items() if named in {id, label}]
    if not fitting:
        raise UnknownName("--option", named, [*known, *known.values()], "option", known.values())
    return fitting[0]


def _first_month(as_of: object, since: str | None) -> str:
    """Month 1: as said, or the first that is whole after the day of the comparison."""
    day = Date.fromisoformat(str(as_of))
    if since is not None:
        return since
    return month_of(day) if day.day == 1 else after(month_of(day))


def _months(
    question: TrackQuestion, decision: Decision, shared: Shared, options: Mapping[str, Option], notes: list[str]
) -> tuple[TrackedMonth, ...]:
    """The months that are kept and those that are told now, in order and without a gap."""
    kept = {} if question.folder is None else {name: month for name, (_, month) in read_months(question.folder).items()}
    for name, month in kept.items():
        if month.decision != decision:
            was = f"{month.decision.option} as of {month.decision.as_of}, month 1 {month.decision.first_month}"
            raise InputError(
                f"--folder: {question.folder}: {name} belongs to another decision ({month.decision.title}: {was}); "
                "a folder for each"
            )
    usage: dict[str, MonthSums] = {}
    if question.actual:
        usage = usage_months(question.actual, question.options, question.named, _models(options, decision.option), notes)
    bill = {} if question.bill is None else bill_months(question.bill)
    sums = told_by(usage, bill, question.bill)
    hours = {} if question.opencost is None else opencost_months(question.opencost)
    asked: dict[str, GpuMonth] = {}
    if question.prometheus is not None:
        wanted = [name for name in sums if name not in hours]
        asked = prometheus_months(question.prometheus, wanted, question.query, notes)
        hours |= asked
    if not sums and not question.actual and question.bill is None:
        sums = {name: MonthSums() for name in hours}
    for name, gpus in hours.items():
        if name in sums:
            source = "Prometheus" if name in asked else "OpenCost"
            sums[name].gpu_hours = _once(name, "gpu_hours", source, sums[name].gpu_hours, gpus.hours)
            sums[name].gpu_usd = _once(name, "gpu_usd", source, sums[name].gpu_usd, gpus.usd)
            sums[name].sources.append(source)
    told = {name: _filled(_tracked(name, each, decision), kept.get(name)) for name, each in sums.items()}
    merged = {**kept, **told}
    names = sorted(merged)
    check_span(names, decision.first_month, shared.horizon)
    return tuple(merged[name] for name in names)


def _once(month: str, figure: str, source: str, billed: float | None, told: float | None) -> float | None:
    """The figure from the one that tells it; InputError where the invoice and the cluster both do."""
    if billed is not None and told is not None:
        raise InputError(f"--bill: {month}: {figure} is told by {source} too; leave it out of one of them")
    return told if billed is None else billed


def _models(options: Mapping[str, Option], id: str) -> Models:
    """The models that the option calls: its own, and the incumbent's, what it escalates or spills to."""
    option, stay = options[id], options["stay"]
    others = [stay.vendor, options[option.escalates_to].vendor]
    others += [options[option.spills_to].vendor] if option.spills_to is not None else []
    own = option.vendor if option.api is not None else None
    return Models(own, tuple(dict.fromkeys(name for name in others if name and name != own)))


def _tracked(month: str, sums: MonthSums, decision: Decision) -> TrackedMonth:
    """The record of a month."""
    counted = sums.input_tokens + sums.output_tokens > 0
    return TrackedMonth(
        month=month,
        decision=decision,
        calls=sums.calls,
        own_calls=sums.own_calls,
        input_tokens=sums.input_tokens if counted else None,
        output_tokens=sums.output_tokens if counted else None,
        cache_read_tokens=sums.cache_read_tokens if counted else None,
        api_usd=sums.usd,
        api_usd_from=sums.usd_from,  # type: ignore[arg-type]  # one of the three words
        gpu_hours=sums.gpu_hours,
        gpu_usd=sums.gpu_usd,
        sources=tuple(dict.fromkeys(sums.sources)),
    )


def _filled(month: TrackedMonth, kept: TrackedMonth | None) -> TrackedMonth:
    """The month with what was kept of it in place of what nothing tells now."""
    if kept is None:
        return month
    more = {name: x for name, x in kept.figures().items() if name in TOLD and getattr(month, name) is None and x is not None}
    return (
        month.model_copy(update={**more, "sources": tuple(dict.fromkeys((*kept.sources, *month.sources)))}) if more else month
    )


def _came(
    months: Sequence[TrackedMonth], shared: Shared, options: Mapping[str, Option], id: str, days: Array
) -> tuple[Came, ...]:
    """The months for the engine. Where an export counts no requests, as many calls as the forecast's length gives."""
    planned = in_days(figures(shared, options[id], options), days)
    length = np.broadcast_to(planned.input_tokens + planned.output_tokens, days.shape)
    found = []
    for k, month in enumerate(months):
        calls, given, made = month.calls, month.input_tokens, month.output_tokens
        if calls is None and given is not None and made is not None:
            calls = (given + made) / float(length[k])
        per = month.calls or 0.0
        found.append(
            Came(
                days=float(days[k]),
                calls=calls,
                input_tokens=given / per if given is not None and per else None,
                output_tokens=made / per if made is not None and per else None,
                cached_share=(month.cache_read_tokens or 0.0) / given if given else None,
                own_share=month.own_calls / per if month.own_calls is not None and per else None,
                api_usd=month.api_usd,
                gpu_hours=month.gpu_hours,
                gpu_usd=month.gpu_usd,
            )
        )
    return tuple(found)


def _judge(
    expected: Forecast, tracked: Tracked, wrong: tuple[float, float, float] | None
) -> tuple[dict[str, Array], NDArray[np.bool_], NDArray[np.bool_]]:
    """What came by quantity, where something did, and where it lies in its band."""
    came, count = tracked.came, len(tracked.came)
    price = tracked.seen[PRICE][:, 0] if PRICE in tracked.seen else np.ones(count)
    billed = [each.api_usd is not None for each in came]
    rent = [each.gpu_hours is not None or each.gpu_usd is not None for each in came]
    told: dict[str, tuple[Sequence[float | None] | Array, Sequence[bool]]] = {
        CASH: (tracked.months.cash_usd, [a or b for a, b in zip(billed, rent, strict=True)]),
        CALLS: ([each.calls for each in came], [each.calls is not None for each in came]),
        INPUT_TOKENS: ([each.input_tokens for each in came], [each.input_tokens is not None for each in came]),
        OUTPUT_TOKENS: ([each.output_tokens for each in came], [each.output_tokens is not None for each in came]),
        PRICES: (price, billed),
        CACHED: ([each.cached_share for each in came], [each.cached_share is not None for each in came]),
        HOURS: ([each.gpu_hours for each in came], [each.gpu_hours is not None for each in came]),
        WRONG: (
            [None if wrong is None or k < count - 1 else wrong[0] for k in range(count)],
            [wrong is not None and k == count - 1 for k in range(count)],
        ),
    }
    seen, judged, inside = {}, [], []
    for name in QUANTITIES:
        values, known = told[name]
        band, there = expected.bands[name], np.array(known, dtype=bool)
        seen[name] = np.array([0.0 if x is None else float(x) for x in values])
        there &= (band.high > 0) | (seen[name] > 0)  # nothing was expected and nothing came: nothing to judge
        held = band.holds(seen[name])
        if name == WRONG and wrong is not None:  # an evaluation has an interval of its own: the two must meet
            held = (wrong[2] >= band.low) & (wrong[1] <= band.high)
        judged.append(there)
        inside.append(held & there)
    return seen, np.stack(judged), np.stack(inside)


def _wrong(path: Path, option: Option, notes: list[str]) -> tuple[float, float, float] | None:
    """Share of wrong answers of the option's system in an evaluation, with its 90% interval."""
    scores = read_part(path, "--quality").get("quality", {}).get("scores", {})
    known = scores if isinstance(scores, dict) else {}
    if option.system not in known:
        raise UnknownName(f"--quality: {path}", option.system, list(known), "system in this evaluation:", list(known))
    try:
        score = Score.model_validate(known[option.system])
    except ValidationError as error:
        raise InputError(f"--quality: {path}: quality.scores.{option.system}: {error.errors()[0]['msg']}") from None
    if score.low is not None and score.high is not None:
        return 1.0 - score.value, 1.0 - score.high, 1.0 - score.low
    if score.items is None:
        notes.append(
            f"--quality: {path} does not say on how many items {option.system} was judged; its score is taken as exact"
        )
        return 1.0 - score.value, 1.0 - score.value, 1.0 - score.value
    wrong, right = (part * score.items + 0.5 for part in (1.0 - score.value, score.value))
    low, high = beta_quantile(np.array([0.05, 0.95]), wrong, right)
    return 1.0 - score.value, float(low), float(high)


def _with_forecast(month: TrackedMonth, expected: Forecast, k: int) -> TrackedMonth:
    """The record with what was expected of the month."""
    bands = {name: (float(b.low[k]), float(b.central[k]), float(b.high[k])) for name, b in expected.bands.items()}
    return month.model_copy(update={"forecast": bands})


def _behind(signpost: Signpost, found: Course) -> bool:
    """True where what came lies on the other side of the signpost than the day of the decision did."""
    now = {"requests_per_day": found.requests_per_day, "api_price_ratio": found.price_factor}.get(signpost.quantity)
    if now is None or signpost.threshold is None:
        return False
    return (signpost.today > signpost.threshold) != (now > signpost.threshold)


def _against(answer: TrackAnswer, name: str) -> float | None:
    """The figure that a limit is held against; None where nothing tells it."""
    came, planned = answer.cash()
    told = answer.judged[QUANTITIES.index(CASH)]
    anew: Ahead | None = answer.course.anew
    known: dict[str, float | None] = {
        "cash_usd_per_month": float(answer.tracked.months.cash_usd[-1]) if told[-1] else None,
        "cash_over": came / planned - 1.0 if told.all() and planned > 0 else None,
        "payback_months": answer.course.payback[0],
        "price_factor": answer.course.price_factor,
        "held_share": answer.held.held / answer.held.judged if answer.held.judged else None,
        "wrong_share": None if answer.wrong is None else answer.wrong[0],
        "anew_usd": 0.0 if anew is None else anew.gain_usd,
    }
    return known[name]
